/**
 * Marks by which the library recognises instances of its public classes, from any copy of the
 * library and any realm. A process may hold two copies, and a test runner loads each test file into
 * its own realm. `instanceof` alone compares objects that exist once for each of those.
 */

/** The mark that `value` carries under `key`, or undefined. */
export function markOf(value: unknown, key: symbol): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as { readonly [key: symbol]: unknown })[key];
}

/**
 * Puts `mark` on the prototype of a class, and makes its `instanceof` call `isMark`. A class that a
 * user derives inherits this `instanceof` but has no mark: for that class it keeps its ordinary
 * meaning.
 */
export function markClass(
  constructor: { readonly prototype: object },
  key: symbol,
  mark: unknown,
  isMark: (found: unknown) => boolean = (found) => found === mark,
): void {
  Object.defineProperty(constructor.prototype, key, { value: mark });
  Object.defineProperty(constructor, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      return this === constructor
        ? isMark(markOf(value, key))
        : Function.prototype[Symbol.hasInstance].call(this as () => void, value);
    },
  });
}
