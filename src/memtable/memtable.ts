/**
 * The memtable: the newest entries, sorted, with all their versions.
 *
 * The write path appends an entry to the log buffer and inserts the same bytes here. Each entry has
 * a sequence number; readers name the last one that they may see. A frozen ("immutable") memtable
 * is read by its flush job and by readers that pin it, then dropped.
 */

import { compareRanges } from "../bytes/compare.ts";
import type { EntryCursor, EntryView } from "../iterator/entry_cursor.ts";
import type { EntryRun, RunBound } from "../iterator/entry_run.ts";
import {
  bytesOfKey,
  compareKeys,
  type KeySpan,
  lastSpanFrom,
  NO_SPANS,
  spanHolding,
} from "../iterator/key_spans.ts";
import { ENTRY_HEADER_BYTES, EntryArena, type SharedBytes } from "./entry_arena.ts";
import { EntryTree } from "./entry_tree.ts";
import { MemtableCursor, type MemtableEntries, SKIPS_PER_MOVE } from "./memtable_cursor.ts";
import { type DeletedRange, RangeDeletions } from "./range_deletions.ts";

const KEY = ENTRY_HEADER_BYTES + 4;
const MAX_RELATIVE_SEQUENCE = 0xffffffff;

/** A key that bounds a range: the first `length` bytes of `view`. */
export interface KeyBound {
  /** The bytes. */
  readonly view: DataView;
  /** How many of them. */
  readonly length: number;
}

/** Sorted, versioned entries in memory. */
export class Memtable implements MemtableEntries {
  readonly #arena: EntryArena;
  readonly #tree: EntryTree;
  #firstSequence: number;
  /** Number of entries, every version and every deleted range counted. */
  entryCount = 0;
  /** Number of tombstones among them. The write path counts them, because it knows the values. */
  tombstoneCount = 0;
  /** Number of entries among them that expire. */
  expiringCount = 0;
  /** The latest time at which one of those expires. */
  latestExpiry = 0;
  /** The log that holds its large values; undefined if it has none, or if nobody may delete it. */
  valueLog: number | undefined;
  /**
   * Sizes of the value files that its entries name, by number; undefined if there are none, or if
   * nobody may delete them.
   */
  valueFiles: Map<number, number> | undefined;
  /** Bytes of the large values that it refers to, every version counted. */
  valueBytes = 0;
  /** Number of entries that refer to large values. */
  valueCount = 0;
  /** Number of read views that show it. Internal to them. */
  references = 0;
  /** The deleted ranges, or undefined if there are none: then nobody pays for them. */
  #deletions: RangeDeletions | undefined;

  /**
   * Makes an empty memtable for about `capacityBytes` of entries from `firstSequence` on. Its
   * memory is small at first (entry_arena.ts).
   */
  constructor(firstSequence: number, capacityBytes: number) {
    this.#firstSequence = firstSequence;
    this.#arena = new EntryArena(capacityBytes);
    this.#tree = new EntryTree(this.#arena);
  }

  /** Number of distinct keys. */
  get keyCount(): number {
    return this.#tree.keyCount;
  }

  /** Bytes taken by entries and by the tree over them. */
  get sizeBytes(): number {
    return this.#arena.sizeBytes + this.#tree.sizeBytes + (this.#deletions?.sizeBytes ?? 0);
  }

  /** Bytes of memory that it holds, used or not; large values are not counted. */
  get capacityBytes(): number {
    return this.#arena.bytes.length;
  }

  /** Sequence number of the first entry that it may hold. */
  get firstSequence(): number {
    return this.#firstSequence;
  }

  /**
   * Makes it empty again for entries from `firstSequence` on, and keeps its memory. Nobody may pin
   * it.
   */
  recycle(firstSequence: number): void {
    this.#arena.clear();
    this.#tree.clear();
    this.#firstSequence = firstSequence;
    this.entryCount = 0;
    this.tombstoneCount = 0;
    this.#deletions = undefined;
    this.expiringCount = 0;
    this.latestExpiry = 0;
    this.valueLog = undefined;
    this.valueFiles = undefined;
    this.valueBytes = 0;
    this.valueCount = 0;
  }

  /** Releases the memory that is not used: it will be needed again, but not soon. */
  shrink(): void {
    this.#arena.shrink();
    this.#tree.shrink();
  }

  /**
   * Inserts an entry with a sequence number at or above every earlier one. `from[start, end)` is
   * u32 key length, key, u32 value length, encoded value; the key ends at `keyEnd`. It is copied.
   *
   * @throws {RangeError} the memtable would pass 4 GiB or 2^32 entries
   */
  insert(
    sequence: number,
    from: Uint8Array,
    fromView: DataView,
    start: number,
    keyEnd: number,
    end: number,
  ): void {
    const relative = sequence - this.#firstSequence;
    if (relative > MAX_RELATIVE_SEQUENCE) {
      throw new RangeError("Cannot insert into the memtable: it holds 2^32 entries");
    }
    this.#deletions?.noteEntry(fromView, start + 4, keyEnd);
    const previous = this.#tree.locateForInsert(fromView, start + 4, keyEnd);
    this.#tree.insert(this.#arena.append(previous, relative, from, fromView, start, keyEnd, end));
    this.entryCount++;
  }

  /**
   * Deletes a range of keys, with a sequence number as an entry. The keys of the span must not
   * change any more.
   *
   * @throws {RangeError} the memtable would pass 2^32 entries
   */
  deleteRange(sequence: number, span: KeySpan): void {
    if (sequence - this.#firstSequence > MAX_RELATIVE_SEQUENCE) {
      throw new RangeError("Cannot insert into the memtable: it holds 2^32 entries");
    }
    this.entryCount++;
    if (compareKeys(span.lower, span.upper) >= 0) return;
    this.#deletions ??= new RangeDeletions();
    this.#deletions.add(span, sequence);
  }

  /** Notes that an entry expires. Whoever inserts it knows its value. */
  noteExpiry(expiresAt: number): void {
    this.expiringCount++;
    if (expiresAt > this.latestExpiry) this.latestExpiry = expiresAt;
  }

  /** Whether it has deleted ranges. */
  get hasDeletedRanges(): boolean {
    return this.#deletions !== undefined;
  }

  /** Bytes of the keys of all deleted ranges. */
  get rangeKeyBytes(): number {
    return this.#deletions?.keyBytes ?? 0;
  }

  /** The keys that it hides of older memtables and tables. */
  get deletedSpans(): readonly KeySpan[] {
    return this.#deletions?.spans ?? NO_SPANS;
  }

  /** The deleted ranges of the state `sequence`, for a reader that keeps the list. */
  deletedRangesAt(sequence: number): readonly DeletedRange[] {
    return this.#deletions?.at(sequence) ?? [];
  }

  /** Whether older memtables and tables do not count for the key in the state `sequence`. */
  hides(key: DataView, start: number, end: number, sequence: number): boolean {
    return this.#deletions?.holding(key, start, end, sequence) !== undefined;
  }

  /** The largest key that it has an entry for, or undefined without entries. */
  get lastKey(): DataView | undefined {
    const tree = this.#tree;
    const count = tree.countAt(tree.lastLeaf);
    if (count === 0) return undefined;
    const { view, start, end } = this.keyAt(tree.entryAt(tree.lastLeaf, count - 1));
    return new DataView(view.buffer, view.byteOffset + start, end - start);
  }

  /**
   * Finds the newest version of a key with a sequence number of at most `sequence`. If there is
   * one, `result` shows it (views of the memtable's memory, valid until the next insert).
   */
  find(key: DataView, start: number, end: number, sequence: number, result: EntryView): boolean {
    const newest = this.#tree.locate(key, start, end);
    if (newest === 0) return false;
    const entry = this.visibleVersion(newest, sequence);
    if (entry === 0) return false;
    if (this.#deletions !== undefined) {
      const range = this.#deletions.holding(key, start, end, sequence);
      if (range !== undefined && this.isOlder(entry, range)) return false;
    }
    this.show(entry, result);
    return true;
  }

  /**
   * Whether the key was written after `sequence`: it has a newer version, or a range that holds it
   * was deleted.
   */
  hasNewer(key: DataView, start: number, end: number, sequence: number): boolean {
    const newest = this.#tree.locate(key, start, end);
    if (newest !== 0 && this.visibleVersion(newest, sequence) !== newest) return true;
    const range = this.#deletions && spanHolding(this.#deletions.newest, key, start, end);
    return range !== undefined && range.sequence > sequence;
  }

  /**
   * A key from `lower` on and before `upper` that has a version with a sequence number above
   * `sequence`, or that is in a range that was deleted later; undefined if there is none. A bound
   * that is undefined is none. Keys without such a version are walked over.
   */
  newerKeyIn(
    lower: KeyBound | undefined,
    upper: KeyBound | undefined,
    sequence: number,
  ): Uint8Array | undefined {
    return this.#newerRangeIn(lower, upper, sequence) ?? this.#newerEntryIn(lower, upper, sequence);
  }

  #newerRangeIn(
    lower: KeyBound | undefined,
    upper: KeyBound | undefined,
    sequence: number,
  ): Uint8Array | undefined {
    if (this.#deletions === undefined) return undefined;
    const ranges = this.#deletions.newest;
    const first = lower === undefined ? 0 : lastSpanFrom(ranges, lower.view, 0, lower.length);
    for (let at = Math.max(0, first); at < ranges.length; at++) {
      const range = ranges[at]!;
      if (range.sequence <= sequence) continue;
      const start = lower === undefined
        ? range.lower
        : new DataView(lower.view.buffer, lower.view.byteOffset, lower.length);
      const key = compareKeys(start, range.lower) < 0 ? range.lower : start;
      const isAfter = upper !== undefined &&
        compareRanges(key, 0, key.byteLength, upper.view, 0, upper.length) >= 0;
      if (isAfter) return undefined;
      if (compareKeys(key, range.upper) < 0) return bytesOfKey(key).slice();
    }
    return undefined;
  }

  #newerEntryIn(
    lower: KeyBound | undefined,
    upper: KeyBound | undefined,
    sequence: number,
  ): Uint8Array | undefined {
    const tree = this.#tree;
    const { view } = this.#arena;
    let leaf = tree.firstLeaf;
    let slot = 0;
    if (lower !== undefined) {
      tree.locate(lower.view, 0, lower.length);
      leaf = tree.leaf;
      slot = tree.slot;
    }
    for (; leaf >= 0; leaf = tree.nextLeaf(leaf), slot = 0) {
      const count = tree.countAt(leaf);
      for (; slot < count; slot++) {
        const entry = tree.entryAt(leaf, slot);
        const start = entry + KEY;
        const end = this.#arena.keyEndOf(entry);
        if (
          upper !== undefined && compareRanges(view, start, end, upper.view, 0, upper.length) >= 0
        ) {
          return undefined;
        }
        if (this.visibleVersion(entry, sequence) !== entry) {
          return this.#arena.bytes.slice(start, end);
        }
      }
    }
    return undefined;
  }

  /**
   * A cursor over the newest versions at or below `sequence`; later inserts do not disturb it. If
   * it `mayPause`, it answers `NEEDS_LOAD` after it has skipped many newer keys, although there is
   * nothing to load. Other cursors never do.
   */
  cursor(sequence: number, reverse: boolean, mayPause = false): EntryCursor {
    return new MemtableCursor(this, this.#tree, sequence, {
      reverse,
      isWhole: false,
      skipsPerMove: mayPause ? SKIPS_PER_MOVE : Infinity,
      deletedRanges: this.#deletions?.at(sequence),
    });
  }

  /** As a forward `cursor` that may see every version, for a caller that will walk all of it. */
  wholeCursor(): EntryCursor {
    return new MemtableCursor(this, this.#tree, Number.MAX_SAFE_INTEGER, {
      reverse: false,
      isWhole: true,
      skipsPerMove: Infinity,
      deletedRanges: this.#deletions?.newest,
    });
  }

  /** The memory of all entries. Valid until the next insert. Internal: newest_entries.ts. */
  get usedBytes(): Uint8Array {
    return this.#arena.bytes.subarray(0, this.#arena.used);
  }

  /** The buffers of large values, one for each. Internal. */
  largeBuffers(): SharedBytes[] {
    return this.#arena.largeValues.map(({ buffer }) => buffer as ArrayBuffer);
  }

  /**
   * Puts the offset of the newest version of each key into `order`, in key order, and returns how
   * many there are. Keys that a deleted range hides are left out. Internal.
   */
  fillOrder(order: Int32Array): number {
    const tree = this.#tree;
    const ranges = this.#deletions?.newest;
    let count = 0;
    for (let leaf = tree.firstLeaf; leaf >= 0; leaf = tree.nextLeaf(leaf)) {
      const slots = tree.countAt(leaf);
      for (let slot = 0; slot < slots; slot++) {
        const entry = tree.entryAt(leaf, slot);
        if (ranges !== undefined && this.deletedBy(entry, ranges) !== undefined) continue;
        order[count++] = entry;
      }
    }
    return count;
  }

  /** The range of a list that hides an entry, or undefined. Internal. */
  deletedBy(entry: number, ranges: readonly DeletedRange[]): DeletedRange | undefined {
    const { view } = this.#arena;
    const range = spanHolding(ranges, view, entry + KEY, this.#arena.keyEndOf(entry));
    return range !== undefined && this.isOlder(entry, range) ? range : undefined;
  }

  /** Whether an entry is older than the deletion of a range. Internal. */
  isOlder(entry: number, { sequence }: DeletedRange): boolean {
    return this.#arena.sequenceOf(entry) < sequence - this.#firstSequence;
  }

  /** The first entry in the chain of versions from `entry` on that may be seen, or 0. Internal. */
  visibleVersion(entry: number, sequence: number): number {
    const arena = this.#arena;
    const relative = sequence - this.#firstSequence;
    while (entry !== 0 && arena.sequenceOf(entry) > relative) entry = arena.previousOf(entry);
    return entry;
  }

  /**
   * Reads a byte of each cache line at the start of the entries of a leaf, for a walk over all of
   * it. Internal.
   *
   * Entries that were inserted in random order lie at random places, and a walk waits for each of
   * them in turn. These accesses do not depend on one another, so the processor waits for many at a
   * time. Three lines per entry make a flush without compression about a third faster (decision 9).
   */
  touchEntries(leaf: number): number {
    const tree = this.#tree;
    const { bytes } = this.#arena;
    const last = bytes.length - 1;
    const count = tree.countAt(leaf);
    let sum = 0;
    for (let slot = 0; slot < count; slot++) {
      const entry = tree.entryAt(leaf, slot);
      sum += bytes[entry]! + bytes[Math.min(entry + 64, last)]! +
        bytes[Math.min(entry + 128, last)]!;
    }
    return sum;
  }

  /** Points a run at this memory. Internal. */
  showRun(run: EntryRun): void {
    run.bytes = this.#arena.bytes;
    run.view = this.#arena.view;
  }

  /** Compares an entry's key with a bound: negative if it comes first. Internal. */
  compareKey(entry: number, bound: RunBound): number {
    const { view } = this.#arena;
    const keyEnd = this.#arena.keyEndOf(entry);
    return compareRanges(view, entry + KEY, keyEnd, bound.view, bound.start, bound.end);
  }

  /** Where the key of an entry lies, until the next insert. Internal. */
  keyAt(entry: number): { view: DataView; start: number; end: number } {
    return { view: this.#arena.view, start: entry + KEY, end: this.#arena.keyEndOf(entry) };
  }

  /** Whether an entry's value lies in its own buffer. Internal. */
  hasLargeValue(entry: number): boolean {
    return this.#arena.largeValueIndex(this.#arena.keyEndOf(entry)) >= 0;
  }

  /** Points `result` at an entry. Internal. */
  show(entry: number, result: EntryView): void {
    this.#arena.show(entry, result);
  }
}
