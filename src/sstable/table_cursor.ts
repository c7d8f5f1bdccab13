/**
 * Walks the entries of one table, in either direction. Scans and compaction use it.
 *
 * Blocks come from the cache, or from the file: the first one alone, and if the walk continues,
 * ever larger runs of adjacent blocks in one read, up to the given bound. Blocks that were read
 * ahead stay compressed until they are reached.
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
import { giveReadBuffer, newReadBuffer, type ReadBuffer, takeReadBuffer } from "./read_buffers.ts";
import type { TableIndex } from "./table_index.ts";
import type { TableReader } from "./table_reader.ts";

/** How to walk a table. */
export interface TableScanOptions {
  /** From the largest key to the smallest. */
  readonly reverse: boolean;
  /** The most bytes to read ahead at a time; one block is always read. */
  readonly readaheadBytes: number;
  /** Whether blocks are looked up in the block cache and offered to it. */
  readonly useCache: boolean;
  /** Shared by the cursors of one walk: the number of blocks so far. */
  readonly progress?: ScanProgress;
  /** Whether checksums are checked. */
  readonly verifyChecksums: boolean;
  /**
   * Whether nobody uses the values, so that large ones need not be read. Then a shown value may be
   * a replacement.
   */
  readonly keysOnly?: boolean;
}

/** How many blocks a walk over several tables has decoded. */
export interface ScanProgress {
  /** Blocks since the walk began or since the last seek. */
  decodedBlocks: number;
}

/**
 * Blocks that a walk offers to the cache. Later blocks are decoded into the same memory again and
 * again: a long scan does not need the cache, and the garbage of a block costs it as much as
 * decoding.
 */
const MAX_OFFERED_BLOCKS = 64;

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
        // The index of a Go table has no checksum. That nothing before the key lies in the next
        // block is known only after that block was loaded, because its first key is checked then.
        // Going forwards loads it anyway.
        if (
          this.#options.reverse && this.#reader.sections.tail!.properties.extension === undefined
        ) {
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

const NO_BUFFER: ReadBuffer = newReadBuffer(0);

/**
 * Stored blocks that one read has brought and that are not decoded yet. Blocks that it returns are
 * pinned.
 */
class ReadWindow {
  readonly #reader: TableReader;
  readonly #options: TableScanOptions;
  #buffer = NO_BUFFER;
  /** Whether an asynchronous read into `#buffer` is under way, or has failed. */
  #isReading = false;
  /** File range that `#buffer` holds. */
  #start = 0;
  #end = 0;
  #nextBytes = 0;
  /**
   * Only the cursor sees a block that is not in the cache, so the next one takes its memory. The
   * window has its own pin on it.
   */
  #spare: Block | undefined;

  constructor(reader: TableReader, options: TableScanOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  /** A new walk starts: the next read is of one block again. The content of the window stays. */
  restart(): void {
    this.#nextBytes = 0;
  }

  /** Releases the memory. */
  release(): void {
    this.#start = 0;
    this.#end = 0;
    this.#giveBuffer();
    this.#giveSpare();
  }

  #giveSpare(): void {
    const spare = this.#spare;
    if (spare === undefined) return;
    this.#spare = undefined;
    this.#reader.unpin(spare);
  }

  #giveBuffer(): void {
    // Released in the middle of a read, by a close: the buffer is garbage when the read is done.
    if (!this.#isReading) giveReadBuffer(this.#buffer);
    this.#buffer = NO_BUFFER;
  }

  /** The block if no read is needed for it. */
  present(index: TableIndex, block: number): Block | undefined {
    if (this.#options.useCache) {
      const cached = this.#reader.cachedBlock(block);
      if (cached !== undefined) {
        this.#reader.pin(cached);
        return cached;
      }
    }
    const offset = index.blockOffset(block);
    if (offset < this.#start || offset + index.blockSize(block) > this.#end) return undefined;
    return this.decode(index, block);
  }

  /**
   * Whether the next read is of one block that others may want, too, as when many scans begin at
   * the same time. Then it is loaded for all of them, and counts as read.
   */
  isShared(index: TableIndex, block: number): boolean {
    if (!this.#options.useCache) return false;
    const isSingle = this.#nextBytes === 0;
    if (!isSingle && !this.#reader.isLoading(block)) return false;
    this.#grow(index.blockSize(block));
    const { progress } = this.#options;
    if (progress !== undefined) progress.decodedBlocks++;
    return true;
  }

  /** Reads the block, and adjacent blocks that are likely to come next. */
  readSync(index: TableIndex, block: number): void {
    const { start, end } = this.#plan(index, block);
    this.#reader.readRangeSync(this.#buffer.bytes, start, end - start);
    this.#start = start;
    this.#end = end;
  }

  /** As `readSync`. */
  async read(index: TableIndex, block: number): Promise<void> {
    const { start, end } = this.#plan(index, block);
    this.#isReading = true;
    await this.#reader.readRange(this.#buffer.bytes, start, end - start);
    this.#isReading = false;
    this.#start = start;
    this.#end = end;
  }

  /** Chooses the run of blocks to read, which contains `block`, and empties the window for it. */
  #plan(index: TableIndex, block: number): { start: number; end: number } {
    const limit = Math.min(this.#nextBytes, this.#options.readaheadBytes);
    let first = block;
    let last = block;
    let length = index.blockSize(block);
    this.#grow(length);
    for (;;) {
      const neighbour = this.#options.reverse ? first - 1 : last + 1;
      if (neighbour < 0 || neighbour >= index.blockCount) break;
      const size = index.blockSize(neighbour);
      if (length + size > limit) break;
      length += size;
      if (this.#options.reverse) first = neighbour;
      else last = neighbour;
    }
    this.#start = 0;
    this.#end = 0;
    if (this.#buffer.bytes.length < length) {
      this.#giveBuffer();
      this.#buffer = takeReadBuffer(length);
    }
    const start = index.blockOffset(first);
    return { start, end: start + length };
  }

  /** Lets the next read be longer. */
  #grow(blockBytes: number): void {
    this.#nextBytes = Math.max(this.#nextBytes * 2, blockBytes * 4);
  }

  /** Decodes a block that was read. */
  decode(index: TableIndex, block: number): Block {
    const at = index.blockOffset(block) - this.#start;
    const { useCache, progress, verifyChecksums } = this.#options;
    const isOffered = useCache &&
      (progress === undefined || progress.decodedBlocks++ < MAX_OFFERED_BLOCKS);
    const decoded = this.#reader.decodeBlock(
      index,
      block,
      this.#buffer.bytes,
      this.#buffer.view,
      at,
      verifyChecksums,
      isOffered ? undefined : this.#spare,
    );
    // Before it is offered: a cache that drops it at once would reuse its memory.
    this.#reader.pin(decoded);
    if (isOffered) return this.#reader.keep(block, decoded);
    if (decoded !== this.#spare) {
      this.#giveSpare();
      this.#reader.pin(decoded);
      this.#spare = decoded;
    }
    return decoded;
  }
}
