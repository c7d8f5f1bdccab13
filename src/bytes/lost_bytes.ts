/**
 * Distinguishes lost bytes from empty ones. A view whose buffer was transferred, or has shrunk, has
 * length 0, as an honest empty view has. Code that takes bytes of length 0 from a caller checks
 * here.
 */

/** The name of such bytes in errors. */
export const LOST_BYTES =
  "a Uint8Array whose buffer was detached, or resized so that it lies outside";

// Engines check for both in every method of typed arrays that reads, in any realm.
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
