/**
 * Copies short byte ranges between buffers: entries from the log to the memtable, into blocks and
 * from block to block, and keys into the hash kernel.
 *
 * `set(subarray)` has to make a view. Copying four words a step through DataViews is faster for
 * ranges below about 200 bytes (docs/measurements/0009-what-writing-costs.md).
 */

/** Up to this many bytes are copied in words. */
const WORD_COPY_MAX = 192;

/**
 * Copies `from[start, end)` to `into[at...]`. Each view shares the memory of its bytes, offset for
 * offset. The ranges must lie inside, and must not overlap in one buffer.
 */
export function copyRange(
  from: Uint8Array,
  fromView: DataView,
  start: number,
  end: number,
  into: Uint8Array,
  intoView: DataView,
  at: number,
): void {
  if (end - start > WORD_COPY_MAX) {
    into.set(from.subarray(start, end), at);
    return;
  }
  let target = at;
  let source = start;
  for (; source + 16 <= end; source += 16, target += 16) {
    intoView.setInt32(target, fromView.getInt32(source, true), true);
    intoView.setInt32(target + 4, fromView.getInt32(source + 4, true), true);
    intoView.setInt32(target + 8, fromView.getInt32(source + 8, true), true);
    intoView.setInt32(target + 12, fromView.getInt32(source + 12, true), true);
  }
  for (; source + 4 <= end; source += 4, target += 4) {
    intoView.setInt32(target, fromView.getInt32(source, true), true);
  }
  for (; source < end; source++, target++) into[target] = from[source]!;
}
