/** How an awaited get reads what is not in memory: at once, or through a thread. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type EmbeddedStore, memoryFileSystem, open } from "../../mod.ts";
import { steppingScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { watched } from "./file_systems.ts";

const COUNT = 3000;

const keyOf = (index: number): string => `key${String(index).padStart(6, "0")}`;

/** A compacted store without a cache, on a disk and beside a clock that the test controls. */
class Trial {
  /** How far the clock goes between two looks at it: as long as a read takes. */
  stepMs = 0.003;
  /** Reads of tables that held the caller, and those that were awaited. */
  atOnce = 0;
  awaited = 0;

  async run(
    use: (store: EmbeddedStore) => Promise<void>,
    { isLoaded, keys }: { isLoaded: boolean; keys: readonly string[] } = {
      isLoaded: true,
      keys: Array.from({ length: COUNT }, (_, i) => keyOf(i)),
    },
  ): Promise<void> {
    const restore = useScheduler(steppingScheduler(() => this.stepMs));
    try {
      const isTable = (path: string): boolean => path.endsWith(".sst");
      const fileSystem = watched(
        memoryFileSystem(),
        ({ operation, path }) => {
          if (operation === "read" && isTable(path)) this.atOnce++;
        },
        ({ operation, path }) => {
          if (operation === "read" && isTable(path)) {
            this.awaited++;
            this.atOnce--;
          }
          return Promise.resolve();
        },
      );
      await using store = await open("/db", {
        fileSystem,
        blockCacheSizeBytes: 0,
        blockSizeBytes: 256,
        walSync: "none",
      });
      for (const [i, key] of keys.entries()) store.putSync(key, i);
      await store.compact();
      // Indexes and filters.
      if (isLoaded) store.getSync(keys[0]!);
      await use(store);
    } finally {
      restore();
    }
  }

  /** Forgets the reads so far. */
  forget(): void {
    this.atOnce = 0;
    this.awaited = 0;
  }
}

test("An awaited get reads at once if the page cache has the block", async () => {
  const trial = new Trial();
  await trial.run(async (store) => {
    trial.forget();
    for (let i = 0; i < COUNT; i += 10) assert.equal(await store.get(keyOf(i)), i);
    assert.deepEqual([trial.atOnce, trial.awaited], [COUNT / 10, 0]);
  });
});

test("Awaited gets leave a slow disk to a thread, except ever fewer of them", async () => {
  const trial = new Trial();
  await trial.run(async (store) => {
    trial.forget();
    trial.stepMs = 4;
    const rounds: number[] = [];
    for (let i = 0; rounds.length < 4; i = (i + 7) % COUNT) {
      const before = trial.atOnce;
      assert.equal(await store.get(keyOf(i)), i);
      if (trial.atOnce > before) {
        rounds.push(trial.awaited);
        trial.awaited = 0;
      }
    }
    assert.deepEqual(rounds, [0, 128, 256, 512]);
    // The first read that is fast again ends it.
    trial.stepMs = 0.003;
    for (let i = 0; i < COUNT; i++) assert.equal(await store.get(keyOf(i)), i);
    assert.equal(trial.awaited, 1024);
  });
});

test("Gets that are begun all at once hold the event loop no longer than one turn, and all are answered", async () => {
  const trial = new Trial();
  await trial.run(async (store) => {
    trial.forget();
    trial.stepMs = 0.04;
    const gets = Array.from({ length: COUNT }, (_, i) => store.get(keyOf(i)));
    const { atOnce } = trial;
    // Each read looks at the clock twice, and a turn of 1.5 ms has 38 such looks.
    assert.ok(atOnce > 0 && atOnce < 40, `${atOnce} of ${COUNT} read at once`);
    assert.deepEqual(await Promise.all(gets), Array.from({ length: COUNT }, (_, i) => i));
  });
});

test("Awaited gets keep their place while other blocks are read", async () => {
  const trial = new Trial();
  await trial.run(async (store) => {
    trial.stepMs = 4;
    store.getSync(keyOf(1));
    assert.equal(await store.get(keyOf(1)), 1);
    trial.forget();
    const gets = Array.from({ length: 100 }, (_, i) => store.get(keyOf(i * 20)));
    for (let i = 0; i < COUNT; i += 50) assert.equal(store.getSync(keyOf(i)), i);
    assert.deepEqual(await Promise.all(gets), Array.from({ length: 100 }, (_, i) => i * 20));
    assert.ok(trial.awaited > 0);
  });
});

test("An awaited get loads index and filter at once, too, if the page cache has them", async () => {
  const keys = Array.from({ length: COUNT }, (_, i) => keyOf(i));
  for (const [stepMs, atOnce, awaited] of [[0.003, 3, 0], [4, 1, 2]] as const) {
    const trial = new Trial();
    await trial.run(async (store) => {
      trial.forget();
      assert.equal(await store.get(`${keyOf(7)}?`), undefined);
      // The tail with the index, and the block.
      assert.deepEqual([trial.atOnce, trial.awaited], [2, 0]);
      trial.forget();
      trial.stepMs = stepMs;
      assert.equal(await store.get(keyOf(8)), 8);
      assert.equal(await store.get(keyOf(1000)), 1000);
      // The filter, which is searched after a key that was missing, and two blocks.
      assert.deepEqual([trial.atOnce, trial.awaited], [atOnce, awaited]);
    }, { isLoaded: false, keys });
  }
});

test("An awaited get awaits a long index", async () => {
  const keys = Array.from({ length: 100 }, (_, i) => keyOf(i).padEnd(2000, "."));
  const trial = new Trial();
  await trial.run(async (store) => {
    trial.forget();
    assert.equal(await store.get(keys[7]!), 7);
    // At once the tail, which says how long the index is; a get that has begun to wait keeps
    // waiting.
    assert.deepEqual([trial.atOnce, trial.awaited], [1, 2]);
    trial.forget();
    assert.equal(await store.get(keys[8]!), 8);
    assert.deepEqual([trial.atOnce, trial.awaited], [1, 0]);
  }, { isLoaded: false, keys });
});
