/**
 * The cache (S3-FIFO): a hit, and a miss that inserts and drops another entry, with nothing after
 * it. `Map` with its entries moved to the end, the usual LRU in JavaScript, is the comparison.
 *
 * Every cached get is a hit; a get over more than the cache is a miss, and what the cache costs
 * then has to stay small against reading and decompressing a block (20-40 microseconds).
 */

import { type CacheEntry, type CacheOwner, WeightedCache } from "../../src/cache/weighted_cache.ts";
import type { MicroCase } from "./micro_case.ts";
import { shuffledNumbers } from "./micro_data.ts";

const SLOTS = 4096;
const CHARGE_BYTES = 16 * 1024;

/** As a table keeps its blocks: an entry a slot, looked up by its number. */
class SlotOwner implements CacheOwner {
  readonly cacheId: number;
  readonly slots: (CacheEntry<object> | undefined)[] = new Array(SLOTS).fill(undefined);
  evictions = 0;

  constructor(cacheId: number) {
    this.cacheId = cacheId;
  }

  evicted(slot: number): void {
    this.slots[slot] = undefined;
    this.evictions++;
  }
}

/** The cases. */
export function cacheCases(): MicroCase[] {
  const order = shuffledNumbers(SLOTS);
  const block = {};
  const roomy = new WeightedCache<object>(SLOTS * CHARGE_BYTES);
  const held = new SlotOwner(1);
  for (let slot = 0; slot < SLOTS; slot++) {
    held.slots[slot] = roomy.insert(held, slot, block, CHARGE_BYTES);
  }
  const tight = new WeightedCache<object>(SLOTS / 4 * CHARGE_BYTES);
  const passing = new SlotOwner(2);
  const lru = new Map<number, object>();
  const lruTouch = (slot: number): number => {
    const found = lru.get(slot);
    if (found === undefined) return 0;
    lru.delete(slot);
    lru.set(slot, found);
    return CHARGE_BYTES;
  };
  for (let slot = 0; slot < SLOTS; slot++) lru.set(slot, block);
  return [
    {
      name: "hit",
      operations: SLOTS,
      expected: SLOTS * CHARGE_BYTES,
      run: () => {
        let sum = 0;
        for (let i = 0; i < SLOTS; i++) {
          const entry = held.slots[order[i]!];
          if (entry === undefined) continue;
          roomy.hit(entry);
          sum += entry.chargeBytes;
        }
        return sum;
      },
    },
    {
      // Four times as many slots as fit, in a cycle: each one is gone when it comes again.
      name: "miss, insert, and drop another one",
      operations: SLOTS,
      expected: SLOTS,
      run: () => {
        let sum = 0;
        for (let i = 0; i < SLOTS; i++) {
          const slot = order[i]!;
          const entry = passing.slots[slot];
          if (entry !== undefined) tight.remove(entry);
          passing.slots[slot] = tight.insert(passing, slot, block, CHARGE_BYTES);
          if (passing.slots[slot] !== undefined) sum++;
        }
        return sum;
      },
    },
    {
      name: "comparison: hit in a Map as LRU",
      operations: SLOTS,
      expected: SLOTS * CHARGE_BYTES,
      run: () => {
        let sum = 0;
        for (let i = 0; i < SLOTS; i++) sum += lruTouch(order[i]!);
        return sum;
      },
    },
  ];
}
