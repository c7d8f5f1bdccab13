/** The bounds of a table that has deleted spans. */

import { bytesOfKey, compareKeys, type KeySpan, viewOfKey } from "../iterator/key_spans.ts";

/** The smallest and the largest key of a table. */
export interface TableBounds {
  /** The smallest key. */
  readonly smallest: Uint8Array;
  /** The largest key. */
  readonly largest: Uint8Array;
}

/**
 * The bounds of entries together with those of spans. They say which tables must be compared with
 * this one. The largest key counts as part of a table. The first key after a span does not belong
 * to the span, so the bounds may be too wide by this one key. If the span ends right after a key
 * (with a zero byte), they are exact: a merge that divides a span between two tables cuts it there.
 */
export function boundsWith(
  smallest: Uint8Array,
  largest: Uint8Array,
  spans: readonly KeySpan[],
): TableBounds {
  const [first, last] = [spans[0], spans.at(-1)];
  if (first === undefined || last === undefined) return { smallest, largest };
  const end = lastKeyBefore(last.upper);
  return {
    smallest: compareKeys(first.lower, viewOfKey(smallest)) < 0
      ? bytesOfKey(first.lower).slice()
      : smallest,
    largest: compareKeys(end, viewOfKey(largest)) > 0 ? bytesOfKey(end).slice() : largest,
  };
}

/** The key right before `key` if there is one, else `key`. */
function lastKeyBefore(key: DataView): DataView {
  const last = key.byteLength - 1;
  return last >= 0 && key.getUint8(last) === 0
    ? new DataView(key.buffer, key.byteOffset, last)
    : key;
}
