/**
 * Records (plain objects and arrays) to MessagePack.
 *
 * Format: https://github.com/msgpack/msgpack/blob/master/spec.md; written from that text. Where the
 * format leaves a choice, a record must come back with the types that it had:
 *
 *   number   a whole number of -2^31 to 2^32 - 1 except -0: the shortest int or uint of up to 32 bits;
 *            any other: float 64
 *   bigint   int 64, from 2^63 on uint 64
 *   Uint8Array, string, array, object: the shortest bin, str, array or map
 *   Date: the shortest timestamp (timestamp.ts)
 *   Extension: the shortest ext
 *
 * docs/decisions/0003-own-messagepack.md says why `@msgpack/msgpack` can't do this.
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { isBytes } from "../bytes/is_bytes.ts";
import { isLost, LOST_BYTES } from "../bytes/lost_bytes.ts";
import { msOfDate } from "../contract/clock.ts";
import { pathText } from "../contract/value_path.ts";
import { Extension, isExtensionType } from "./extension.ts";
import { appendText } from "./text_codec.ts";
import { appendTimestamp } from "./timestamp.ts";
import { describeValue, MAX_RECORD_DEPTH, type RecordItem, type RecordValue } from "./value.ts";

/**
 * The reason and the place of a refusal; at the top it becomes the user's TypeError or RangeError.
 */
class Refusal extends Error {
  /** Property names and array indexes from the item outwards. */
  readonly path: (string | number)[] = [];
  readonly kind: ErrorConstructor;

  constructor(kind: ErrorConstructor, reason: string) {
    super(reason);
    this.kind = kind;
  }
}

/** Whether `value` is an array or a plain object, one of this or another realm's `Object`. */
export function isRecord(value: object): value is RecordValue {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  return Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype as object, "isPrototypeOf");
}

/**
 * Appends `record` as MessagePack of at most `maxBytes`.
 *
 * After an error the writer holds garbage from its old length on, and the caller truncates it.
 * Getters of the record run meanwhile.
 *
 * @throws {TypeError} something in it can't be stored; the text names its path
 * @throws {RangeError} it is nested too deep (or in itself), a bigint needs more than 64 bits, or
 *   the whole is longer than `maxBytes`
 */
export function appendRecord(record: RecordValue, writer: ByteWriter, maxBytes: number): void {
  try {
    appendContainer(record, writer, 1, writer.length + maxBytes);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new error.kind(
      `Cannot encode the record: ${pathText(error.path.reverse())} ${error.message}`,
    );
  }
}

function appendContainer(
  record: RecordValue,
  writer: ByteWriter,
  depth: number,
  limit: number,
): void {
  if (depth > MAX_RECORD_DEPTH) {
    throw new Refusal(
      RangeError,
      `is nested deeper than ${MAX_RECORD_DEPTH} levels, or inside itself`,
    );
  }
  // `step` is outside the loops because the catch needs it: a path costs nothing until something is
  // refused.
  let step: string | number = 0;
  try {
    if (Array.isArray(record)) {
      const items = record as readonly unknown[];
      const count = items.length;
      appendCount(count, 0x90, 0xdc, writer);
      for (let i = 0; i < count; i++) {
        step = i;
        appendItem(items[i], writer, depth, limit);
      }
      return;
    }
    const object = record as { readonly [name: string]: RecordItem };
    const names = Object.keys(object);
    const headerAt = writer.length;
    appendCount(names.length, 0x80, 0xde, writer);
    let count = 0;
    for (const name of names) {
      step = name;
      const item = object[name];
      if (item === undefined) continue;
      appendString(name, writer, limit);
      appendItem(item, writer, depth, limit);
      count++;
    }
    // Fewer properties than names: the header keeps its width and gets the smaller count.
    if (count !== names.length) patchCount(headerAt, count, writer);
  } catch (error) {
    if (error instanceof Refusal) error.path.push(step);
    throw error;
  }
}

function appendItem(item: unknown, writer: ByteWriter, depth: number, limit: number): void {
  switch (typeof item) {
    case "string":
      appendString(item, writer, limit);
      break;
    case "number":
      appendNumber(item, writer);
      break;
    case "boolean":
      writer.appendUint8(item ? 0xc3 : 0xc2);
      break;
    case "bigint":
      appendBigInt(item, writer);
      break;
    case "object":
      if (item === null) writer.appendUint8(0xc0);
      else if (isBytes(item)) appendBin(item, writer, limit);
      else if (item instanceof Extension) appendExtension(item, writer, limit);
      else if (isRecord(item)) appendContainer(item, writer, depth + 1, limit);
      else appendDate(item, writer);
      break;
    default:
      throw unstorable(item);
  }
  if (writer.length > limit) throw tooLong();
}

function appendDate(item: unknown, writer: ByteWriter): void {
  const ms = msOfDate(item);
  if (ms === undefined) throw unstorable(item);
  if (Number.isNaN(ms)) {
    throw new Refusal(TypeError, "is an invalid Date, expected one with a time");
  }
  appendTimestamp(ms, writer);
}

function unstorable(item: unknown): Refusal {
  return new Refusal(
    TypeError,
    `is ${describeValue(item)}, expected a string, number, bigint, boolean, null, Uint8Array, ` +
      "Date, array, plain object or Extension",
  );
}

function tooLong(): Refusal {
  return new Refusal(RangeError, "makes it longer than a value can be");
}

function appendNumber(value: number, writer: ByteWriter): void {
  writer.reserve(9);
  const { bytes, view, length: at } = writer;
  let size: number;
  if (
    !Number.isInteger(value) || value < -0x8000_0000 || value > 0xffff_ffff || Object.is(value, -0)
  ) {
    bytes[at] = 0xcb;
    view.setFloat64(at + 1, value);
    size = 9;
  } else if (value >= -32 && value < 128) {
    bytes[at] = value;
    size = 1;
  } else if (value >= -128 && value < 256) {
    bytes[at] = value < 0 ? 0xd0 : 0xcc;
    bytes[at + 1] = value;
    size = 2;
  } else if (value >= -0x8000 && value < 0x1_0000) {
    bytes[at] = value < 0 ? 0xd1 : 0xcd;
    view.setUint16(at + 1, value);
    size = 3;
  } else {
    bytes[at] = value < 0 ? 0xd2 : 0xce;
    view.setUint32(at + 1, value);
    size = 5;
  }
  writer.length = at + size;
}

function appendBigInt(value: bigint, writer: ByteWriter): void {
  const signed = BigInt.asIntN(64, value) === value;
  if (!signed && BigInt.asUintN(64, value) !== value) {
    throw new Refusal(RangeError, "is a bigint outside -2^63 to 2^64 - 1");
  }
  writer.reserve(9);
  const at = writer.length;
  writer.bytes[at] = signed ? 0xd3 : 0xcf;
  writer.view.setBigUint64(at + 1, BigInt.asUintN(64, value));
  writer.length = at + 9;
}

/** Refuses bytes of length 0 whose buffer is gone. */
function requireBytes(bytes: Uint8Array): void {
  if (isLost(bytes)) throw new Refusal(TypeError, `is ${LOST_BYTES}, expected its bytes`);
}

function appendBin(bytes: Uint8Array, writer: ByteWriter, limit: number): void {
  const length = bytes.length;
  if (length === 0) requireBytes(bytes);
  if (writer.length + length > limit) throw tooLong();
  appendLength(length, 0xc4, writer);
  writer.appendBytes(bytes, 0, length);
}

function appendExtension({ type, data }: Extension, writer: ByteWriter, limit: number): void {
  // The prototype proves nothing, and code may have replaced fields that are read-only to
  // TypeScript.
  if (!isExtensionType(type) || !isBytes(data)) {
    const found = typeof type === "number" ? type : describeValue(type);
    throw new Refusal(
      TypeError,
      `is an Extension whose type is ${found} and whose data is ${describeValue(data)}, expected ` +
        "-128 to 127 and a Uint8Array",
    );
  }
  const { length } = data;
  if (length === 0) requireBytes(data);
  if (writer.length + length > limit) throw tooLong();
  const fixed = [1, 2, 4, 8, 16].indexOf(length);
  if (fixed < 0) appendLength(length, 0xc7, writer);
  else writer.appendUint8(0xd4 + fixed);
  writer.appendUint8(type & 0xff);
  writer.appendBytes(data, 0, length);
}

function appendString(text: string, writer: ByteWriter, limit: number): void {
  const start = writer.length;
  if (start + text.length > limit) throw tooLong();
  // Room for the header that the text needs if it is ASCII; the text is moved if it turns out not
  // to be.
  const guessed = stringHeaderBytes(text.length);
  writer.reserve(guessed);
  writer.length = start + guessed;
  if (!appendText(text, writer)) {
    throw new Refusal(TypeError, "holds a lone surrogate in its text or name");
  }
  const length = writer.length - start - guessed;
  const headerBytes = stringHeaderBytes(length);
  if (headerBytes !== guessed) {
    writer.reserve(headerBytes - guessed);
    writer.bytes.copyWithin(start + headerBytes, start + guessed, writer.length);
  }
  writer.length = start;
  if (length < 32) writer.appendUint8(0xa0 | length);
  else appendLength(length, 0xd9, writer);
  writer.length += length;
}

function stringHeaderBytes(length: number): number {
  return length < 32 ? 1 : length < 0x100 ? 2 : length < 0x1_0000 ? 3 : 5;
}

/** Appends `length` in the first format that fits: `first` (8 bits), + 1 (16) or + 2 (32). */
function appendLength(length: number, first: number, writer: ByteWriter): void {
  writer.reserve(5);
  const { bytes, view, length: at } = writer;
  if (length < 0x100) {
    bytes[at] = first;
    bytes[at + 1] = length;
    writer.length = at + 2;
  } else if (length < 0x1_0000) {
    bytes[at] = first + 1;
    view.setUint16(at + 1, length);
    writer.length = at + 3;
  } else {
    bytes[at] = first + 2;
    view.setUint32(at + 1, length);
    writer.length = at + 5;
  }
}

/** Appends a count of items: 4 bits beside `fixed`, or format `first` (16 bits), + 1 (32). */
function appendCount(count: number, fixed: number, first: number, writer: ByteWriter): void {
  writer.reserve(5);
  const { bytes, view, length: at } = writer;
  if (count < 16) {
    bytes[at] = fixed | count;
    writer.length = at + 1;
  } else if (count < 0x1_0000) {
    bytes[at] = first;
    view.setUint16(at + 1, count);
    writer.length = at + 3;
  } else {
    bytes[at] = first + 1;
    view.setUint32(at + 1, count);
    writer.length = at + 5;
  }
}

/** Puts a smaller count into the map header at `at`. */
function patchCount(at: number, count: number, writer: ByteWriter): void {
  const format = writer.bytes[at]!;
  if (format === 0xdf) writer.view.setUint32(at + 1, count);
  else if (format === 0xde) writer.view.setUint16(at + 1, count);
  else writer.bytes[at] = 0x80 | count;
}
