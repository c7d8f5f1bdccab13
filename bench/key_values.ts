/**
 * The data of the benches: seeded random numbers, 16-byte keys, and 100-byte values that compress
 * to about half. The same seed gives the same data on every runtime.
 */

/** Bytes of a key: 16 decimal digits, so that the order of keys is the order of their numbers. */
export const keyLength = 16;

/** Bytes of a value. */
export const valueLength = 100;

/** Distinct values; entry `i` has value `i` modulo this, 1 MB of data in all. */
const valueCount = 10_007;

/**
 * Seeded random numbers: xorshift with shifts 13, 17, 5 over 32 bits (G. Marsaglia, "Xorshift
 * RNGs", 2003, https://doi.org/10.18637/jss.v008.i14). Fast and repeatable, not secret.
 */
export class SeededRandom {
  #state: number;

  /** Makes a generator; seeds are taken modulo 2^32, and 0 counts as 1. */
  constructor(seed: number) {
    this.#state = (seed >>> 0) || 1;
  }

  /** A whole number in [0, limit); limit is at most 2^32. */
  below(limit: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return Math.floor((this.#state / 0x1_0000_0000) * limit);
  }
}

/** The key of entry `index`. */
export function keyOf(index: number): string {
  return String(index).padStart(keyLength, "0");
}

/** A key that is never stored, and sorts after those of the ten entries around `index`. */
export function missingKeyOf(index: number): string {
  return `${keyOf(index).slice(0, keyLength - 1)}x`;
}

/** Values of any length, made of those of a `ValuePool`, one after another. */
export class LargeValuePool {
  readonly #bytes: Uint8Array;
  readonly #length: number;

  /** Makes the values of a seed. */
  constructor(seed: number, length: number) {
    const pool = new ValuePool(seed);
    const count = valueCount + Math.ceil(length / valueLength);
    this.#bytes = new Uint8Array(count * valueLength);
    for (let i = 0; i < count; i++) this.#bytes.set(pool.valueOf(i), i * valueLength);
    this.#length = length;
  }

  /** The value of entry `index` after it was overwritten `generation` times. Do not modify. */
  valueOf(index: number, generation = 0): Uint8Array {
    const start = (index * 7 + generation * 1009) % valueCount * valueLength;
    return this.#bytes.subarray(start, start + this.#length);
  }
}

/** The values, made once. */
export class ValuePool {
  readonly #values: Uint8Array[] = [];

  /**
   * Makes the values of a seed, of an even length: each is half as many random printable
   * characters, twice.
   */
  constructor(seed: number, length: number = valueLength) {
    const random = new SeededRandom(seed);
    const half = length / 2;
    // Views of one buffer: 10,007 buffers would take 4 MB, which looks like memory of the store.
    const all = new Uint8Array(valueCount * length);
    for (let i = 0; i < valueCount; i++) {
      const value = all.subarray(i * length, (i + 1) * length);
      for (let at = 0; at < half; at++) value[at] = 32 + random.below(95);
      value.copyWithin(half, 0, half);
      this.#values.push(value);
    }
  }

  /** The value of entry `index` after it was overwritten `generation` times. Do not modify. */
  valueOf(index: number, generation = 0): Uint8Array {
    return this.#values[(index + generation * 1009) % valueCount]!;
  }
}
