/**
 * Puts and deletes in the form of a log record's payload (wal/log_format.ts). From the key on, this
 * is also the form of an entry in the memtable and in a block. The write path encodes into the
 * log's buffer, and a batch into its own.
 */

import type { ByteWriter } from "../../bytes/byte_writer.ts";
import { OVER } from "../../contract/put_options.ts";
import { appendExpiry, EXPIRY_BYTES } from "../../value/expiry.ts";
import { encodeKey } from "../../value/key_codec.ts";
import type { Key, Value } from "../../value/value.ts";
import {
  BYTES_HEADER_BYTES,
  encodeTombstone,
  encodeValue,
  writeBytesValue,
} from "../../value/value_codec.ts";
import {
  REFERENCE_BYTES,
  type ValueReference,
  writeReference,
} from "../../value/value_reference.ts";
import { OPERATION_PUT } from "../../wal/log_format.ts";
import { encodeRangeOperation } from "../../wal/range_operation.ts";
import { compareBounds, type Range, resolveDeletedRange } from "../state/range.ts";

/** Keys of up to this many characters, and values of this many bytes, are first tried in one go. */
const SHORT_KEY_LENGTH = 40;
const SHORT_VALUE_BYTES = 64 * 1024;

/**
 * Appends a put; after any error the writer must be truncated. A value that expires at `OVER` has
 * expired already: it is checked, and then a delete is appended.
 */
export function encodePut(writer: ByteWriter, key: Key, value: Value, expiresAt?: number): void {
  if (expiresAt !== undefined) return encodeTimedPut(writer, key, value, expiresAt);
  // The common case, with one check of room and no lengths to fill in afterwards: it takes two
  // thirds of the time on Node (decision 9).
  if (
    typeof key === "string" && key.length <= SHORT_KEY_LENGTH && value instanceof Uint8Array &&
    value.length <= SHORT_VALUE_BYTES && encodeShortPut(writer, key, value)
  ) return;
  encodeKeyField(writer, key);
  const lengthAt = writer.length;
  writer.appendUint32(0);
  encodeValue(value, writer);
  writer.view.setUint32(lengthAt, writer.length - lengthAt - 4, true);
}

function encodeTimedPut(writer: ByteWriter, key: Key, value: Value, expiresAt: number): void {
  encodeKeyField(writer, key);
  const lengthAt = writer.length;
  writer.appendUint32(0);
  appendExpiry(writer, expiresAt);
  encodeValue(value, writer);
  if (expiresAt === OVER) {
    writer.length = lengthAt + 4;
    encodeTombstone(writer);
  }
  writer.view.setUint32(lengthAt, writer.length - lengthAt - 4, true);
}

/** Appends a put of a value that is in a value file, under an encoded key. */
export function encodeReference(
  writer: ByteWriter,
  key: Uint8Array,
  value: ValueReference,
  expiresAt: number | undefined,
): void {
  writer.appendUint8(OPERATION_PUT);
  writer.appendUint32(key.length);
  writer.appendBytes(key, 0, key.length);
  writer.appendUint32((expiresAt === undefined ? 0 : EXPIRY_BYTES) + REFERENCE_BYTES);
  if (expiresAt !== undefined) appendExpiry(writer, expiresAt);
  writer.reserve(REFERENCE_BYTES);
  writeReference(writer.bytes, writer.view, writer.length, value);
  writer.length += REFERENCE_BYTES;
}

/** Appends a delete; after any error the writer must be truncated. */
export function encodeDelete(writer: ByteWriter, key: Key): void {
  encodeKeyField(writer, key);
  writer.appendUint32(1);
  encodeTombstone(writer);
}

/**
 * Appends the deletion of a range and returns true, or appends nothing if no key can be in it.
 *
 * @throws {TypeError | RangeError} it can't be the range of a deletion
 */
export function encodeDeleteRange(writer: ByteWriter, range: Range): boolean {
  const { lower, upper } = resolveDeletedRange(range);
  if (upper !== undefined) {
    if (lower === undefined ? upper.bytes.length === 0 : compareBounds(lower, upper) >= 0) {
      return false;
    }
  }
  encodeRangeOperation(writer, lower?.bytes, upper?.bytes);
  return true;
}

/**
 * Appends the put and returns true, or appends nothing if the key is not ASCII or the value is
 * empty.
 */
function encodeShortPut(writer: ByteWriter, key: string, value: Uint8Array): boolean {
  const keyLength = key.length;
  // The general way finds out whether they are honest empty bytes.
  if (value.length === 0) return false;
  const valueLength = BYTES_HEADER_BYTES + value.length;
  writer.reserve(9 + keyLength + valueLength);
  const { bytes, view, length: start } = writer;
  let at = start + 5;
  for (let i = 0; i < keyLength; i++) {
    const code = key.charCodeAt(i);
    if (code > 0x7f) return false;
    bytes[at++] = code;
  }
  bytes[start] = OPERATION_PUT;
  view.setUint32(start + 1, keyLength, true);
  view.setUint32(at, valueLength, true);
  writeBytesValue(value, bytes, view, at + 4);
  writer.length = at + 4 + valueLength;
  return true;
}

function encodeKeyField(writer: ByteWriter, key: Key): void {
  writer.appendUint8(OPERATION_PUT);
  const lengthAt = writer.length;
  writer.appendUint32(0);
  encodeKey(key, writer);
  writer.view.setUint32(lengthAt, writer.length - lengthAt - 4, true);
}
