/**
 * A row of a page as text: the escaped key, a mark, the escaped value. PostgreSQL's format "escape"
 * leaves ASCII as it is, writes a backslash twice, and each zero byte and each byte from 128 on as
 * a backslash and three octal digits. So a row of ASCII has half the length of hexadecimal digits,
 * and the client has little to decode. The mark is a backslash and a minus, which no escape is.
 */

import { Buffer } from "node:buffer";
import { ownedAscii } from "./owned_bytes.ts";

const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const MARK_LENGTH = 2;

/** The longest row of which a short text may be a part: a slice keeps the memory of its row. */
const LONGEST_SHARED = 256;

/** The SQL of the column. `value` is SQL, or undefined for keys alone. */
export function escapedColumn(value: string | undefined): string {
  const key = "encode(k, 'escape')";
  return value === undefined
    ? key
    : `${key} || E'\\\\-' || encode(coalesce(${value}, ''::bytea), 'escape')`;
}

/** Where the key ends. */
export function escapedKeyEnd(row: string): number {
  let at = row.indexOf("\\");
  while (at >= 0 && row.charCodeAt(at + 1) !== MINUS) {
    at = row.indexOf("\\", at + (row.charCodeAt(at + 1) === BACKSLASH ? 2 : 4));
  }
  return at < 0 ? row.length : at;
}

/** Where the value begins; the length of the row if there is none. */
export function escapedValueStart(row: string): number {
  return Math.min(row.length, escapedKeyEnd(row) + MARK_LENGTH);
}

/** Whether a part of a row has no escape. */
export function isPlain(row: string, start: number, end: number): boolean {
  const at = row.indexOf("\\", start);
  return at < 0 || at >= end;
}

/** A part without escapes, as text. */
export function plainText(row: string, start: number, end: number): string {
  if (row.length <= LONGEST_SHARED || (end - start) * 2 >= row.length) return row.slice(start, end);
  return Buffer.from(row.slice(start, end), "latin1").toString("latin1");
}

/** A part without escapes, as bytes of the caller's own. */
export function plainBytes(row: string, start: number, end: number): Uint8Array {
  return ownedAscii(row, start, end) ??
    new Uint8Array(Buffer.from(row.slice(start, end), "latin1"));
}

/** The bytes of a part, in memory of their own. */
export function unescaped(row: string, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  let length = 0;
  for (let at = start; at < end; at++) {
    let byte = row.charCodeAt(at);
    if (byte === BACKSLASH) {
      if (row.charCodeAt(at + 1) === BACKSLASH) at++;
      else {
        byte = Number.parseInt(row.slice(at + 1, at + 4), 8);
        at += 3;
      }
    }
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}
