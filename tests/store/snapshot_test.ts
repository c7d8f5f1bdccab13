// Snapshots: what they show whatever happens to the store, what they keep, and when they release
// it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  type CompactRange,
  type EmbeddedReader,
  EmbeddedSnapshot,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  openSync,
  type Options,
} from "../../mod.ts";
import { Memtable } from "../../src/memtable/memtable.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { Lease, ReadView } from "../../src/store/state/read_view.ts";
import type { StoreState } from "../../src/store/state/store_state.ts";
import { Version } from "../../src/version/version.ts";
import type { VersionSet } from "../../src/version/version_set.ts";
import { Random } from "../support/random.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { watched } from "./file_systems.ts";

const small: Options = {
  memtableSizeBytes: 4096,
  blockSizeBytes: 256,
  blockCacheSizeBytes: 1024,
  compression: "none",
  walSync: "none",
};

function keyOf(n: number): string {
  return `k${String(n).padStart(4, "0")}`;
}

async function newStore(fileSystem: FileSystem = memoryFileSystem()): Promise<EmbeddedStore> {
  return await open("/db", { ...small, fileSystem });
}

/** Number of table files that are on disk but not in the store's version. */
function keptTables(store: EmbeddedStore, fileSystem: FileSystem): number {
  const files = fileSystem.listSync("/db").filter((name) => name.endsWith(".sst")).length;
  return files - store.stats().levels.reduce((sum, level) => sum + level.tables, 0);
}

/** Compares all answers of a reader with a model. */
async function assertShows(
  reader: EmbeddedReader,
  model: ReadonlyMap<string, number>,
): Promise<void> {
  const pairs = [...model].sort(([a], [b]) => a < b ? -1 : 1);
  const keys = pairs.map(([key]) => key);
  const values = pairs.map(([, value]) => value);
  assert.deepEqual([...reader.entries()], pairs);
  assert.deepEqual(await reader.entries({ reverse: true }).toArray(), pairs.toReversed());
  assert.deepEqual(await reader.keys().toArray(), keys);
  assert.deepEqual([...reader.values()], values);
  assert.equal(await reader.count(), model.size);
  const asked = [...new Set([...keys, ...Array.from({ length: 60 }, (_, i) => keyOf(i))])];
  assert.deepEqual(await reader.getMany(asked), asked.map((key) => model.get(key)));
  for (const key of asked) {
    assert.equal(reader.getSync(key), model.get(key), key);
    assert.equal(reader.hasSync(key), model.has(key), key);
  }
  for (const key of asked.slice(0, 20)) {
    assert.equal(await reader.get(key), model.get(key), key);
    assert.equal(await reader.has(key), model.has(key), key);
  }
  assert.equal(
    await reader.count({ gte: keyOf(10), lt: keyOf(30) }),
    keys.filter((key) => key >= keyOf(10) && key < keyOf(30)).length,
  );
}

test("A snapshot shows neither later puts, nor deletes, nor overwrites", async () => {
  await using store = await newStore();
  await store.put("kept", 1);
  await store.put("changed", 1);
  await store.put("deleted", 1);
  using snapshot = store.snapshot();
  await store.put("changed", 2);
  await store.delete("deleted");
  await store.put("new", 2);
  assert.deepEqual([...snapshot.entries()], [["changed", 1], ["deleted", 1], ["kept", 1]]);
  assert.deepEqual([...store.entries()], [["changed", 2], ["kept", 1], ["new", 2]]);
  assert.equal(snapshot.getSync("new"), undefined);
  assert.equal(await snapshot.has("deleted"), true);
});

test("A snapshot is taken at the call: writes of the same turn before it are in it, later ones not", async () => {
  await using store = await newStore();
  const first = store.put("a", 1);
  using snapshot = store.snapshot();
  const second = store.put("a", 2);
  const batch = store.write([{ type: "put", key: "b", value: 2 }]);
  assert.equal(snapshot.getSync("a"), 1);
  await Promise.all([first, second, batch]);
  assert.equal(await snapshot.get("a"), 1);
  assert.equal(await snapshot.get("b"), undefined);
});

test("A snapshot of an empty store stays empty through a flush and a compaction", async () => {
  await using store = await newStore();
  using snapshot = store.snapshot();
  await store.put("a", 1);
  await store.compact();
  assert.equal(await snapshot.count(), 0);
  assert.equal(snapshot.getSync("a"), undefined);
});

test("A snapshot sees an atomic batch whole or not at all", async () => {
  await using store = await newStore();
  const write = (value: number): Promise<void> =>
    store.write(["a", "b", "c"].map((key) => ({ type: "put", key, value })));
  const snapshots: EmbeddedSnapshot[] = [];
  for (let i = 0; i < 20; i++) {
    const written = write(i);
    snapshots.push(store.snapshot());
    await written;
  }
  for (const [i, snapshot] of snapshots.entries()) {
    assert.deepEqual(await snapshot.getMany(["a", "b", "c"]), [i, i, i]);
    snapshot.close();
  }
});

async function checkManySnapshots(random: Random): Promise<void> {
  const fileSystem = memoryFileSystem();
  const store = await open("/db", {
    ...small,
    fileSystem,
    l0CompactionTrigger: 2,
    levelSizeMultiplier: 2,
  });
  const model = new Map<string, number>();
  const taken: { snapshot: EmbeddedSnapshot; model: Map<string, number> }[] = [];
  let checked = 0;
  for (let step = 0; step < 60; step++) {
    for (let i = 0; i < 30; i++) {
      const key = keyOf(random.below(80));
      if (random.below(3) === 0) {
        store.deleteSync(key);
        model.delete(key);
      } else {
        const value = step * 1000 + i;
        store.putSync(key, value);
        model.set(key, value);
      }
    }
    if (random.below(2) === 0) {
      taken.push({ snapshot: store.snapshot(), model: new Map(model) });
    }
    const what = random.below(6);
    if (what < 3) await store.flush();
    else if (what === 3) {
      const range: CompactRange = { start: keyOf(random.below(40)), end: keyOf(60) };
      await store.compact(random.below(2) === 0 ? range : {});
    }
    if (taken.length > 12 || what === 5 && taken.length > 0) {
      const [old] = taken.splice(random.below(taken.length), 1);
      await assertShows(old!.snapshot, old!.model);
      old!.snapshot.close();
      checked++;
    }
  }
  await assertShows(store, model);
  for (const { snapshot, model } of taken) {
    await assertShows(snapshot, model);
    snapshot.close();
    checked++;
  }
  assert.ok(checked >= 15, `${checked} snapshots`);
  assert.ok(store.stats().compaction.count >= 3);
  await store.compact();
  assert.equal(keptTables(store, fileSystem), 0);
  await assertShows(store, model);
  await store.close();
}

test("Many snapshots across flushes and compactions over levels each show their own state", async () => {
  const only = process.env["TINYKVS_SEED"];
  for (const seed of only === undefined ? [1, 2, 3] : [Number(only)]) {
    try {
      await checkManySnapshots(new Random(seed));
    } catch (cause) {
      throw new Error(
        `${(cause as Error).message}; repeat with ` +
          `TINYKVS_SEED=${seed} node --test tests/store/snapshot_test.ts`,
        { cause },
      );
    }
  }
});

test("A snapshot keeps the tables that a compaction replaces until it is closed", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await newStore(fileSystem);
  for (let i = 0; i < 300; i++) store.putSync(keyOf(i), i);
  await store.compact();
  const snapshots = [store.snapshot(), store.snapshot()];
  for (let i = 0; i < 300; i++) store.deleteSync(keyOf(i));
  await store.compact();
  assert.ok(keptTables(store, fileSystem) > 0);
  snapshots[0]!.close();
  assert.ok(keptTables(store, fileSystem) > 0);
  assert.equal(await snapshots[1]!.count(), 300);
  snapshots[1]!.close();
  assert.equal(keptTables(store, fileSystem), 0);
});

test("A snapshot survives a flush that removes its memtable", async () => {
  await using store = await newStore();
  for (let round = 0; round < 20; round++) {
    using snapshot = store.snapshot();
    const before = store.getSync("a");
    for (let i = 0; i < 20; i++) store.putSync("a", round * 100 + i);
    await store.flush();
    store.putSync("a", -1);
    assert.equal(snapshot.getSync("a"), before);
  }
  assert.equal(store.getSync("a"), -1);
});

test("A closed snapshot releases a memtable that nobody else shows, so that its memory is reused", () => {
  const memtable = new Memtable(1, 1024);
  const versions = { retain: () => Version.empty(), release: () => {} } as unknown as VersionSet;
  const unused: Memtable[] = [];
  const view = new ReadView([memtable], versions, (freed) => unused.push(freed));
  const leases = new Set<Lease>();
  const state = { requireOpen: () => {}, lease: () => new Lease(view, 1, leases) };
  const parts = {} as never;
  const snapshots = [1, 2].map(() =>
    new EmbeddedSnapshot(state as unknown as StoreState, parts, parts)
  );
  view.release();
  snapshots[0]!.close();
  snapshots[0]!.close();
  assert.deepEqual([leases.size, unused.length], [1, 0]);
  snapshots[1]!.close();
  assert.deepEqual([leases.size, unused.length], [0, 1]);
  assert.equal(memtable.references, 0);
});

test("Every use of a closed snapshot is a ClosedError that names it", async () => {
  await using store = await newStore();
  await store.put("a", 1);
  const snapshot = store.snapshot();
  snapshot.close();
  snapshot.close();
  const expected = { code: "CLOSED", message: /snapshot/ };
  await assert.rejects(snapshot.get("a"), expected);
  await assert.rejects(snapshot.getMany(["a"]), expected);
  await assert.rejects(snapshot.has("a"), expected);
  await assert.rejects(snapshot.count(), expected);
  assert.throws(() => snapshot.getSync("a"), expected);
  assert.throws(() => snapshot.hasSync("a"), expected);
  assert.throws(() => snapshot.entries(), expected);
  assert.throws(() => snapshot.keys(), expected);
  assert.throws(() => snapshot.values(), expected);
  assert.equal(await store.get("a"), 1);
});

test("A using block closes its snapshot", async () => {
  await using store = await newStore();
  let escaped: EmbeddedSnapshot;
  {
    using snapshot = store.snapshot();
    escaped = snapshot;
    assert.equal(snapshot.getSync("a"), undefined);
  }
  assert.throws(() => escaped.getSync("a"), { code: "CLOSED" });
});

test("Closing the store ends its snapshots, with an error that says so", async () => {
  for (const closeSync of [false, true]) {
    const fileSystem = memoryFileSystem();
    const store = await newStore(fileSystem);
    for (let i = 0; i < 300; i++) store.putSync(keyOf(i), i);
    await store.flush();
    const snapshot = store.snapshot();
    const cursor = snapshot.keys();
    await cursor.nextMany(1);
    if (closeSync) store.closeSync();
    else await store.close();
    const expected = { code: "CLOSED", message: /store/ };
    await assert.rejects(snapshot.get("a"), expected);
    assert.throws(() => snapshot.getSync("a"), expected);
    assert.throws(() => snapshot.entries(), expected);
    await assert.rejects(snapshot.count(), expected);
    snapshot.close();
    assert.throws(() => store.snapshot(), { code: "CLOSED" });
    await using again = await newStore(fileSystem);
    assert.equal(keptTables(again, fileSystem), 0);
  }
});

test("Cursors that a snapshot has opened outlive it, and keep what they show", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await newStore(fileSystem);
  for (let i = 0; i < 300; i++) store.putSync(keyOf(i), i);
  await store.compact();
  const snapshot = store.snapshot();
  for (let i = 0; i < 300; i++) store.putSync(keyOf(i), -1);
  const cursor = snapshot.values();
  snapshot.close();
  await store.compact();
  assert.ok(keptTables(store, fileSystem) > 0);
  assert.deepEqual(await cursor.toArray(), Array.from({ length: 300 }, (_, i) => i));
  assert.equal(keptTables(store, fileSystem), 0);
});

test("A get of a snapshot that waits for a block succeeds although the snapshot is closed meanwhile", async () => {
  const memory = memoryFileSystem();
  const filling = await newStore(memory);
  for (let i = 0; i < 300; i++) filling.putSync(keyOf(i), i);
  await filling.compact();
  await filling.close();
  const waiting: (() => void)[] = [];
  let isGated = false;
  const gated = watched(memory, () => {}, (call) => {
    if (!isGated || call.operation !== "read") return Promise.resolve();
    return new Promise((resolve) => waiting.push(resolve));
  });
  await using store = await newStore(gated);
  const snapshot = store.snapshot();
  isGated = true;
  const results = [snapshot.get(keyOf(7)), snapshot.getMany([keyOf(8)]), snapshot.count()];
  for (let turn = 0; turn < 100 && waiting.length === 0; turn++) await systemScheduler.yield();
  assert.ok(waiting.length > 0, "no read was waited for");
  snapshot.close();
  isGated = false;
  for (const resume of waiting) resume();
  assert.deepEqual(await Promise.all(results), [7, [8], 300]);
});

test("A snapshot reports the caller's mistakes as the store does", async () => {
  await using store = await newStore();
  using snapshot = store.snapshot();
  assert.throws(() => snapshot.getSync(1 as unknown as string), TypeError);
  await assert.rejects(snapshot.get(1 as unknown as string), TypeError);
  await assert.rejects(snapshot.count({ limit: -1 }), RangeError);
  assert.throws(() => snapshot.entries({ limit: -1 }), RangeError);
});

test("A read-only store has snapshots, and openSync's store too", async () => {
  const fileSystem = memoryFileSystem();
  const writing = openSync("/db", { ...small, fileSystem });
  writing.putSync("a", 1);
  const snapshot = writing.snapshot();
  writing.putSync("a", 2);
  assert.equal(snapshot.getSync("a"), 1);
  writing.closeSync();
  await using reading = await open("/db", { ...small, fileSystem, readOnly: true });
  using again = reading.snapshot();
  assert.equal(again.getSync("a"), 2);
});

test("A snapshot that is never closed keeps no process alive", () => {
  const script = fileURLToPath(new URL("snapshot_child.ts", import.meta.url));
  const { command, args } = runtimeCommand(runtimeName, script, []);
  const child = spawnSync(command, args, { encoding: "utf8", timeout: 600_000 });
  assert.deepEqual([child.status, child.stdout], [0, "1\n"], child.stderr);
});
