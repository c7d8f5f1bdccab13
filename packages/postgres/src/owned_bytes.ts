/**
 * Bytes that a caller owns. Small ones share memory, as those of the embedded store do: a small
 * buffer of its own is the dearest part of an entry on V8.
 */

const SLAB_BYTES = 8192;
const LARGEST_SHARED = 1024;

let slab = new Uint8Array(SLAB_BYTES);
let used = 0;

/** A copy of a part of `bytes`. */
export function ownedBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
): Uint8Array {
  const length = end - start;
  if (length > LARGEST_SHARED) {
    return new Uint8Array(bytes.subarray(start, end));
  }
  if (used + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    used = 0;
  }
  const copy = slab.subarray(used, used + length);
  // A loop: a call for few bytes takes more time than they do.
  for (let at = 0; at < length; at++) copy[at] = bytes[start + at]!;
  used += length;
  return copy;
}

/**
 * A part of a text as bytes, after `first` if it is given. Undefined if they are many, or the text
 * is not ASCII.
 */
export function ownedAscii(
  text: string,
  start: number,
  end: number,
  first?: number,
): Uint8Array | undefined {
  const head = first === undefined ? 0 : 1;
  const length = head + end - start;
  if (length > LARGEST_SHARED) return undefined;
  if (used + length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    used = 0;
  }
  const bytes = slab.subarray(used, used + length);
  if (first !== undefined) bytes[0] = first;
  for (let at = start, to = head; at < end; at++, to++) {
    const code = text.charCodeAt(at);
    // What was written is not in use, so the next caller gets this memory.
    if (code >= 0x80) return undefined;
    bytes[to] = code;
  }
  used += length;
  return bytes;
}
