/**
 * Rows of pages: key, value, and perhaps version and time of expiry. Those of plain pages of small
 * values are packed into one column: the length of the key in two bytes, the key, the value. A
 * client spends most of a scan on the columns that it decodes, so one is cheaper than two. A value
 * that is too large for such a page is missing: stored values have at least their type. If most
 * rows are ASCII, the column is text: see escaped_row.ts.
 */

import type { KeyEncoding, Value } from "@tinykvs/core/contract";
import type { Row } from "./driver.ts";
import { isPlainAscii } from "./bytea_text.ts";
import {
  escapedKeyEnd,
  escapedValueStart,
  isPlain,
  plainBytes,
  plainText,
  unescaped,
} from "./escaped_row.ts";
import { shownKey } from "./operations.ts";
import { decodePlain, decodeValue } from "./value_codec.ts";

const KEY_START = 2;

/** The SQL of the one column. `value` is SQL, or undefined for keys alone. */
export function packedColumn(value: string | undefined): string {
  const key = "int2send(length(k)::int2) || k";
  return value === undefined ? key : `${key} || coalesce(${value}, ''::bytea)`;
}

function isPacked(row: Row): boolean {
  return row.length === 1;
}

function packedKeyEnd(bytes: Uint8Array): number {
  return KEY_START + bytes[0]! * 256 + bytes[1]!;
}

/** The key; it may be a part of the row's memory. */
export function keyOf(row: Row): Uint8Array {
  const [first] = row;
  if (typeof first === "string") return unescaped(first, 0, escapedKeyEnd(first));
  const bytes = first as Uint8Array;
  return isPacked(row) ? bytes.subarray(KEY_START, packedKeyEnd(bytes)) : bytes;
}

/**
 * The bytes of the value, or of its text; 0 if the page has no values, or if it is too large for
 * the page.
 */
export function valueLength(row: Row): number {
  const [first] = row;
  if (typeof first === "string") return first.length - escapedValueStart(first);
  if (!isPacked(row)) return (row[1] as Uint8Array | null)?.length ?? 0;
  const bytes = first as Uint8Array;
  return bytes.length - packedKeyEnd(bytes);
}

/** The bytes of key and value, or of their text. */
export function rowLength(row: Row): number {
  const { length } = row[0] as Uint8Array | string;
  if (typeof row[0] === "string") return length;
  return isPacked(row) ? length - KEY_START : length + valueLength(row);
}

/** Whether key and value are ASCII without zero bytes and backslashes. */
export function isPlainRow(row: Row): boolean {
  const [first] = row;
  if (typeof first === "string") {
    const end = escapedKeyEnd(first);
    return isPlain(first, 0, end) && isPlain(first, escapedValueStart(first), first.length);
  }
  if (isPacked(row)) return isPlainAscii(first as Uint8Array, KEY_START);
  return isPlainAscii(first as Uint8Array, 0) &&
    (row[1] === null || isPlainAscii(row[1] as Uint8Array, 0));
}

/** The key as reads show it. */
export function shownKeyOf(
  row: Row,
  encoding: KeyEncoding,
): string | Uint8Array {
  const [first] = row;
  if (typeof first === "string") {
    const end = escapedKeyEnd(first);
    if (!isPlain(first, 0, end)) return shownKey(unescaped(first, 0, end), encoding);
    return encoding === "bytes" ? plainBytes(first, 0, end) : plainText(first, 0, end);
  }
  const bytes = first as Uint8Array;
  return isPacked(row)
    ? shownKey(bytes, encoding, KEY_START, packedKeyEnd(bytes))
    : shownKey(bytes, encoding);
}

/** The value as reads show it. The row has one. */
export function shownValueOf(row: Row): Value {
  const [first] = row;
  if (typeof first === "string") {
    const start = escapedValueStart(first);
    const plain = isPlain(first, start, first.length) ? decodePlain(first, start) : undefined;
    return plain ?? decodeValue(unescaped(first, start, first.length));
  }
  if (!isPacked(row)) return decodeValue(row[1] as Uint8Array);
  const bytes = first as Uint8Array;
  return decodeValue(bytes, packedKeyEnd(bytes));
}
