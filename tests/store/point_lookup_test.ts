/** Single-key searches over several levels, in whichever order filter and block are asked. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryFileSystem, openSync, type Store } from "../../mod.ts";
import { withSeed } from "../support/seeded.ts";

const COUNT = 600;

/** Three levels of tables: every key at the bottom, every third newer above it, every ninth deleted. */
function openLevels(): { store: Store; expected: (index: number) => number | undefined } {
  const store = openSync("/db", {
    fileSystem: memoryFileSystem(),
    blockSizeBytes: 256,
    memtableSizeBytes: 64 * 1024,
    walSync: "none",
  });
  for (let i = 0; i < COUNT; i++) store.putSync(keyOf(i), i);
  return {
    store,
    expected: (i) => i % 9 === 0 ? undefined : i % 3 === 0 ? -i : i,
  };
}

async function addLevels(store: Store): Promise<void> {
  await store.compact();
  for (let i = 0; i < COUNT; i += 3) store.putSync(keyOf(i), -i);
  await store.flush();
  for (let i = 0; i < COUNT; i += 9) store.deleteSync(keyOf(i));
  await store.flush();
}

const keyOf = (index: number): string => `key${String(index).padStart(6, "0")}`;

test("PointLookup answers alike whether most of the keys before were there or not", async () => {
  const { store, expected } = openLevels();
  await addLevels(store);
  assert.ok(store.stats().levels.filter(({ tables }) => tables > 0).length >= 2);
  for (let seed = 1; seed <= 20; seed++) {
    withSeed(seed, (random) => {
      // Runs of hits and runs of misses: the last table's filter is asked first after a run of
      // misses only, and not at all after a run of hits.
      for (let run = 0; run < 12; run++) {
        const wantsMisses = random.below(2) === 0;
        for (let i = 0; i < 30; i++) {
          const index = random.below(COUNT);
          if (wantsMisses) {
            assert.equal(store.getSync(`${keyOf(index)}x`), undefined);
            assert.equal(store.getSync(`a${keyOf(index)}`), undefined);
          } else {
            assert.equal(store.getSync(keyOf(index)), expected(index), keyOf(index));
          }
        }
      }
    });
  }
  await store.close();
});

test("PointLookup does not load a block of the last level for a key that its filter excludes", async () => {
  const { store } = openLevels();
  await store.compact();
  store.getSync(keyOf(1));
  const before = store.stats().cache.misses;
  // Far fewer than one in a hundred of these pass the filter of 600 keys by chance.
  for (let i = 0; i < COUNT; i++) store.getSync(`${keyOf(i)}x`);
  assert.ok(store.stats().cache.misses - before < COUNT / 10);
  await store.close();
});
