/** Entries that stay in memory without their blocks: the same answers, from fewer reads. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { memoryFileSystem, openSync } from "../../mod.ts";
import { LookupHistory } from "../support/lookup_history.ts";
import { withSeedAsync } from "../support/seeded.ts";

const COUNT = 3000;
const SCALE = Number(process.env["TINYKVS_TEST_SCALE"] ?? 1);
const keyOf = (index: number): string => `key${String(index).padStart(6, "0")}`;

test("A store whose blocks do not fit answers hot scattered keys from kept entries", async () => {
  const store = openSync("/db", {
    fileSystem: memoryFileSystem(),
    blockSizeBytes: 1024,
    blockCacheSizeBytes: 32 * 1024,
    compression: "none",
  });
  for (let i = 0; i < COUNT; i++) store.putSync(keyOf(i), "v".repeat(60));
  await store.compact();
  // One in each block and more: the blocks of all of them are several times the cache.
  const hot = Array.from({ length: 60 }, (_, i) => keyOf(i * 50));
  for (let round = 0; round < 6; round++) for (const key of hot) store.getSync(key);
  const before = store.stats().cache;
  for (let round = 0; round < 10; round++) for (const key of hot) store.getSync(key);
  const { hits, misses, sizeBytes, capacityBytes } = store.stats().cache;
  assert.ok(sizeBytes <= capacityBytes, `${sizeBytes} of ${capacityBytes}`);
  assert.equal(hits + misses - before.hits - before.misses, 600);
  assert.ok(hits - before.hits > 550, `${hits - before.hits} hits of 600`);
  await store.close();
});

test("A store with kept entries gives the answers of its history, to snapshots as well", async () => {
  for (let seed = 1; seed <= 4 * SCALE; seed++) {
    await withSeedAsync(seed, async (random) => {
      const history = new LookupHistory(random, COUNT, {
        deletesOneIn: 4,
        keyOf,
        value: () => String(random.below(1000)).repeat(random.below(20) === 0 ? 100 : 5),
      }, { blockCacheSizeBytes: 8000, largeValueBytes: 200 });
      const { store, now } = history;
      await store.compact();
      history.renewSnapshot();
      for (let step = 0; step < 2000; step++) {
        const key = keyOf(random.below(4) === 0 ? random.below(COUNT) : random.below(40) * 73);
        switch (random.below(5)) {
          case 0:
            assert.equal(store.getSync(key), now.get(key), key);
            break;
          case 1:
            assert.equal(await store.get(key), now.get(key), key);
            break;
          case 2:
            assert.equal(history.snapshot.getSync(key), history.then.get(key), key);
            break;
          case 3:
            assert.equal(store.hasSync(key), now.has(key), key);
            break;
          default: {
            const keys = Array.from({ length: 8 }, () => keyOf(random.below(40) * 73));
            assert.deepEqual(await store.getMany(keys), keys.map((one) => now.get(one)));
          }
        }
        if (random.below(10) === 0) history.change(random.below(40) * 73);
        if (random.below(200) === 0) {
          const from = random.below(40) * 73;
          history.deleteRange(keyOf(from), keyOf(from + random.below(100)));
        }
        if (random.below(100) === 0) await store.flush();
        if (random.below(300) === 0) {
          await store.compact();
          history.renewSnapshot();
        }
      }
      const { hits } = store.stats().cache;
      assert.ok(hits > 0, `${hits} hits`);
      await history.close();
    });
  }
});

test("Indexes that do not fit into their own cache take the place of blocks, and stay", async () => {
  const store = openSync("/db", {
    fileSystem: memoryFileSystem(),
    blockSizeBytes: 256,
    blockCacheSizeBytes: 16 * 1024 * 1024,
    compression: "none",
    walSync: "none",
  });
  // Each key is the first one of a block, and so in an index: together they are 20 MB.
  const keys = Array.from({ length: 1000 }, (_, i) => keyOf(i).padEnd(20_000, "k"));
  for (const key of keys) store.putSync(key, 1);
  await store.compact();
  for (const key of keys) assert.equal(store.getSync(key), 1);
  const { indexBytes, filterBytes, cache } = store.stats();
  // Without the loan it would be 16 MiB at most, and the next round would read indexes again.
  assert.ok(indexBytes > 19e6, `${indexBytes} bytes of indexes`);
  const inMemory = cache.sizeBytes + indexBytes + filterBytes;
  assert.ok(inMemory <= 2 * 16 * 1024 * 1024, `${inMemory} bytes in both caches`);
  await store.close();
});
