/**
 * The block cache of a store, and the memory of its blocks: what is dropped is decoded into again.
 *
 * Left to the garbage collector, dropped blocks pile up outside of the JavaScript heap until the engine
 * collects everything: random reads over four times the cache took 260 MB on Node and 490 on Bun with a
 * cache of 64. A new buffer a block also costs 2 to 3 microseconds on V8, as much as all checks of it.
 *
 * A block's memory is taken for another one only when the cache has dropped it and nobody pins it:
 *
 * - Whoever looks at a block across anything that may decode another one (an `await`, the user's code,
 *   the next move of a merge) pins it and unpins it. Forgetting to unpin leaves it to the collector.
 * - A synchronous search needs no pin: memory that is given back is not written to until the next block is
 *   decoded, and by then it has made its result or gone on to that block.
 *
 * What waits to be taken counts towards the cache's capacity, but for a small reserve.
 */

import { type CacheEntry, type CacheOwner, WeightedCache } from "../cache/weighted_cache.ts";
import { type Block, blockCapacity, type BlockMemory, nextBlockCapacity } from "./block.ts";

/**
 * Spare memory that is kept in any case: a cache that is full, or of capacity 0, turns over in it. One
 * `getMany` pins up to 64 blocks at a time; with a reserve of 256 KiB a third of its time went into new ones.
 */
const RESERVE_BYTES = 1280 * 1024;
/** A block that is larger goes to the garbage collector: its cost is that of its bytes. */
const MAX_SPARE_BYTES = 1024 * 1024;

/** A cache of decoded blocks that recycles their memory. */
export class BlockCache implements BlockMemory {
  readonly #cache: WeightedCache<Block>;
  /** Blocks to decode into, by the size of their memory. */
  readonly #spare = new Map<number, Block[]>();
  #spareBytes = 0;

  /** Makes an empty cache; a capacity of 0 keeps nothing. */
  constructor(capacityBytes: number) {
    this.#cache = new WeightedCache(capacityBytes, (block) => {
      block.isCached = false;
      if (block.pins === 0) this.#give(block);
    });
  }

  /** The most that its blocks may take together. */
  get capacityBytes(): number {
    return this.#cache.capacityBytes;
  }

  /** Bytes that the present blocks take, not counting spare memory. */
  get sizeBytes(): number {
    return this.#cache.sizeBytes;
  }

  /** Bytes of memory that waits to be taken. */
  get spareBytes(): number {
    return this.#spareBytes;
  }

  /** Lookups that were answered. */
  get hits(): number {
    return this.#cache.hits;
  }

  /** Lookups that had to load. */
  get misses(): number {
    return this.#cache.misses;
  }

  /** Notes a use of a block. */
  hit(entry: CacheEntry<Block>): void {
    this.#cache.hit(entry);
  }

  /** Notes that a block was not here. */
  miss(): void {
    this.#cache.misses++;
  }

  /**
   * Adds a block for an owner's slot, which must be empty. Returns its entry, or undefined where it was
   * not taken; the caller may still look at it then, unpinned until the next block is decoded.
   */
  insert(owner: CacheOwner, slot: number, block: Block): CacheEntry<Block> | undefined {
    block.isCached = true;
    const entry = this.#cache.insert(owner, slot, block, block.sizeBytes);
    // Refused at once, without having been dropped.
    if (entry === undefined && block.isCached) {
      block.isCached = false;
      if (block.pins === 0) this.#give(block);
    }
    this.#trim();
    return entry;
  }

  /** Takes an entry out, as when its table is deleted. */
  remove(entry: CacheEntry<Block>): void {
    this.#cache.remove(entry);
  }

  /** Keeps a block's memory from being taken until `unpin`. */
  pin(block: Block): void {
    block.pins++;
  }

  /** Lets go of a block; the caller must not look at it any more. */
  unpin(block: Block): void {
    if (--block.pins === 0 && !block.isCached) this.#give(block);
  }

  /** A block with room for `neededBytes` that nobody looks at, or undefined. It is the caller's. */
  take(neededBytes: number): Block | undefined {
    if (this.#spareBytes === 0 || neededBytes > MAX_SPARE_BYTES) return undefined;
    // Up to a quarter more than needed: neighbouring blocks differ by an entry or two.
    let capacity = blockCapacity(neededBytes);
    for (let step = 0; step < 3; step++) {
      const block = this.#spare.get(capacity)?.pop();
      if (block !== undefined) {
        this.#spareBytes -= block.sizeBytes;
        return block;
      }
      capacity = nextBlockCapacity(capacity);
    }
    return undefined;
  }

  /** Takes back memory that nobody looks at. */
  #give(block: Block): void {
    const capacity = block.bytes.length;
    const { sizeBytes } = block;
    if (capacity > MAX_SPARE_BYTES || this.#spareBytes + sizeBytes > this.#spareLimit()) return;
    const list = this.#spare.get(capacity);
    if (list === undefined) this.#spare.set(capacity, [block]);
    else list.push(block);
    this.#spareBytes += sizeBytes;
  }

  #spareLimit(): number {
    return Math.max(RESERVE_BYTES, this.#cache.capacityBytes - this.#cache.sizeBytes);
  }

  /** Drops spare memory that the cache has grown into: blocks of another size than are read now. */
  #trim(): void {
    const limit = this.#spareLimit();
    if (this.#spareBytes <= limit) return;
    for (const list of this.#spare.values()) {
      while (list.length > 0 && this.#spareBytes > limit) {
        this.#spareBytes -= list.pop()!.sizeBytes;
      }
      if (this.#spareBytes <= limit) return;
    }
  }
}
