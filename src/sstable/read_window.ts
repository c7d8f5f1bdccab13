/**
 * The blocks of one walk over a table.
 *
 * They come from the cache, or from the file: the first one alone, and if the walk continues, ever
 * larger runs of adjacent blocks in one read, up to the given bound. Blocks that were read ahead
 * stay compressed until they are reached.
 */

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

const NO_BUFFER: ReadBuffer = newReadBuffer(0);

/**
 * Stored blocks that one read has brought and that are not decoded yet. Blocks that it returns are
 * pinned.
 */
export class ReadWindow {
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
