/**
 * The data of bench/scale.ts: which entry is written at which position, and what its value is. Both
 * follow from the position alone, so that every answer can be checked without keeping anything.
 */

import { keyOf, SeededRandom, ValuePool } from "./key_values.ts";

/** How entries come. */
export type ScaleOrder = "seq" | "random";

/** The entries of a run: keys 0 to `entries` - 1, each once. */
export interface ScaleData {
  readonly entries: number;
  readonly valueBytes: number;
  /** Number of the entry that is written at a position. */
  readonly indexAt: (position: number) => number;
  readonly keyOf: (index: number) => string;
  /** Do not modify. */
  readonly valueOf: (index: number) => Uint8Array;
}

/** Bytes of a value: as the issue has it for a sequential load, and as in the other benches. */
export const scaleValueBytes: Readonly<Record<ScaleOrder, number>> = { seq: 20, random: 100 };

const feistelRounds = 4;

/**
 * A random order of the numbers below `entries` that needs no list of them: a Feistel network of
 * four rounds over the next power of 4, walked again where it leaves the range (J. Black, P.
 * Rogaway, "Ciphers with Arbitrary Finite Domains", 2002, https://doi.org/10.1007/3-540-45760-7_9).
 */
export function scatter(entries: number, seed: number): (position: number) => number {
  let halfBits = 1;
  while (4 ** halfBits < entries) halfBits++;
  const halfSize = 2 ** halfBits;
  const mask = halfSize - 1;
  const random = new SeededRandom(seed);
  const keys = Array.from({ length: feistelRounds }, () => random.below(0x1_0000_0000));
  return (position) => {
    let at = position;
    do {
      let left = Math.floor(at / halfSize);
      let right = at & mask;
      for (const key of keys) {
        let mixed = Math.imul(right ^ key, 0x9e3779b1);
        mixed ^= mixed >>> 15;
        mixed = Math.imul(mixed, 0x85ebca77);
        mixed ^= mixed >>> 13;
        const next = (left ^ mixed) & mask;
        left = right;
        right = next;
      }
      at = left * halfSize + right;
    } while (at >= entries);
    return at;
  };
}

/** The data of a run. */
export function scaleData(order: ScaleOrder, entries: number, seed: number): ScaleData {
  const valueBytes = scaleValueBytes[order];
  const values = new ValuePool(seed, valueBytes);
  return {
    entries,
    valueBytes,
    indexAt: order === "seq" ? (position) => position : scatter(entries, seed),
    keyOf,
    valueOf: (index) => values.valueOf(index),
  };
}
