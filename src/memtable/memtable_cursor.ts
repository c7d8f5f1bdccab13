/**
 * A cursor over a memtable, as of one sequence number. It walks the leaves of the tree. Of each key
 * it shows the newest version that it may see. Inserts do not disturb it.
 */

import {
  AT_END,
  AT_ENTRY,
  emptyEntryView,
  NEEDS_LOAD,
  singleRun,
} from "../iterator/entry_cursor.ts";
import type { EntryCursor, EntryView, Position } from "../iterator/entry_cursor.ts";
import type { EntryRun, RunBound } from "../iterator/entry_run.ts";
import { ENTRY_HEADER_BYTES } from "./entry_arena.ts";
import type { EntryTree } from "./entry_tree.ts";
import type { DeletedRange } from "./range_deletions.ts";

/** The most entries of a run: what a leaf holds. */
const MAX_RUN = 64;
/** After this number of keys that it may not see, a cursor that may pause does so. */
export const SKIPS_PER_MOVE = 1024;

/** What a cursor asks of the memtable that it walks. */
export interface MemtableEntries {
  /** The first entry in the chain of versions from `entry` on that may be seen, or 0. */
  visibleVersion(entry: number, sequence: number): number;
  /** The range of a list that hides an entry, or undefined. */
  deletedBy(entry: number, ranges: readonly DeletedRange[]): DeletedRange | undefined;
  /** Compares an entry's key with a bound: negative if it comes first. */
  compareKey(entry: number, bound: RunBound): number;
  /** Whether an entry's value lies in its own buffer. */
  hasLargeValue(entry: number): boolean;
  /** Where the key of an entry lies, until the next insert. */
  keyAt(entry: number): { view: DataView; start: number; end: number };
  /** Points `result` at an entry. */
  show(entry: number, result: EntryView): void;
  /** Points a run at the memtable's memory. */
  showRun(run: EntryRun): void;
  /** Has the processor fetch the entries of a leaf. */
  touchEntries(leaf: number): number;
}

/** How to walk a memtable. */
export interface MemtableWalk {
  /** Whether to walk from the last key to the first. */
  readonly reverse: boolean;
  /** Whether the caller will walk all of it. */
  readonly isWhole: boolean;
  /** Keys that a move may skip before it pauses. */
  readonly skipsPerMove: number;
  /** The deleted ranges of the state that it shows, if there are any. */
  readonly deletedRanges: readonly DeletedRange[] | undefined;
}

/**
 * Walks the leaves. If keys were inserted since its last move, it finds its place again by its key.
 */
export class MemtableCursor implements EntryCursor {
  readonly entry: EntryView = emptyEntryView();
  readonly #table: MemtableEntries;
  readonly #tree: EntryTree;
  readonly #sequence: number;
  readonly #reverse: boolean;
  readonly #isWhole: boolean;
  #leaf = -1;
  #slot = 0;
  #structureVersion = -1;
  /** Not read: it keeps engines from leaving out the accesses of `touchEntries`. */
  touched = 0;
  /** The offsets of the entries of the last run, and their slots in the leaf. */
  #runOffsets: Uint32Array | undefined;
  #runSlots: Uint8Array | undefined;
  /** The most entries of the next run. Callers often want only one of the first few. */
  #nextRun = 8;
  readonly #skipsPerMove: number;
  readonly #ranges: readonly DeletedRange[] | undefined;
  /** The range that hides the entry at which the cursor is, if the range can be passed at once. */
  #passable: DeletedRange | undefined;
  /** The entry at which the last move stopped half-way. */
  #pausedAt = 0;

  /** Starts nowhere: seek first. `tree` is that of `table`. */
  constructor(table: MemtableEntries, tree: EntryTree, sequence: number, walk: MemtableWalk) {
    this.#table = table;
    this.#tree = tree;
    this.#sequence = sequence;
    this.#reverse = walk.reverse;
    this.#isWhole = walk.isWhole;
    this.#skipsPerMove = walk.skipsPerMove;
    this.#ranges = walk.deletedRanges;
  }

  seekToStart(): Position {
    const tree = this.#tree;
    this.#structureVersion = tree.structureVersion;
    if (this.#reverse) {
      this.#leaf = tree.lastLeaf;
      this.#slot = tree.countAt(this.#leaf) - 1;
      return this.#settleBackward();
    }
    this.#leaf = tree.firstLeaf;
    this.#slot = 0;
    return this.#settleForward();
  }

  seek(key: DataView, start: number, end: number): Position {
    this.#place(key, start, end);
    if (!this.#reverse) return this.#settleForward();
    this.#slot--;
    return this.#settleBackward();
  }

  advance(): Position {
    if (this.#structureVersion !== this.#tree.structureVersion) {
      // The shown key stays in the arena, but the arena's buffer may have been replaced.
      const { keyView, keyStart, keyEnd } = this.entry;
      this.#place(keyView, keyStart, keyEnd);
    }
    if (this.#reverse) {
      this.#slot--;
      return this.#settleBackward();
    }
    this.#slot++;
    return this.#settleForward();
  }

  takeRun(run: EntryRun, bound: RunBound | undefined): number {
    const sign = this.#reverse ? -1 : 1;
    // If the tree has changed since the last move, the slots around this one may hold other
    // entries.
    if (this.#structureVersion !== this.#tree.structureVersion) {
      return singleRun(this.entry, bound, sign);
    }
    const offsets = this.#runOffsets ??= new Uint32Array(MAX_RUN);
    const slots = this.#runSlots ??= new Uint8Array(MAX_RUN);
    const table = this.#table;
    const tree = this.#tree;
    const end = this.#reverse ? -1 : tree.countAt(this.#leaf);
    let count = 0;
    const most = this.#nextRun;
    if (most < MAX_RUN) this.#nextRun = most * 2;
    for (let slot = this.#slot; slot !== end && count < most; slot += sign) {
      const entry = table.visibleVersion(tree.entryAt(this.#leaf, slot), this.#sequence);
      if (entry === 0) continue;
      if (this.#ranges !== undefined && table.deletedBy(entry, this.#ranges) !== undefined) {
        continue;
      }
      const order = bound === undefined ? -1 : sign * table.compareKey(entry, bound);
      if (order > 0 || (order === 0 && !bound!.isIncluded)) break;
      // An entry with a value outside of the arena is shown alone.
      if (table.hasLargeValue(entry)) {
        if (count === 0) return 1;
        break;
      }
      offsets[count] = entry + ENTRY_HEADER_BYTES;
      slots[count] = slot;
      count++;
    }
    if (count > 1) {
      table.showRun(run);
      run.offsets = offsets;
      run.first = 0;
      run.step = 1;
    }
    return count;
  }

  skip(count: number): void {
    if (count === 0) return;
    // If keys were inserted meanwhile, the slot holds another entry, and `advance` looks for its
    // place.
    this.#slot = this.#runSlots![count]!;
    this.#table.show(this.#runOffsets![count]! - ENTRY_HEADER_BYTES, this.entry);
  }

  /** Everything is in memory: a move that asks for a load has only stopped half-way. */
  loadSync(): void {}

  load(): Promise<void> {
    return Promise.resolve();
  }

  resume(): Position {
    if (this.#structureVersion !== this.#tree.structureVersion) {
      const { view, start, end } = this.#table.keyAt(this.#pausedAt);
      this.#place(view, start, end);
    }
    return this.#reverse ? this.#settleBackward() : this.#settleForward();
  }

  /** Stops half-way, at a key that must not be seen. `resume` finds its place again. */
  #pause(): Position {
    this.#pausedAt = this.#tree.entryAt(this.#leaf, this.#slot);
    return NEEDS_LOAD;
  }

  #place(key: DataView, start: number, end: number): void {
    const tree = this.#tree;
    tree.locate(key, start, end);
    this.#leaf = tree.leaf;
    this.#slot = tree.slot;
    this.#structureVersion = tree.structureVersion;
  }

  #settleForward(): Position {
    const tree = this.#tree;
    let left = this.#skipsPerMove;
    for (;;) {
      if (this.#slot >= tree.countAt(this.#leaf)) {
        const next = tree.nextLeaf(this.#leaf);
        if (next < 0) return AT_END;
        this.#leaf = next;
        this.#slot = 0;
        if (this.#isWhole) this.touched = this.#table.touchEntries(next);
        continue;
      }
      if (this.#showSlot()) return AT_ENTRY;
      if (left-- <= 0) return this.#pause();
      if (this.#passable !== undefined) {
        const { upper } = this.#passable;
        this.#place(upper, 0, upper.byteLength);
        continue;
      }
      this.#slot++;
    }
  }

  #settleBackward(): Position {
    const tree = this.#tree;
    let left = this.#skipsPerMove;
    for (;;) {
      if (this.#slot < 0) {
        const previous = tree.previousLeaf(this.#leaf);
        if (previous < 0) return AT_END;
        this.#leaf = previous;
        this.#slot = tree.countAt(previous) - 1;
        continue;
      }
      if (this.#showSlot()) return AT_ENTRY;
      if (left-- <= 0) return this.#pause();
      if (this.#passable !== undefined) {
        const { lower } = this.#passable;
        this.#place(lower, 0, lower.byteLength);
      }
      this.#slot--;
    }
  }

  #showSlot(): boolean {
    const entry = this.#table.visibleVersion(
      this.#tree.entryAt(this.#leaf, this.#slot),
      this.#sequence,
    );
    this.#passable = undefined;
    if (entry === 0) return false;
    if (this.#ranges !== undefined) {
      const range = this.#table.deletedBy(entry, this.#ranges);
      if (range !== undefined) {
        if (!range.mayHoldEntries) this.#passable = range;
        return false;
      }
    }
    this.#table.show(entry, this.entry);
    return true;
  }
}
