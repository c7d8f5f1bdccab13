/**
 * Times in records: the timestamps of MessagePack, extensions of type -1. There are three forms, in
 * seconds since 1970 and nanoseconds; the shortest that holds the time is written:
 *
 *   4 bytes    u32 seconds
 *   8 bytes    u30 nanoseconds, u34 seconds
 *   12 bytes   u32 nanoseconds, i64 seconds
 *
 * A `Date` has milliseconds. So a timestamp is read as a `Date` only if that is stored as the same
 * bytes; any other stays an `Extension`, which keeps its nanoseconds
 * (docs/decisions/0038-dates-in-records.md).
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { dateAt, MAX_DATE_MS } from "../contract/clock.ts";

/** The type of a timestamp among the extensions. */
export const TIMESTAMP_TYPE = -1;

const NANOSECONDS_PER_MS = 1_000_000;
const TWO_32 = 0x1_0000_0000;

/** Appends the timestamp of a time in whole milliseconds since 1970. */
export function appendTimestamp(ms: number, writer: ByteWriter): void {
  const seconds = Math.floor(ms / 1000);
  const nanoseconds = (ms - seconds * 1000) * NANOSECONDS_PER_MS;
  writer.reserve(15);
  const { bytes, view, length: at } = writer;
  switch (timestampBytes(seconds, nanoseconds)) {
    case 4:
      bytes[at] = 0xd6;
      bytes[at + 1] = 0xff;
      view.setUint32(at + 2, seconds);
      writer.length = at + 6;
      break;
    case 8:
      bytes[at] = 0xd7;
      bytes[at + 1] = 0xff;
      view.setUint32(at + 2, nanoseconds * 4 + Math.floor(seconds / TWO_32));
      view.setUint32(at + 6, seconds % TWO_32);
      writer.length = at + 10;
      break;
    default:
      bytes[at] = 0xc7;
      bytes[at + 1] = 12;
      bytes[at + 2] = 0xff;
      view.setUint32(at + 3, nanoseconds);
      // Both take the number modulo 2^32, a negative one too.
      view.setInt32(at + 7, Math.floor(seconds / TWO_32));
      view.setUint32(at + 11, seconds);
      writer.length = at + 15;
  }
}

/** The time of a timestamp. */
export interface TimestampParts {
  /** Since 1970. */
  readonly seconds: number;
  /** Below 10^9. */
  readonly nanoseconds: number;
}

/** The parts of the timestamp `view[start, start + length)`; undefined if it is not well-formed. */
export function timestampParts(
  view: DataView,
  start: number,
  length: number,
): TimestampParts | undefined {
  let seconds: number;
  let nanoseconds = 0;
  switch (length) {
    case 4:
      seconds = view.getUint32(start);
      break;
    case 8:
      nanoseconds = view.getUint32(start) >>> 2;
      seconds = (view.getUint32(start) & 3) * TWO_32 + view.getUint32(start + 4);
      break;
    case 12:
      nanoseconds = view.getUint32(start);
      seconds = view.getInt32(start + 4) * TWO_32 + view.getUint32(start + 8);
      break;
    default:
      return undefined;
  }
  return nanoseconds < 1e9 ? { seconds, nanoseconds } : undefined;
}

/** The `Date` that is stored as exactly the timestamp `view[start, start + length)`, if any. */
export function dateOfTimestamp(view: DataView, start: number, length: number): Date | undefined {
  const parts = timestampParts(view, start, length);
  if (parts === undefined) return undefined;
  const { seconds, nanoseconds } = parts;
  const isStoredSo = nanoseconds % NANOSECONDS_PER_MS === 0 &&
    timestampBytes(seconds, nanoseconds) === length;
  const ms = seconds * 1000 + nanoseconds / NANOSECONDS_PER_MS;
  return isStoredSo && Math.abs(ms) <= MAX_DATE_MS ? dateAt(ms) : undefined;
}

/** The length of the shortest form. */
function timestampBytes(seconds: number, nanoseconds: number): 4 | 8 | 12 {
  if (seconds < 0 || seconds >= 4 * TWO_32) return 12;
  return nanoseconds === 0 && seconds < TWO_32 ? 4 : 8;
}
