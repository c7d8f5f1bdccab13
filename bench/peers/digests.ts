/**
 * The model that answers are checked against: what was read is summed up to one number while it is
 * measured, and compared with the number that the same reads of a correct store give.
 *
 * A value counts by its length and three of its bytes, a key by its last four characters, each
 * times an odd number that belongs to its position: a wrong, missing, doubled or misplaced answer
 * changes the sum, while the order in which answers arrive (64 in flight) does not.
 */

import { keyLength, keyOf, valueLength, type ValuePool } from "../key_values.ts";

const nothing = 0x5bd1e995;

/** Digest of a value, or of a missing one. */
export function digestValue(value: Uint8Array | null | undefined): number {
  if (value === undefined || value === null) return nothing;
  if (value.length !== valueLength) return ~nothing;
  return value[0]! | (value[37]! << 8) | (value[valueLength - 1]! << 16);
}

/** Digest of a key. */
export function digestKey(key: string): number {
  if (key.length !== keyLength) return nothing;
  return key.charCodeAt(keyLength - 1) | (key.charCodeAt(keyLength - 2) << 8) |
    (key.charCodeAt(keyLength - 3) << 16) | (key.charCodeAt(keyLength - 4) << 24);
}

/** What an answer adds to the sum. */
export function weighted(digest: number, position: number): number {
  return Math.imul(digest, 2 * position + 1);
}

/** Counts and sums up the entries of a scan. */
export class EntrySum {
  count = 0;
  sum = 0;

  /** Adds the next entry. */
  readonly see = (key: string, value: Uint8Array): void => {
    this.sum = (this.sum + weighted(digestKey(key) ^ digestValue(value), this.count)) | 0;
    this.count++;
  };

  /** Throws unless the entries are those of `expected`, in its order. */
  check(expected: EntrySum): void {
    if (this.count !== expected.count) {
      throw new Error(`Wrong answer: ${this.count} entries, expected ${expected.count}`);
    }
    if (this.sum !== expected.sum) {
      throw new Error(`Wrong answer: ${this.count} entries, but not those that were written`);
    }
  }
}

/** The sum over the entries with these numbers, which must be in the order of the scan. */
export function sumOf(indexes: Iterable<number>, values: ValuePool): EntrySum {
  const sum = new EntrySum();
  for (const index of indexes) sum.see(keyOf(index), values.valueOf(index));
  return sum;
}
