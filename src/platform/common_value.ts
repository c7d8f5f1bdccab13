/**
 * Values that all copies of the library in a thread share. Modules that are loaded a second time,
 * or come with two versions of a package, share nothing else.
 */

/** The value of that name; the first caller makes it. It may come from an older or newer copy. */
export function commonValue<T>(name: string, make: () => T): T {
  const key = Symbol.for(name);
  const holder = globalThis as unknown as Record<symbol, T | undefined>;
  let value = holder[key];
  if (value === undefined) {
    value = make();
    // Not by assignment: nobody must see it among the global variables, or replace it.
    Object.defineProperty(holder, key, { value });
  }
  return value;
}
