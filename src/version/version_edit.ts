/**
 * A change of the set of tables: plain data, and its encoding as the payload of a manifest record.
 *
 * Fields, each u8 tag and content, in any order; integers little-endian:
 *
 *     1  u64 next file number: every number from here on is free
 *     2  u64 last sequence: the highest sequence number whose entry is in a table
 *     3  u32 log number, u8 live: logs below the number are obsolete; live 1 says that the log with
 *        exactly this number exists, 0 that no log is needed (the store was closed cleanly). If none
 *        was live before, its header was durable before this was written
 *     4  removed table: u8 level, u32 number
 *     5  added table: u8 level, u32 number, u64 file size, u64 entries, u64 tombstones,
 *        u8 1 and u32 checksum (or u8 0 for a table of the Go program),
 *        u32 length and smallest key, u32 length and largest key
 *     6  u32 number of a table that the edit has added before, and the times
 *        at which its entries expire (sstable/table_expiry.ts)
 *     7  deleted spans of the table that was added last: u32 length and that many bytes, the spans
 *        (span_codec.ts). Only in manifests of version 2 and later
 *     8  the files that hold large values of the table that was added last: u32 length and that many
 *        bytes, the uses with the sizes of the files (sstable/value_uses.ts). Only in version 3
 *
 * An edit is one manifest record, so it is applied whole or not at all.
 */

import { ByteReader } from "../bytes/byte_reader.ts";
import type { ByteWriter } from "../bytes/byte_writer.ts";
import { compareKeys } from "../contract/rules.ts";
import { DecodeError } from "../errors.ts";
import type { KeySpan } from "../iterator/key_spans.ts";
import { decodeSpans, encodedSpanBytes, encodeSpans } from "../iterator/span_codec.ts";
import { decodeTableExpiry, encodeTableExpiry } from "../sstable/table_expiry.ts";
import { decodeUses, encodeUses, type ValueUse } from "../sstable/value_uses.ts";
import { MAX_FILE_NUMBER } from "./file_names.ts";
import { type TableMetadata, tableMetadata } from "./table_metadata.ts";

/** Levels are numbered 0 to 6 unless the options allow fewer. */
export const MAX_LEVELS = 7;

const TAG_NEXT_FILE = 1;
const TAG_LAST_SEQUENCE = 2;
const TAG_LOG = 3;
const TAG_REMOVED = 4;
const TAG_ADDED = 5;
const TAG_EXPIRY = 6;
const TAG_DELETED_SPANS = 7;
const TAG_VALUE_USES = 8;

/** Which logs recovery needs. */
export interface LogState {
  /** Logs with lower numbers are obsolete. */
  readonly number: number;
  /** Whether the log with this number exists. */
  readonly live: boolean;
}

/** A table that a version loses. */
export interface RemovedTable {
  /** The level it was in. */
  readonly level: number;
  /** Its number. */
  readonly number: number;
}

/** A table that a version gains. */
export interface AddedTable {
  /** The level it goes to. */
  readonly level: number;
  /** What is known of it. */
  readonly table: TableMetadata;
}

/** A change; undefined fields stay as they are. */
export interface VersionEdit {
  /** Every file number from here on is free. */
  readonly nextFileNumber?: number;
  /** The highest sequence number whose entry is in a table. */
  readonly lastSequence?: number;
  /** Which logs recovery needs. */
  readonly log?: LogState;
  /** Tables to remove; a table that moves to another level is removed and added. */
  readonly removed: readonly RemovedTable[];
  /** Tables to add. */
  readonly added: readonly AddedTable[];
}

/** Appends the edit. */
export function encodeVersionEdit(writer: ByteWriter, edit: VersionEdit): void {
  if (edit.nextFileNumber !== undefined) {
    writer.appendUint8(TAG_NEXT_FILE);
    writer.appendUint64(edit.nextFileNumber);
  }
  if (edit.lastSequence !== undefined) {
    writer.appendUint8(TAG_LAST_SEQUENCE);
    writer.appendUint64(edit.lastSequence);
  }
  if (edit.log !== undefined) {
    writer.appendUint8(TAG_LOG);
    writer.appendUint32(edit.log.number);
    writer.appendUint8(edit.log.live ? 1 : 0);
  }
  for (const removed of edit.removed) {
    writer.appendUint8(TAG_REMOVED);
    writer.appendUint8(removed.level);
    writer.appendUint32(removed.number);
  }
  for (const { level, table } of edit.added) {
    writer.appendUint8(TAG_ADDED);
    writer.appendUint8(level);
    writer.appendUint32(table.number);
    writer.appendUint64(table.sizeBytes);
    writer.appendUint64(table.entryCount);
    writer.appendUint64(table.tombstoneCount);
    writer.appendUint8(table.checksum === undefined ? 0 : 1);
    if (table.checksum !== undefined) writer.appendUint32(table.checksum);
    appendKey(writer, table.smallest);
    appendKey(writer, table.largest);
    if (table.expiry !== undefined) {
      writer.appendUint8(TAG_EXPIRY);
      writer.appendUint32(table.number);
      encodeTableExpiry(writer, table.expiry);
    }
    if (table.deletedSpans.length > 0) {
      writer.appendUint8(TAG_DELETED_SPANS);
      writer.appendUint32(encodedSpanBytes(table.deletedSpans));
      encodeSpans(writer, table.deletedSpans);
    }
    if (table.valueUses.length > 0) {
      writer.appendUint8(TAG_VALUE_USES);
      const lengthAt = writer.length;
      writer.appendUint32(0);
      encodeUses(writer, table.valueUses, true);
      writer.view.setUint32(lengthAt, writer.length - lengthAt - 4, true);
    }
  }
}

/** The lowest version of a manifest that can hold the edit. */
export function versionFor({ added }: VersionEdit): number {
  if (added.some(({ table }) => table.valueUses.length > 0)) return 3;
  const needs2 = added.some(({ table }) =>
    table.deletedSpans.length > 0 || table.expiry !== undefined
  );
  return needs2 ? 2 : 1;
}

/**
 * Reads the edit in `bytes[start, end)`, of a manifest of a version.
 *
 * @throws {DecodeError} it is malformed; offsets are those in `bytes`
 */
export function decodeVersionEdit(
  bytes: Uint8Array,
  start: number,
  end: number,
  version = 1,
): VersionEdit {
  const reader = new ByteReader(bytes, start, end);
  let nextFileNumber: number | undefined;
  let lastSequence: number | undefined;
  let log: LogState | undefined;
  const removed: RemovedTable[] = [];
  const added: AddedTable[] = [];
  while (reader.remaining > 0) {
    const at = reader.offset;
    const tag = reader.uint8();
    if (tag === TAG_NEXT_FILE) nextFileNumber = readNextFileNumber(reader);
    else if (tag === TAG_LAST_SEQUENCE) lastSequence = reader.uint64();
    else if (tag === TAG_LOG) log = { number: reader.uint32(), live: readFlag(reader) };
    else if (tag === TAG_REMOVED) {
      removed.push({ level: readLevel(reader), number: reader.uint32() });
    } else if (tag === TAG_ADDED) added.push(readAdded(reader));
    else if (tag === TAG_EXPIRY) readExpiry(reader, added, at);
    else if (tag === TAG_DELETED_SPANS && version > 1) {
      const last = added.pop();
      if (last === undefined) throw new DecodeError("deleted spans come before any table", at);
      const table = tableMetadata({ ...last.table, deletedSpans: readSpans(reader) });
      added.push({ ...last, table });
    } else if (tag === TAG_VALUE_USES && version > 2) {
      const last = added.pop();
      if (last === undefined) throw new DecodeError("files of values come before any table", at);
      const table = tableMetadata({ ...last.table, valueUses: readUses(reader) });
      added.push({ ...last, table });
    } else throw new DecodeError(`the edit has a field with the unknown tag ${tag}`, at);
  }
  return {
    removed,
    added,
    ...(nextFileNumber === undefined ? {} : { nextFileNumber }),
    ...(lastSequence === undefined ? {} : { lastSequence }),
    ...(log === undefined ? {} : { log }),
  };
}

function appendKey(writer: ByteWriter, key: Uint8Array): void {
  writer.appendUint32(key.length);
  writer.appendBytes(key, 0, key.length);
}

function readAdded(reader: ByteReader): AddedTable {
  const level = readLevel(reader);
  const at = reader.offset;
  const number = reader.uint32();
  const sizeBytes = reader.uint64();
  const entryCount = reader.uint64();
  const tombstoneCount = reader.uint64();
  const checksum = readFlag(reader) ? reader.uint32() : undefined;
  const smallest = readKey(reader);
  const largest = readKey(reader);
  const table = tableMetadata({
    number,
    sizeBytes,
    entryCount,
    tombstoneCount,
    checksum,
    smallest,
    largest,
  });
  // Not by the table's views: they are made when they are needed.
  if (compareKeys(smallest, largest) > 0) {
    throw new DecodeError(`the keys of table ${number} are in the wrong order`, at);
  }
  return { level, table };
}

function readSpans(reader: ByteReader): readonly KeySpan[] {
  const length = reader.uint32();
  const at = reader.take(length);
  return decodeSpans(new ByteReader(reader.bytes, at, at + length));
}

function readUses(reader: ByteReader): readonly ValueUse[] {
  const length = reader.uint32();
  const at = reader.take(length);
  return decodeUses(new ByteReader(reader.bytes, at, at + length), true);
}

/** Adds the times to the table that was read last. */
function readExpiry(reader: ByteReader, added: AddedTable[], at: number): void {
  const number = reader.uint32();
  const last = added.pop();
  if (last?.table.number !== number) {
    throw new DecodeError(`times of table ${number}, which the edit has not just added`, at);
  }
  const table = tableMetadata({ ...last.table, expiry: decodeTableExpiry(reader) });
  added.push({ ...last, table });
}

function readKey(reader: ByteReader): Uint8Array {
  const length = reader.uint32();
  const at = reader.take(length);
  return reader.bytes.slice(at, at + length);
}

function readNextFileNumber(reader: ByteReader): number {
  const at = reader.offset;
  const number = reader.uint64();
  if (number > MAX_FILE_NUMBER) {
    throw new DecodeError(`the next file number is ${number}, the limit is ${MAX_FILE_NUMBER}`, at);
  }
  return number;
}

function readLevel(reader: ByteReader): number {
  const at = reader.offset;
  const level = reader.uint8();
  if (level >= MAX_LEVELS) throw new DecodeError(`the level is ${level}, the highest is 6`, at);
  return level;
}

function readFlag(reader: ByteReader): boolean {
  const at = reader.offset;
  const flag = reader.uint8();
  if (flag > 1) throw new DecodeError(`a flag is ${flag}, expected 0 or 1`, at);
  return flag === 1;
}
