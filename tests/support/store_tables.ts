/** Tables of whole stores for tests: metadata from text, and real files written and read back. */

import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { WeightedCache } from "../../src/cache/weighted_cache.ts";
import { TableOutput, type TableOutputOptions } from "../../src/compaction/table_output.ts";
import type { CompressionName } from "../../src/compression/compressor.ts";
import type { Compressor } from "../../src/compression/compressor.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import { AT_END, type EntryView, NEEDS_LOAD } from "../../src/iterator/entry_cursor.ts";
import type { KeySpan } from "../../src/iterator/key_spans.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import { BlockCache } from "../../src/sstable/block_cache.ts";
import { HandlePool } from "../../src/sstable/handle_pool.ts";
import { TableCursor } from "../../src/sstable/table_cursor.ts";
import { TableReader, type TableResources } from "../../src/sstable/table_reader.ts";
import {
  encodeTombstone,
  encodeValue,
  isTombstone,
  ValueDecoder,
} from "../../src/value/value_codec.ts";
import { showLargeValue, ValueReader } from "../../src/sstable/value_reader.ts";
import { appendExpiry } from "../../src/value/expiry.ts";
import { isReference } from "../../src/value/value_reference.ts";
import { nameOfValues, tableName } from "../../src/version/file_names.ts";
import { type TableMetadata, tableMetadata } from "../../src/version/table_metadata.ts";

/** A key and its value, `undefined` for a tombstone. */
export type TestEntry = readonly [
  key: string,
  value: string | undefined,
  expiresAt?: number,
];

/** Bytes of a text of single-byte characters. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The text of bytes that `bytesOf` made. */
export function textOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Bytes as hex, two digits each. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Metadata of a table that does not exist, from `7[a-f]`: number and key range. `x3` after it makes
 * it three times 100 bytes long, `e50` gives it 50 entries instead of 10, `!` makes one of them a
 * tombstone, `!7` seven of them, `g` makes it one of the Go program.
 */
export function tableOf(text: string): TableMetadata {
  const match = /^(\d+)\[([^-\]]*)-([^\]]*)\](?:x(\d+))?(?:e(\d+))?(?:(!)(\d*))?(g?)$/.exec(text);
  if (match === null) throw new Error(`Cannot read the table ${JSON.stringify(text)}`);
  return tableMetadata({
    number: Number(match[1]),
    sizeBytes: 100 * Number(match[4] ?? 1),
    entryCount: Number(match[5] ?? 10),
    tombstoneCount: match[6] === "!" ? Number(match[7] || 1) : 0,
    checksum: match[8] === "g" ? undefined : Number(match[1]),
    smallest: bytesOf(match[2]!),
    largest: bytesOf(match[3]!),
  });
}

/** An entry as cursors show it. */
export function entryOf([key, value, expiresAt]: TestEntry): EntryView {
  const writer = new ByteWriter(64);
  if (expiresAt !== undefined) appendExpiry(writer, expiresAt);
  if (value === undefined) encodeTombstone(writer);
  else encodeValue(value, writer);
  const keyBytes = bytesOf(key);
  return {
    keyBytes,
    keyView: new DataView(keyBytes.buffer),
    keyStart: 0,
    keyEnd: keyBytes.length,
    valueBytes: writer.bytes,
    valueView: writer.view,
    valueStart: 0,
    valueEnd: writer.length,
  };
}

/** Options for writing small tables. */
export function outputOptions(
  fileSystem: FileSystem,
  directory: string,
  options: {
    compression?: CompressionName;
    /** Instead of `compression`. */
    compressor?: Compressor;
    blockSizeBytes?: number;
    filter?: boolean;
  } = {},
): TableOutputOptions {
  return {
    fileSystem,
    directory,
    compressor: options.compressor ?? compressorFor(options.compression ?? "none", 1),
    blockSizeBytes: options.blockSizeBytes ?? 256,
    bloomFalsePositiveRate: options.filter ? 0.01 : false,
  };
}

/**
 * Writes entries, which are in key order, and deleted spans to the table `number`; undefined if
 * there is neither.
 */
export function writeTable(
  options: TableOutputOptions,
  number: number,
  level: number,
  entries: readonly TestEntry[],
  deletedSpans: readonly KeySpan[] = [],
): TableMetadata {
  const output = new TableOutput(options, level, () => number);
  for (const entry of entries) output.add(entryOf(entry));
  return runTaskSync(output.finish(deletedSpans))[0]!;
}

/** Caches and open files of their own. */
export function resourcesOf(fileSystem: FileSystem): TableResources {
  return {
    handles: new HandlePool(fileSystem, 16),
    blocks: new BlockCache(0),
    metadata: new WeightedCache(0),
    verifyChecksums: true,
  };
}

/** Every entry of a table. */
export function readTable(
  fileSystem: FileSystem,
  directory: string,
  table: TableMetadata,
): TestEntry[] {
  const resources = resourcesOf(fileSystem);
  const path = fileSystem.joinPath(directory, tableName(table.number));
  const cursor = new TableCursor(new TableReader(path, table, resources), {
    reverse: false,
    readaheadBytes: 0,
    useCache: false,
    verifyChecksums: true,
  });
  const values = new ValueDecoder({ int64: "bigint" });
  const reader = new ValueReader(
    directory,
    resources.handles,
    (kind, number) => fileSystem.joinPath(directory, nameOfValues(kind, number)),
  );
  const entries: TestEntry[] = [];
  let position = cursor.seekToStart();
  for (;;) {
    while (position === NEEDS_LOAD) {
      cursor.loadSync();
      position = cursor.resume();
    }
    if (position === AT_END) break;
    const entry = { ...cursor.entry };
    if (isReference(entry.valueBytes, entry.valueStart)) {
      showLargeValue(entry, reader.readSync(reader.requestOf(entry)));
    }
    const { keyBytes, keyStart, keyEnd, valueBytes, valueView, valueStart, valueEnd } = entry;
    entries.push([
      textOf(keyBytes.subarray(keyStart, keyEnd)),
      isTombstone(valueBytes, valueStart)
        ? undefined
        : values.decode(valueBytes, valueView, valueStart, valueEnd) as string,
    ]);
    position = cursor.advance();
  }
  resources.handles.close();
  return entries;
}
