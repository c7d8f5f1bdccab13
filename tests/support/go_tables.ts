/** Small Go stores, made table by table, for tests that need special levels, crashes and damage. */

import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import { GoTableBuilder } from "../../src/go/go_table_writer.ts";
import { decodeFooter, FOOTER_BYTES } from "../../src/sstable/table_format.ts";
import { tableName } from "../../src/version/file_names.ts";
import { CloneableFileSystem } from "./cloneable_file_system.ts";
import { bytesOf, stringValue, tombstone, viewOf } from "./entries.ts";
import {
  encodeGoLog,
  encodeGoManifest,
  type GoLogEntry,
  type GoManifestRecord,
  pathOf,
} from "./go_store.ts";
import { DIRECTORY } from "./store_files.ts";

/** Keys with their texts, `undefined` for a tombstone. */
export type Texts = Readonly<Record<string, string | undefined>>;

/** A table of a Go store. */
export interface GoTableContent {
  readonly level: number;
  readonly number: number;
  readonly texts: Texts;
}

/** The file of a table as Go v0.4 writes it, uncompressed. */
export function goTableFile(level: number, texts: Texts, blockSizeBytes = 256): Uint8Array {
  const builder = new GoTableBuilder({
    level,
    compressor: compressorFor("none", 1),
    blockSizeBytes,
    bloomFalsePositiveRate: 0.01,
  });
  for (const key of Object.keys(texts).sort()) {
    const text = texts[key];
    const value = text === undefined ? tombstone : stringValue(text);
    builder.add(viewOf({ key: bytesOf(key), value }));
  }
  builder.finish();
  return builder.output.bytes.slice(0, builder.output.length);
}

/** The manifest record that adds a table. */
export function goAddRecord(
  sequence: number,
  { level, number, texts }: GoTableContent,
): GoManifestRecord {
  const file = goTableFile(level, texts);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const footer = decodeFooter(view, file.length - FOOTER_BYTES, file.length);
  const keys = Object.keys(texts).sort();
  const writer = new ByteWriter(64);
  writer.appendUint32(number);
  writer.appendUint32(level);
  for (const key of [bytesOf(keys[0]!), bytesOf(keys.at(-1)!)]) {
    writer.appendUint32(key.length);
    writer.appendBytes(key, 0, key.length);
  }
  writer.appendUint64(footer.entryCount);
  writer.appendUint64(file.length);
  writer.appendUint64(footer.indexOffset);
  writer.appendUint32(footer.indexSize);
  writer.appendUint64(footer.filterOffset);
  writer.appendUint32(footer.filterSize);
  return { type: 1, sequence, body: writer.bytes.slice(0, writer.length) };
}

/** Entries of a log, with sequences from 1 on. */
export function goLogOf(
  writes: readonly (readonly [key: string, text: string | undefined])[],
): Uint8Array {
  const entries: (GoLogEntry | "sync")[] = [];
  for (const [i, [key, text]] of writes.entries()) {
    const value = text === undefined ? tombstone : stringValue(text);
    entries.push({ sequence: i + 1, key: bytesOf(key), value });
    if (i % 5 === 4) entries.push("sync");
  }
  return encodeGoLog(entries);
}

/**
 * Makes the directory of a Go store, with a manifest that names all its tables if the caller asks
 * for one.
 */
export function makeGoStore(content: {
  readonly tables: readonly GoTableContent[];
  readonly log?: Uint8Array;
  readonly hasManifest?: boolean;
}): CloneableFileSystem {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  for (const { level, number, texts } of content.tables) {
    fileSystem.setContent(pathOf(tableName(number)), goTableFile(level, texts));
  }
  fileSystem.setContent(pathOf("wal.log"), content.log ?? new Uint8Array());
  if (content.hasManifest) {
    const records = content.tables.map((table, i) => goAddRecord(i + 1, table));
    fileSystem.setContent(pathOf("MANIFEST"), encodeGoManifest(records));
    fileSystem.setContent(pathOf("LOCK"), new Uint8Array());
  }
  return fileSystem;
}
