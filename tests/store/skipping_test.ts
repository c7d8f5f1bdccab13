// Scans over many hidden entries: deleted keys, and keys that are newer than the snapshot. They
// check the signal and let the event loop turn all the way. The tests count turns and reads; they
// drive the clock.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EmbeddedStore,
  memoryFileSystem,
  open,
  openSync,
  type Options,
  type Range,
} from "../../mod.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { steppingScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { crashCopy, watched } from "./file_systems.ts";

const COUNT = 20_000;
const options: Options = {
  compression: "none",
  blockSizeBytes: 1024,
  l0CompactionTrigger: 1000,
  walSync: "none",
};

/** Read-only stores have no background: all turns and reads belong to the walk. */
const reading: Options = { ...options, readOnly: true };

function keyOf(n: number): string {
  return `k${String(n).padStart(6, "0")}`;
}

/** Deletes `COUNT` keys that never were, between "a" and "z", which are there. */
function fill(store: EmbeddedStore): void {
  store.putSync("a", 1);
  const batch = store.batch();
  for (let i = 0; i < COUNT; i++) batch.delete(keyOf(i));
  store.writeSync(batch);
  store.putSync("z", 2);
}

/** A file system that holds a store with the tombstones in one table. */
async function tombstoneTable(): Promise<FileSystem> {
  const fileSystem = memoryFileSystem();
  const store = await open("/db", { ...options, fileSystem });
  fill(store);
  await store.flush();
  // A close would merge them away.
  const copy = crashCopy(fileSystem, "/db");
  await store.close();
  return copy;
}

/** A store whose tombstones are in a memtable. */
function tombstoneMemtable(): EmbeddedStore {
  const store = openSync("/db", { ...options, fileSystem: memoryFileSystem() });
  fill(store);
  return store;
}

/** A snapshot's store, in which all but "a" and "z" is newer than the snapshot. */
function newerKeys(): EmbeddedStore {
  const store = openSync("/db", { ...options, fileSystem: memoryFileSystem() });
  store.putSync("a", 1);
  store.putSync("z", 2);
  return store;
}

/** Every call that goes through a range asynchronously; the result is the number of entries. */
const walks: Readonly<
  Record<
    string,
    (
      from: Pick<EmbeddedStore, "entries" | "keys" | "values" | "count">,
      range: Range,
    ) => Promise<number>
  >
> = {
  count: (from, range) => from.count(range),
  "keys().toArray": async (from, range) => (await from.keys(range).toArray()).length,
  "values().nextMany": async (from, range) => (await from.values(range).nextMany(9)).length,
  "for await of entries": async (from, range) => {
    let count = 0;
    for await (const _ of from.entries(range)) count++;
    return count;
  },
};

/**
 * Runs `body` on a clock by which every look is `stepMs` later, and counts the turns it lets pass.
 */
async function turnsOf(body: () => Promise<unknown>, onTurn?: () => void): Promise<number> {
  let turns = 0;
  const stepping = steppingScheduler(() => 1);
  const restore = useScheduler({
    ...stepping,
    yield: () => {
      turns++;
      onTurn?.();
      return stepping.yield();
    },
  });
  try {
    await body();
  } finally {
    restore();
  }
  return turns;
}

test("A walk over deleted keys holds the event loop until its end", async () => {
  const table = await tombstoneTable();
  for (const reverse of [false, true]) {
    for (const [name, walk] of Object.entries(walks)) {
      for (const where of ["table", "memtable"]) {
        await using store = where === "table"
          ? await open("/db", { ...reading, fileSystem: table })
          : tombstoneMemtable();
        const turns = await turnsOf(async () => assert.equal(await walk(store, { reverse }), 2));
        // By this clock every second look asks for a turn, and there is one for 1,024 skipped
        // entries.
        const least = COUNT / 1024 / 3;
        assert.ok(turns >= least, `${name} over a ${where}, reverse ${reverse}: ${turns} turns`);
      }
    }
  }
});

test("A walk over keys that are newer than its snapshot holds the event loop until its end", async () => {
  for (const reverse of [false, true]) {
    for (const [name, walk] of Object.entries(walks)) {
      await using store = newerKeys();
      using snapshot = store.snapshot();
      for (let i = 0; i < COUNT; i++) store.putSync(keyOf(i), i);
      const turns = await turnsOf(async () => assert.equal(await walk(snapshot, { reverse }), 2));
      assert.ok(turns >= COUNT / 1024 / 3, `${name}, reverse ${reverse}: ${turns} turns`);
    }
  }
});

test("A walk over deleted keys notices an abort only at its end", async () => {
  const table = await tombstoneTable();
  for (const [name, walk] of Object.entries(walks)) {
    for (const where of ["table", "memtable", "snapshot"]) {
      await using store = where === "table"
        ? await open("/db", { ...reading, fileSystem: table })
        : where === "memtable"
        ? tombstoneMemtable()
        : newerKeys();
      using snapshot = store.snapshot();
      if (where === "snapshot") { for (let i = 0; i < COUNT; i++) store.putSync(keyOf(i), i); }
      const controller = new AbortController();
      let turnsSince = 0;
      const range: Range = { signal: controller.signal, gte: "b" };
      await turnsOf(
        () => assert.rejects(walk(snapshot, range), /enough/, `${name}, ${where}`),
        () => {
          if (controller.signal.aborted) turnsSince++;
          controller.abort(new Error("enough"));
        },
      );
      assert.equal(turnsSince, 0, `${name}, ${where}: ${turnsSince} turns after the abort`);
    }
  }
});

test("A walk over deleted keys that are not in memory continues to read after an abort", async () => {
  const table = await tombstoneTable();
  const sync = (store: EmbeddedStore, range: Range): Promise<number> =>
    Promise.resolve().then(() => [...store.keys(range)].length);
  for (const [name, walk] of Object.entries({ ...walks, "for of": sync })) {
    for (const abortAt of [1, 3]) {
      const controller = new AbortController();
      let reads = -1000;
      const fileSystem = watched(table, ({ operation }) => {
        if (operation === "read" && ++reads === abortAt) controller.abort(new Error("enough"));
      });
      await using store = await open("/db", { ...reading, fileSystem });
      // The first block and the index are in memory.
      assert.equal(await store.get("a"), 1);
      reads = 0;
      await assert.rejects(walk(store, { signal: controller.signal, gte: "b" }), /enough/, name);
      assert.equal(reads, abortAt, `${name}: reads`);
    }
  }
});

test("A count that was aborted before it began still reads a block", async () => {
  let reads = 0;
  const fileSystem = watched(await tombstoneTable(), ({ operation }) => {
    if (operation === "read") reads++;
  });
  await using store = await open("/db", { ...reading, fileSystem });
  reads = 0;
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(store.count({ signal }), /enough/);
  assert.throws(() => [...store.keys({ signal })], /enough/);
  await assert.rejects(store.entries({ signal }).toArray(), /enough/);
  assert.equal(reads, 0);
});

test("A cursor that stopped among deleted keys can seek elsewhere, or be closed", async () => {
  await using store = tombstoneMemtable();
  using snapshot = store.snapshot();
  for (let i = 0; i < COUNT; i += 3) store.putSync(`${keyOf(i)} new`, i);
  const closed = snapshot.keys({ gte: "b" });
  const step = closed.nextMany(1);
  await closed.close();
  await assert.rejects(step, { code: "CLOSED" });
  const cursor = snapshot.keys({ gte: "b" });
  cursor.seek(keyOf(COUNT / 2));
  assert.deepEqual(await cursor.nextMany(5), ["z"]);
});

test("Keys that are inserted while a walk has stopped half-way do not change what it shows", async () => {
  for (const reverse of [false, true]) {
    await using store = newerKeys();
    for (let i = 0; i < 5; i++) store.putSync(`m${i}`, i);
    using snapshot = store.snapshot();
    for (let i = 0; i < COUNT; i++) store.putSync(keyOf(i), i);
    for (let i = 0; i < COUNT; i++) store.putSync(`s${keyOf(i)}`, i);
    let inserted = 0;
    const found: unknown[] = [];
    await turnsOf(
      async () => {
        for await (const key of snapshot.keys({ reverse })) found.push(key);
      },
      // Leaves split all over the place.
      () => {
        for (let i = 0; i < 200; i++) store.putSync(`${keyOf((inserted++ * 7919) % COUNT)} new`, i);
      },
    );
    assert.ok(inserted > 1000);
    const expected = ["a", "m0", "m1", "m2", "m3", "m4", "z"];
    assert.deepEqual(found, reverse ? expected.reverse() : expected);
  }
});
