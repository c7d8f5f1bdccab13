/**
 * Remembers which entries a cache has recently dropped from its small queue: the ghost queue of
 * S3-FIFO (source: weighted_cache.ts), as a table in which a newer ghost may replace an older one.
 * It finds nearly all of the last 1,000 ghosts and fewer of older ones. In return it takes next to
 * no time, where a set took a share of random reads that could be measured.
 */

/** A power of 2. */
const PLACES = 8192;
/** Slots of one owner are below this in the keys. */
const SLOT_RANGE = 0x100_0000;
/** No key. */
const EMPTY = -1;

/** A lossy set of the last few thousand pairs of owner and slot. */
export class GhostTable {
  /** Made with the first ghost: a cache that has room for everything needs none. */
  #keys: Float64Array | undefined;

  /** Remembers a pair. */
  add(cacheId: number, slot: number): void {
    this.#keys ??= new Float64Array(PLACES).fill(EMPTY);
    this.#keys[placeOf(cacheId, slot)] = cacheId * SLOT_RANGE + slot;
  }

  /** Forgets every pair. */
  clear(): void {
    this.#keys = undefined;
  }

  /** Forgets a pair; returns whether it was remembered. */
  delete(cacheId: number, slot: number): boolean {
    const keys = this.#keys;
    if (keys === undefined) return false;
    const place = placeOf(cacheId, slot);
    if (keys[place] !== cacheId * SLOT_RANGE + slot) return false;
    keys[place] = EMPTY;
    return true;
  }
}

/**
 * Two rounds of multiplicative hashing: adjacent slots, and equal slots of adjacent owners, get
 * different places.
 */
function placeOf(cacheId: number, slot: number): number {
  const hash = Math.imul(cacheId, 0x9e3779b1) + slot | 0;
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 19;
}
