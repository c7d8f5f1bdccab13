/**
 * Reads the `MANIFEST` of the Go TinyKVS, v0.5 to v0.11. All integers little-endian.
 *
 *     header  u32 0x4d414e49, u32 version, 1
 *     record  u32 length, then that many bytes: body, u32 CRC-32 of the body. A length of 0 or above
 *             10 MiB is not a record
 *     body    u8 type, u64 sequence (from 1, one more each record), then
 *             1 add: a table; 2 delete: u32 number; 3 snapshot: u32 count, tables (never written)
 *     table   u32 number, u32 level, u32 length and smallest key, u32 length and largest key,
 *             u64 entries, u64 file size, u64 index offset, u32 index size, u64 filter offset,
 *             u32 filter size
 *
 * The file only grows, and Go never syncs it. Where no record begins, Go stops reading; but a later
 * session appends after that place, where Go can't read either. So the rule is the same as for the
 * log: if no whole record of a later sequence follows, it is a torn tail, and the tables before it
 * count. If one follows, state has been lost, and that is an error.
 */

import { ByteReader } from "../bytes/byte_reader.ts";
import { crc32 } from "../bytes/crc32.ts";
import { DecodeError } from "../errors.ts";
import type { FileHandle } from "../platform/file_system.ts";
import { readFullySync } from "../platform/transfer.ts";

/** Name of the file. */
export const GO_MANIFEST_NAME = "MANIFEST";

const HEADER_BYTES = 8;
const MAGIC = 0x4d414e49;
const VERSION = 1;
const MIN_RECORD_BYTES = 17;
const MAX_RECORD_BYTES = 10 * 1024 * 1024;
const ADD = 1;
const DELETE = 2;
const SNAPSHOT = 3;

/** The manifest's record of a table. */
export interface GoTableRecord {
  /** Number of the table. */
  readonly number: number;
  /** Level of the table; Go does not bound it. */
  readonly level: number;
  /** Smallest key. */
  readonly smallest: Uint8Array;
  /** Largest key. */
  readonly largest: Uint8Array;
  /** Number of entries. */
  readonly entryCount: number;
  /** Size of the file. */
  readonly sizeBytes: number;
  /** Offset of the index. */
  readonly indexOffset: number;
  /** Size of the index. */
  readonly indexSize: number;
  /** Offset of the filter. */
  readonly filterOffset: number;
  /** Size of the filter. */
  readonly filterSize: number;
}

/** The content of a manifest. */
export interface GoManifest {
  /** Its version, if it is not the only known one; then there are no tables. */
  readonly otherVersion: number | undefined;
  /** The existing tables, by number. */
  readonly tables: ReadonlyMap<number, GoTableRecord>;
  /** The number of every table that was ever added or deleted. */
  readonly mentioned: ReadonlySet<number>;
}

/**
 * Reads a whole manifest.
 *
 * @throws {DecodeError} it is damaged
 */
export function decodeGoManifest(bytes: Uint8Array): GoManifest {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tables = new Map<number, GoTableRecord>();
  const mentioned = new Set<number>();
  // Go writes the header in one piece; a crash may leave nothing of it, or a first part.
  if (bytes.length === 0) return { otherVersion: undefined, tables, mentioned };
  if (bytes.length < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) {
    throw new DecodeError("it does not start with the magic of a Go manifest", 0);
  }
  const version = view.getUint32(4, true);
  if (version !== VERSION) return { otherVersion: version, tables, mentioned };
  let offset = HEADER_BYTES;
  let sequence = 0;
  while (offset < bytes.length) {
    const end = recordEnd(bytes, view, offset);
    if (end < 0) {
      requireTornTail(bytes, view, offset, sequence);
      break;
    }
    sequence = applyRecord(new ByteReader(bytes, offset + 4, end - 4), tables, mentioned);
    offset = end;
  }
  return { otherVersion: undefined, tables, mentioned };
}

/** Whether the file begins with the header of a Go manifest. */
export function beginsAsGoManifest(handle: FileHandle): boolean {
  if (handle.sizeSync() < HEADER_BYTES) return false;
  const header = new Uint8Array(HEADER_BYTES);
  readFullySync(handle, header, 0, HEADER_BYTES, 0);
  const view = new DataView(header.buffer);
  return view.getUint32(0, true) === MAGIC && view.getUint32(4, true) === VERSION;
}

/** Applies the record in the reader; returns its sequence. */
function applyRecord(
  reader: ByteReader,
  tables: Map<number, GoTableRecord>,
  mentioned: Set<number>,
): number {
  const at = reader.offset;
  const type = reader.uint8();
  const sequence = reader.uint64();
  if (type === ADD) {
    addTable(reader, tables, mentioned);
  } else if (type === DELETE) {
    const number = reader.uint32();
    tables.delete(number);
    mentioned.add(number);
  } else if (type === SNAPSHOT) {
    const count = reader.uint32();
    tables.clear();
    for (let i = 0; i < count; i++) addTable(reader, tables, mentioned);
  } else {
    throw new DecodeError(`a record has the unknown type ${type}`, at);
  }
  if (reader.remaining > 0) {
    throw new DecodeError(`${reader.remaining} bytes follow the content of a record`, at);
  }
  return sequence;
}

function addTable(
  reader: ByteReader,
  tables: Map<number, GoTableRecord>,
  mentioned: Set<number>,
): void {
  const number = reader.uint32();
  const level = reader.uint32();
  const smallest = readKey(reader);
  const largest = readKey(reader);
  const entryCount = reader.uint64();
  const sizeBytes = reader.uint64();
  const indexOffset = reader.uint64();
  const indexSize = reader.uint32();
  const filterOffset = reader.uint64();
  const filterSize = reader.uint32();
  mentioned.add(number);
  tables.set(number, {
    number,
    level,
    smallest,
    largest,
    entryCount,
    sizeBytes,
    indexOffset,
    indexSize,
    filterOffset,
    filterSize,
  });
}

function readKey(reader: ByteReader): Uint8Array {
  const length = reader.uint32();
  const at = reader.take(length);
  return reader.bytes.slice(at, at + length);
}

/** The end of the whole record at `offset`, or -1 if there is none. */
function recordEnd(bytes: Uint8Array, view: DataView, offset: number): number {
  if (offset + 4 > bytes.length) return -1;
  const length = view.getUint32(offset, true);
  const end = offset + 4 + length;
  if (length < MIN_RECORD_BYTES || length > MAX_RECORD_BYTES || end > bytes.length) return -1;
  return crc32(bytes, view, offset + 4, end - 4) === view.getUint32(end - 4, true) ? end : -1;
}

/** @throws {DecodeError} a later record is whole, so there was one at `offset`, too */
function requireTornTail(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  lastSequence: number,
): void {
  // A hostile file could make every offset look like a record. Past this number of summed bytes it
  // counts as damaged, and it is.
  let budget = bytes.length * 16 + 65536;
  for (let at = offset + 1; at + 4 + MIN_RECORD_BYTES <= bytes.length; at++) {
    const length = view.getUint32(at, true);
    if (length < MIN_RECORD_BYTES || length > Math.min(MAX_RECORD_BYTES, bytes.length - at - 4)) {
      continue;
    }
    const type = bytes[at + 4]!;
    const sequence = view.getUint32(at + 9, true) * 0x1_0000_0000 + view.getUint32(at + 5, true);
    if (type < ADD || type > SNAPSHOT || sequence <= lastSequence) continue;
    // As many records as fit may be missing before it, and no more.
    if (sequence > lastSequence + 2 + (at - offset) / (4 + MIN_RECORD_BYTES)) continue;
    budget -= length;
    if (budget < 0 || recordEnd(bytes, view, at) >= 0) {
      throw new DecodeError(`no record begins here, but the one at offset ${at} is whole`, offset);
    }
  }
}
