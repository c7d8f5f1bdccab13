/**
 * The order of keys: unsigned bytes, front to back, and a prefix before the keys that extend it.
 *
 * The memtable, blocks, indexes and the merge all compare through these functions. They compare
 * ranges in place, by big-endian 32-bit words and then by bytes, which takes half the time of a
 * loop over bytes (docs/measurements/0009-what-writing-costs.md).
 *
 * Offsets are trusted: a range outside its view is a RangeError of DataView.
 */

/**
 * Compares `a[aStart, aEnd)` with `b[bStart, bEnd)`; negative if `a` is smaller, 0 if they are
 * equal, positive if `a` is larger.
 */
export function compareRanges(
  a: DataView,
  aStart: number,
  aEnd: number,
  b: DataView,
  bStart: number,
  bEnd: number,
): number {
  const aLength = aEnd - aStart;
  const bLength = bEnd - bStart;
  const common = aLength < bLength ? aLength : bLength;
  let i = 0;
  for (; i + 4 <= common; i += 4) {
    const aWord = a.getUint32(aStart + i);
    const bWord = b.getUint32(bStart + i);
    if (aWord !== bWord) return aWord < bWord ? -1 : 1;
  }
  for (; i < common; i++) {
    const difference = a.getUint8(aStart + i) - b.getUint8(bStart + i);
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** Count of leading bytes that `a[aStart, aEnd)` and `b[bStart, bEnd)` share. */
export function commonPrefixLength(
  a: DataView,
  aStart: number,
  aEnd: number,
  b: DataView,
  bStart: number,
  bEnd: number,
): number {
  const common = Math.min(aEnd - aStart, bEnd - bStart);
  let i = 0;
  for (; i + 4 <= common; i += 4) {
    const difference = a.getUint32(aStart + i) ^ b.getUint32(bStart + i);
    if (difference !== 0) return i + (Math.clz32(difference) >>> 3);
  }
  while (i < common && a.getUint8(aStart + i) === b.getUint8(bStart + i)) i++;
  return i;
}

/**
 * The first four bytes of `view[start, end)` as a big-endian uint32, with zeros after a shorter
 * range. Different words have the order of their keys; equal words decide nothing.
 */
export function keyWord(view: DataView, start: number, end: number): number {
  const length = end - start;
  if (length >= 4) return view.getUint32(start);
  if (length === 3) return (view.getUint16(start) << 16 | view.getUint8(start + 2) << 8) >>> 0;
  if (length === 2) return (view.getUint16(start) << 16) >>> 0;
  return length === 1 ? (view.getUint8(start) << 24) >>> 0 : 0;
}
