/**
 * Walks the entries of one table, in either direction. Scans and compaction use it. Its blocks come
 * from a `ReadWindow`.
 */

import { compareRanges } from "../bytes/compare.ts";
import {
  AT_END,
  AT_ENTRY,
  emptyEntryView,
  type EntryCursor,
  type EntryView,
  NEEDS_LOAD,
  type Position,
  showKeyAlone,
  singleRun,
} from "../iterator/entry_cursor.ts";
import type { EntryRun, RunBound } from "../iterator/entry_run.ts";
import type { Block } from "./block.ts";
import { ReadWindow, type TableScanOptions } from "./read_window.ts";
import type { TableIndex } from "./table_index.ts";
import type { TableReader } from "./table_reader.ts";

type Move = "start" | "seek" | "on";

/** A cursor over one table. */
export class TableCursor implements EntryCursor {
  readonly entry: EntryView = emptyEntryView();
  readonly #reader: TableReader;
  readonly #options: TableScanOptions;
  readonly #window: ReadWindow;
  #index: TableIndex | undefined;
  /**
   * The current block, pinned, because other cursors and reads decode blocks between its moves.
   * None if the cursor shows a key of the index, the only one of a block that was not read.
   */
  #block: Block | undefined;
  #blockNumber = 0;
  #slot = 0;
  #isReleased = false;
  #move: Move = "start";
  #key: DataView;
  #keyStart = 0;
  #keyEnd = 0;

  /** Makes a cursor without a position. */
  constructor(reader: TableReader, options: TableScanOptions) {
    this.#reader = reader;
    this.#options = options;
    this.#window = new ReadWindow(reader, options);
    this.#key = this.entry.keyView;
  }

  seekToStart(): Position {
    this.#window.restart();
    this.#move = "start";
    return this.#locate();
  }

  seek(key: DataView, start: number, end: number): Position {
    this.#window.restart();
    this.#move = "seek";
    this.#key = key;
    this.#keyStart = start;
    this.#keyEnd = end;
    return this.#locate();
  }

  advance(): Position {
    const block = this.#block;
    if (block === undefined) {
      this.#blockNumber += this.#options.reverse ? -1 : 1;
    } else if (this.#options.reverse) {
      if (--this.#slot >= 0) {
        block.showAt(this.#slot, this.entry);
        return AT_ENTRY;
      }
      this.#blockNumber--;
    } else {
      if (++this.#slot < block.count) {
        block.showAt(this.#slot, this.entry);
        return AT_ENTRY;
      }
      this.#blockNumber++;
    }
    this.#move = "on";
    this.#leaveBlock();
    return this.#enter();
  }

  takeRun(run: EntryRun, bound: RunBound | undefined): number {
    const block = this.#block;
    const slot = this.#slot;
    const { reverse } = this.#options;
    if (block === undefined) return singleRun(this.entry, bound, reverse ? -1 : 1);
    let count = reverse ? slot + 1 : block.count - slot;
    if (bound !== undefined) {
      // In this order: with one source, the whole block mostly lies inside of the bound; with
      // several that interleave, only one or two entries do. A search costs as much as eight of
      // these checks.
      const last = reverse ? 0 : block.count - 1;
      if (!isBefore(block, last, bound, reverse)) {
        if (!isBefore(block, slot, bound, reverse)) return 0;
        // The last one is not before the bound, so there is a next slot.
        if (!isBefore(block, reverse ? slot - 1 : slot + 1, bound, reverse)) return 1;
        count = runLength(block, slot, bound, reverse);
      }
    }
    if (count > 1) {
      block.showRun(slot, run);
      run.step = reverse ? -1 : 1;
    }
    return count;
  }

  skip(count: number): void {
    this.#slot += this.#options.reverse ? -count : count;
    this.#block!.showAt(this.#slot, this.entry);
  }

  loadSync(): void {
    if (this.#index === undefined) {
      this.#index = this.#reader.sections.loadIndexSync();
    } else {
      this.#window.readSync(this.#index, this.#blockNumber);
      this.#block = this.#window.decode(this.#index, this.#blockNumber);
    }
  }

  async load(): Promise<void> {
    if (this.#index === undefined) {
      this.#index = await this.#reader.sections.loadIndex();
    } else if (this.#window.isShared(this.#index, this.#blockNumber)) {
      const block = await this.#reader.loadBlock(this.#index, this.#blockNumber);
      if (this.#isReleased) this.#reader.unpin(block);
      else this.#block = block;
    } else {
      await this.#window.read(this.#index, this.#blockNumber);
      // Released meanwhile, by a close: then nobody would unpin the block.
      if (!this.#isReleased) this.#block = this.#window.decode(this.#index, this.#blockNumber);
    }
  }

  resume(): Position {
    return this.#block === undefined ? this.#locate() : this.#enter();
  }

  release(): void {
    this.#isReleased = true;
    this.#leaveBlock();
    this.#window.release();
  }

  #leaveBlock(): void {
    const block = this.#block;
    if (block === undefined) return;
    this.#block = undefined;
    this.#reader.unpin(block);
  }

  /** Chooses the block to start in. */
  #locate(): Position {
    this.#leaveBlock();
    const index = this.#index ??= this.#reader.sections.index;
    if (index === undefined) return NEEDS_LOAD;
    if (this.#move === "start") {
      this.#blockNumber = this.#options.reverse ? index.blockCount - 1 : 0;
    } else {
      const block = index.blockFor(this.#key, this.#keyStart, this.#keyEnd);
      if (block < 0) {
        // The key lies before the first block, so everything comes after it.
        if (this.#options.reverse) return AT_END;
        this.#move = "start";
        this.#blockNumber = 0;
      } else {
        this.#blockNumber = block;
        // If the index is not trusted, the next block is loaded, too. That checks its first key,
        // and proves that nothing before the key lies in it. A forward scan loads it anyway.
        if (this.#options.reverse && !this.#reader.sections.isTrusted) {
          this.#blockNumber = Math.min(block + 1, index.blockCount - 1);
        }
      }
    }
    return this.#enter();
  }

  /** Gets the chosen block and moves to the right slot in it. */
  #enter(): Position {
    const index = this.#index!;
    const { reverse } = this.#options;
    for (;;) {
      if (this.#blockNumber < 0 || this.#blockNumber >= index.blockCount) return AT_END;
      if (this.#options.keysOnly === true && index.isLone(this.#blockNumber)) {
        if (this.#showLone(index)) return AT_ENTRY;
        this.#blockNumber += reverse ? -1 : 1;
        if (!reverse) this.#move = "on";
        continue;
      }
      const block = this.#block ??= this.#window.present(index, this.#blockNumber);
      if (block === undefined) return NEEDS_LOAD;
      let slot = reverse ? block.count - 1 : 0;
      if (this.#move === "seek") {
        slot = block.lowerBound(this.#key, this.#keyStart, this.#keyEnd);
        if (reverse) slot--;
      }
      if (slot >= 0 && slot < block.count) {
        this.#slot = slot;
        block.showBuffers(this.entry);
        block.showAt(slot, this.entry);
        return AT_ENTRY;
      }
      this.#leaveBlock();
      this.#blockNumber += reverse ? -1 : 1;
      // Backwards, the place in the previous block must still be found.
      if (!reverse) this.#move = "on";
    }
  }

  /** Shows the only key of the chosen block, unless the sought key lies after it. */
  #showLone(index: TableIndex): boolean {
    const start = index.firstKeyStart(this.#blockNumber);
    const end = index.firstKeyEnd(this.#blockNumber);
    if (this.#move === "seek") {
      const order = compareRanges(index.view, start, end, this.#key, this.#keyStart, this.#keyEnd);
      if (this.#options.reverse ? order >= 0 : order < 0) return false;
    }
    showKeyAlone(this.entry, index.bytes, index.view, start, end);
    return true;
  }
}

/** Whether the entry in a slot comes before the bound in that direction. */
function isBefore(block: Block, slot: number, bound: RunBound, reverse: boolean): boolean {
  const order = block.compareKey(slot, bound.view, bound.start, bound.end);
  return order === 0 ? bound.isIncluded : (order < 0) !== reverse;
}

/** How many entries from `slot` on come before a bound that lies within the block. */
function runLength(block: Block, slot: number, bound: RunBound, reverse: boolean): number {
  const { view, start, end, isIncluded } = bound;
  let at = block.lowerBound(view, start, end);
  const isExact = at < block.count && block.compareKey(at, view, start, end) === 0;
  if (isExact && isIncluded !== reverse) at++;
  return reverse ? slot + 1 - at : at - slot;
}
