/**
 * Remembers what a transaction has read: keys, present or missing, and the ranges of keys that it
 * has scanned. The transaction conflicts with every commit since its start that has written to one
 * of them.
 *
 * The conflict check looks for later commits in the memtables (state/recent_memtables.ts), key by
 * key. For a range it walks each memtable until it finds a key newer than the transaction. It
 * passes no more older keys than the scan itself has passed.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { shownKey } from "../../contract/shown_key.ts";
import type { ConflictCause, KeyStretch } from "../../errors.ts";
import type { KeyBound, Memtable } from "../../memtable/memtable.ts";
import { encodeKey } from "../../value/key_codec.ts";
import type { Key } from "../../value/value.ts";

/** The most bytes that a set remembers. A transaction that reads more cannot write. */
export const MAX_READ_BYTES: number = 32 * 1024 * 1024;
/** Memory for a key, in addition to its bytes: a number in an array. */
const BYTES_PER_KEY = 8;
/** Memory for a range, in addition to its keys. */
const BYTES_PER_STRETCH = 256;
/** The next transaction reuses the memory of the list only up to this size. */
const MAX_SPARE_BYTES = 16 * 1024;

/** Keys from `lower` on and before `upper`. An undefined bound means that there is no limit. */
export interface ReadStretch {
  /** The first key. */
  lower: KeyBound | undefined;
  /** The first key after the range. */
  upper: KeyBound | undefined;
}

/** The keys and ranges that a transaction has read. */
export class ReadSet {
  /**
   * The encoded keys, one after the other. The last one may be only the key of a running lookup.
   */
  readonly keys: ByteWriter = new ByteWriter(256);
  readonly #ends: number[] = [];
  #stretches: ReadStretch[] = [];
  #used = 0;
  #stretchBytes = 0;
  #isFull = false;

  /** Whether the transaction has read more than the set can hold. The set is then empty. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Whether the set holds nothing. */
  get isEmpty(): boolean {
    return this.#used === 0 && this.#ends.length === 0 && this.#stretches.length === 0;
  }

  /**
   * Encodes a key at the end of `keys` and returns the offset of its first byte. The key counts
   * only after `note`.
   *
   * @throws {TypeError | RangeError} the value cannot be a key
   */
  encode(key: Key): number {
    const { keys } = this;
    const start = this.#used;
    keys.length = start;
    encodeKey(key, keys);
    if (this.#used === start) return start;
    // An object that looks like bytes may run code of the caller.
    throw new TypeError("Cannot encode key: it has used the transaction while it was read");
  }

  /** Notes that the transaction has read the key that was encoded last. */
  note(): void {
    if (this.#isFull) return;
    this.#used = this.keys.length;
    this.#ends.push(this.#used);
    this.#limit();
  }

  /** Notes a range, which may still grow. The scan calls `grown` when it does. */
  noteStretch(stretch: ReadStretch): void {
    if (this.#isFull) return;
    this.#stretches.push(stretch);
    this.grown(BYTES_PER_STRETCH);
  }

  /** Counts more bytes for the keys of ranges. */
  grown(bytes: number): void {
    this.#stretchBytes += bytes;
    if (!this.#isFull) this.#limit();
  }

  /**
   * Looks in `memtables` for a key that was written after `sequence` and that the transaction has
   * read. Returns undefined if there is none.
   */
  conflictWith(memtables: readonly Memtable[], sequence: number): ConflictCause | undefined {
    const { view, bytes } = this.keys;
    for (const memtable of memtables) {
      let start = 0;
      for (const end of this.#ends) {
        if (memtable.hasNewer(view, start, end, sequence)) {
          const key = bytes.slice(start, end);
          return {
            reason: `another commit has written the key ${shownKey(key)}, which it has read`,
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
        const from = range.gte === undefined ? "the start" : shownKey(range.gte);
        const to = range.lt === undefined ? "the end" : shownKey(range.lt);
        return {
          reason: `another commit has written the key ${shownKey(key)}, ` +
            `and it has scanned from ${from} to ${to}`,
          key,
          range,
        };
      }
    }
    return undefined;
  }

  /**
   * Forgets everything, for the next transaction. Returns whether the set is small enough to keep.
   */
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
