/**
 * Values to their tagged bytes and back; the layout is at the head of value.ts.
 *
 * `put` appends a value to the log's writer once, and the same bytes go to the memtable and into
 * blocks; `get` and cursors decode them. Encoding either appends a whole value or leaves the writer
 * as it was. Decoding trusts nothing except the range that it is given.
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { isBytes } from "../bytes/is_bytes.ts";
import { isLost, LOST_BYTES } from "../bytes/lost_bytes.ts";
import { DecodeError, TypeMismatchError } from "../errors.ts";
import { EXPIRY_BYTES, isExpiring, requireExpiry } from "./expiry.ts";
import { copyBytes } from "./owned_bytes.ts";
import { unpackValue } from "./packed_value.ts";
import { extensionTypeAt, RecordDecoder, unsafeInt64 } from "./record_decoder.ts";
import { appendRecord, isRecord } from "./record_encoder.ts";
import { appendText, decodeText } from "./text_codec.ts";
import {
  describeValue,
  MAX_VALUE_BYTES,
  type RecordValue,
  TYPE_BOOL,
  TYPE_BYTES,
  TYPE_EXPIRING,
  TYPE_FLOAT64,
  TYPE_INT64,
  TYPE_MSGPACK,
  TYPE_PACKED,
  TYPE_RECORD,
  TYPE_REFERENCE,
  TYPE_STRING,
  TYPE_TOMBSTONE,
  type Value,
  type ValueTypeName,
} from "./value.ts";

/** Type byte, flag and length before the payload of a string or bytes. */
const BLOB_HEADER_BYTES = 6;

/** Bytes before the payload of encoded bytes. */
export const BYTES_HEADER_BYTES: number = BLOB_HEADER_BYTES;

/** Up to this many bytes are copied by a loop. */
const LOOP_COPY_MAX = 40;

/** Type byte and length before the MessagePack of a record. */
const RECORD_HEADER_BYTES = 5;

/** Writers with a half-written record, whose getters may call back into the store. */
const busyWriters: ByteWriter[] = [];

/**
 * Appends the encoding of `value`. On any error nothing is appended.
 *
 * @throws {TypeError} the type can't be stored, text holds a lone surrogate, a buffer is detached,
 *   or the call comes from a getter of a record that is being encoded into the same writer
 * @throws {RangeError} a bigint is outside int64, the encoding is longer than
 *   {@linkcode MAX_VALUE_BYTES}, a record is nested too deep, or memory ran out
 */
export function encodeValue(value: Value, writer: ByteWriter): void {
  if (busyWriters.length !== 0) refuseBusy(writer);
  switch (typeof value) {
    case "string":
      return encodeString(value, writer);
    case "number": {
      writer.reserve(9);
      const at = writer.length;
      writer.bytes[at] = TYPE_FLOAT64;
      writer.view.setFloat64(at + 1, value, true);
      writer.length = at + 9;
      return;
    }
    case "bigint": {
      if (BigInt.asIntN(64, value) !== value) {
        throw new RangeError("Cannot encode the value: the bigint is outside -2^63 to 2^63 - 1");
      }
      writer.reserve(9);
      const at = writer.length;
      writer.bytes[at] = TYPE_INT64;
      writer.view.setBigInt64(at + 1, value, true);
      writer.length = at + 9;
      return;
    }
    case "boolean":
      writer.reserve(2);
      writer.appendUint8(TYPE_BOOL);
      writer.appendUint8(value ? 1 : 0);
      return;
    case "object":
      if (isBytes(value)) return encodeBytes(value, writer);
      if (value !== null && isRecord(value)) return encodeRecord(value, writer);
  }
  throw new TypeError(
    `Cannot encode the value: found ${describeValue(value)}, expected a string, number, bigint, ` +
      "boolean, Uint8Array, array or plain object",
  );
}

/** Appends the encoding of "this key is deleted". */
export function encodeTombstone(writer: ByteWriter): void {
  if (busyWriters.length !== 0) refuseBusy(writer);
  writer.appendUint8(TYPE_TOMBSTONE);
}

function refuseBusy(writer: ByteWriter): void {
  if (busyWriters.includes(writer)) {
    throw new TypeError(
      "Cannot encode the value: a getter of another value is writing to the store",
    );
  }
}

function tooLong(found: string): RangeError {
  return new RangeError(
    `Cannot encode the value: its length is ${found}, expected at most ` +
      `${MAX_VALUE_BYTES - BLOB_HEADER_BYTES} bytes`,
  );
}

function encodeString(text: string, writer: ByteWriter): void {
  if (text.length + BLOB_HEADER_BYTES > MAX_VALUE_BYTES) throw tooLong(`${text.length} characters`);
  const start = writer.length;
  writer.reserve(BLOB_HEADER_BYTES + text.length);
  writer.length = start + BLOB_HEADER_BYTES;
  try {
    if (!appendText(text, writer)) {
      throw new TypeError("Cannot encode the value: the string holds a lone surrogate");
    }
    const length = writer.length - start;
    if (length > MAX_VALUE_BYTES) throw tooLong(`${length - BLOB_HEADER_BYTES} bytes`);
  } catch (error) {
    writer.length = start;
    throw error;
  }
  const { bytes, view } = writer;
  bytes[start] = TYPE_STRING;
  bytes[start + 1] = 0;
  view.setUint32(start + 2, writer.length - start - BLOB_HEADER_BYTES, true);
}

function encodeBytes(value: Uint8Array, writer: ByteWriter): void {
  const length = value.length;
  if (length + BLOB_HEADER_BYTES > MAX_VALUE_BYTES) throw tooLong(`${length} bytes`);
  if (length === 0 && isLost(value)) {
    throw new TypeError(`Cannot encode the value: found ${LOST_BYTES}, expected its bytes`);
  }
  writer.reserve(BLOB_HEADER_BYTES + length);
  writeBytesValue(value, writer.bytes, writer.view, writer.length);
  writer.length += BLOB_HEADER_BYTES + length;
}

/**
 * Writes the encoding of bytes to `bytes[at...]`, which must have room for `BYTES_HEADER_BYTES`
 * more than the value has; `view` shares the same memory.
 */
export function writeBytesValue(
  value: Uint8Array,
  bytes: Uint8Array,
  view: DataView,
  at: number,
): void {
  const { length } = value;
  bytes[at] = TYPE_BYTES;
  bytes[at + 1] = 0;
  view.setUint32(at + 2, length, true);
  const from = at + BLOB_HEADER_BYTES;
  if (length > LOOP_COPY_MAX) bytes.set(value, from);
  else for (let i = 0; i < length; i++) bytes[from + i] = value[i]!;
}

function encodeRecord(value: RecordValue, writer: ByteWriter): void {
  const start = writer.length;
  writer.reserve(RECORD_HEADER_BYTES);
  writer.bytes[start] = Array.isArray(value) ? TYPE_MSGPACK : TYPE_RECORD;
  writer.length = start + RECORD_HEADER_BYTES;
  busyWriters.push(writer);
  try {
    appendRecord(value, writer, MAX_VALUE_BYTES - RECORD_HEADER_BYTES);
  } catch (error) {
    writer.length = start;
    throw error;
  } finally {
    busyWriters.pop();
  }
  writer.view.setUint32(start + 1, writer.length - start - RECORD_HEADER_BYTES, true);
}

/** Options for reading stored values. */
export interface ValueDecoderOptions {
  /** What an int64 becomes: a bigint, or a number that must be a safe integer. */
  readonly int64: "bigint" | "number";
}

/** Decodes values. Calls don't overlap: it runs no code of the user. */
export class ValueDecoder {
  readonly #int64AsNumber: boolean;
  readonly #records: RecordDecoder;

  /** Makes a decoder. */
  constructor(options: ValueDecoderOptions) {
    this.#int64AsNumber = options.int64 === "number";
    this.#records = new RecordDecoder(this.#int64AsNumber);
  }

  /**
   * Decodes the value at the front of `bytes[start, end)`; `view` shares the memory of `bytes`,
   * offset for offset. Bytes in the result are copies that the caller owns. A time at which the
   * value expires is passed over.
   *
   * @throws {DecodeError} it is malformed, of an unknown type, or a tombstone
   * @throws {TypeMismatchError} an int64 is to be read as a number and is not a safe one
   * @throws {RangeError} a text is longer than this runtime's strings can be
   */
  decode(bytes: Uint8Array, view: DataView, start: number, end: number): Value {
    switch (start < end ? bytes[start] : undefined) {
      case TYPE_STRING: {
        const length = blobLength(bytes, view, start, end);
        const from = start + BLOB_HEADER_BYTES;
        const text = length < LONG_TEXT_BYTES
          ? decodeText(bytes, from, from + length)
          : decodeLongText(bytes, from, from + length);
        if (text === undefined) throw new DecodeError("string value is not UTF-8", from);
        return text;
      }
      case TYPE_BYTES: {
        const length = blobLength(bytes, view, start, end);
        const from = start + BLOB_HEADER_BYTES;
        return copyBytes(bytes, view, from, from + length);
      }
      case TYPE_INT64: {
        checkLength(start, end, 9);
        if (!this.#int64AsNumber) return view.getBigInt64(start + 1, true);
        const number = view.getInt32(start + 5, true) * 0x1_0000_0000 +
          view.getUint32(start + 1, true);
        if (!Number.isSafeInteger(number)) throw unsafeInt64();
        return number;
      }
      case TYPE_FLOAT64:
        checkLength(start, end, 9);
        return view.getFloat64(start + 1, true);
      case TYPE_BOOL:
        checkLength(start, end, 2);
        return bytes[start + 1] !== 0;
      case TYPE_RECORD: {
        const length = recordLength(view, start, end);
        const from = start + RECORD_HEADER_BYTES;
        if (length === 0) return {};
        const format = bytes[from]!;
        if ((format & 0xf0) !== 0x80 && format !== 0xde && format !== 0xdf) {
          throw new DecodeError("record is not a MessagePack map", from);
        }
        return this.#records.decode(bytes, view, from, from + length) as Value;
      }
      case TYPE_MSGPACK: {
        const length = recordLength(view, start, end);
        const from = start + RECORD_HEADER_BYTES;
        const item = this.#records.decode(bytes, view, from, from + length);
        if (item === null) throw new DecodeError("record is a MessagePack nil", from);
        const typeAt = extensionTypeAt(bytes[from]!);
        if (typeAt !== 0) {
          throw new DecodeError(
            `record is a MessagePack extension of type ${view.getInt8(from + typeAt)}, ` +
              "expected one inside a record",
            from,
          );
        }
        return item as Value;
      }
      case TYPE_EXPIRING: {
        requireExpiry(view, start, end);
        const content = start + EXPIRY_BYTES;
        if (isExpiring(bytes, content)) throw unknownType(bytes, content, end);
        return this.decode(bytes, view, content, end);
      }
      case TYPE_PACKED: {
        const value = unpackValue(bytes, view, start, end);
        return this.decode(value, new DataView(value.buffer), 0, value.length);
      }
      default:
        throw unknownType(bytes, start, end);
    }
  }
}

/**
 * The start of the content of a bytes value at the front of `bytes[start, end)`, or -1 for a value
 * of any other type. The four bytes before the content hold its length.
 *
 * @throws {DecodeError} it is a bytes value and malformed
 */
export function bytesContentAt(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): number {
  if (start >= end || bytes[start] !== TYPE_BYTES) return -1;
  blobLength(bytes, view, start, end);
  return start + BLOB_HEADER_BYTES;
}

/**
 * The type of the value at the front of `bytes[start, end)`, without decoding it; of a value that
 * expires its own.
 *
 * @throws {DecodeError} the range is empty or the type unknown
 */
export function valueTypeAt(
  bytes: Uint8Array,
  start: number,
  end: number,
): ValueTypeName | "tombstone" {
  switch (start < end ? bytes[start] : undefined) {
    case TYPE_INT64:
      return "int64";
    case TYPE_FLOAT64:
      return "float64";
    case TYPE_BOOL:
      return "bool";
    case TYPE_STRING:
      return "string";
    case TYPE_BYTES:
      return "bytes";
    case TYPE_TOMBSTONE:
      return "tombstone";
    case TYPE_RECORD:
    case TYPE_MSGPACK:
      return "record";
    case TYPE_EXPIRING: {
      const content = start + EXPIRY_BYTES;
      const type = content < end && !isExpiring(bytes, content)
        ? valueTypeAt(bytes, content, end)
        : "tombstone";
      if (type === "tombstone") throw unknownType(bytes, content, end);
      return type;
    }
    case TYPE_PACKED:
    case TYPE_REFERENCE: {
      // Both have the type of the value at the same place.
      const type = start + 2 < end ? bytes[start + 2]! : 0;
      if (type > TYPE_MSGPACK) throw unknownType(bytes, start, end);
      return valueTypeAt(bytes, start + 2, end);
    }
    default:
      throw unknownType(bytes, start, end);
  }
}

/** Whether the value that starts at `start` says that its key is deleted. */
export function isTombstone(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === TYPE_TOMBSTONE;
}

/**
 * Checks that a stored value has the type that a typed getter asks for.
 *
 * @throws {TypeMismatchError} it has another type
 */
export function expectType(found: ValueTypeName | "tombstone", expected: ValueTypeName): void {
  if (found !== expected) throw new TypeMismatchError(found, expected);
}

/**
 * The int64 at the front of `[start, end)`, whose type byte says that it is one.
 *
 * @throws {DecodeError} it is cut off
 */
export function int64At(view: DataView, start: number, end: number): bigint {
  checkLength(start, end, 9);
  return view.getBigInt64(start + 1, true);
}

/** From this many bytes on a text may be longer than a string can be (V8: 2^29 - 24 units). */
const LONG_TEXT_BYTES = 2 ** 28;

function decodeLongText(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return decodeText(bytes, start, end);
  } catch (cause) {
    throw new RangeError(
      `Cannot read the value: its text of ${end - start} bytes is too long for a string here`,
      { cause },
    );
  }
}

function checkLength(start: number, end: number, expected: number): void {
  if (end - start < expected) {
    throw new DecodeError(`value has ${end - start} bytes, expected ${expected}`, start);
  }
}

function checkPayload(length: number, from: number, end: number): number {
  if (length > end - from) {
    throw new DecodeError(`value claims ${length} bytes, ${end - from} remain`, from);
  }
  return length;
}

/** Length of the string or bytes whose header is at `start`. */
function blobLength(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  checkLength(start, end, BLOB_HEADER_BYTES);
  if (bytes[start + 1] === 1) {
    throw new DecodeError(
      "unsupported: value is a pointer (flag 1), which no Go version wrote",
      start + 1,
    );
  }
  return checkPayload(view.getUint32(start + 2, true), start + BLOB_HEADER_BYTES, end);
}

/** Length of the MessagePack whose header is at `start`. */
function recordLength(view: DataView, start: number, end: number): number {
  checkLength(start, end, RECORD_HEADER_BYTES);
  return checkPayload(view.getUint32(start + 1, true), start + RECORD_HEADER_BYTES, end);
}

function unknownType(bytes: Uint8Array, start: number, end: number): DecodeError {
  if (start >= end) return new DecodeError("value is empty, expected a type byte", start);
  const type = bytes[start]!;
  return new DecodeError(
    type === TYPE_TOMBSTONE
      ? "found a tombstone, expected a value"
      : `value type is ${type}, expected 1 to 8`,
    start,
  );
}
