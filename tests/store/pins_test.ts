/**
 * Everything that walks over blocks releases them in the end: a block that stays pinned is lost to
 * the cache, with its place in a slab.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, type EmbeddedStore, memoryFileSystem, open } from "../../mod.ts";
import { countPins } from "../support/pins.ts";
import { withSeedAsync } from "../support/seeded.ts";

const KEYS = 6000;

function keyOf(n: number): string {
  return `key${String(n).padStart(5, "0")}`;
}

/**
 * A store with a level of many tables that ends at two thirds of the keys, and a table above it
 * that continues.
 */
async function openLevels(): Promise<EmbeddedStore> {
  const store = await open("/db", {
    fileSystem: memoryFileSystem(),
    memtableSizeBytes: 16 * 1024,
    compression: "none",
    blockSizeBytes: 512,
    blockCacheSizeBytes: 20_000,
    walSync: "none",
  });
  for (let n = 0; n < KEYS * 2 / 3; n++) store.putSync(keyOf(n), "x".repeat(80));
  await store.compact();
  for (let n = 0; n < KEYS; n += 50) store.putSync(keyOf(n), "y".repeat(50));
  await store.flush();
  const tables = store.stats().levels.map((level) => level.tables);
  assert.ok(tables[0] === 1 && tables.some((count) => count > 9), tables.join("/"));
  return store;
}

test("Scans of every kind, and cursors that seek, release their blocks", async () => {
  await withSeedAsync(1, async (random) => {
    await using store = await openLevels();
    const pins = countPins();
    const seekSome = async (reverse: boolean): Promise<void> => {
      const cursor = store.entries({ reverse });
      for (let step = 0; step < 100; step++) {
        // Not as far as the last entries: a cursor that ends is closed.
        cursor.seek(keyOf(random.below(KEYS - 600) + 10));
        if (random.below(2) === 0) await cursor.nextMany(1 + random.below(9));
      }
      await cursor.close();
    };
    const ways: Record<string, () => Promise<unknown>> = {
      "for of": () => Promise.resolve([...store.entries()]),
      "for of, reverse": () => Promise.resolve([...store.entries({ reverse: true })]),
      "for await": () => store.entries().toArray(),
      "break": async () => {
        let left = 3000;
        for await (const _ of store.entries()) if (--left === 0) break;
      },
      "callback": () => store.scanPrefix("key", () => {}),
      "callback that throws": () =>
        assert.rejects(store.scanPrefix("key", () => {
          throw new Error("stop");
        })),
      "count": () => store.count({ gte: keyOf(50) }),
      "seeks": () => seekSome(false),
      "seeks, reverse": () => seekSome(true),
      "close while a block is read": async () => {
        for (let n = 0; n < 20; n++) {
          const cursor = store.entries({ gte: keyOf(n * 100) });
          const step = cursor.nextMany(50);
          for (let turns = n % 5; turns > 0; turns--) await Promise.resolve();
          await cursor.close();
          await assert.rejects(step, ClosedError);
        }
      },
      "getMany": () => store.getMany(Array.from({ length: 200 }, (_, n) => keyOf(n * 17))),
      "gets": () => Promise.all(Array.from({ length: 200 }, (_, n) => store.get(keyOf(n * 17)))),
    };
    let checkpoints = 0;
    for (const format of ["tinykvs", "go-v0.4"] as const) {
      ways[`checkpoint, ${format}`] = () => store.checkpoint(`/copy${checkpoints++}`, { format });
    }
    for (const [way, run] of Object.entries(ways)) {
      await run();
      assert.equal(pins.value, 0, `pins after "${way}"`);
    }
  });
});
