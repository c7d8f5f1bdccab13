/**
 * A reference takes the place of a large value in memtables and tables. It says where the encoded
 * value is: in the log that has received it, or in a value file that it was moved to. The log
 * record of a put of a stream has one, too: the stream went to a value file.
 *
 *     0   u8   11
 *     1   u8   kind of the file: 0 a log, 1 a value file
 *     2   u8   type byte of the value
 *     3   u32  number of the file
 *     7   u64  offset of the encoded value in the file
 *     15  u32  its length there, not 0
 *     19  u32  CRC-32 of these bytes
 *
 * A value that expires has its time in front of the reference (expiry.ts). So a reader knows that
 * it has expired without reading it.
 */

import { DecodeError } from "../errors.ts";
import { contentStart, EXPIRY_BYTES } from "./expiry.ts";
import {
  TYPE_BYTES,
  TYPE_EXPIRING,
  TYPE_MSGPACK,
  TYPE_RECORD,
  TYPE_REFERENCE,
  TYPE_STRING,
} from "./value.ts";

/** Length of a reference, without a time. */
export const REFERENCE_BYTES = 23;
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
  /** Type byte of the value. */
  readonly type: number;
  /** Number of the file. */
  readonly number: number;
  /** Where the value starts in the file. */
  readonly offset: number;
  /** How many bytes it takes there. */
  readonly length: number;
  /** CRC-32 of these bytes. */
  readonly crc: number;
}

/** Whether values of a type can be large: all others have a few bytes. */
export function mayBeLarge(type: number | undefined): boolean {
  return type === TYPE_STRING || type === TYPE_BYTES || type === TYPE_RECORD ||
    type === TYPE_MSGPACK;
}

/** Whether the value that starts at `start` is a reference, with or without a time. */
export function isReference(bytes: Uint8Array, start: number): boolean {
  const type = bytes[start];
  return type === TYPE_REFERENCE ||
    (type === TYPE_EXPIRING && bytes[start + EXPIRY_BYTES] === TYPE_REFERENCE);
}

/** Whether the reference is to a value in a log. */
export function isInLog(bytes: Uint8Array, start: number): boolean {
  return bytes[contentStart(bytes, start) + 1] === IN_LOG;
}

/** The length of the value that is referred to. The reference is whole. */
export function referredLength(bytes: Uint8Array, view: DataView, start: number): number {
  return view.getUint32(contentStart(bytes, start) + 15, true);
}

/** Writes a reference to `bytes[at...]`; `view` shares the memory. */
export function writeReference(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  { kind, type, number, offset, length, crc }: ValueReference,
): void {
  bytes[at] = TYPE_REFERENCE;
  bytes[at + 1] = kind;
  bytes[at + 2] = type;
  view.setUint32(at + 3, number, true);
  view.setUint32(at + 7, offset % TWO_32, true);
  view.setUint32(at + 11, Math.floor(offset / TWO_32), true);
  view.setUint32(at + 15, length, true);
  view.setUint32(at + 19, crc, true);
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
  const type = bytes[at + 2]!;
  if (!mayBeLarge(type)) {
    throw new DecodeError(`reference to a value of the type ${type}`, at + 2);
  }
  const offset = view.getUint32(at + 11, true) * TWO_32 + view.getUint32(at + 7, true);
  const length = view.getUint32(at + 15, true);
  if (!Number.isSafeInteger(offset + length) || length === 0) {
    throw new DecodeError(`reference to a value of ${length} bytes at offset ${offset}`, at + 7);
  }
  return {
    kind,
    type,
    number: view.getUint32(at + 3, true),
    offset,
    length,
    crc: view.getUint32(at + 19, true),
  };
}
