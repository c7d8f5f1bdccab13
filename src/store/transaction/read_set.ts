/**
 * What a transaction has read: keys, whether they were there or not, and stretches of keys that it
 * has scanned. It conflicts with every commit since it began that has written to one of them.
 *
 * The commits are looked up in memtables (state/recent_memtables.ts), key by key. For a stretch, a
 * memtable is walked until a key is found that is newer than the transaction; the older ones on the
 * way are no more than those that the scan itself has gone over.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import type { ConflictCause, KeyStretch } from "../../errors.ts";
import type { KeyBound, Memtable } from "../../memtable/memtable.ts";
import { encodeKey } from "../../value/key_codec.ts";
import type { Key } from "../../value/value.ts";

/** What may be remembered. A transaction that reads more can't write. */
export const MAX_READ_BYTES: number = 32 * 1024 * 1024;
/** What a key takes besides its bytes: a number in an array. */
const BYTES_PER_KEY = 8;
/** What a stretch takes besides its keys. */
const BYTES_PER_STRETCH = 256;
/** What a longer list has stretched is not kept for the next transaction. */
const MAX_SPARE_BYTES = 16 * 1024;

/** Keys from `lower` on and before `upper`; a bound that is undefined is none. */
export interface ReadStretch {
  /** The first key. */
  lower: KeyBound | undefined;
  /** The first key after it. */
  upper: KeyBound | undefined;
}

/** The keys and stretches that were read. */
export class ReadSet {
  /** The encoded keys, one after the other, and maybe one that is only being looked for. */
  readonly keys: ByteWriter = new ByteWriter(256);
  readonly #ends: number[] = [];
  #stretches: ReadStretch[] = [];
  #used = 0;
  #stretchBytes = 0;
  #isFull = false;

  /** Whether more was read than is remembered: nothing is then. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether nothing was read. */
  get isEmpty(): boolean {
    return this.#used === 0 && this.#ends.length === 0 && this.#stretches.length === 0;
  }

  /**
   * Encodes a key at the end of `keys`; returns where it begins. It only counts when it is noted.
   *
   * @throws {TypeError | RangeError} it can't be a key
   */
  encode(key: Key): number {
    const { keys } = this;
    const start = this.#used;
    keys.length = start;
    encodeKey(key, keys);
    if (this.#used === start) return start;
    // An object that passes for bytes may run code of the caller.
    throw new TypeError("Cannot encode key: it has used the transaction while it was read");
  }

  /** Notes that the key was read which was encoded last. */
  note(): void {
    if (this.#isFull) return;
    this.#used = this.keys.length;
    this.#ends.push(this.#used);
    this.#limit();
  }

  /** Notes a stretch, which may still grow; `grown` tells by how much. */
  noteStretch(stretch: ReadStretch): void {
    if (this.#isFull) return;
    this.#stretches.push(stretch);
    this.grown(BYTES_PER_STRETCH);
  }

  /** Counts bytes that stretches take. */
  grown(bytes: number): void {
    this.#stretchBytes += bytes;
    if (!this.#isFull) this.#limit();
  }

  /**
   * What was written after `sequence` and had been read, as far as `memtables` know, or undefined.
   */
  conflictWith(memtables: readonly Memtable[], sequence: number): ConflictCause | undefined {
    const { view, bytes } = this.keys;
    for (const memtable of memtables) {
      let start = 0;
      for (const end of this.#ends) {
        if (memtable.hasNewer(view, start, end, sequence)) {
          const key = bytes.slice(start, end);
          return {
            reason: `another commit has written the key ${shown(key)}, which it has read`,
            key,
          };
        }
        start = end;
      }
      for (const { lower, upper } of this.#stretches) {
        const key = memtable.newerKeyIn(lower, upper, sequence);
        if (key === undefined) continue;
        const range: KeyStretch = {
          ...(lower === undefined ? undefined : { gte: bytesOf(lower) }),
          ...(upper === undefined ? undefined : { lt: bytesOf(upper) }),
        };
        const from = range.gte === undefined ? "the start" : shown(range.gte);
        const to = range.lt === undefined ? "the end" : shown(range.lt);
        return {
          reason: `another commit has written the key ${shown(key)}, ` +
            `and it has scanned from ${from} to ${to}`,
          key,
          range,
        };
      }
    }
    return undefined;
  }

  /** Forgets everything, for another transaction; whether it is worth keeping. */
  clear(): boolean {
    this.#forget();
    this.#isFull = false;
    return this.keys.bytes.length <= MAX_SPARE_BYTES;
  }

  #limit(): void {
    const bytes = this.#used + this.#ends.length * BYTES_PER_KEY + this.#stretchBytes;
    if (bytes <= MAX_READ_BYTES) return;
    this.#isFull = true;
    this.#forget();
  }

  #forget(): void {
    this.#used = 0;
    this.#ends.length = 0;
    if (this.#stretches.length > 0) this.#stretches = [];
    this.#stretchBytes = 0;
  }
}

function bytesOf({ view, length }: KeyBound): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, length).slice();
}

/**
 * A key in a message: what is printable as text, the rest in hexadecimal, and not all of a long
 * one.
 */
function shown(key: Uint8Array): string {
  let text = "";
  for (const byte of key.subarray(0, 48)) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    text += isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return key.length > 48 ? `"${text}..."` : `"${text}"`;
}
