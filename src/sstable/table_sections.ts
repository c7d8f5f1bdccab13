/**
 * The parts of a table besides its data blocks: footer and metadata (the tail), index and filter.
 * They are loaded on first use and checked against each other and their checksums.
 *
 * The tail, some hundred bytes, stays in memory. Index and filter are in the metadata cache, which
 * may drop them at any time. Loads of the same one that overlap share one read.
 *
 * A load is a generator that says which range of the file it needs next. So the same checks serve
 * loads that read synchronously, that await, and that read at once what is likely to be in the page
 * cache.
 */

import { readableCodecs } from "../compression/compressors.ts";
import { crc32 } from "../bytes/crc32.ts";
import type { CacheEntry, CacheOwner, WeightedCache } from "../cache/weighted_cache.ts";
import { CorruptionError, corruptionFrom, DecodeError, UnsupportedFormatError } from "../errors.ts";
import { readFullySync } from "../platform/transfer.ts";
import { Filter } from "./filter.ts";
import type { HandlePool, PooledFile } from "./handle_pool.ts";
import type { LoadWaiter, SharedLoad } from "./load_queue.ts";
import type { ReadPace } from "./read_pace.ts";
import {
  decodeFooter,
  decodeProperties,
  FOOTER_BYTES,
  type TableFooter,
  type TableProperties,
  UnknownTableFeature,
} from "./table_format.ts";
import { TableIndex } from "./table_index.ts";
import { isTrusted } from "./trust.ts";

/**
 * The first read of a table takes up to this much from its end, which usually includes the index.
 */
const TAIL_READ_BYTES = 16 * 1024;
/** For a table with few entries it takes less: the rest would be a part of a large value. */
const TAIL_READ_BYTES_AT_LEAST = 1024;
const TAIL_READ_BYTES_PER_ENTRY = 64;
/**
 * Longer sections are not read at once, because reading and checking them takes more than 30 µs.
 */
const MAX_AT_ONCE_BYTES = 128 * 1024;
const INDEX_SLOT = 0;
const FILTER_SLOT = 1;

/** What is known of a table before it is opened. */
export interface TableIdentity {
  /** Number of the table. */
  readonly number: number;
  /** Size of the file in bytes. */
  readonly sizeBytes: number;
  /** Number of entries, if it is known. */
  readonly entryCount?: number;
  /** CRC-32 over its metadata and footer; undefined for a table that is not trusted. */
  readonly checksum: number | undefined;
}

/** Footer and metadata of an opened table. */
export interface TableTail {
  /** Where the sections are. */
  readonly footer: TableFooter;
  /** What the metadata says. */
  readonly properties: TableProperties;
}

/** What the sections of a store's tables share. */
export interface SectionResources {
  /** Open files. */
  readonly handles: HandlePool;
  /** Indexes and filters. */
  readonly metadata: WeightedCache<TableIndex | Filter>;
}

interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** Asks for ranges of the file, and makes `T` from their bytes. */
type Load<T> = Generator<FileRange, T, Uint8Array>;

/** Tail, index and filter of one table. */
export class TableSections {
  /** Whether filter, index and metadata are under checksums (trust.ts). */
  readonly isTrusted: boolean;
  readonly #file: PooledFile;
  readonly #identity: TableIdentity;
  readonly #resources: SectionResources;
  #tail: TableTail | undefined;
  #index: CacheEntry<TableIndex | Filter> | undefined;
  #filter: CacheEntry<TableIndex | Filter> | undefined;
  #loadingIndex: SharedLoad<TableIndex> | undefined;
  #loadingFilter: SharedLoad<Filter> | undefined;
  readonly #owner: CacheOwner;

  /** Names a table; nothing is read yet. */
  constructor(file: PooledFile, identity: TableIdentity, resources: SectionResources) {
    this.#file = file;
    this.#identity = identity;
    this.isTrusted = isTrusted(identity);
    this.#resources = resources;
    this.#owner = {
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

  /** Whether the table has a filter; known after the tail was read. */
  get hasFilter(): boolean {
    return this.#tail !== undefined && this.#tail.footer.filterSize > 0;
  }

  /** Opens the table if necessary and loads its index. */
  loadIndexSync(): TableIndex {
    return this.#finishSync(this.#indexLoad());
  }

  /**
   * As `loadIndexSync` if it is likely to be in the page cache; undefined if it is better awaited.
   */
  loadIndexAtOnce(pace: ReadPace): TableIndex | undefined {
    return this.#loadingIndex ? undefined : this.#finishAtOnce(this.#indexLoad(), pace);
  }

  /** As `loadIndexSync`. */
  loadIndex(): Promise<TableIndex> {
    return this.#sharedIndex().ended();
  }

  /** As `loadIndex`, for one of many waiters. */
  joinIndex(waiter: LoadWaiter<TableIndex>): void {
    this.#sharedIndex().join(waiter);
  }

  /** Loads the filter of a table whose tail says that it has one. */
  loadFilterSync(): Filter {
    return this.#finishSync(this.#filterLoad());
  }

  /**
   * As `loadFilterSync` if it is likely to be in the page cache; undefined if it is better awaited.
   */
  loadFilterAtOnce(pace: ReadPace): Filter | undefined {
    return this.#loadingFilter ? undefined : this.#finishAtOnce(this.#filterLoad(), pace);
  }

  /** As `loadFilterSync`. */
  loadFilter(): Promise<Filter> {
    return this.#sharedFilter().ended();
  }

  /** As `loadFilter`, for one of many waiters. */
  joinFilter(waiter: LoadWaiter<Filter>): void {
    this.#sharedFilter().join(waiter);
  }

  /** Removes everything from the cache. */
  dispose(): void {
    if (this.#index !== undefined) this.#resources.metadata.remove(this.#index);
    if (this.#filter !== undefined) this.#resources.metadata.remove(this.#filter);
    this.#index = undefined;
    this.#filter = undefined;
  }

  #sharedIndex(): SharedLoad<TableIndex> {
    return this.#loadingIndex ??= this.#resources.handles.loads.start(() =>
      this.#finish(this.#indexLoad()).finally(() => this.#loadingIndex = undefined)
    );
  }

  #sharedFilter(): SharedLoad<Filter> {
    return this.#loadingFilter ??= this.#resources.handles.loads.start(() =>
      this.#finish(this.#filterLoad()).finally(() => this.#loadingFilter = undefined)
    );
  }

  #finishSync<T>(load: Load<T>): T {
    let step = load.next();
    while (!step.done) step = load.next(this.#readSync(step.value));
    return step.value;
  }

  #finishAtOnce<T>(load: Load<T>, pace: ReadPace): T | undefined {
    // Asked first, because the load begins with a read of the file.
    if (!pace.mayReadAtOnce()) return undefined;
    let step = load.next();
    while (!step.done) {
      if (step.value.length > MAX_AT_ONCE_BYTES) return undefined;
      // Opened before the measurement: the time for that says nothing about the next read.
      this.#resources.handles.acquire(this.#file);
      const startedMs = pace.start();
      const bytes = this.#readSync(step.value);
      pace.finish(startedMs);
      step = load.next(bytes);
      if (!step.done && !pace.mayReadAtOnce()) return undefined;
    }
    return step.value;
  }

  async #finish<T>(load: Load<T>): Promise<T> {
    let step = load.next();
    while (!step.done) {
      const { offset, length } = step.value;
      const bytes = new Uint8Array(length);
      await this.#resources.handles.read(this.#file, bytes, 0, length, offset);
      step = load.next(bytes);
    }
    return step.value;
  }

  #readSync({ offset, length }: FileRange): Uint8Array {
    const bytes = new Uint8Array(length);
    readFullySync(this.#resources.handles.acquire(this.#file), bytes, 0, length, offset);
    return bytes;
  }

  *#indexLoad(): Load<TableIndex> {
    let chunk: Uint8Array | undefined;
    if (this.#tail === undefined) {
      chunk = yield this.#tailRange();
      const missing = this.#acceptTail(chunk);
      if (missing > 0) {
        chunk = yield { offset: this.#identity.sizeBytes - missing, length: missing };
        this.#acceptTail(chunk);
      }
    }
    const { indexOffset: offset, indexSize: length } = this.#tail!.footer;
    const start = chunk === undefined ? -1 : offset - this.#offsetOf(chunk);
    return chunk !== undefined && start >= 0
      ? this.#acceptIndex(chunk, start)
      : this.#acceptIndex(yield { offset, length }, 0);
  }

  *#filterLoad(): Load<Filter> {
    const { filterOffset: offset, filterSize: length } = this.#tail!.footer;
    return this.#acceptFilter(yield { offset, length });
  }

  /** The range of the first read; it stays inside the file because sizes come from the manifest. */
  #tailRange(): FileRange {
    const { sizeBytes, entryCount = Infinity } = this.#identity;
    const actual = this.#resources.handles.acquire(this.#file).sizeSync();
    if (actual !== sizeBytes || sizeBytes < FOOTER_BYTES) {
      throw new CorruptionError(
        `Cannot open table "${this.#file.path}": it has ${actual} bytes, expected ${sizeBytes}`,
        this.#file.path,
        Math.min(actual, sizeBytes),
      );
    }
    const needed = TAIL_READ_BYTES_AT_LEAST + entryCount * TAIL_READ_BYTES_PER_ENTRY;
    const length = Math.min(sizeBytes, TAIL_READ_BYTES, needed);
    return { offset: sizeBytes - length, length };
  }

  /** File offset of a chunk that was read from the end of the file. */
  #offsetOf(chunk: Uint8Array): number {
    return this.#identity.sizeBytes - chunk.length;
  }

  /**
   * Reads footer and metadata from the end of the file; returns how many bytes it needs if `chunk`
   * has too few.
   */
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
      if (error instanceof UnknownTableFeature) throw unsupported(this.#file.path, error);
      throw corruptionFrom(error, "the table's tail", this.#file.path, 0);
    }
  }

  #acceptIndex(chunk: Uint8Array, start: number): TableIndex {
    const { footer, properties } = this.#tail!;
    const end = start + footer.indexSize;
    try {
      if (properties.extension !== undefined) {
        requireCrc(chunk, start, end, properties.extension.indexCrc, "index");
      }
      const index = new TableIndex(
        chunk,
        start,
        end,
        footer.filterOffset,
        footer.blockCount,
        properties.extension?.loneBlocks,
      );
      if (index.entryCount !== footer.entryCount) {
        throw new DecodeError(
          `the index counts ${index.entryCount} entries, the footer ${footer.entryCount}`,
          0,
        );
      }
      this.#index ??= this.#resources.metadata.insert(
        this.#owner,
        INDEX_SLOT,
        index,
        index.sizeBytes,
      );
      return index;
    } catch (error) {
      throw corruptionFrom(error, "the index", this.#file.path, footer.indexOffset);
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
        this.#owner,
        FILTER_SLOT,
        filter,
        filter.sizeBytes,
      );
      return filter;
    } catch (error) {
      throw corruptionFrom(error, "the filter", this.#file.path, footer.filterOffset);
    }
  }
}

/** The error for a feature that this library does not know. */
export function unsupported(path: string, error: UnknownTableFeature): UnsupportedFormatError {
  return new UnsupportedFormatError(
    path,
    error.message,
    `table format 1, codecs ${readableCodecs}`,
    { cause: error },
  );
}

/** Runs a decoder; adds `base` to the offset of its errors. */
function shifted<T>(base: number, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DecodeError) throw new DecodeError(error.message, base + error.offset);
    throw error;
  }
}

/**
 * Checks that the metadata has the checksum of the section `bytes[start, end)`.
 *
 * @throws {DecodeError} it has another
 */
function requireCrc(
  bytes: Uint8Array,
  start: number,
  end: number,
  expected: number,
  what: string,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = crc32(bytes, view, start, end);
  if (found !== expected) {
    throw new DecodeError(
      `the checksum of the ${what} is 0x${found.toString(16)}, expected 0x${expected.toString(16)}`,
      0,
    );
  }
}
