/**
 * Distinguishes bytes from everything else that callers pass as keys, values and parts of records.
 */

/** The kind of a typed array of any realm; a property of that name on the object does not count. */
const typedArrayName = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;

/** Whether `value` is a Uint8Array of this or another realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || typedArrayName.call(value) === "Uint8Array";
}
