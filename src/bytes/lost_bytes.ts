/**
 * Tells bytes that are gone from bytes that are none: a view whose buffer was transferred away, or has
 * shrunk under it, has the length 0, as an honest empty one has. Whoever takes bytes from a caller asks
 * here, and only about those of length 0.
 */

/** What such bytes are called in errors. */
export const LOST_BYTES =
  "a Uint8Array whose buffer was detached, or resized so that it lies outside";

// Engines check for both in every method of typed arrays that reads, whatever the realm.
const at: (this: Uint8Array, index: number) => number | undefined =
  Object.getPrototypeOf(Uint8Array.prototype).at;

/** Whether `bytes`, of length 0, had a memory that it has lost. */
export function isLost(bytes: Uint8Array): boolean {
  try {
    at.call(bytes, 0);
    return false;
  } catch {
    return true;
  }
}
