/**
 * What is known of the times at which the entries of a table expire: their number, and the times by
 * which equal shares of them have expired. Compaction chooses tables by it without reading them.
 * Readers do not need it, because each entry has its own time.
 *
 * The earliest and the latest time alone would say too little: if one entry of a thousand lives for
 * years, the space of the others would not come back before that.
 *
 * Encoded: u64 number of entries, u8 number of times (1 to 9), u64 each time, ascending.
 */

import type { ByteReader } from "../bytes/byte_reader.ts";
import type { ByteWriter } from "../bytes/byte_writer.ts";
import { DecodeError } from "../errors.ts";

/** Into how many equal shares the times divide the entries. */
const SHARES = 8;
/** The shares are those of a sample of this many times. */
const MAX_SAMPLE = 512;

/** The times of the entries of a table that expire. */
export interface TableExpiry {
  /** Number of entries that expire. */
  readonly count: number;
  /**
   * The earliest time, those by which 1/8, 2/8 and so on of the entries have expired, and at the
   * end the latest; or one time alone, if all are equal.
   */
  readonly times: readonly number[];
}

/** Collects the times of a table that is being written. */
export class ExpiryCollector {
  #count = 0;
  #earliest = Infinity;
  #latest = -Infinity;
  readonly #sample: number[] = [];
  /** The state of a generator (xorshift32): the same entries always make the same table. */
  #random = 0x9e3779b9;

  /** Notes the time of an entry. */
  add(time: number): void {
    if (time < this.#earliest) this.#earliest = time;
    if (time > this.#latest) this.#latest = time;
    const count = ++this.#count;
    if (count <= MAX_SAMPLE) this.#sample.push(time);
    else {
      // A reservoir: every time so far is in the sample with the same probability. Every hundredth,
      // say, would be a bad sample if each user has the same few entries.
      let random = this.#random;
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      this.#random = random;
      const at = (random >>> 0) % count;
      if (at < MAX_SAMPLE) this.#sample[at] = time;
    }
  }

  /** What was collected, or undefined if nothing expires. */
  finish(): TableExpiry | undefined {
    const count = this.#count;
    if (count === 0) return undefined;
    if (this.#earliest === this.#latest) return { count, times: [this.#earliest] };
    const sample = this.#sample.toSorted((a, b) => a - b);
    const times = [this.#earliest];
    for (let share = 1; share < SHARES; share++) {
      times.push(sample[Math.ceil(sample.length * share / SHARES) - 1]!);
    }
    times.push(this.#latest);
    return { count, times };
  }
}

/** About how many entries have expired at a time: 0 only if none has. */
export function expiredCount(expiry: TableExpiry | undefined, nowMs: number): number {
  if (expiry === undefined) return 0;
  const { count, times } = expiry;
  const last = times.length - 1;
  if (times[last]! <= nowMs) return count;
  let at = last - 1;
  while (at >= 0 && times[at]! > nowMs) at--;
  return at < 0 ? 0 : Math.max(1, Math.floor(count * at / last));
}

/** The next time after `nowMs` at which `expiredCount` may change much; Infinity for never. */
export function nextExpiry(expiry: TableExpiry | undefined, nowMs: number): number {
  return expiry?.times.find((time, at) => time > nowMs && (at > 0 || expiry.times.length === 1)) ??
    Infinity;
}

/** Length of the encoding. */
export function tableExpiryBytes({ times }: TableExpiry): number {
  return 9 + 8 * times.length;
}

/** Appends the encoding. */
export function encodeTableExpiry(writer: ByteWriter, { count, times }: TableExpiry): void {
  writer.appendUint64(count);
  writer.appendUint8(times.length);
  for (const time of times) writer.appendUint64(time);
}

/**
 * Reads the encoding.
 *
 * @throws {DecodeError} it is malformed
 */
export function decodeTableExpiry(reader: ByteReader): TableExpiry {
  const at = reader.offset;
  const count = reader.uint64();
  const length = reader.uint8();
  if (count === 0 || length === 0 || length > SHARES + 1) {
    throw new DecodeError(`${count} entries expire, by ${length} times`, at);
  }
  const times: number[] = [];
  for (let i = 0; i < length; i++) {
    const time = reader.uint64();
    if (i > 0 && time < times[i - 1]!) {
      throw new DecodeError("the times at which entries expire do not ascend", at);
    }
    times.push(time);
  }
  return { count, times };
}
