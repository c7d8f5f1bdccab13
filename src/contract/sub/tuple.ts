/**
 * Tuples as keys. The order of the bytes is the order of the tuples. The bytes are those of Deno
 * KV. They follow the published description of FoundationDB's tuple layer, with other tags for
 * numbers and booleans.
 *
 * A part is a tag and its content, and a tuple is its parts one after the other. So the bytes of a
 * tuple are a prefix of the bytes of its extensions. Content of variable length ends with 00, and
 * 00 FF stands for a 00 in it. So after the last byte of a part only FF could continue that part,
 * and no tag is FF.
 *
 * | tag | part | content |
 * |---|---|---|
 * | 01 | Uint8Array | the bytes, escaped, 00 |
 * | 02 | string | UTF-8, escaped, 00 |
 * | 0B | negative bigint of more than 8 bytes | as 1D, all bytes inverted |
 * | 1D | positive bigint of more than 8 bytes | number of bytes, big-endian bytes |
 * | 0C to 13 | negative bigint of 8 to 1 bytes | magnitude, big-endian, inverted |
 * | 14 | 0n | |
 * | 15 to 1C | positive bigint of 1 to 8 bytes | big-endian |
 * | 21 | number | IEEE 754, big-endian; the sign bit inverted, or all bits if it is set |
 * | 26, 27 | false, true | |
 */

import { StoreError } from "../../errors.ts";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import { describeValue, isBytes } from "../value.ts";

/** One part of a tuple. */
export type TuplePart = Uint8Array | string | bigint | number | boolean;

/**
 * A key of several parts. The first part decides the order first. Types are in the order
 * Uint8Array, string, bigint, number, boolean. Within a type, bytes, UTF-8 or values decide. -0 is
 * before 0, and NaN is after all numbers. A tuple is before its extensions.
 */
export type Tuple = readonly TuplePart[];

const BYTES = 0x01;
const TEXT = 0x02;
const LONG_NEGATIVE = 0x0b;
const ZERO = 0x14;
const LONG_POSITIVE = 0x1d;
const NUMBER = 0x21;
const FALSE = 0x26;
const TRUE = 0x27;
/** Follows a 00 in the content. Not a tag. */
const ESCAPED = 0xff;
/** The longest magnitude of a bigint in bytes, because its length is stored in one byte. */
const MAX_BIGINT_BYTES = 255;

const scratch = new DataView(new ArrayBuffer(8));

/**
 * Encodes a tuple.
 *
 * @throws {TypeError} it is not an array, or a part has a wrong type or is a string with a lone
 * surrogate
 * @throws {RangeError} a bigint takes more than 255 bytes
 *
 * @example
 * ```ts
 * import { decodeTuple, encodeTuple } from "@tinykvs/core/contract";
 *
 * const bytes = encodeTuple(["user", 7n]);
 * console.log(bytes.toHex?.() ?? bytes); // 0275736572001507
 * console.log(decodeTuple(bytes)); // [ "user", 7n ]
 * ```
 */
export function encodeTuple(tuple: Tuple): Uint8Array {
  if (!Array.isArray(tuple)) {
    throw new TypeError(`Cannot encode key: found ${describeValue(tuple)}, expected a tuple`);
  }
  const bytes: number[] = [];
  // `forEach` would skip a hole.
  for (let at = 0; at < tuple.length; at++) appendPart(bytes, tuple[at] as TuplePart, at);
  return Uint8Array.from(bytes);
}

function appendPart(bytes: number[], part: TuplePart, at: number): void {
  switch (typeof part) {
    case "string":
      if (!part.isWellFormed()) {
        throw new TypeError(`Cannot encode key: part ${at} of the tuple holds a lone surrogate`);
      }
      bytes.push(TEXT);
      return appendEscaped(bytes, encodeUtf8(part));
    case "bigint":
      return appendBigint(bytes, part, at);
    case "number":
      return appendNumber(bytes, part);
    case "boolean":
      bytes.push(part ? TRUE : FALSE);
      return;
    default:
      if (isBytes(part)) {
        bytes.push(BYTES);
        return appendEscaped(bytes, part);
      }
      throw new TypeError(
        `Cannot encode key: part ${at} of the tuple is ${describeValue(part)}, ` +
          "expected a Uint8Array, string, bigint, number or boolean",
      );
  }
}

function appendEscaped(bytes: number[], content: Uint8Array): void {
  for (const byte of content) {
    bytes.push(byte);
    if (byte === 0) bytes.push(ESCAPED);
  }
  bytes.push(0);
}

function appendBigint(bytes: number[], value: bigint, at: number): void {
  if (value === 0n) {
    bytes.push(ZERO);
    return;
  }
  const isNegative = value < 0n;
  const hex = (isNegative ? -value : value).toString(16);
  const size = hex.length + 1 >> 1;
  if (size > MAX_BIGINT_BYTES) {
    throw new RangeError(
      `Cannot encode key: part ${at} of the tuple is a bigint of ${size} bytes, ` +
        `expected at most ${MAX_BIGINT_BYTES}`,
    );
  }
  const mask = isNegative ? 0xff : 0;
  if (size > 8) bytes.push(isNegative ? LONG_NEGATIVE : LONG_POSITIVE, size ^ mask);
  else bytes.push(isNegative ? ZERO - size : ZERO + size);
  const digits = hex.padStart(size * 2, "0");
  for (let i = 0; i < size * 2; i += 2) bytes.push(parseInt(digits.slice(i, i + 2), 16) ^ mask);
}

function appendNumber(bytes: number[], value: number): void {
  // Always encode the same NaN: JavaScript does not show the bits of one.
  if (Number.isNaN(value)) scratch.setBigUint64(0, 0x7ff8_0000_0000_0000n);
  else scratch.setFloat64(0, value);
  const isNegative = scratch.getUint8(0) >= 0x80;
  bytes.push(NUMBER, scratch.getUint8(0) ^ (isNegative ? 0xff : 0x80));
  for (let i = 1; i < 8; i++) bytes.push(scratch.getUint8(i) ^ (isNegative ? 0xff : 0));
}

/**
 * Decodes a tuple that {@linkcode encodeTuple} has encoded. The result encodes to the same bytes
 * again.
 *
 * @throws {StoreError} code `KEY_ENCODING`: the bytes are not an encoded tuple
 */
export function decodeTuple(bytes: Uint8Array): TuplePart[] {
  const parts: TuplePart[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!;
    if (tag === BYTES || tag === TEXT) {
      const end = endOfContent(bytes, at + 1);
      const content = unescape(bytes, at + 1, end);
      parts.push(tag === BYTES ? content : textOf(content, bytes, at));
      at = end + 1;
    } else if (tag >= LONG_NEGATIVE && tag <= LONG_POSITIVE) {
      at = takeBigint(parts, bytes, at);
    } else if (tag === NUMBER) {
      parts.push(numberAt(bytes, at));
      at += 9;
    } else if (tag === FALSE || tag === TRUE) {
      parts.push(tag === TRUE);
      at++;
    } else {
      throw noTuple(bytes, at, `unknown tag 0x${tag.toString(16).padStart(2, "0")}`);
    }
  }
  return parts;
}

/** The offset of the 00 that ends the content, which starts at `start`. */
function endOfContent(bytes: Uint8Array, start: number): number {
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] !== 0) continue;
    if (bytes[at + 1] !== ESCAPED) return at;
    at++;
  }
  throw noTuple(bytes, start, "text or bytes without an end");
}

function unescape(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const content = new Uint8Array(end - start);
  let length = 0;
  for (let at = start; at < end; at++) {
    content[length++] = bytes[at]!;
    if (bytes[at] === 0) at++;
  }
  return content.slice(0, length);
}

function textOf(content: Uint8Array, bytes: Uint8Array, at: number): string {
  const text = decodeUtf8(content);
  if (text === undefined) throw noTuple(bytes, at, "a string that is not UTF-8");
  return text;
}

/** Decodes the bigint at `at` and adds it. Returns the offset after it. */
function takeBigint(parts: TuplePart[], bytes: Uint8Array, at: number): number {
  const tag = bytes[at]!;
  const mask = tag < ZERO ? 0xff : 0;
  const isLong = tag === LONG_NEGATIVE || tag === LONG_POSITIVE;
  const start = isLong ? at + 2 : at + 1;
  const size = isLong ? (bytes[at + 1] ?? mask) ^ mask : Math.abs(tag - ZERO);
  if (start + size > bytes.length) throw noTuple(bytes, at, "a bigint that is cut off");
  let hex = "";
  for (let i = start; i < start + size; i++) {
    hex += (bytes[i]! ^ mask).toString(16).padStart(2, "0");
  }
  // Accept only the encoding that `encodeTuple` makes. A key in another one could be listed, but
  // never looked up.
  if (hex.startsWith("00") || isLong && size <= 8) {
    throw noTuple(bytes, at, "a bigint with more bytes than it needs");
  }
  const magnitude = size === 0 ? 0n : BigInt(`0x${hex}`);
  parts.push(tag < ZERO ? -magnitude : magnitude);
  return start + size;
}

function numberAt(bytes: Uint8Array, at: number): number {
  if (at + 9 > bytes.length) throw noTuple(bytes, at, "a number that is cut off");
  const isNegative = bytes[at + 1]! < 0x80;
  for (let i = 0; i < 8; i++) {
    scratch.setUint8(i, bytes[at + 1 + i]! ^ (isNegative ? 0xff : i === 0 ? 0x80 : 0));
  }
  const value = scratch.getFloat64(0);
  if (Number.isNaN(value) && scratch.getBigUint64(0) !== 0x7ff8_0000_0000_0000n) {
    throw noTuple(bytes, at, "a NaN of another form");
  }
  return value;
}

function noTuple(bytes: Uint8Array, at: number, found: string): StoreError {
  return new StoreError(
    "KEY_ENCODING",
    `Cannot read key ${shownBytes(bytes)} as a tuple: found ${found} at byte ${at}`,
  );
}

/** Formats the bytes of a key for the text of an error. */
export function shownBytes(bytes: Uint8Array): string {
  const hex = Array.from(bytes.subarray(0, 32), (byte) => byte.toString(16).padStart(2, "0"));
  return `0x${hex.join("")}${bytes.length > 32 ? "..." : ""}`;
}
