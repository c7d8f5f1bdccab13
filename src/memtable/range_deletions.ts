/**
 * The deleted ranges of a memtable.
 *
 * The principle: an entry is hidden if a range that was deleted later holds its key. A reader of
 * the newest state needs only the newest deletion of each key. So `#newest` is a sorted list of
 * ranges that do not overlap: a new range replaces what it covers of the older ones. Deleting the
 * head of a queue again and again leaves one range.
 *
 * A cursor keeps the list that it started with: the list is copied before the next change. A reader
 * of an older state gets the list of that state, which is made from all deletions up to then. The
 * last few of these lists are kept.
 */

import {
  compareKeys,
  joinTouching,
  type KeySpan,
  lastSpanFrom,
  spanHolding,
} from "../iterator/key_spans.ts";

/** Memory for a range in addition to the bytes of its two keys. */
const BYTES_PER_RANGE = 400;
/** Lists of older states that are kept. */
const MAX_OLD_LISTS = 4;

/** A range and the sequence number of its deletion. */
export interface DeletedRange extends KeySpan {
  /** Older entries in the range are hidden. */
  readonly sequence: number;
  /** Whether newer entries may be in the range. If not, a cursor passes it in one step. */
  mayHoldEntries: boolean;
}

/** Deleted ranges by sequence number. */
export class RangeDeletions {
  /** Bytes of memory that they take. */
  sizeBytes = 0;
  /** Bytes of the keys of all ranges. */
  keyBytes = 0;
  readonly #all: { readonly span: KeySpan; readonly sequence: number }[] = [];
  #newest: DeletedRange[] = [];
  /** Whether a reader holds the list. */
  #isShared = false;
  /** Lists of older states, by the number of deletions that they show. */
  #old: { readonly count: number; readonly ranges: readonly DeletedRange[] }[] = [];

  /** Adds a range that is not empty, with a sequence number above all others. */
  add(span: KeySpan, sequence: number): void {
    const keyBytes = span.lower.byteLength + span.upper.byteLength;
    this.sizeBytes += BYTES_PER_RANGE + keyBytes;
    this.keyBytes += keyBytes;
    this.#all.push({ span, sequence });
    if (this.#isShared) this.#newest = [...this.#newest];
    this.#isShared = false;
    place(this.#newest, { ...span, sequence, mayHoldEntries: false });
  }

  /** Notes that an entry comes into the memtable. */
  noteEntry(key: DataView, start: number, end: number): void {
    const range = spanHolding(this.#newest, key, start, end);
    if (range !== undefined) range.mayHoldEntries = true;
  }

  /** The newest deletion of each key. The list is valid until the next change. */
  get newest(): readonly DeletedRange[] {
    return this.#newest;
  }

  /** The spans of all ranges, joined: what they hide of older memtables and tables. */
  get spans(): readonly KeySpan[] {
    return joinTouching(this.#newest);
  }

  /** The list of the state `sequence`, for a reader that keeps it. */
  at(sequence: number): readonly DeletedRange[] {
    const ranges = this.#find(sequence);
    if (ranges === this.#newest) this.#isShared = true;
    return ranges;
  }

  /** The range that hides older entries of the key in the state `sequence`, or undefined. */
  holding(
    key: DataView,
    start: number,
    end: number,
    sequence: number,
  ): DeletedRange | undefined {
    return spanHolding(this.#find(sequence), key, start, end);
  }

  #find(sequence: number): readonly DeletedRange[] {
    const all = this.#all;
    if (all.at(-1)!.sequence <= sequence) return this.#newest;
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (all[middle]!.sequence <= sequence) low = middle + 1;
      else high = middle;
    }
    const kept = this.#old.find(({ count }) => count === low);
    if (kept !== undefined) return kept.ranges;
    const ranges: DeletedRange[] = [];
    for (let i = 0; i < low; i++) {
      const { span, sequence } = all[i]!;
      // Nobody knows any more which entries came after it.
      place(ranges, { ...span, sequence, mayHoldEntries: true });
    }
    if (this.#old.length === MAX_OLD_LISTS) this.#old.shift();
    this.#old.push({ count: low, ranges });
    return ranges;
  }
}

/** Puts a range into a list, in place of what it covers of the others, which are older. */
function place(ranges: DeletedRange[], added: DeletedRange): void {
  const { lower, upper } = added;
  let from = lastSpanFrom(ranges, lower, 0, lower.byteLength);
  const parts: DeletedRange[] = [];
  const first = ranges[from];
  if (first === undefined) from = 0;
  else if (compareKeys(first.upper, lower) <= 0) from++;
  else if (compareKeys(first.lower, lower) < 0) parts.push({ ...first, upper: lower });
  parts.push(added);
  let to = from;
  while (to < ranges.length && compareKeys(ranges[to]!.lower, upper) < 0) to++;
  const last = ranges[to - 1];
  if (to > from && compareKeys(last!.upper, upper) > 0) parts.push({ ...last!, lower: upper });
  ranges.splice(from, to - from, ...parts);
}
