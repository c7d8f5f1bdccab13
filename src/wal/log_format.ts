/**
 * The layout of a write-ahead log, `NNNNNN.wal`. All integers are little-endian.
 *
 * File header, 32 bytes:
 *
 *     0   8 bytes  magic "TKVSWAL" and the byte 0x01
 *     8   u32      format version, 1; 2 if the log may have deleted ranges or values that expire, 3 if
 *                  it may have packed values, or references to value files, too
 *     12  u32      number of this log, as in its name
 *     16  u64      sequence number of the first entry that this log may hold
 *     24  u32      id of the store that the log belongs to
 *     28  u32      CRC-32 of bytes 0 to 27
 *
 * Then records back to back, without padding. A record is one atomic write, 40 bytes and a payload:
 *
 *     0   u32  CRC-32 of bytes 4 to 39
 *     4   u32  CRC-32 of the payload
 *     8   u32  payload length
 *     12  u32  tag: the store's id XOR the number of this log
 *     16  u64  sequence number of its first entry
 *     24  u64  durable offset: the bytes of this file before it were fsynced when this was written
 *     32  u32  number of entries; they have consecutive sequence numbers
 *     36  u8   type: 1 entries, 2 end of the log
 *     37  u8   0, three times
 *     40  payload: for each entry u8 operation (1: put, or delete if the value is the tombstone),
 *              u32 key length, key, u32 value length, encoded value. Operation 2 deletes a range
 *              of keys (range_operation.ts)
 *
 * The store's id is random, and the tag is made from it. So a log of another store is recognised,
 * and bytes that an application stores can't pass for records of the log that they lie in.
 *
 * The header of a record has its own checksum, so that its claims can be believed although its
 * payload is damaged. The durable offset distinguishes a damaged middle from a torn tail: if a bad
 * record at offset x is followed by a record that claims a durable offset above x, it was once
 * whole (the idea is Pebble's, https://github.com/cockroachdb/pebble, BSD-3-Clause, no code taken).
 * An end record closes a log that is followed by another one or was closed cleanly.
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { crc32 } from "../bytes/crc32.ts";
import { DecodeError } from "../errors.ts";

/** Length of the file header. */
export const LOG_HEADER_BYTES = 32;
/** Length of a record before its payload. */
export const RECORD_HEADER_BYTES = 40;
/**
 * The version of a log without deleted ranges and without values that expire. All versions of this
 * library read it.
 */
export const LOG_VERSION = 1;
/**
 * The version of a log that may have them. An older library refuses it: a record that it does not
 * know would look like the torn end of the log to it.
 */
export const LOG_VERSION_2 = 2;
/**
 * The version of a log that may have packed values, or references to value files, too. An older
 * library would take them for values of an unknown type.
 */
export const LOG_VERSION_3 = 3;
/** The newest version that this library knows. */
export const NEWEST_LOG_VERSION = 3;
/** Record type: entries. */
export const RECORD_ENTRIES = 1;
/** Record type: the end of a log that was closed or rotated cleanly. */
export const RECORD_END = 2;
/** Operation byte of an entry. */
export const OPERATION_PUT = 1;
/** Operation byte of the deletion of a range (range_operation.ts). */
export const OPERATION_DELETE_RANGE = 2;
/** A payload is at most this long: its length field has 32 bits. */
export const MAX_PAYLOAD_BYTES = 0xffffffff;

const MAGIC_LOW = 0x53564b54; // "TKVS"
const MAGIC_HIGH = 0x014c4157; // "WAL\x01"
const TWO_32 = 0x1_0000_0000;

/** What a file header says. */
export interface LogHeader {
  /** Id of the store. */
  readonly storeId: number;
  /** Number of the log. */
  readonly logNumber: number;
  /** Sequence number of the first entry that the log may hold. */
  readonly firstSequence: number;
  /** Format version; 1 if it is not given. */
  readonly version?: number;
}

/** What a record header says. */
export interface RecordHeader {
  /** CRC-32 of the payload. */
  payloadCrc: number;
  /** Length of the payload in bytes. */
  payloadLength: number;
  /** Sequence number of the first entry. */
  firstSequence: number;
  /** The bytes before this offset of the file were durable when the record was written. */
  durableOffset: number;
  /** Number of entries. */
  entryCount: number;
  /** `RECORD_ENTRIES` or `RECORD_END`. */
  type: number;
}

/** Appends a file header. */
export function encodeLogHeader(writer: ByteWriter, header: LogHeader): void {
  const start = writer.length;
  writer.appendUint32(MAGIC_LOW);
  writer.appendUint32(MAGIC_HIGH);
  writer.appendUint32(header.version ?? LOG_VERSION);
  writer.appendUint32(header.logNumber);
  writer.appendUint64(header.firstSequence);
  writer.appendUint32(header.storeId);
  writer.appendUint32(crc32(writer.bytes, writer.view, start, start + 28));
}

/**
 * Reads a file header at `start`; `undefined` if its checksum is wrong, as after a crash while it
 * was written. `version` is separate because a newer version is not damage; the other fields of
 * such a header are unknown, and undefined.
 *
 * @throws {DecodeError} the checksum is right and the content is not that of a log
 */
export function decodeLogHeader(
  bytes: Uint8Array,
  view: DataView,
  start: number,
): { header: LogHeader | undefined; version: number } | undefined {
  if (crc32(bytes, view, start, start + 28) !== view.getUint32(start + 28, true)) return undefined;
  if (
    view.getUint32(start, true) !== MAGIC_LOW || view.getUint32(start + 4, true) !== MAGIC_HIGH
  ) {
    throw new DecodeError("the file does not start with the magic of a write-ahead log", start);
  }
  const version = view.getUint32(start + 8, true);
  if (version < LOG_VERSION || version > NEWEST_LOG_VERSION) return { version, header: undefined };
  return {
    version,
    header: {
      storeId: view.getUint32(start + 24, true),
      logNumber: view.getUint32(start + 12, true),
      firstSequence: requireSafe(readUint64(view, start + 16), start + 16),
    },
  };
}

/** Fills in the header of a record whose payload lies after it in the same buffer. */
export function sealRecord(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  tag: number,
  type: number,
  firstSequence: number,
  entryCount: number,
  durableOffset: number,
): void {
  const payload = start + RECORD_HEADER_BYTES;
  view.setUint32(start + 4, crc32(bytes, view, payload, end), true);
  view.setUint32(start + 8, end - payload, true);
  view.setUint32(start + 12, tag, true);
  view.setUint32(start + 16, firstSequence, true);
  // `| 0`: given a fraction, JavaScriptCore's code falls back to its interpreter (decision 9).
  view.setUint32(start + 20, (firstSequence / TWO_32) | 0, true);
  view.setUint32(start + 24, durableOffset, true);
  view.setUint32(start + 28, (durableOffset / TWO_32) | 0, true);
  view.setUint32(start + 32, entryCount, true);
  view.setUint32(start + 36, type, true);
  view.setUint32(start, crc32(bytes, view, start + 4, payload), true);
}

/**
 * Reads the record header at `start` into `header`. Returns false if its checksum, its tag or its
 * type is wrong: then there is no record of this log here. The numbers are those that were found; a
 * sequence number or durable offset of 2^53 or more is rounded.
 */
export function decodeRecordHeader(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  tag: number,
  header: RecordHeader,
): boolean {
  if (view.getUint32(start + 12, true) !== tag) return false;
  const type = view.getUint32(start + 36, true);
  if (type !== RECORD_ENTRIES && type !== RECORD_END) return false;
  const crc = crc32(bytes, view, start + 4, start + RECORD_HEADER_BYTES);
  if (crc !== view.getUint32(start, true)) return false;
  header.payloadCrc = view.getUint32(start + 4, true);
  header.payloadLength = view.getUint32(start + 8, true);
  header.firstSequence = readUint64(view, start + 16);
  header.durableOffset = readUint64(view, start + 24);
  header.entryCount = view.getUint32(start + 32, true);
  header.type = type;
  return true;
}

function readUint64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

function requireSafe(value: number, at: number): number {
  if (!Number.isSafeInteger(value)) {
    throw new DecodeError(`a 64-bit field holds ${value}, the limit is 2^53 - 1`, at);
  }
  return value;
}
