/**
 * Ranges of keys that were deleted, as plain data: sorted, and none overlaps another.
 *
 * A memtable and a table each have such a list. The list hides keys of older memtables and tables,
 * and no key of its own: what a range deletes in its own memtable is left out when it is written to
 * a table. So the ranges need no sequence numbers on disk.
 */

import { compareRanges } from "../bytes/compare.ts";

/** Keys from `lower` on and before `upper`. Each view is a whole key. */
export interface KeySpan {
  /** The first key. */
  readonly lower: DataView;
  /** The first key after the span. */
  readonly upper: DataView;
}

/** No span. */
export const NO_SPANS: readonly KeySpan[] = [];

/** The order of two whole keys. */
export function compareKeys(a: DataView, b: DataView): number {
  return compareRanges(a, 0, a.byteLength, b, 0, b.byteLength);
}

/** A copy of a key with zero bytes after it; with one, it is the first key after the key. */
export function copyOfKey(key: DataView, start: number, end: number, zeros = 0): DataView {
  const bytes = new Uint8Array(end - start + zeros);
  bytes.set(new Uint8Array(key.buffer, key.byteOffset + start, end - start));
  return new DataView(bytes.buffer);
}

/** The bytes of a whole key. */
export function bytesOfKey({ buffer, byteOffset, byteLength }: DataView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A view of bytes that are a whole key. */
export function viewOfKey({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Index of the last span that begins at or before the key, or -1. */
export function lastSpanFrom(
  spans: readonly KeySpan[],
  key: DataView,
  start: number,
  end: number,
): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { lower } = spans[middle]!;
    if (compareRanges(lower, 0, lower.byteLength, key, start, end) <= 0) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The span that holds the key, or undefined. */
export function spanHolding<S extends KeySpan>(
  spans: readonly S[],
  key: DataView,
  start: number,
  end: number,
): S | undefined {
  const span = spans[lastSpanFrom(spans, key, start, end)];
  if (span === undefined) return undefined;
  const { upper } = span;
  return compareRanges(upper, 0, upper.byteLength, key, start, end) > 0 ? span : undefined;
}

/** Whether one span holds all keys from `smallest` to `largest`. */
export function holdsAll(
  spans: readonly KeySpan[],
  smallest: DataView,
  largest: DataView,
): boolean {
  const span = spanHolding(spans, smallest, 0, smallest.byteLength);
  return span !== undefined && compareKeys(largest, span.upper) < 0;
}

/** The spans that have a key from `smallest` to `largest`: from one index to before another. */
export function spansMeeting(
  spans: readonly KeySpan[],
  smallest: DataView,
  largest: DataView,
): { from: number; to: number } {
  let from = lastSpanFrom(spans, smallest, 0, smallest.byteLength);
  if (from < 0 || compareKeys(spans[from]!.upper, smallest) <= 0) from++;
  return { from, to: lastSpanFrom(spans, largest, 0, largest.byteLength) + 1 };
}

/** The keys of two lists. Spans that touch become one. */
export function joinSpans(a: readonly KeySpan[], b: readonly KeySpan[]): readonly KeySpan[] {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  const joined: KeySpan[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const takesA = j === b.length || (i < a.length && compareKeys(a[i]!.lower, b[j]!.lower) <= 0);
    append(joined, takesA ? a[i++]! : b[j++]!);
  }
  return joined;
}

/** Makes one span of those that touch. */
export function joinTouching(spans: readonly KeySpan[]): readonly KeySpan[] {
  const joined: KeySpan[] = [];
  for (const span of spans) append(joined, span);
  return joined;
}

/** Adds a span that begins at or after the last one. */
function append(spans: KeySpan[], { lower, upper }: KeySpan): void {
  const last = spans.at(-1);
  if (last === undefined || compareKeys(last.upper, lower) < 0) spans.push({ lower, upper });
  else if (compareKeys(last.upper, upper) < 0) {
    spans[spans.length - 1] = { lower: last.lower, upper };
  }
}
