/**
 * Reads one SSTable. It answers at once from memory. Other pieces are loaded by `load...Sync` or
 * `await load...`, which share everything but the read itself.
 *
 * - Data blocks are kept in the block cache, index and filter (`sections`) in the metadata cache;
 *   both may drop them at any time. A holder of an index or filter may keep using it. The memory of
 *   a block is reused for another one, unless its holder pins it (block_cache.ts).
 * - Every stored block is checked against its CRC before it is decompressed, and after that against
 *   the index. Its first key must be the one that the index names, so a block in a wrong place is
 *   found, and the last key of the last block must be the largest of the table.
 *
 * A reader is used from one thread. Awaited loads of the same block that overlap are one load
 * (load_queue.ts); synchronous ones read separately.
 */

import type { CacheEntry, CacheOwner } from "../cache/weighted_cache.ts";
import { CorruptionError, DecodeError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { FileHandle } from "../platform/file_system.ts";
import { readFullySync } from "../platform/transfer.ts";
import type { Block, BlockMemory } from "./block.ts";
import type { BlockCache } from "./block_cache.ts";
import { PooledFile } from "./handle_pool.ts";
import type { LoadWaiter, SharedLoad } from "./load_queue.ts";
import { giveReadBuffer, type ReadBuffer, takeReadBuffer } from "./read_buffers.ts";
import type { ReadPace } from "./read_pace.ts";
import { decodeStoredBlock, requireItsKeys, storedScratch } from "./stored_block.ts";
import { UnknownTableFeature } from "./table_format.ts";
import type { TableIndex } from "./table_index.ts";
import {
  type SectionResources,
  type TableIdentity,
  TableSections,
  unsupported,
} from "./table_sections.ts";

/** What the readers of one store share. */
export interface TableResources extends SectionResources {
  /** Decoded data blocks, and memory for more. */
  readonly blocks: BlockCache;
  /** Whether block checksums are checked on reads by users. */
  readonly verifyChecksums: boolean;
}

/** One table. */
export class TableReader implements CacheOwner {
  readonly cacheId: number;
  /** The file, opened on demand. */
  readonly file: PooledFile;
  /** Its index, its filter, and what its metadata says. */
  readonly sections: TableSections;
  readonly #resources: TableResources;
  #blocks: (CacheEntry<Block> | undefined)[] = [];
  /** By which it keeps single entries. Numbers of tables need not be unique for ever. */
  readonly #entryOwner: number;
  readonly #loading = new Map<number, SharedLoad<Block>>();

  /** Names a table; nothing is read yet. */
  constructor(path: string, identity: TableIdentity, resources: TableResources) {
    this.file = new PooledFile(path);
    this.cacheId = identity.number;
    this.#resources = resources;
    this.#entryOwner = resources.blocks.newOwner();
    this.sections = new TableSections(this.file, identity, resources);
  }

  /** A block if it is in memory; unpinned, as from `loadBlockSync`. */
  cachedBlock(block: number): Block | undefined {
    const entry = this.#blocks[block];
    if (entry === undefined) {
      this.#resources.blocks.miss(this.#loading.has(block));
      return undefined;
    }
    this.#resources.blocks.hit(entry);
    return entry.value;
  }

  /**
   * Makes `into` show the entry with a key if it is in memory without its block, which
   * `cachedBlock` has just missed. Valid within the stretch of code.
   */
  showEntry(key: DataView, length: number, into: EntryView): boolean {
    return this.#resources.blocks.showEntry(this.#entryOwner, key, length, into);
  }

  /** Keeps an entry for `showEntry`, because its block had to be loaded. */
  keepEntry(entry: EntryView): void {
    this.#resources.blocks.keepEntry(this.#entryOwner, entry);
  }

  /**
   * As `cachedBlock`, for a caller that can do without: a missing block does not count as a miss.
   */
  blockInMemory(block: number): Block | undefined {
    const entry = this.#blocks[block];
    if (entry === undefined) return undefined;
    this.#resources.blocks.hit(entry);
    return entry.value;
  }

  /** As `blockInMemory`, for a caller that may not use it after all: nothing is noted. */
  peekBlock(block: number): Block | undefined {
    return this.#blocks[block]?.value;
  }

  /** The block cache dropped a block. */
  evicted(slot: number): void {
    this.#blocks[slot] = undefined;
  }

  /** Closes the file and removes everything of the table from the caches. */
  dispose(): void {
    this.#resources.handles.release(this.file);
    for (const entry of this.#blocks) {
      if (entry !== undefined) this.#resources.blocks.remove(entry);
    }
    this.#blocks = [];
    this.sections.dispose();
  }

  /**
   * Loads a block and offers it to the cache. It is not pinned: a caller that uses it after another
   * block may have been decoded must pin it at once.
   */
  loadBlockSync(index: TableIndex, block: number): Block {
    const size = index.blockSize(block);
    const scratch = storedScratch(size);
    readFullySync(this.#acquire(), scratch.bytes, 0, size, index.blockOffset(block));
    return this.#accept(index, block, scratch);
  }

  /**
   * As `loadBlockSync` if the block is likely to be in the page cache; undefined if it is better
   * awaited.
   */
  loadBlockAtOnce(index: TableIndex, block: number, pace: ReadPace): Block | undefined {
    if (this.isLoading(block) || !pace.mayReadAtOnce()) return undefined;
    const size = index.blockSize(block);
    const scratch = storedScratch(size);
    const handle = this.#acquire();
    const startedMs = pace.start();
    readFullySync(handle, scratch.bytes, 0, size, index.blockOffset(block));
    pace.finish(startedMs);
    return this.#accept(index, block, scratch);
  }

  /** As `loadBlockSync`, but every caller gets a pin with it and releases that by `unpin`. */
  loadBlock(index: TableIndex, block: number): Promise<Block> {
    return this.#sharedBlock(index, block).ended();
  }

  /** As `loadBlock`, for one of many waiters. */
  joinBlock(index: TableIndex, block: number, waiter: LoadWaiter<Block>): void {
    this.#sharedBlock(index, block).join(waiter);
  }

  /** Whether an awaited load of the block is under way, for others to join. */
  isLoading(block: number): boolean {
    return this.#loading.has(block);
  }

  /** Keeps other blocks from being decoded into a block's memory, until `unpin`. */
  pin(block: Block): void {
    this.#resources.blocks.pin(block);
  }

  /** Unpins a block, which must not be used any more. */
  unpin(block: Block): void {
    this.#resources.blocks.unpin(block);
  }

  /** Reads `[offset, offset + length)` of the file into `into`. */
  readRangeSync(into: Uint8Array, offset: number, length: number): void {
    readFullySync(this.#acquire(), into, 0, length, offset);
  }

  /** As `readRangeSync`. */
  readRange(into: Uint8Array, offset: number, length: number): Promise<void> {
    return this.#resources.handles.read(this.file, into, 0, length, offset);
  }

  /** Offers a block to the cache; returns it. If it is not pinned, it may be dropped at once. */
  keep(block: number, decoded: Block): Block {
    const { blocks } = this.#resources;
    if (this.#blocks[block] === undefined) {
      this.#blocks[block] = blocks.insert(this, block, decoded);
    } else {
      blocks.giveBack(decoded);
    }
    return decoded;
  }

  /**
   * Checks and decodes the stored block that starts at `start` in `stored`, into memory of
   * `memory`, by default that of blocks that the cache has dropped.
   *
   * @throws {CorruptionError} naming the file and the block's offset
   */
  decodeBlock(
    index: TableIndex,
    block: number,
    stored: Uint8Array,
    view: DataView,
    start: number,
    verify: boolean,
    memory: BlockMemory = this.#resources.blocks,
  ): Block {
    const offset = index.blockOffset(block);
    let decoded: Block | undefined;
    try {
      const end = start + index.blockSize(block);
      decoded = decodeStoredBlock(stored, view, start, end, verify, memory);
      requireItsKeys(index, block, decoded);
      return decoded;
    } catch (error) {
      if (decoded !== undefined) memory.giveBack(decoded);
      if (error instanceof UnknownTableFeature) throw unsupported(this.file.path, error);
      if (!(error instanceof DecodeError)) throw error;
      const message = `Cannot read the block at offset ${offset} of "${this.file.path}": ` +
        error.message;
      throw new CorruptionError(message, this.file.path, offset, { cause: error });
    }
  }

  #sharedBlock(index: TableIndex, block: number): SharedLoad<Block> {
    let loading = this.#loading.get(block);
    if (loading === undefined) {
      loading = this.#resources.handles.loads.start((load) => this.#loadBlock(index, block, load));
      this.#loading.set(block, loading);
    }
    return loading;
  }

  async #loadBlock(index: TableIndex, block: number, load: SharedLoad<Block>): Promise<Block> {
    const size = index.blockSize(block);
    let buffer: ReadBuffer;
    try {
      buffer = takeReadBuffer(size);
      await this.#resources.handles.read(
        this.file,
        buffer.bytes,
        0,
        size,
        index.blockOffset(block),
      );
    } finally {
      this.#loading.delete(block);
    }
    // From here to the end nothing else runs: nobody joins the load while its waiters are counted.
    const decoded = this.#accept(index, block, buffer, load.waiterCount);
    giveReadBuffer(buffer);
    return decoded;
  }

  /**
   * Decodes a block that was read to the start of `stored`, pins it this number of times, and
   * offers it to the cache.
   */
  #accept(index: TableIndex, block: number, stored: ReadBuffer, pins = 0): Block {
    const { verifyChecksums, blocks } = this.#resources;
    const decoded = this.decodeBlock(index, block, stored.bytes, stored.view, 0, verifyChecksums);
    for (let pin = 0; pin < pins; pin++) blocks.pin(decoded);
    return this.keep(block, decoded);
  }

  #acquire(): FileHandle {
    return this.#resources.handles.acquire(this.file);
  }
}
