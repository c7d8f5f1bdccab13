/**
 * Reads one SSTable. What it holds in memory it answers at once; what it does not, it loads by
 * `load...Sync` or `await load...`, which share everything but the read itself.
 *
 * - The tail (footer and metadata) is read and checked with the first use, together with the index
 *   where that is small, and kept: some hundred bytes.
 * - Index and filter are kept in the metadata cache, data blocks in the block cache; both caches may drop
 *   them at any time. Holders of an index or filter go on using it; the memory of a block is decoded into
 *   again, unless its holder pins it (block_cache.ts).
 * - Every stored block is checked against its CRC before it is decompressed, and after that against
 *   the index: its first key must be the one the index names, so a block in a wrong place is found,
 *   and the last key of the last block the largest of the table.
 *
 * A reader is used from one thread. Loads of the same block, index or filter that overlap share one
 * read. The file is longer than most: three kinds of loads, each in a synchronous and an awaited form, work on
 * the same private state; checks of sections are in table_sections.ts, decoding in stored_block.ts.
 */

import type { CacheEntry, CacheOwner, WeightedCache } from "../cache/weighted_cache.ts";
import { CorruptionError, corruptionFrom, DecodeError, UnsupportedFormatError } from "../errors.ts";
import type { FileHandle } from "../platform/file_system.ts";
import { readFullySync } from "../platform/transfer.ts";
import type { Block, BlockMemory } from "./block.ts";
import type { BlockCache } from "./block_cache.ts";
import { Filter } from "./filter.ts";
import { type HandlePool, PooledFile } from "./handle_pool.ts";
import {
  decodeFooter,
  decodeProperties,
  FOOTER_BYTES,
  type TableFooter,
  type TableProperties,
  UnknownTableFeature,
} from "./table_format.ts";
import {
  decodeStoredBlock,
  giveReadBuffer,
  requireItsKeys,
  type Scratch,
  storedScratch,
  takeReadBuffer,
} from "./stored_block.ts";
import type { ReadPace } from "./read_pace.ts";
import { TableIndex } from "./table_index.ts";
import { requireCrc, shifted } from "./table_sections.ts";

/** The first read of a table takes this much from its end: usually the index comes along. */
const TAIL_READ_BYTES = 16 * 1024;
const INDEX_SLOT = 0;
const FILTER_SLOT = 1;

/** What readers of one store share. */
export interface TableResources {
  /** Open files. */
  readonly handles: HandlePool;
  /** Decoded data blocks, and memory for more. */
  readonly blocks: BlockCache;
  /** Indexes and filters. */
  readonly metadata: WeightedCache<TableIndex | Filter>;
  /** Whether block checksums are checked on reads by users. */
  readonly verifyChecksums: boolean;
}

/** What is known of a table before it is opened. */
export interface TableIdentity {
  /** Number of the table. */
  readonly number: number;
  /** Size of the file in bytes. */
  readonly sizeBytes: number;
  /** CRC-32 over its metadata and footer, or undefined for a table of the Go program. */
  readonly checksum: number | undefined;
}

/** Footer and metadata of an opened table. */
export interface TableTail {
  /** Where the sections are. */
  readonly footer: TableFooter;
  /** What the metadata says. */
  readonly properties: TableProperties;
}

/** An asynchronous load of a block, and how many wait for it. */
interface BlockLoad {
  readonly promise: Promise<Block>;
  waiters: number;
}

/** One table. */
export class TableReader implements CacheOwner {
  readonly cacheId: number;
  /** The file, opened on demand. */
  readonly file: PooledFile;
  readonly #identity: TableIdentity;
  readonly #resources: TableResources;
  #tail: TableTail | undefined;
  #index: CacheEntry<TableIndex | Filter> | undefined;
  #filter: CacheEntry<TableIndex | Filter> | undefined;
  #blocks: (CacheEntry<Block> | undefined)[] = [];
  readonly #loading = new Map<number, BlockLoad>();
  #loadingIndex: Promise<TableIndex> | undefined;
  #loadingFilter: Promise<Filter> | undefined;
  readonly #metadataOwner: CacheOwner;

  /** Names a table; nothing is read yet. */
  constructor(path: string, identity: TableIdentity, resources: TableResources) {
    this.file = new PooledFile(path);
    this.cacheId = identity.number;
    this.#identity = identity;
    this.#resources = resources;
    this.#metadataOwner = {
      cacheId: identity.number,
      evicted: (slot) => {
        if (slot === INDEX_SLOT) this.#index = undefined;
        else this.#filter = undefined;
      },
    };
  }

  /** Footer and metadata if the table was opened. */
  get tail(): TableTail | undefined {
    return this.#tail;
  }

  /** The index if it is in memory. */
  get index(): TableIndex | undefined {
    const entry = this.#index;
    if (entry === undefined) return undefined;
    this.#resources.metadata.hit(entry);
    return entry.value as TableIndex;
  }

  /** The filter if it is in memory. */
  get filter(): Filter | undefined {
    const entry = this.#filter;
    if (entry === undefined) return undefined;
    this.#resources.metadata.hit(entry);
    return entry.value as Filter;
  }

  /** Bytes of memory that the index takes at the moment. */
  get indexBytes(): number {
    return this.#index?.chargeBytes ?? 0;
  }

  /** Bytes of memory that the filter takes at the moment. */
  get filterBytes(): number {
    return this.#filter?.chargeBytes ?? 0;
  }

  /** Whether the table has a filter; known once the tail was read. */
  get hasFilter(): boolean {
    return this.#tail !== undefined && this.#tail.footer.filterSize > 0;
  }

  /** A block if it is in memory; unpinned, as `loadBlockSync` gives it. */
  cachedBlock(block: number): Block | undefined {
    const entry = this.#blocks[block];
    if (entry === undefined) {
      this.#resources.blocks.miss();
      return undefined;
    }
    this.#resources.blocks.hit(entry);
    return entry.value;
  }

  /** As `cachedBlock`, for a caller that can do without: that it is missing does not count as a miss. */
  blockInMemory(block: number): Block | undefined {
    const entry = this.#blocks[block];
    if (entry === undefined) return undefined;
    this.#resources.blocks.hit(entry);
    return entry.value;
  }

  /** The block cache dropped a block. */
  evicted(slot: number): void {
    this.#blocks[slot] = undefined;
  }

  /** Closes the file and takes everything of the table out of the caches. */
  dispose(): void {
    this.#resources.handles.release(this.file);
    for (const entry of this.#blocks) {
      if (entry !== undefined) this.#resources.blocks.remove(entry);
    }
    this.#blocks = [];
    if (this.#index !== undefined) this.#resources.metadata.remove(this.#index);
    if (this.#filter !== undefined) this.#resources.metadata.remove(this.#filter);
    this.#index = undefined;
    this.#filter = undefined;
  }

  /** Opens the table if need be and loads its index. */
  loadIndexSync(): TableIndex {
    const handle = this.#acquire();
    let chunk: Uint8Array | undefined;
    if (this.#tail === undefined) {
      chunk = this.#readSync(handle, ...this.#tailRange());
      const missing = this.#acceptTail(chunk);
      if (missing > 0) {
        chunk = this.#readSync(handle, this.#identity.sizeBytes - missing, missing);
        this.#acceptTail(chunk);
      }
    }
    const { indexOffset, indexSize } = this.#tail!.footer;
    const start = chunk === undefined ? -1 : indexOffset - this.#offsetOf(chunk);
    if (chunk !== undefined && start >= 0) return this.#acceptIndex(chunk, start);
    return this.#acceptIndex(this.#readSync(handle, indexOffset, indexSize), 0);
  }

  /** As `loadIndexSync`. */
  loadIndex(): Promise<TableIndex> {
    return this.#loadingIndex ??= this.#loadIndex().finally(() => this.#loadingIndex = undefined);
  }

  async #loadIndex(): Promise<TableIndex> {
    let chunk: Uint8Array | undefined;
    if (this.#tail === undefined) {
      chunk = await this.#read(...this.#tailRange());
      const missing = this.#acceptTail(chunk);
      if (missing > 0) {
        chunk = await this.#read(this.#identity.sizeBytes - missing, missing);
        this.#acceptTail(chunk);
      }
    }
    const { indexOffset, indexSize } = this.#tail!.footer;
    const start = chunk === undefined ? -1 : indexOffset - this.#offsetOf(chunk);
    if (chunk !== undefined && start >= 0) return this.#acceptIndex(chunk, start);
    return this.#acceptIndex(await this.#read(indexOffset, indexSize), 0);
  }

  /** Loads the filter of a table whose tail says that it has one. */
  loadFilterSync(): Filter {
    const { filterOffset, filterSize } = this.#tail!.footer;
    return this.#acceptFilter(this.#readSync(this.#acquire(), filterOffset, filterSize));
  }

  /** As `loadFilterSync`. */
  loadFilter(): Promise<Filter> {
    return this.#loadingFilter ??= this.#loadFilter().finally(() =>
      this.#loadingFilter = undefined
    );
  }

  async #loadFilter(): Promise<Filter> {
    const { filterOffset, filterSize } = this.#tail!.footer;
    return this.#acceptFilter(await this.#read(filterOffset, filterSize));
  }

  /**
   * Loads a block and offers it to the cache. It is not pinned: whoever looks at it after another block
   * may have been decoded has to pin it at once.
   */
  loadBlockSync(index: TableIndex, block: number): Block {
    const size = index.blockSize(block);
    const scratch = storedScratch(size);
    readFullySync(this.#acquire(), scratch.bytes, 0, size, index.blockOffset(block));
    return this.#accept(index, block, scratch);
  }

  /**
   * As `loadBlockSync` where the block is likely to be in the page cache; undefined where it is better
   * awaited.
   */
  loadBlockAtOnce(index: TableIndex, block: number, pace: ReadPace): Block | undefined {
    if (!pace.mayReadAtOnce()) return undefined;
    const size = index.blockSize(block);
    const scratch = storedScratch(size);
    const handle = this.#acquire();
    const startedMs = pace.start();
    readFullySync(handle, scratch.bytes, 0, size, index.blockOffset(block));
    pace.finish(startedMs);
    return this.#accept(index, block, scratch);
  }

  /** As `loadBlockSync`, but every caller gets a pin of its own with it, to be given back by `unpin`. */
  loadBlock(index: TableIndex, block: number): Promise<Block> {
    const loading = this.#loading.get(block);
    if (loading !== undefined) {
      loading.waiters++;
      return loading.promise;
    }
    const promise = this.#loadBlock(index, block);
    this.#loading.set(block, { promise, waiters: 1 });
    return promise;
  }

  /** Keeps a block's memory from being decoded into, until `unpin`. */
  pin(block: Block): void {
    this.#resources.blocks.pin(block);
  }

  /** Lets go of a pinned block, which must not be looked at any more. */
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

  /** Offers a block to the cache; returns it. One that is not pinned may be dropped at once. */
  keep(block: number, decoded: Block): Block {
    if (this.#blocks[block] === undefined) {
      this.#blocks[block] = this.#resources.blocks.insert(this, block, decoded);
    }
    return decoded;
  }

  /**
   * Checks and decodes the stored block that starts at `start` in `stored`, into memory of `memory`, by
   * default into what the cache has dropped.
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
    try {
      const end = start + index.blockSize(block);
      const decoded = decodeStoredBlock(stored, view, start, end, verify, memory);
      requireItsKeys(index, block, decoded);
      return decoded;
    } catch (error) {
      if (error instanceof UnknownTableFeature) throw this.#unsupported(error);
      if (!(error instanceof DecodeError)) throw error;
      const message = `Cannot read the block at offset ${offset} of "${this.file.path}": ` +
        error.message;
      throw new CorruptionError(message, this.file.path, offset, { cause: error });
    }
  }

  async #loadBlock(index: TableIndex, block: number): Promise<Block> {
    const size = index.blockSize(block);
    const buffer = takeReadBuffer(size);
    try {
      await this.#resources.handles.read(
        this.file,
        buffer.bytes,
        0,
        size,
        index.blockOffset(block),
      );
    } catch (error) {
      this.#loading.delete(block);
      throw error;
    }
    // From here to the end nothing else runs: nobody joins the load whose waiters are counted.
    const { waiters } = this.#loading.get(block)!;
    this.#loading.delete(block);
    const decoded = this.#accept(index, block, buffer, waiters);
    giveReadBuffer(buffer);
    return decoded;
  }

  /** Decodes a block that was read to the start of `stored`, pins it so often, and offers it to the cache. */
  #accept(index: TableIndex, block: number, stored: Scratch, pins = 0): Block {
    const { verifyChecksums, blocks } = this.#resources;
    const decoded = this.decodeBlock(index, block, stored.bytes, stored.view, 0, verifyChecksums);
    for (let pin = 0; pin < pins; pin++) blocks.pin(decoded);
    return this.keep(block, decoded);
  }

  #acquire(): FileHandle {
    return this.#resources.handles.acquire(this.file);
  }

  #readSync(handle: FileHandle, offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    readFullySync(handle, bytes, 0, length, offset);
    return bytes;
  }

  async #read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.#resources.handles.read(this.file, bytes, 0, length, offset);
    return bytes;
  }

  /** Where the first read goes; it stays inside the file because sizes come from the manifest. */
  #tailRange(): [offset: number, length: number] {
    const { sizeBytes } = this.#identity;
    const actual = this.#acquire().sizeSync();
    if (actual !== sizeBytes || sizeBytes < FOOTER_BYTES) {
      throw new CorruptionError(
        `Cannot open table "${this.file.path}": it has ${actual} bytes, expected ${sizeBytes}`,
        this.file.path,
        Math.min(actual, sizeBytes),
      );
    }
    const length = Math.min(sizeBytes, TAIL_READ_BYTES);
    return [sizeBytes - length, length];
  }

  /** File offset of a chunk that was read from the end of the file. */
  #offsetOf(chunk: Uint8Array): number {
    return this.#identity.sizeBytes - chunk.length;
  }

  /** Takes footer and metadata from the end of the file; returns how many bytes it needs if `chunk` has too few. */
  #acceptTail(chunk: Uint8Array): number {
    const { sizeBytes, checksum } = this.#identity;
    const base = sizeBytes - chunk.length;
    const view = new DataView(chunk.buffer);
    const footerStart = chunk.length - FOOTER_BYTES;
    try {
      const footer = shifted(base + footerStart, () => decodeFooter(view, footerStart, sizeBytes));
      const needed = footer.metadataSize + FOOTER_BYTES;
      if (needed > chunk.length) return needed;
      const start = footerStart - footer.metadataSize;
      const properties = shifted(
        base,
        () => decodeProperties(chunk, view, start, footer.metadataSize),
      );
      if (properties.extension?.checksum !== checksum) {
        throw new DecodeError(
          "this is another table than the one the manifest names",
          base + start,
        );
      }
      this.#tail = { footer, properties };
      return 0;
    } catch (error) {
      if (error instanceof UnknownTableFeature) throw this.#unsupported(error);
      throw corruptionFrom(error, "the table's tail", this.file.path, 0);
    }
  }

  #acceptIndex(chunk: Uint8Array, start: number): TableIndex {
    const { footer, properties } = this.#tail!;
    const end = start + footer.indexSize;
    try {
      if (properties.extension !== undefined) {
        requireCrc(chunk, start, end, properties.extension.indexCrc, "index");
      }
      const index = new TableIndex(chunk, start, end, footer.filterOffset, footer.blockCount);
      if (index.entryCount !== footer.entryCount) {
        throw new DecodeError(
          `the index counts ${index.entryCount} entries, the footer ${footer.entryCount}`,
          0,
        );
      }
      this.#index ??= this.#resources.metadata.insert(
        this.#metadataOwner,
        INDEX_SLOT,
        index,
        index.sizeBytes,
      );
      return index;
    } catch (error) {
      throw corruptionFrom(error, "the index", this.file.path, footer.indexOffset);
    }
  }

  #acceptFilter(section: Uint8Array): Filter {
    const { footer, properties } = this.#tail!;
    try {
      if (properties.extension !== undefined) {
        requireCrc(section, 0, section.length, properties.extension.filterCrc, "filter");
      }
      const filter = Filter.decode(section);
      this.#filter ??= this.#resources.metadata.insert(
        this.#metadataOwner,
        FILTER_SLOT,
        filter,
        filter.sizeBytes,
      );
      return filter;
    } catch (error) {
      throw corruptionFrom(error, "the filter", this.file.path, footer.filterOffset);
    }
  }

  #unsupported(error: UnknownTableFeature): UnsupportedFormatError {
    return new UnsupportedFormatError(
      this.file.path,
      error.message,
      "table format 1, codecs zstd, snappy, none and MinLZ",
      { cause: error },
    );
  }
}
