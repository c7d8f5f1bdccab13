/**
 * The operation of a log record that deletes a range of keys. It has the fields of a put, so that
 * code that only steps over operations need not know it:
 *
 *     u8   OPERATION_DELETE_RANGE
 *     u32  length of the first key, the key
 *     u32  1 and length of the first key after the range, u8 1, the key
 *          or, if every key from the first on is deleted: u32 1, u8 0
 *
 * Only logs of version 2 have it.
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { compareRanges } from "../bytes/compare.ts";
import { copyOfKey } from "../iterator/key_spans.ts";
import { MAX_KEY_BYTES } from "../value/value.ts";
import { OPERATION_DELETE_RANGE } from "./log_format.ts";

/** A deleted range, with copies of its bounds. */
export interface RangeOperation {
  /** The first key. */
  readonly lower: DataView;
  /** The first key after the range, or undefined for no bound. */
  readonly upper: DataView | undefined;
}

/** Appends the operation. A bound that is undefined is none. */
export function encodeRangeOperation(
  writer: ByteWriter,
  lower: Uint8Array | undefined,
  upper: Uint8Array | undefined,
): void {
  writer.appendUint8(OPERATION_DELETE_RANGE);
  writer.appendUint32(lower?.length ?? 0);
  if (lower !== undefined) writer.appendBytes(lower, 0, lower.length);
  writer.appendUint32(1 + (upper?.length ?? 0));
  writer.appendUint8(upper === undefined ? 0 : 1);
  if (upper !== undefined) writer.appendBytes(upper, 0, upper.length);
}

/**
 * Reads an operation that was checked. As for an entry, `start` is the offset of the first length
 * field and `keyEnd` that just past the first key.
 */
export function rangeOperationAt(
  view: DataView,
  start: number,
  keyEnd: number,
  end: number,
): RangeOperation {
  const hasUpper = view.getUint8(keyEnd + 4) === 1;
  return {
    lower: copyOfKey(view, start + 4, keyEnd),
    upper: hasUpper ? copyOfKey(view, keyEnd + 5, end) : undefined,
  };
}

/** Whether the range of an operation holds a key. Offsets are those of `rangeOperationAt`. */
export function rangeOperationHolds(
  view: DataView,
  start: number,
  keyEnd: number,
  end: number,
  key: DataView,
  keyStart: number,
  ownEnd: number,
): boolean {
  if (compareRanges(view, start + 4, keyEnd, key, keyStart, ownEnd) > 0) return false;
  return view.getUint8(keyEnd + 4) === 0 ||
    compareRanges(view, keyEnd + 5, end, key, keyStart, ownEnd) > 0;
}

/** What is wrong with an operation whose fields lie inside its record, or undefined. */
export function problemOfRange(
  view: DataView,
  start: number,
  keyEnd: number,
  end: number,
): string | undefined {
  const flag = view.getUint8(keyEnd + 4);
  if (flag > 1) return `the end of a deleted range has the flag ${flag}, expected 0 or 1`;
  const length = end - keyEnd - 5;
  if (flag === 0) {
    return length === 0 ? undefined : `a deleted range without an end has ${length} bytes of one`;
  }
  if (length > MAX_KEY_BYTES + 1) {
    return `the end of a deleted range has ${length} bytes, at most ${
      MAX_KEY_BYTES + 1
    } are allowed`;
  }
  if (compareRanges(view, start + 4, keyEnd, view, keyEnd + 5, end) >= 0) {
    return "a deleted range ends before it begins";
  }
  return undefined;
}
