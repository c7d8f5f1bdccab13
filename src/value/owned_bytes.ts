/**
 * Copies of byte ranges for the user, who owns them (bytes/slab.ts). Scans use larger slabs: they
 * make many copies one after another, and then new buffers are the main cost.
 */

import { Slab } from "../bytes/slab.ts";

const single = new Slab(8 * 1024);
const scanned = new Slab(32 * 1024);

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
  return single.copy(bytes, view, start, end);
}

/** As `copyBytes`, for the keys and values of a scan. */
export function copyScannedBytes(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): Uint8Array {
  return scanned.copy(bytes, view, start, end);
}
