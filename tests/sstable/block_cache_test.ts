/** The block cache: when memory is given to another block, and how much of it waits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CacheOwner } from "../../src/cache/weighted_cache.ts";
import { DecodeError } from "../../src/errors.ts";
import { Block } from "../../src/sstable/block.ts";
import { blockCapacity, nextBlockCapacity } from "../../src/sstable/block_frame.ts";
import { BlockCache } from "../../src/sstable/block_cache.ts";
import { bytesOf, valueOfLength } from "../support/entries.ts";
import { payloadOf } from "../support/tables.ts";

const owner: CacheOwner = { cacheId: 1, evicted: () => {} };

function blockIn(cache: BlockCache, valueLength: number): Block {
  const payload = payloadOf([{ key: bytesOf("key"), value: valueOfLength(valueLength, 1) }]);
  return Block.decode(payload, 0, payload.length, cache);
}

// Blocks are compared by `===`: an assertion that fails would print their slabs, byte for byte.

test("BlockCache gives the memory of a dropped block to the next one", () => {
  const cache = new BlockCache(25_000);
  const first = blockIn(cache, 10_000);
  assert.notEqual(cache.insert(owner, 0, first), undefined);
  cache.insert(owner, 1, blockIn(cache, 10_000));
  const third = blockIn(cache, 10_000);
  const before = cache.spareBytes;
  cache.insert(owner, 2, third);
  const { spareBytes } = cache;
  assert.equal(spareBytes, before + first.sizeBytes);
  assert.ok(blockIn(cache, 9900) === first);
  assert.equal(cache.spareBytes, spareBytes - first.sizeBytes);
});

test("BlockCache does not give away the memory of a pinned block before it is unpinned", () => {
  const cache = new BlockCache(0);
  const block = blockIn(cache, 1000);
  cache.pin(block);
  cache.pin(block);
  assert.equal(cache.insert(owner, 0, block), undefined);
  const spareBytes = cache.spareBytes;
  cache.unpin(block);
  cache.giveBack(block);
  assert.equal(cache.spareBytes, spareBytes);
  cache.unpin(block);
  assert.equal(cache.spareBytes, spareBytes + block.sizeBytes);
  assert.ok(cache.take(1000) === block);
});

test("BlockCache keeps the memory of an unpinned block that is cached", () => {
  const cache = new BlockCache(100_000);
  const block = blockIn(cache, 1000);
  cache.pin(block);
  const entry = cache.insert(owner, 0, block)!;
  const spareBytes = cache.spareBytes;
  cache.unpin(block);
  cache.giveBack(block);
  assert.equal(cache.spareBytes, spareBytes);
  cache.remove(entry);
  assert.ok(cache.take(1000) === block);
});

test("BlockCache gives blocks that are large enough, and at most a quarter larger", () => {
  const cache = new BlockCache(0);
  const block = blockIn(cache, 1000);
  cache.insert(owner, 0, block);
  for (const needed of [700, 1200]) assert.ok(cache.take(needed)!.slab !== block.slab, `${needed}`);
  assert.ok(cache.take(900) === block);
});

test("BlockCache takes back a block that turned out to be damaged", () => {
  const cache = new BlockCache(0);
  const payload = payloadOf([{ key: bytesOf("key"), value: valueOfLength(1000, 1) }]);
  cache.giveBack(cache.take(payload.length + 12)!);
  const { spareBytes } = cache;
  const damaged = payload.slice();
  damaged[3] = 200;
  assert.throws(() => Block.decode(damaged, 0, damaged.length, cache), DecodeError);
  assert.equal(cache.spareBytes, spareBytes);
});

test("BlockCache drops its blocks of a slab that makes room for blocks of another size", () => {
  const capacity = 4_000_000;
  const cache = new BlockCache(capacity);
  const dropped = new Set<number>();
  const first: CacheOwner = { cacheId: 1, evicted: (slot) => dropped.add(slot) };
  const entries = [];
  for (let slot = 0; cache.sizeBytes < capacity * 0.9; slot++) {
    entries.push(cache.insert(first, slot, blockIn(cache, 10_000))!);
  }
  // One block of each slab stays: nothing of their memory could go to the collector.
  const slabs = new Set(entries.map(({ value }) => value!.slab));
  assert.ok(slabs.size > 5);
  for (const entry of entries) if (!slabs.delete(entry.value!.slab)) cache.remove(entry);
  assert.equal(dropped.size, 0);
  const second: CacheOwner = { cacheId: 2, evicted: () => {} };
  for (let slot = 0; slot < 100; slot++) {
    cache.insert(second, slot, blockIn(cache, 30_000));
    assert.ok(cache.sizeBytes + cache.spareBytes <= capacity + 1280 * 1024);
  }
  assert.ok(dropped.size > 0, "slabs with a block in use were kept");
});

test("BlockCache holds no more memory than its capacity and a reserve, whatever it is used for", () => {
  const capacity = 4_000_000;
  const reserve = 1280 * 1024;
  const cache = new BlockCache(capacity);
  let peak = 0;
  for (const length of [1000, 30_000, 2000, 100_000, 500]) {
    const entries = [];
    for (let slot = 0; slot < 6_000_000 / length; slot++) {
      const entry = cache.insert(owner, slot, blockIn(cache, length));
      if (entry !== undefined) entries.push(entry);
      assert.ok(cache.sizeBytes <= capacity);
      assert.ok(cache.sizeBytes + cache.spareBytes <= capacity + reserve);
      peak = Math.max(peak, cache.sizeBytes + cache.spareBytes);
    }
    // As when a compaction has replaced the table: its memory is there for the blocks of another
    // one.
    for (const entry of entries) cache.remove(entry);
    assert.equal(cache.sizeBytes, 0);
    assert.ok(cache.spareBytes > capacity / 2 && cache.spareBytes <= capacity);
  }
  assert.ok(peak > capacity * 0.9);
});

test("BlockCache leaves blocks above 1 MiB to the garbage collector", () => {
  const cache = new BlockCache(0);
  assert.equal(cache.take(1_100_000), undefined);
  cache.insert(owner, 0, blockIn(cache, 1_100_000));
  assert.equal(cache.spareBytes, 0);
});

test("blockCapacity is large enough, wastes at most a sixteenth, and grows in steps", () => {
  let capacity = blockCapacity(1);
  for (let bytes = 1; bytes < 70_000; bytes += 1 + (bytes >>> 6)) {
    const rounded = blockCapacity(bytes);
    assert.ok(rounded >= bytes && rounded % 4 === 0);
    assert.ok(rounded - bytes < Math.max(64, bytes / 16));
    assert.equal(blockCapacity(rounded), rounded);
    while (capacity < rounded) capacity = nextBlockCapacity(capacity);
    assert.equal(capacity, rounded);
  }
});

test("BlockCache lends at most half of its capacity, and its blocks leave for it", () => {
  const cache = new BlockCache(40_000);
  let slot = 0;
  for (; slot < 6; slot++) cache.insert(owner, slot, blockIn(cache, 9000));
  const before = cache.sizeBytes;
  assert.equal(cache.lend(5000), 5000);
  assert.equal(cache.lend(1_000_000), 15_000);
  assert.equal(cache.lend(1), 0);
  assert.ok(before > 20_000 && cache.sizeBytes <= 20_000, `${before}, then ${cache.sizeBytes}`);
});
