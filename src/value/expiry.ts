/**
 * The time at which a value expires, in front of the encoded value:
 *
 *     9, u64 milliseconds since 1970, and then the value as it would be without a time
 *
 * So logs, memtables, blocks and codecs carry values that expire like all others. Inside there is
 * no second time and no tombstone. A put whose time has come already is stored as a tombstone.
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { DecodeError } from "../errors.ts";
import { TYPE_EXPIRING } from "./value.ts";

/** Bytes in front of the value. */
export const EXPIRY_BYTES = 9;

const TWO_32 = 0x1_0000_0000;

/** Whether the value that starts at `start` expires. */
export function isExpiring(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === TYPE_EXPIRING;
}

/**
 * The time of an expiring value, in milliseconds since 1970. Infinity if the value is cut off by
 * the end of the memory: the decoder reports that.
 */
export function expiryAt(view: DataView, start: number): number {
  if (start + EXPIRY_BYTES > view.byteLength) return Infinity;
  return view.getUint32(start + 5, true) * TWO_32 + view.getUint32(start + 1, true);
}

/** Where the value itself starts. */
export function contentStart(bytes: Uint8Array, start: number): number {
  return bytes[start] === TYPE_EXPIRING ? start + EXPIRY_BYTES : start;
}

/** Appends a time; the value follows. */
export function appendExpiry(writer: ByteWriter, expiresAt: number): void {
  writer.appendUint8(TYPE_EXPIRING);
  writer.appendUint64(expiresAt);
}

/**
 * Checks that an expiring value in `[start, end)` has its time and a type byte.
 *
 * @throws {DecodeError} it is cut off, or its time is not a safe integer
 */
export function requireExpiry(view: DataView, start: number, end: number): void {
  if (end - start <= EXPIRY_BYTES) {
    throw new DecodeError(
      `value that expires has ${end - start} bytes, expected at least ${EXPIRY_BYTES + 1}`,
      start,
    );
  }
  const time = expiryAt(view, start);
  if (Number.isSafeInteger(time)) return;
  throw new DecodeError(`value expires at ${time}, the limit is 2^53 - 1`, start + 1);
}
