/** A small seeded generator, so that a failure can be repeated from its seed. */

/** Draws numbers from a seed. */
export class Random {
  #state: number;

  /** Starts a sequence; equal seeds give equal sequences. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** An unsigned 32-bit number. */
  uint32(): number {
    // The mulberry32 generator (Tommy Ettinger, public domain): one multiply-xorshift a draw.
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** An integer from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return this.uint32() % limit;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
