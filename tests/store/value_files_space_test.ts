// The files of large values: how space comes back, and who keeps them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { removeTables } from "../../src/store/background/flush_queue.ts";
import type { StoreState } from "../../src/store/state/store_state.ts";
import { IN_LOG, IN_VALUE_FILE } from "../../src/value/value_reference.ts";
import type { TableMetadata } from "../../src/version/table_metadata.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { openSync, type Value, verifyStoreSync } from "../../mod.ts";
import { useScheduler } from "../support/fault_scheduler.ts";
import { Random } from "../support/random.ts";
import { randomBytes, withSeedAsync } from "../support/seeded.ts";
import { halfRandom, LARGE, putBoth, requireSame, ValueBench } from "../support/value_bench.ts";

test("At rest at most 1.5 bytes are dead for each living one, after many overwrites", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    await withSeedAsync(seed, async (random) => {
      const bench = new ValueBench(seed, { compression: random.pick(["none", "zstd"] as const) });
      const restore = useScheduler(bench.scheduler);
      try {
        const store = bench.open();
        const model = new Map<string, Value>();
        for (let round = 0; round < 6; round++) {
          const keys = random.pick([1, 5, 60]);
          for (let i = 0; i < 150; i++) {
            const key = `key ${random.below(keys)}`;
            const value: Value = random.below(4) === 0
              ? random.below(1000)
              : randomBytes(LARGE + random.below(4000), random);
            putBoth(store, model, key, value);
          }
          if (random.below(2) === 0) store.flushSync();
          await bench.idle();
          const living = [...model.values()]
            .reduce<number>(
              (sum, value) => sum + (value instanceof Uint8Array ? value.length : 0),
              0,
            );
          const found = bench.valueFileBytes;
          // The keys and small values of the active log are no values that are dead.
          const allowed = 2.5 * living + 32 * 1024;
          assert.ok(found <= allowed, `round ${round}: ${found} bytes for ${living} living ones`);
          requireSame(store, model);
        }
        for (const key of model.keys()) store.deleteSync(key);
        await bench.idle();
        assert.ok(bench.valueFileBytes < 64 * 1024, `${bench.valueFileBytes} bytes for nothing`);
        store.closeSync();
        assert.deepEqual([...bench.names(".wal"), ...bench.names(".val")], []);
      } finally {
        restore();
      }
    });
  }
});

test("compact() gives the space of overwritten values back at once", async () => {
  const random = new Random(5);
  const bench = new ValueBench(5, { compression: "none" });
  const store = bench.open();
  for (let i = 0; i < 300; i++) store.putSync(`key ${i % 30}`, randomBytes(4000, random));
  await store.compact();
  const { sizeBytes, usedBytes } = store.stats().values;
  assert.ok(usedBytes >= 30 * 4000 && sizeBytes < usedBytes * 4 / 3 + 4096, `${sizeBytes}`);
  await store.close();
  assert.ok(bench.valueFileBytes < 1.5 * 30 * 4000, `${bench.valueFileBytes}`);
});

test("A snapshot keeps the values that it shows, and their files go when it is closed", async () => {
  const random = new Random(6);
  const bench = new ValueBench(6, { compression: "none" });
  await using store = bench.open();
  const model = new Map<string, Value>();
  for (let i = 0; i < 40; i++) model.set(`key ${i}`, randomBytes(3000, random));
  for (const [key, value] of model) store.putSync(key, value);
  const inMemory = store.snapshot();
  await store.flush();
  const inTables = store.snapshot();
  store.deleteRangeSync({ prefix: "key" });
  await store.compact();
  requireSame(inMemory, model);
  requireSame(inTables, model);
  assert.equal(store.countSync(), 0);
  const before = bench.valueFileBytes;
  inMemory.close();
  requireSame(inTables, model);
  inTables.close();
  assert.ok(before - bench.valueFileBytes >= 40 * 3000, `${before} ${bench.valueFileBytes}`);
});

test("A killed store has every value of its logs, and leaves no file that nothing needs", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    await withSeedAsync(seed, async (random) => {
      const bench = new ValueBench(seed);
      const model = new Map<string, Value>();
      let store = bench.open({ walSync: "batch" });
      for (let life = 0; life < 4; life++) {
        for (let i = 0; i < 60; i++) {
          const key = `key ${random.below(30)}`;
          const value = halfRandom(200 + random.below(4000), random);
          await store.put(key, value);
          model.set(key, value);
          if (random.below(40) === 0) await store.flush();
        }
        // What a crash leaves: the files as they are.
        const killed = bench.fileSystem.clone();
        store.closeSync();
        const again = openSync("/db", { ...bench.options, fileSystem: killed });
        requireSame(again, model);
        again.closeSync();
        const names = killed.listSync("/db").sort();
        openSync("/db", { ...bench.options, fileSystem: killed }).closeSync();
        assert.deepEqual(killed.listSync("/db").sort(), names);
        assert.equal(verifyStoreSync("/db", { fileSystem: killed }).isSound, true);
        store = bench.open({ walSync: "batch" });
        requireSame(store, model);
      }
      store.closeSync();
    });
  }
});

test("A reader beside a writer keeps the values that it shows", async () => {
  const random = new Random(8);
  const bench = new ValueBench(8, { compression: "none" });
  await using store = bench.open();
  const model = new Map<string, Value>();
  for (let i = 0; i < 80; i++) putBoth(store, model, `key ${i}`, randomBytes(2000, random));
  const reader = bench.open({ readOnly: true });
  for (const key of model.keys()) store.putSync(key, 1);
  await store.compact();
  requireSame(reader, model);
  reader.closeSync();
});

test("Statistics count large values that are read, and the bytes that compactions move", async () => {
  const random = new Random(7);
  const bench = new ValueBench(7, { compression: "none" });
  await using store = bench.open();
  const putAll = (count: number): void => {
    for (let i = 0; i < count; i++) store.putSync(`key ${i}`, randomBytes(3000, random));
  };
  putAll(40);
  await store.flush();
  putAll(30);
  await store.flush();
  assert.equal(store.stats().values.reads, 0);
  store.getSync("key 1");
  await store.getMany(["key 2", "key 39"]);
  await store.count();
  const { reads, readBytes } = store.stats().values;
  assert.equal(reads, 3);
  assert.ok(readBytes >= 9000 && readBytes < 9100, `${readBytes}`);
  await store.compact();
  const movedBytes = bench.names(".val")
    .reduce((sum, name) => sum + bench.fileSystem.statSync(`/db/${name}`)!.sizeBytes, 0);
  assert.ok(movedBytes > 10 * 3000, `${movedBytes}`);
  const { compaction } = store.stats();
  assert.ok(compaction.bytesWritten > movedBytes && compaction.bytesRead > movedBytes);
  assert.equal(store.stats().values.reads, 3);
});

test("Tables that do not come into force take new files of values with them, and no others", () => {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync("/db");
  const names = ["000004.wal", "000005.val", "000006.val", "000007.sst"];
  for (const name of names) fileSystem.createSync(`/db/${name}`).closeSync();
  const use = { sizeBytes: 100, usedBytes: 50, entryCount: 1 };
  const table = {
    number: 7,
    valueUses: [
      { ...use, kind: IN_LOG, number: 4 },
      { ...use, kind: IN_VALUE_FILE, number: 5 },
      { ...use, kind: IN_VALUE_FILE, number: 6 },
    ],
  } as unknown as TableMetadata;
  const versions = { values: { isUsed: (number: number) => number === 5 } };
  const state = { fileSystem, directory: "/db", versions } as unknown as StoreState;
  removeTables(state, [table]);
  assert.deepEqual(fileSystem.listSync("/db").sort(), ["000004.wal", "000005.val"]);
});
