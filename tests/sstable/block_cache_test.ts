/** The block cache: when memory is given to another block, and how much of it waits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CacheOwner } from "../../src/cache/weighted_cache.ts";
import { Block, blockCapacity, nextBlockCapacity } from "../../src/sstable/block.ts";
import { BlockCache } from "../../src/sstable/block_cache.ts";
import { bytesOf, valueOfLength } from "../support/entries.ts";
import { payloadOf } from "../support/tables.ts";

const owner: CacheOwner = { cacheId: 1, evicted: () => {} };

function blockIn(cache: BlockCache, valueLength: number): Block {
  const payload = payloadOf([{ key: bytesOf("key"), value: valueOfLength(valueLength, 1) }]);
  return Block.decode(payload, 0, payload.length, cache);
}

test("BlockCache gives the memory of a dropped block to the next one", () => {
  const cache = new BlockCache(25_000);
  const first = blockIn(cache, 10_000);
  assert.notEqual(cache.insert(owner, 0, first), undefined);
  assert.equal(cache.spareBytes, 0);
  for (let slot = 1; slot < 3; slot++) cache.insert(owner, slot, blockIn(cache, 10_000));
  assert.equal(cache.spareBytes, first.sizeBytes);
  assert.equal(blockIn(cache, 9900), first);
  assert.equal(cache.spareBytes, 0);
});

test("BlockCache does not give away the memory of a pinned block before it is unpinned", () => {
  const cache = new BlockCache(0);
  const block = blockIn(cache, 1000);
  cache.pin(block);
  cache.pin(block);
  assert.equal(cache.insert(owner, 0, block), undefined);
  assert.notEqual(blockIn(cache, 1000), block);
  cache.unpin(block);
  assert.equal(cache.take(1000), undefined);
  cache.unpin(block);
  assert.equal(cache.take(1000), block);
});

test("BlockCache keeps the memory of an unpinned block that is cached", () => {
  const cache = new BlockCache(100_000);
  const block = blockIn(cache, 1000);
  cache.pin(block);
  const entry = cache.insert(owner, 0, block)!;
  cache.unpin(block);
  assert.equal(cache.take(1000), undefined);
  cache.remove(entry);
  assert.equal(cache.take(1000), block);
});

test("BlockCache gives no block for what it has no room for, and none that is far too large", () => {
  const cache = new BlockCache(0);
  cache.insert(owner, 0, blockIn(cache, 1000));
  assert.equal(cache.take(1200), undefined);
  assert.equal(cache.take(700), undefined);
  assert.ok(cache.take(900) !== undefined);
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
    // As when a compaction has replaced the table: its memory is there for the blocks of another one.
    for (const entry of entries) cache.remove(entry);
    assert.equal(cache.sizeBytes, 0);
    assert.ok(cache.spareBytes > capacity / 2 && cache.spareBytes <= capacity);
  }
  assert.ok(peak > capacity * 0.9);
});

test("BlockCache leaves blocks above 1 MiB to the garbage collector", () => {
  const cache = new BlockCache(0);
  cache.insert(owner, 0, blockIn(cache, 1_100_000));
  assert.equal(cache.spareBytes, 0);
});

test("blockCapacity has room, wastes a sixteenth at most, and goes up step by step", () => {
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
