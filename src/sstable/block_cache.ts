/**
 * The block cache of a store, and the memory of its blocks: new blocks are decoded into the memory
 * of dropped ones.
 *
 * If dropped blocks were left to the garbage collector, they would pile up outside of the
 * JavaScript heap until the engine collects everything, to several times the cache (decision 8).
 *
 * A block's memory is used for another one only after the cache has dropped it, and if nobody pins
 * it (block_frame.ts has the states):
 *
 * - Code that uses a block across anything that may decode another one (an `await`, the user's
 *   code, the next move of a merge) pins it and unpins it. If a block is never unpinned, it is lost
 *   as long as other blocks of its slab are in use.
 * - A synchronous search needs no pin: memory that is given back is not written to until the next
 *   block is decoded, and by then the search has made its result or moved on to that block.
 *
 * Spare memory counts towards the cache's capacity, except for a small reserve. If there is too
 * much, for example because blocks of another size are read, the slab with the most of it is
 * dropped, and its cached blocks with it.
 */

import { EntryCache } from "./entry_cache.ts";
import { type CacheEntry, type CacheOwner, WeightedCache } from "../cache/weighted_cache.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { Block, BlockMemory } from "./block.ts";
import type { BlockSlab } from "./block_frame.ts";
import { BlockPool } from "./block_pool.ts";

/**
 * Spare memory that is always kept: a cache that is full, or of capacity 0, turns over in it. One
 * `getMany` pins up to 64 blocks at a time, and with less reserve it spends much of its time on new
 * memory.
 */
const RESERVE_BYTES = 1280 * 1024;
/** A larger block goes to the garbage collector: its cost is mostly that of its bytes. */
const MAX_SPARE_BYTES = 1024 * 1024;

/** The part of the capacity that single entries may take. */
const ENTRY_PART = 1 / 4;
/** The part that may be lent to indexes and filters. */
const LENT_PART = 1 / 2;

/** A cache of decoded blocks that recycles their memory. */
export class BlockCache implements BlockMemory {
  /** The most bytes that its blocks and entries may take together. */
  readonly capacityBytes: number;
  readonly #cache: WeightedCache<Block>;
  /** Made when blocks have to leave: if all of them fit, it would keep what they have. */
  #entries: EntryCache | undefined;
  #owners = 0;
  #lentBytes = 0;
  /** Blocks to decode into. */
  readonly #pool = new BlockPool();

  /** Makes an empty cache; a capacity of 0 keeps nothing. */
  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
    this.#cache = new WeightedCache(capacityBytes, (block) => {
      block.isCached = false;
      block.entry = undefined;
      if (block.pins === 0) this.#pool.give(block);
    });
  }

  /** Bytes that the present blocks and entries take, not counting spare memory. */
  get sizeBytes(): number {
    return this.#cache.sizeBytes + (this.#entries?.memoryBytes ?? 0);
  }

  /** Bytes of spare memory. */
  get spareBytes(): number {
    return this.#pool.spareBytes;
  }

  /**
   * Lookups that were answered, by a block or a kept entry, or joined a load that was under way.
   */
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

  /**
   * Notes that a block was not here. If it is being loaded for somebody else, it is not loaded
   * again.
   */
  miss(isLoading = false): void {
    if (isLoading) this.#cache.hits++;
    else this.#cache.misses++;
  }

  /**
   * Adds a block for an owner's slot, which must be empty. Returns its entry, or undefined if the
   * cache refused it; the caller may then still use the block, unpinned until the next block is
   * decoded.
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

  /** A number for a table that keeps single entries here; no other one gets it. */
  newOwner(): number {
    return ++this.#owners;
  }

  /**
   * Makes `into` show the entry with a key, if it is kept apart from its block, which was just
   * missed. Valid until the next entry is kept.
   */
  showEntry(owner: number, key: DataView, length: number, into: EntryView): boolean {
    if (this.#entries === undefined || !this.#entries.find(owner, key, length, into)) return false;
    this.#cache.misses--;
    this.#cache.hits++;
    return true;
  }

  /** Keeps an entry apart from its block, which had to be loaded for it. */
  keepEntry(owner: number, entry: EntryView): void {
    if (this.#entries !== undefined) this.#entries.add(owner, entry);
    else if (this.#cache.wasFull) this.#makeEntries();
  }

  /**
   * Gives up capacity for indexes and filters, and returns how much: if one of them is missing, a
   * get reads tens of KiB before it can read its block. It does not come back.
   */
  lend(bytes: number): number {
    const lent = Math.min(bytes, Math.floor(this.capacityBytes * LENT_PART) - this.#lentBytes);
    if (lent <= 0) return 0;
    this.#lentBytes += lent;
    this.#resize();
    return lent;
  }

  #resize(): void {
    const entryBytes = this.#entries?.memoryBytes ?? 0;
    this.#cache.resize(this.capacityBytes - this.#lentBytes - entryBytes);
    this.#trim(undefined);
  }

  #makeEntries(): void {
    // Blocks leave the room that entries take, a segment at a time.
    this.#entries = new EntryCache(this.capacityBytes * ENTRY_PART, () => this.#resize());
  }

  /** Removes an entry, for example when its table is deleted. */
  remove(entry: CacheEntry<Block>): void {
    this.#cache.remove(entry);
    this.#trim(undefined);
  }

  /** Keeps a block's memory from being taken until `unpin`. */
  pin(block: Block): void {
    block.pins++;
  }

  /** Unpins a block; the caller must not use it any more. */
  unpin(block: Block): void {
    block.pins--;
    this.giveBack(block);
  }

  /**
   * A block with room for `neededBytes` that nobody uses. It belongs to the caller; undefined if it
   * is too large.
   */
  take(neededBytes: number): Block | undefined {
    if (neededBytes > MAX_SPARE_BYTES) return undefined;
    return this.#pool.take(neededBytes) ?? this.#pool.grow(neededBytes);
  }

  /**
   * Takes back a block unless it is pinned or in the cache. It may be used until the next one is
   * decoded.
   */
  giveBack(block: Block): void {
    if (block.pins > 0 || block.isCached) return;
    this.#pool.give(block);
    this.#trim(undefined);
  }

  /**
   * Drops every block, and keeps none any more. Memory that nobody uses is returned at once, not by
   * the next collection: a program that opens one store after another may never let one happen.
   */
  close(): void {
    this.#entries?.close();
    this.#cache.close();
    this.#pool.close();
  }

  /** Drops spare memory. */
  dropSpare(): void {
    this.#pool.dropSpare();
  }

  /**
   * Retires slabs with spare blocks, except `except`, if there is more spare memory than the cache
   * has room for.
   */
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
