/**
 * Stores of the Go TinyKVS for tests: the fixtures (tests/fixtures/go/README.md) on a file system
 * in memory, what they must hold, and encoders of Go's log and manifest as the Go program writes
 * them.
 */

import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import type { Options } from "../../src/options.ts";
import { openSync } from "../../src/store/open.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import { CloneableFileSystem } from "./cloneable_file_system.ts";
import { DIRECTORY } from "./store_files.ts";

const fixtures = new URL("../fixtures/go/", import.meta.url);

/** Stores that Go closed in good order, without those of v0.11. */
export const CLOSED_STORES: readonly string[] = [
  "v0.3.1-zstd",
  "v0.4.0-none",
  "v0.4.0-snappy",
  "v0.4.0-zstd",
];

/** A store whose tables alone miss something, and the log that has it. */
export interface CrashedStore {
  readonly store: string;
  readonly log: string;
}

/** Every log among the fixtures with the store that it belongs to. */
export const CRASHED_STORES: readonly CrashedStore[] = [
  { store: "v0.3.1-zstd-crash", log: "wal.bin" },
  { store: "v0.4.0-zstd-crash", log: "wal.bin" },
  { store: "v0.4.0-zstd-crash", log: "wal-perwrite.bin" },
];

/** A file of the fixtures. */
export function fixtureBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, fixtures)));
}

/** Path of a file of the store. */
export function pathOf(name: string): string {
  return `${DIRECTORY}/${name}`;
}

/** The files of a fixture, with an empty log unless another one is given. */
export function goFiles(store: string, log: Uint8Array = new Uint8Array()): CloneableFileSystem {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  for (const name of readdirSync(new URL(`${store}/store/`, fixtures))) {
    fileSystem.setContent(pathOf(name), fixtureBytes(`${store}/store/${name}`));
  }
  fileSystem.setContent(pathOf("wal.log"), log);
  return fileSystem;
}

/** The files of a store that crashed. */
export function crashedFiles({ store, log }: CrashedStore): CloneableFileSystem {
  return goFiles(store, fixtureBytes(`${store}/${log}`));
}

/**
 * A key in hex, and its value in words; floats by their bits, but that a NaN's are not told by
 * every runtime.
 */
export type Content = readonly (readonly [key: string, value: string])[];

/** What a fixture must hold, in key order. */
export function expectedContent(store: string): Content {
  const text = Buffer.from(fixtureBytes(`${store}/expected.jsonl`)).toString().trimEnd();
  return text.split("\n").map((line) => {
    const { k, t, v } = JSON.parse(line);
    return [k, t === "float64" ? describeFloat(v) : `${t} ${v}`];
  });
}

/** What an open store holds, by a scan. */
export function contentOf(store: EmbeddedStore): Content {
  const content: [string, string][] = [];
  for (const [key, value] of store.entries()) {
    content.push([hexOf(key as Uint8Array), describe(value)]);
  }
  return content;
}

/** What single reads say of the keys. */
export function readContent(store: EmbeddedStore, keys: Iterable<string>): Content {
  return [...keys].map((key) => {
    const value = store.getSync(new Uint8Array(Buffer.from(key, "hex")));
    return [key, value === undefined ? "absent" : describe(value)];
  });
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

function describe(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return `int64 ${value}`;
    case "number": {
      const bits = Buffer.alloc(8);
      bits.writeDoubleBE(value);
      return describeFloat(bits.toString("hex"));
    }
    case "boolean":
      return `bool ${value}`;
    case "string":
      return `string ${Buffer.from(value).toString("hex")}`;
    default:
      return value instanceof Uint8Array
        ? `bytes ${hexOf(value)}`
        : `record ${JSON.stringify(value)}`;
  }
}

function describeFloat(bits: string): string {
  const isNaN = /^[7f]ff/.test(bits) && !/^[7f]ff0{13}$/.test(bits);
  return `float64 ${isNaN ? "NaN" : bits}`;
}

/** Opens the store in the directory with small limits. */
export function openGo(fileSystem: CloneableFileSystem, options: Options = {}): EmbeddedStore {
  return openSync(DIRECTORY, {
    fileSystem,
    keyEncoding: "bytes",
    memtableSizeBytes: 16 * 1024,
    compression: "none",
    ...options,
  });
}

/** An entry of a Go log. */
export interface GoLogEntry {
  /** 1 put (a tombstone deletes), 2 delete. */
  readonly operation?: number;
  readonly sequence: number;
  readonly key: Uint8Array;
  /** The encoded value, type byte first. */
  readonly value: Uint8Array;
}

const BUFFER_BYTES = 32 * 1024;
const RECORD_HEADER_BYTES = 7;

/**
 * Encodes entries as Go's log writer does; "sync" cuts the buffer. Returns the file after a last
 * sync.
 */
export function encodeGoLog(entries: Iterable<GoLogEntry | "sync">): Uint8Array {
  const file = new ByteWriter(1024);
  let used = 0;
  for (const entry of entries) {
    if (entry === "sync") {
      used = 0;
      continue;
    }
    const data = encodeGoLogEntry(entry);
    for (let at = 0; at < data.length;) {
      let room = BUFFER_BYTES - used - RECORD_HEADER_BYTES;
      if (room <= 0) {
        for (; used < BUFFER_BYTES; used++) file.appendUint8(0);
        used = 0;
        room = BUFFER_BYTES - RECORD_HEADER_BYTES;
      }
      const end = Math.min(data.length, at + room);
      const type = at === 0 ? (end === data.length ? 1 : 2) : end === data.length ? 4 : 3;
      appendGoRecord(file, type, data.subarray(at, end));
      used += RECORD_HEADER_BYTES + end - at;
      at = end;
    }
  }
  return file.bytes.slice(0, file.length);
}

/** The bytes of one entry. */
export function encodeGoLogEntry({ operation = 1, sequence, key, value }: GoLogEntry): Uint8Array {
  const writer = new ByteWriter(32);
  writer.appendUint8(operation);
  writer.appendUint64(sequence);
  writer.appendUint32(key.length);
  writer.appendBytes(key, 0, key.length);
  writer.appendBytes(value, 0, value.length);
  return writer.bytes.slice(0, writer.length);
}

/** Appends a record with a good checksum. */
export function appendGoRecord(file: ByteWriter, type: number, fragment: Uint8Array): void {
  const view = new DataView(fragment.buffer, fragment.byteOffset, fragment.length);
  file.appendUint32(crc32(fragment, view, 0, fragment.length));
  file.appendUint16(fragment.length);
  file.appendUint8(type);
  file.appendBytes(fragment, 0, fragment.length);
}

/** Offsets at which the records of a file begin, and their end, by a plain walk from the front. */
export function goRecordOffsets(file: Uint8Array): number[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const offsets: number[] = [];
  let at = 0;
  while (at + RECORD_HEADER_BYTES < file.length) {
    while (view.getUint16(at + 4, true) === 0 || (file[at + 6]! - 1) >>> 0 > 3) at++;
    offsets.push(at);
    at += RECORD_HEADER_BYTES + view.getUint16(at + 4, true);
  }
  offsets.push(at);
  return offsets;
}

/** A record of a Go manifest: bytes of its body after type and sequence. */
export interface GoManifestRecord {
  readonly type: number;
  readonly sequence: number;
  readonly body: Uint8Array;
}

/** Encodes a manifest; every checksum is right. */
export function encodeGoManifest(records: readonly GoManifestRecord[]): Uint8Array {
  const writer = new ByteWriter(256);
  writer.appendUint32(0x4d414e49);
  writer.appendUint32(1);
  for (const { type, sequence, body } of records) {
    writer.appendUint32(body.length + 13);
    const start = writer.length;
    writer.appendUint8(type);
    writer.appendUint64(sequence);
    writer.appendBytes(body, 0, body.length);
    writer.appendUint32(crc32(writer.bytes, writer.view, start, writer.length));
  }
  return writer.bytes.slice(0, writer.length);
}

/** The records of a manifest, by a plain walk. */
export function goManifestRecords(file: Uint8Array): GoManifestRecord[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const records: GoManifestRecord[] = [];
  for (let at = 8; at < file.length;) {
    const end = at + 4 + view.getUint32(at, true);
    records.push({
      type: file[at + 4]!,
      sequence: Number(view.getBigUint64(at + 5, true)),
      body: file.slice(at + 13, end - 4),
    });
    at = end;
  }
  return records;
}
