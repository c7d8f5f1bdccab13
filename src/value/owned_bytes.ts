/**
 * Copies of byte ranges that are handed to the user, who owns them from then on (bytes/slab.ts). Those of
 * scans have larger slabs: many are made one after another, and new buffers are what costs then.
 */

import { Slab } from "../bytes/slab.ts";

const single = new Slab(8 * 1024);
const scanned = new Slab(32 * 1024);

/**
 * A copy of `bytes[start, end)`, a plain Uint8Array that nothing else refers to. `view` looks at the same
 * memory as `bytes`, offset for offset.
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
