/**
 * A reference takes the place of a large value in memtables and tables. It says where the encoded
 * value is: in the log that has received it, or in a value file that it was moved to.
 *
 *     0   u8   11
 *     1   u8   kind of the file: 0 a log, 1 a value file
 *     2   u32  number of the file
 *     6   u64  offset of the encoded value in the file
 *     14  u32  its length there, not 0
 *     18  u32  CRC-32 of these bytes
 *
 * A value that expires has its time in front of the reference (expiry.ts), so a reader knows without
 * the value that it has expired.
 */

import { DecodeError } from "../errors.ts";
import { contentStart, EXPIRY_BYTES } from "./expiry.ts";
import { TYPE_EXPIRING, TYPE_REFERENCE } from "./value.ts";

/** Length of a reference, without a time. */
export const REFERENCE_BYTES = 22;
/** The file is a write-ahead log. */
export const IN_LOG = 0;
/** The file is a value file. */
export const IN_VALUE_FILE = 1;

/** The kind of a file that holds large values. */
export type ValueFileKind = typeof IN_LOG | typeof IN_VALUE_FILE;

const TWO_32 = 0x1_0000_0000;

/** Where a large value is. */
export interface ValueReference {
  /** Kind of the file. */
  readonly kind: ValueFileKind;
  /** Number of the file. */
  readonly number: number;
  /** Where the value starts in the file. */
  readonly offset: number;
  /** How many bytes it takes there. */
  readonly length: number;
  /** CRC-32 of these bytes. */
  readonly crc: number;
}

/** Whether the value that starts at `start` is a reference, with or without a time. */
export function isReference(bytes: Uint8Array, start: number): boolean {
  const type = bytes[start];
  return type === TYPE_REFERENCE ||
    (type === TYPE_EXPIRING && bytes[start + EXPIRY_BYTES] === TYPE_REFERENCE);
}

/** The length of the value that is referred to. The reference is whole. */
export function referredLength(bytes: Uint8Array, view: DataView, start: number): number {
  return view.getUint32(contentStart(bytes, start) + 14, true);
}

/** Writes a reference to `bytes[at...]`; `view` shares the memory. */
export function writeReference(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  { kind, number, offset, length, crc }: ValueReference,
): void {
  bytes[at] = TYPE_REFERENCE;
  bytes[at + 1] = kind;
  view.setUint32(at + 2, number, true);
  view.setUint32(at + 6, offset % TWO_32, true);
  view.setUint32(at + 10, Math.floor(offset / TWO_32), true);
  view.setUint32(at + 14, length, true);
  view.setUint32(at + 18, crc, true);
}

/**
 * Reads the reference of the value in `bytes[start, end)`, after its time if it has one.
 *
 * @throws {DecodeError} it is not a whole reference
 */
export function readReference(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): ValueReference {
  const at = contentStart(bytes, start);
  if (end - at !== REFERENCE_BYTES || bytes[at] !== TYPE_REFERENCE) {
    throw new DecodeError(
      `reference to a value has ${end - at} bytes, expected ${REFERENCE_BYTES}`,
      start,
    );
  }
  const kind = bytes[at + 1]!;
  if (kind !== IN_LOG && kind !== IN_VALUE_FILE) {
    throw new DecodeError(`reference to a value names the kind of file ${kind}`, at + 1);
  }
  const offset = view.getUint32(at + 10, true) * TWO_32 + view.getUint32(at + 6, true);
  const length = view.getUint32(at + 14, true);
  if (!Number.isSafeInteger(offset + length) || length === 0) {
    throw new DecodeError(`reference to a value of ${length} bytes at offset ${offset}`, at + 6);
  }
  return {
    kind,
    number: view.getUint32(at + 2, true),
    offset,
    length,
    crc: view.getUint32(at + 18, true),
  };
}
