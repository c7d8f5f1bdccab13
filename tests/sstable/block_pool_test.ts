/** The memory of blocks that nobody looks at: slabs, and how they are given up. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Block } from "../../src/sstable/block.ts";
import { BlockPool } from "../../src/sstable/block_pool.ts";

/** Takes all blocks of the next slabs. */
function takeSlabs(pool: BlockPool, neededBytes: number, count: number): Block[] {
  const blocks: Block[] = [];
  for (let slabs = 0; slabs < count; slabs++) {
    blocks.push(pool.grow(neededBytes));
    for (let block = pool.take(neededBytes); block !== undefined; block = pool.take(neededBytes)) {
      blocks.push(block);
    }
  }
  return blocks;
}

test("BlockPool cuts slabs into blocks that do not overlap", () => {
  const pool = new BlockPool();
  for (const neededBytes of [100, 5000, 9000, 200_000, 1_000_000]) {
    const blocks = takeSlabs(pool, neededBytes, 9);
    assert.equal(new Set(blocks.map(({ slab }) => slab)).size, 9);
    assert.equal(pool.spareBytes, 0);
    const taken = new Map<ArrayBufferLike, number>();
    for (const { bytes, start, capacity } of blocks) {
      assert.ok(capacity >= neededBytes && start % 4 === 0);
      for (let at = start; at < start + capacity; at += 50) {
        assert.equal(bytes[at], 0, "given to another block");
        bytes[at] = 1;
      }
      taken.set(bytes.buffer, (taken.get(bytes.buffer) ?? 0) + capacity);
    }
    for (const [buffer, bytes] of taken) assert.equal(buffer.byteLength, bytes);
  }
});

test("BlockPool begins with little memory, and makes slabs of a quarter of a MiB in the end", () => {
  const pool = new BlockPool();
  const lengths = Array.from({ length: 12 }, () => takeSlabs(pool, 9000, 1).length);
  assert.deepEqual(lengths, [1, 1, 2, 4, 8, 16, 28, 28, 28, 28, 28, 28]);
  assert.equal(takeSlabs(pool, 200_000, 1).length, 1);
  assert.equal(takeSlabs(pool, 200_000, 1).length, 1);
});

test("BlockPool names the slab with the largest share of spare blocks, and forgets it", () => {
  const pool = new BlockPool();
  takeSlabs(pool, 9000, 7);
  const blocks = takeSlabs(pool, 9000, 3);
  const [first, second, third] = [...new Set(blocks.map(({ slab }) => slab))];
  assert.equal(pool.sparsest(undefined), undefined);
  for (const block of first!.blocks.slice(0, 2)) pool.give(block);
  for (const block of second!.blocks.slice(0, 5)) pool.give(block);
  for (const block of third!.blocks.slice(0, 3)) pool.give(block);
  assert.ok(pool.sparsest(undefined) === second);
  assert.ok(pool.sparsest(second) === third);
  pool.retire(second!);
  assert.equal(pool.spareBytes, 5 * blocks[0]!.sizeBytes);
  assert.ok(pool.sparsest(undefined) === third);
  for (const block of second!.blocks.slice(5)) pool.give(block);
  assert.equal(pool.spareBytes, 5 * blocks[0]!.sizeBytes, "a retired slab is not taken back");
  for (let n = 0; n < 5; n++) assert.ok(pool.take(9000)!.slab !== second);
  assert.equal(pool.take(9000), undefined);
  assert.equal(pool.spareBytes, 0);
});
