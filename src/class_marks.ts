/**
 * Marks by which instances of a public class are recognised whatever copy of the library, and whatever
 * realm, they come from. A process may hold two copies, and a test runner loads each test file into a
 * realm of its own; `instanceof` by itself compares objects that exist once for each of those.
 */

/** The mark that `value` carries under `key`, or undefined. */
export function markOf(value: unknown, key: symbol): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return (value as { readonly [key: symbol]: unknown })[key];
}

/**
 * Puts `mark` on the prototype of a class, and has `instanceof` ask for it by `isMark`. A class that a user
 * derives inherits this `instanceof` but no mark of its own: for that one it does what it always does.
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
