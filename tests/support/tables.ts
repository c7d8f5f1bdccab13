/** SSTables for tests: written by TableWriter, opened with small caches, rebuilt by hand. */

import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import { hashKey } from "../../src/bytes/murmur3.ts";
import { WeightedCache } from "../../src/cache/weighted_cache.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import type { CompressionName } from "../../src/compression/compressor.ts";
import { emptyEntryView } from "../../src/iterator/entry_cursor.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { readFullySync } from "../../src/platform/transfer.ts";
import { BlockBuilder } from "../../src/sstable/block_builder.ts";
import { BlockCache } from "../../src/sstable/block_cache.ts";
import { HandlePool } from "../../src/sstable/handle_pool.ts";
import type { TableScanOptions } from "../../src/sstable/read_window.ts";
import { TableCursor } from "../../src/sstable/table_cursor.ts";
import { appendBlockFooter, encodeTableTail } from "../../src/sstable/table_format.ts";
import { encodeIndexHead } from "../../src/sstable/table_index.ts";
import { TableReader, type TableResources } from "../../src/sstable/table_reader.ts";
import { type TableSummary, TableWriter } from "../../src/sstable/table_writer.ts";
import { dataViewOf, type PlainEntry, plainOf, textOf, viewOf } from "./entries.ts";
import { fileOf } from "./logs.ts";

/** How a test table is written. */
export interface TestTableOptions {
  readonly codec?: CompressionName;
  readonly blockSizeBytes?: number;
  readonly filter?: number | false;
  readonly level?: number;
}

/** A written table. */
export interface TestTable {
  readonly bytes: Uint8Array;
  readonly summary: TableSummary;
  readonly fileSystem: FileSystem;
}

/** The path of every test table. */
export const TABLE_PATH = "/000007.sst";
/** The number of every test table. */
export const TABLE_NUMBER = 7;

/** Writes a table of entries that are sorted by key. */
export function writeTable(
  entries: Iterable<PlainEntry>,
  options: TestTableOptions = {},
): TestTable {
  const fileSystem = memoryFileSystem();
  const handle = fileSystem.createSync(TABLE_PATH);
  const writer = new TableWriter(handle, {
    tableNumber: TABLE_NUMBER,
    level: options.level ?? 1,
    compressor: compressorFor(options.codec ?? "none", 1),
    blockSizeBytes: options.blockSizeBytes ?? 256,
    bloomFalsePositiveRate: options.filter ?? 0.01,
  });
  for (const entry of entries) writer.add(viewOf(entry));
  const summary = writer.finish();
  const bytes = new Uint8Array(handle.sizeSync());
  readFullySync(handle, bytes, 0, bytes.length, 0);
  handle.closeSync();
  return { bytes, summary, fileSystem };
}

/** Cache sizes and the like. */
export interface TestResources {
  readonly blockCacheBytes?: number;
  readonly metadataCacheBytes?: number;
  readonly maxOpenFiles?: number;
  readonly verifyChecksums?: boolean;
}

/** What the readers of one store share. */
export function resourcesOn(fileSystem: FileSystem, options: TestResources = {}): TableResources {
  return {
    handles: new HandlePool(fileSystem, options.maxOpenFiles ?? 8),
    blocks: new BlockCache(options.blockCacheBytes ?? 1 << 20),
    metadata: new WeightedCache(options.metadataCacheBytes ?? 1 << 20),
    verifyChecksums: options.verifyChecksums ?? true,
  };
}

/** A reader of a table on a file system. */
export function readerOf(
  fileSystem: FileSystem,
  summary: { sizeBytes: number; checksum: number | undefined },
  options: TestResources = {},
): TableReader {
  return new TableReader(
    TABLE_PATH,
    { number: TABLE_NUMBER, sizeBytes: summary.sizeBytes, checksum: summary.checksum },
    resourcesOn(fileSystem, options),
  );
}

/** A reader of other bytes under the identity of a table. */
export function readerOfBytes(
  bytes: Uint8Array,
  summary: { sizeBytes: number; checksum: number | undefined },
  options: TestResources = {},
): TableReader {
  return readerOf(fileOf(bytes, TABLE_PATH), summary, options);
}

/** A cursor over a table, by default as scans use it. */
export function cursorOf(
  reader: TableReader,
  options: Partial<TableScanOptions> = {},
): TableCursor {
  return new TableCursor(reader, {
    reverse: false,
    readaheadBytes: 4096,
    useCache: true,
    verifyChecksums: true,
    ...options,
  });
}

/** Looks a key up as `get` does: filter, index, block. Returns "key=value" or undefined. */
export function lookUp(reader: TableReader, key: Uint8Array): string | undefined {
  const index = reader.sections.index ?? reader.sections.loadIndexSync();
  if (reader.sections.hasFilter) {
    const filter = reader.sections.filter ?? reader.sections.loadFilterSync();
    hashKey(key, 0, key.length);
    if (!filter.mayContainHashed()) return undefined;
  }
  const view = dataViewOf(key);
  const number = index.blockFor(view, 0, key.length);
  if (number < 0) return undefined;
  const block = reader.cachedBlock(number) ?? reader.loadBlockSync(index, number);
  const slot = block.find(view, 0, key.length);
  if (slot < 0) return undefined;
  const entry = emptyEntryView();
  block.showBuffers(entry);
  block.showAt(slot, entry);
  return textOf(plainOf(entry));
}

/** The stored form of one data block of a table that is put together by hand. */
export interface HandmadeBlock {
  readonly firstKey: Uint8Array;
  /** Payload, as stored, with its footer. */
  readonly bytes: Uint8Array;
}

/** A block's payload. */
export function payloadOf(entries: readonly PlainEntry[]): Uint8Array {
  const builder = new BlockBuilder(256);
  for (const entry of entries) builder.add(viewOf(entry));
  builder.finish();
  return builder.writer.bytes.slice(0, builder.writer.length);
}

/** A stored block with a valid checksum. */
export function storedBlock(
  firstKey: Uint8Array,
  stored: Uint8Array,
  uncompressedLength: number,
  codec: number,
): HandmadeBlock {
  const writer = new ByteWriter(64);
  writer.appendBytes(stored, 0, stored.length);
  appendBlockFooter(writer, 0, uncompressedLength, codec);
  return { firstKey, bytes: writer.bytes.slice(0, writer.length) };
}

/** What a handmade table says of itself. */
export interface HandmadeTable {
  readonly blocks: readonly HandmadeBlock[];
  readonly entryCount: number;
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
  /** Changes the index section before its checksum is taken. */
  readonly damageIndex?: (index: DataView) => void;
  /** Which blocks are said to hold one entry and no tombstone. */
  readonly loneBlocks?: Uint8Array;
  /** Stored as the filter section, with a valid checksum. */
  readonly filter?: Uint8Array;
}

/** Puts a table together; every checksum is right, whatever it says. */
export function assembleTable(
  table: HandmadeTable,
): { bytes: Uint8Array; sizeBytes: number; checksum: number } {
  const writer = new ByteWriter(1024);
  for (const { bytes } of table.blocks) writer.appendBytes(bytes, 0, bytes.length);
  const filterOffset = writer.length;
  const filter = table.filter ?? new Uint8Array(0);
  writer.appendBytes(filter, 0, filter.length);
  const indexOffset = writer.length;
  const { entryCount, smallest, largest, blocks } = table;
  encodeIndexHead(writer, entryCount, smallest, largest, blocks.length);
  let offset = 0;
  for (const { firstKey, bytes } of blocks) {
    writer.appendUint32(firstKey.length);
    writer.appendBytes(firstKey, 0, firstKey.length);
    writer.appendUint64(offset);
    writer.appendUint32(bytes.length);
    offset += bytes.length;
  }
  const indexSize = writer.length - indexOffset;
  table.damageIndex?.(new DataView(writer.bytes.buffer, indexOffset, indexSize));
  const checksum = encodeTableTail(
    writer,
    {
      filterOffset,
      filterSize: filter.length,
      indexOffset,
      indexSize,
      blockCount: blocks.length,
      entryCount,
    },
    { level: 1, tombstoneCount: 0 },
    {
      filterCrc: crc32(writer.bytes, writer.view, filterOffset, indexOffset),
      indexCrc: crc32(writer.bytes, writer.view, indexOffset, writer.length),
      tableNumber: TABLE_NUMBER,
      contentCrc: 0,
      ...(table.loneBlocks && { loneBlocks: table.loneBlocks }),
    },
  );
  const bytes = writer.bytes.slice(0, writer.length);
  return { bytes, sizeBytes: bytes.length, checksum };
}
