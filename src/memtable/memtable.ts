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
import { ENTRY_HEADER_BYTES, EntryArena, type SharedBytes } from "./entry_arena.ts";
import { EntryTree } from "./entry_tree.ts";
import { MemtableCursor, type MemtableEntries, SKIPS_PER_MOVE } from "./memtable_cursor.ts";

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
  /** Number of entries, every version counted. */
  entryCount = 0;
  /** Number of tombstones among them. The write path counts them, because it knows the values. */
  tombstoneCount = 0;
  /** Number of entries among them that expire, counted in the same way. */
  expiringCount = 0;
  /** The latest time at which one of those expires. */
  latestExpiry = 0;
  /** Number of read views that show it. Internal to them. */
  references = 0;

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
    return this.#arena.sizeBytes + this.#tree.sizeBytes;
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
    this.expiringCount = 0;
    this.latestExpiry = 0;
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
    const previous = this.#tree.locateForInsert(fromView, start + 4, keyEnd);
    this.#tree.insert(this.#arena.append(previous, relative, from, fromView, start, keyEnd, end));
    this.entryCount++;
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
    this.show(entry, result);
    return true;
  }

  /** Whether it holds a version of the key with a sequence number above `sequence`. */
  hasNewer(key: DataView, start: number, end: number, sequence: number): boolean {
    const newest = this.#tree.locate(key, start, end);
    return newest !== 0 && this.visibleVersion(newest, sequence) !== newest;
  }

  /**
   * The first key from `lower` on and before `upper` that has a version with a sequence number
   * above `sequence`, or undefined. A bound that is undefined is none. Keys without such a version
   * are walked over.
   */
  newerKeyIn(
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
    });
  }

  /** As a forward `cursor` that may see every version, for a caller that will walk all of it. */
  wholeCursor(): EntryCursor {
    return new MemtableCursor(this, this.#tree, Number.MAX_SAFE_INTEGER, {
      reverse: false,
      isWhole: true,
      skipsPerMove: Infinity,
    });
  }

  /** Shows the entries of another memtable from a copy of its memory, by their offsets: `show`. */
  static over(bytes: Uint8Array, largeValues: readonly SharedBytes[]): Memtable {
    const table = new Memtable(0, 0);
    table.#arena.adopt(bytes, largeValues);
    return table;
  }

  /** The memory of all entries. Valid until the next insert. Internal: newest_entries.ts. */
  get usedBytes(): Uint8Array {
    return this.#arena.bytes.subarray(0, this.#arena.used);
  }

  /** The buffers of large values, one for each. Internal. */
  largeBuffers(): SharedBytes[] {
    return this.#arena.largeValues.map(({ buffer }) => buffer as ArrayBuffer);
  }

  /** Puts the offset of the newest version of each key into `order`, in key order. Internal. */
  fillOrder(order: Int32Array): void {
    const tree = this.#tree;
    let count = 0;
    for (let leaf = tree.firstLeaf; leaf >= 0; leaf = tree.nextLeaf(leaf)) {
      const slots = tree.countAt(leaf);
      for (let slot = 0; slot < slots; slot++) order[count++] = tree.entryAt(leaf, slot);
    }
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
    const arena = this.#arena;
    const keyEnd = arena.keyEndOf(entry);
    result.keyBytes = arena.bytes;
    result.keyView = arena.view;
    result.keyStart = entry + KEY;
    result.keyEnd = keyEnd;
    const large = arena.largeValueIndex(keyEnd);
    if (large < 0) {
      result.valueBytes = arena.bytes;
      result.valueView = arena.view;
      result.valueStart = keyEnd + 4;
      result.valueEnd = keyEnd + 4 + arena.view.getUint32(keyEnd, true);
    } else {
      const value = arena.largeValues[large]!;
      result.valueBytes = value;
      result.valueView = arena.largeView(large);
      result.valueStart = 0;
      result.valueEnd = value.length;
    }
  }
}
