/**
 * Copies of byte ranges for the user, who owns them (bytes/slab.ts). Scans use larger slabs: they
 * make many copies one after another, and then new buffers are the main cost. What was read for one
 * result only is not copied.
 */

import { Slab } from "../bytes/slab.ts";

const single = new Slab(8 * 1024);
const scanned = new Slab(32 * 1024);

/** Shorter bytes are always copied. */
const OFFERED_MIN = 4096;

/** Memory that was read for one result, by what was read. */
const offered = new WeakSet<Uint8Array>();

/**
 * Offers the memory of a value to the next one who wants a copy of all bytes from a multiple of 8
 * to the end: instead of a copy, they get that part of the memory itself. Nobody else may read or
 * write these bytes any more.
 */
export function offerBytes(bytes: Uint8Array): void {
  offered.add(bytes);
}

/** The end of memory that was offered, or undefined. */
function taken(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
  if (end !== bytes.length || (bytes.byteOffset + start) % 8 !== 0) return undefined;
  if (!offered.delete(bytes)) return undefined;
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
}

/**
 * A copy of `bytes[start, end)`, a plain Uint8Array that nothing else refers to. `view` shares the
 * memory of `bytes`, offset for offset.
 */
export function copyBytes(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): Uint8Array {
  if (end - start >= OFFERED_MIN) {
    const own = taken(bytes, start, end);
    if (own !== undefined) return own;
  }
  return single.copy(bytes, view, start, end);
}

/** As `copyBytes`, for the keys and values of a scan. */
export function copyScannedBytes(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): Uint8Array {
  if (end - start >= OFFERED_MIN) {
    const own = taken(bytes, start, end);
    if (own !== undefined) return own;
  }
  return scanned.copy(bytes, view, start, end);
}
