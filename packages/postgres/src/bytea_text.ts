/** Bytes as the text of a parameter, for a client that has no binary ones. */

import { Buffer } from "node:buffer";

const BACKSLASH = 0x5c;

/** A method of buffers on all runtimes, which their types lack. */
interface Slices {
  latin1Slice(start: number, end: number): string;
  hexSlice(start: number, end: number): string;
}

/**
 * ASCII is its own text, which has half the length of hexadecimal digits. A zero byte ends a text,
 * and a backslash begins an escape of PostgreSQL, so bytes with one of them are sent as digits. So
 * are all others: what a byte from 128 on means depends on the encoding of the database.
 */
export function byteaText(bytes: Uint8Array): string {
  const buffer = Buffer.from(
    bytes.buffer,
    bytes.byteOffset,
    bytes.byteLength,
  ) as unknown as Slices;
  return isPlainAscii(bytes, 0)
    ? buffer.latin1Slice(0, bytes.length)
    : `\\x${buffer.hexSlice(0, bytes.length)}`;
}

/** Whether bytes from `start` on are ASCII without zero bytes and backslashes. */
export function isPlainAscii(bytes: Uint8Array, start: number): boolean {
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0 || byte >= 0x80 || byte === BACKSLASH) return false;
  }
  return true;
}
