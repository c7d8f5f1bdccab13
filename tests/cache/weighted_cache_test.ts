/** The byte-bounded cache: its bound, what its owners are told, and what a scan does to it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CacheEntry, type CacheOwner, WeightedCache } from "../../src/cache/weighted_cache.ts";
import { withSeed } from "../support/seeded.ts";

/** An owner that keeps its entries by slot, as a table does, and counts the calls that it gets. */
class Slots implements CacheOwner {
  readonly cacheId: number;
  readonly entries = new Map<number, CacheEntry<string>>();
  readonly evictions: number[] = [];
  readonly #cache: WeightedCache<string>;

  constructor(cache: WeightedCache<string>, cacheId: number) {
    this.#cache = cache;
    this.cacheId = cacheId;
  }

  evicted(slot: number): void {
    this.evictions.push(slot);
    this.entries.delete(slot);
  }

  put(slot: number, chargeBytes: number): boolean {
    const entry = this.#cache.insert(this, slot, `${this.cacheId}/${slot}`, chargeBytes);
    if (entry !== undefined) this.entries.set(slot, entry);
    return entry !== undefined;
  }

  /** Looks a slot up; what is missing is inserted. Returns whether it was there. */
  use(slot: number, chargeBytes: number): boolean {
    const entry = this.entries.get(slot);
    if (entry === undefined) {
      this.#cache.misses++;
      this.put(slot, chargeBytes);
      return false;
    }
    this.#cache.hit(entry);
    assert.equal(entry.value, `${this.cacheId}/${slot}`);
    return true;
  }

  remove(slot: number): void {
    this.#cache.remove(this.entries.get(slot)!);
    this.entries.delete(slot);
  }

  get chargedBytes(): number {
    let sum = 0;
    for (const entry of this.entries.values()) sum += entry.chargeBytes;
    return sum;
  }
}

test("WeightedCache keeps its byte bound and informs its owners under a random load", () => {
  for (let seed = 1; seed <= 20; seed++) {
    withSeed(seed, (random) => {
      const capacity = 1 + random.below(3000);
      const cache = new WeightedCache<string>(capacity);
      const owners = [1, 2, 3].map((id) => new Slots(cache, id));
      for (let step = 0; step < 3000; step++) {
        const owner = random.pick(owners);
        const slot = random.below(60);
        if (random.below(8) === 0) {
          if (owner.entries.has(slot)) owner.remove(slot);
        } else {
          owner.use(slot, random.below(200));
        }
        assert.ok(cache.sizeBytes <= capacity, `${cache.sizeBytes} of ${capacity} bytes`);
        const charged = owners.reduce((sum, { chargedBytes }) => sum + chargedBytes, 0);
        assert.equal(cache.sizeBytes, charged, `after step ${step}`);
      }
    });
  }
});

test("WeightedCache tells the owner exactly once that an entry was dropped", () => {
  const cache = new WeightedCache<string>(100);
  const owner = new Slots(cache, 1);
  for (let slot = 0; slot < 50; slot++) owner.put(slot, 10);
  const told = owner.evictions.toSorted((a, b) => a - b);
  const present = [...owner.entries.keys()];
  assert.equal(told.length, 40);
  assert.equal(new Set(told).size, 40);
  assert.deepEqual([...told, ...present].toSorted((a, b) => a - b), [...Array(50).keys()]);
});

test("WeightedCache does not keep the value of an entry that it has dropped", () => {
  const cache = new WeightedCache<string>(20);
  const owner = new Slots(cache, 1);
  owner.put(0, 10);
  const removed = owner.entries.get(0)!;
  owner.remove(0);
  owner.put(1, 10);
  const evicted = owner.entries.get(1)!;
  owner.put(2, 10);
  owner.put(3, 10);
  for (const entry of [removed, evicted]) {
    assert.equal(entry.value, undefined);
    assert.equal(entry.owner, undefined);
  }
});

test("WeightedCache does not tell the owner of a removal, and removes once only", () => {
  const cache = new WeightedCache<string>(100);
  const owner = new Slots(cache, 1);
  owner.put(0, 30);
  owner.put(1, 20);
  const entry = owner.entries.get(0)!;
  cache.remove(entry);
  assert.equal(cache.sizeBytes, 20);
  cache.remove(entry);
  assert.equal(cache.sizeBytes, 20);
  for (let slot = 2; slot < 40; slot++) owner.put(slot, 20);
  assert.equal(owner.evictions.includes(0), false);
});

test("WeightedCache refuses an entry that is larger than itself", () => {
  const cache = new WeightedCache<string>(100);
  const owner = new Slots(cache, 1);
  owner.put(0, 60);
  assert.equal(owner.put(1, 101), false);
  assert.deepEqual([...owner.entries.keys()], [0]);
  assert.deepEqual(owner.evictions, []);
});

test("WeightedCache takes an entry that is exactly as large as itself", () => {
  const cache = new WeightedCache<string>(100);
  const owner = new Slots(cache, 1);
  assert.equal(owner.put(0, 100), true);
  assert.equal(cache.sizeBytes, 100);
});

test("WeightedCache of capacity 0 keeps nothing", () => {
  const cache = new WeightedCache<string>(0);
  const owner = new Slots(cache, 1);
  assert.equal(owner.put(0, 1), false);
  assert.equal(owner.use(0, 1), false);
  assert.equal(cache.sizeBytes, 0);
});

test("WeightedCache keeps a hot set during a scan of ten times its capacity", () => {
  const cache = new WeightedCache<string>(1000);
  const hot = new Slots(cache, 1);
  const scanned = new Slots(cache, 2);
  for (let round = 0; round < 5; round++) for (let slot = 0; slot < 50; slot++) hot.use(slot, 10);
  for (let slot = 0; slot < 1000; slot++) scanned.use(slot, 10);
  const kept = [...hot.entries.keys()].length;
  assert.ok(kept >= 45, `${kept} of 50 hot entries survived the scan`);
});

test("WeightedCache of entries larger than a tenth of it keeps a hot set during a scan", () => {
  const cache = new WeightedCache<string>(1000);
  const hot = new Slots(cache, 1);
  const scanned = new Slots(cache, 2);
  for (let round = 0; round < 5; round++) for (let slot = 0; slot < 4; slot++) hot.use(slot, 150);
  for (let slot = 0; slot < 100; slot++) scanned.use(slot, 150);
  assert.equal(hot.entries.size, 4);
});

test("WeightedCache lets a new hot set replace an old one", () => {
  const cache = new WeightedCache<string>(1000);
  const old = new Slots(cache, 1);
  const young = new Slots(cache, 2);
  for (let round = 0; round < 5; round++) for (let slot = 0; slot < 100; slot++) old.use(slot, 10);
  let hits = 0;
  for (let round = 0; round < 20; round++) {
    hits = 0;
    for (let slot = 0; slot < 80; slot++) hits += young.use(slot, 10) ? 1 : 0;
  }
  assert.equal(hits, 80);
});

test("WeightedCache admits to its main queue an entry that comes back soon after it was dropped", () => {
  const cache = new WeightedCache<string>(1000);
  const hot = new Slots(cache, 1);
  const scanned = new Slots(cache, 2);
  for (let round = 0; round < 3; round++) for (let slot = 0; slot < 95; slot++) hot.use(slot, 10);
  for (let slot = 0; slot < 20; slot++) scanned.use(slot, 10);
  assert.equal(scanned.entries.has(0), false);
  scanned.use(0, 10);
  for (let slot = 20; slot < 60; slot++) scanned.use(slot, 10);
  assert.equal(scanned.entries.has(0), true, "the scan has washed it out again");
  assert.equal(scanned.entries.has(20), false);
});

test("WeightedCache counts hits and misses as its owners report them", () => {
  const cache = new WeightedCache<string>(100);
  const owner = new Slots(cache, 1);
  owner.use(0, 10);
  owner.use(0, 10);
  owner.use(1, 10);
  assert.deepEqual([cache.hits, cache.misses], [1, 2]);
});

test("WeightedCache keeps no trace of entries that are inserted and removed without end", () => {
  const cache = new WeightedCache<string>(1_000_000);
  const owner = new Slots(cache, 1);
  for (let slot = 0; slot < 20; slot++) owner.put(slot, 10);
  for (let round = 0; round < 5000; round++) {
    owner.put(100 + round, 10);
    owner.remove(100 + round);
    assert.ok(cache.queueLength <= 100, `${cache.queueLength} places taken by 20 entries`);
  }
  assert.deepEqual([...owner.entries.keys()], [...Array(20).keys()]);
  assert.deepEqual(owner.evictions, []);
});

test("WeightedCache keeps the order of its queues when it forgets removed entries", () => {
  const cache = new WeightedCache<string>(3000);
  const owner = new Slots(cache, 1);
  for (let slot = 0; slot < 300; slot++) owner.put(slot, 10);
  for (let slot = 0; slot < 300; slot++) if (slot % 10 !== 0) owner.remove(slot);
  assert.ok(cache.queueLength <= 100, `${cache.queueLength} places taken by 30 entries`);
  for (let slot = 1000; owner.evictions.length < 30; slot++) owner.put(slot, 10);
  assert.deepEqual(owner.evictions, Array.from({ length: 30 }, (_, i) => i * 10));
});

test("WeightedCache borrows capacity before something leaves, as far as it gets it", () => {
  let left = 25;
  const cache = new WeightedCache<string>(100, undefined, (bytes) => {
    const given = Math.min(bytes, left);
    left -= given;
    return given;
  });
  const slots = new Slots(cache, 1);
  for (let slot = 0; slot < 12; slot++) slots.put(slot, 10);
  assert.deepEqual(slots.evictions, []);
  assert.equal(cache.capacityBytes, 120);
  slots.put(12, 10);
  assert.equal(cache.capacityBytes, 125);
  assert.equal(slots.evictions.length, 1);
  assert.ok(cache.wasFull);
});
