/**
 * The block cache of a store, and the memory of its blocks: what is dropped is decoded into again.
 *
 * Left to the garbage collector, dropped blocks pile up outside of the JavaScript heap until the engine
 * collects everything: random reads over four times the cache took 260 MB on Node and 490 on Bun with a
 * cache of 64.
 *
 * A block's memory is taken for another one only when the cache has dropped it and nobody pins it
 * (block_frame.ts has the states):
 *
 * - Whoever looks at a block across anything that may decode another one (an `await`, the user's code,
 *   the next move of a merge) pins it and unpins it. What is never unpinned is lost for as long as the slab
 *   that it is a part of has other blocks in use.
 * - A synchronous search needs no pin: memory that is given back is not written to until the next block is
 *   decoded, and by then it has made its result or gone on to that block.
 *
 * What waits to be taken counts towards the cache's capacity, but for a small reserve. Where it is too much,
 * as when blocks of another size are read now, the slab with the most of it goes, and what the cache holds of
 * that slab.
 */

import { type CacheEntry, type CacheOwner, WeightedCache } from "../cache/weighted_cache.ts";
import type { Block, BlockMemory } from "./block.ts";
import type { BlockSlab } from "./block_frame.ts";
import { BlockPool } from "./block_pool.ts";

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
  /** Blocks to decode into. */
  readonly #pool = new BlockPool();

  /** Makes an empty cache; a capacity of 0 keeps nothing. */
  constructor(capacityBytes: number) {
    this.#cache = new WeightedCache(capacityBytes, (block) => {
      block.isCached = false;
      block.entry = undefined;
      if (block.pins === 0) this.#pool.give(block);
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
    return this.#pool.spareBytes;
  }

  /** Lookups that were answered, or joined a load that was under way. */
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

  /** Notes that a block was not here; one that is being loaded for somebody else is not loaded again. */
  miss(isLoading = false): void {
    if (isLoading) this.#cache.hits++;
    else this.#cache.misses++;
  }

  /**
   * Adds a block for an owner's slot, which must be empty. Returns its entry, or undefined where it was
   * not taken; the caller may still look at it then, unpinned until the next block is decoded.
   */
  insert(owner: CacheOwner, slot: number, block: Block): CacheEntry<Block> | undefined {
    block.isCached = true;
    const entry = this.#cache.insert(owner, slot, block, block.sizeBytes);
    if (entry !== undefined) {
      block.entry = entry;
    } else if (block.isCached) {
      // Refused at once, without having been dropped.
      block.isCached = false;
      this.giveBack(block);
    }
    this.#trim(block.slab);
    return entry;
  }

  /** Takes an entry out, as when its table is deleted. */
  remove(entry: CacheEntry<Block>): void {
    this.#cache.remove(entry);
    this.#trim(undefined);
  }

  /** Keeps a block's memory from being taken until `unpin`. */
  pin(block: Block): void {
    block.pins++;
  }

  /** Lets go of a block; the caller must not look at it any more. */
  unpin(block: Block): void {
    block.pins--;
    this.giveBack(block);
  }

  /** A block with room for `neededBytes` that nobody looks at. It is the caller's; undefined if it is too large. */
  take(neededBytes: number): Block | undefined {
    if (neededBytes > MAX_SPARE_BYTES) return undefined;
    return this.#pool.take(neededBytes) ?? this.#pool.grow(neededBytes);
  }

  /** Takes a block back unless it is pinned or in the cache. It may be looked at until the next one is decoded. */
  giveBack(block: Block): void {
    if (block.pins > 0 || block.isCached) return;
    this.#pool.give(block);
    this.#trim(undefined);
  }

  /**
   * Drops every block, and keeps none any more. Memory that nobody looks at is given back at once, not by the next
   * collection: a program that opens one store after the other may not let one happen.
   */
  close(): void {
    this.#cache.close();
    this.#pool.close();
  }

  /** Gives back spare memory. */
  dropSpare(): void {
    this.#pool.dropSpare();
  }

  /** Retires slabs with spare blocks, but `except`, where more is spare than the cache has room for. */
  #trim(except: BlockSlab<Block> | undefined): void {
    const pool = this.#pool;
    while (pool.spareBytes > this.#spareLimit()) {
      const slab = pool.sparsest(except);
      if (slab === undefined) return;
      pool.retire(slab);
      for (const { entry } of slab.blocks) if (entry !== undefined) this.#cache.drop(entry);
    }
  }

  #spareLimit(): number {
    return Math.max(RESERVE_BYTES, this.#cache.capacityBytes - this.#cache.sizeBytes);
  }
}
