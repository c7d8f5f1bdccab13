/**
 * Tests watches of the embedded store that the contract suite cannot test: when a commit is shown,
 * synchronous writes, failures, shared handles, and the bounded memory of slow readers.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import {
  type Commit,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  type Operation,
  type Options,
  type Watch,
} from "../../mod.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { collectGarbage } from "../support/garbage.ts";
import { watched } from "./file_systems.ts";

const MIB = 1024 * 1024;

/** The commits that a watch shows now, without waiting for more. */
async function shown(watch: Watch): Promise<unknown[]> {
  const found: unknown[] = [];
  for (;;) {
    const step = watch.next();
    const first = await Promise.race([step, turns(20)]);
    if (first === undefined) {
      pendingSteps.set(watch, step);
      return found;
    }
    if (first.done) return found;
    found.push(...first.value.operations.map(keyIn));
  }
}

/** The key of an operation on one key. */
function keyIn(operation: Operation): unknown {
  return operation.type === "deleteRange" ? operation.range : operation.key;
}

/** Pending steps of `shown`, which will receive the next commits. */
const pendingSteps = new Map<Watch, Promise<IteratorResult<Commit, undefined>>>();

async function turns(count: number): Promise<undefined> {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

async function nextKeys(watch: Watch): Promise<unknown[]> {
  const step = await (pendingSteps.get(watch) ?? watch.next());
  pendingSteps.delete(watch);
  return step.value?.operations.map(keyIn) ?? ["the end"];
}

/** A store in which a sync of the log takes as long as the test decides. */
async function withSlowSyncs(
  walSync: NonNullable<Options["walSync"]>,
  body: (store: EmbeddedStore, sync: { isHeld: boolean; release(): void }) => Promise<void>,
): Promise<void> {
  const waiting: (() => void)[] = [];
  const sync = {
    isHeld: false,
    release: (): void => {
      for (const resume of waiting.splice(0)) resume();
    },
  };
  const fileSystem = watched(memoryFileSystem(), () => {}, async ({ operation, path }) => {
    if (!sync.isHeld || operation !== "sync" || !path.endsWith(".wal")) return;
    await new Promise<void>((resolve) => waiting.push(resolve));
  });
  const store = await open("/db", { fileSystem, walSync });
  try {
    await store.put("first", 1);
    await body(store, sync);
  } finally {
    sync.isHeld = false;
    sync.release();
    await store.close();
  }
}

for (const walSync of ["batch", "write"] as const) {
  test(`With walSync "${walSync}" a commit is shown after its sync, and no earlier`, async () => {
    await withSlowSyncs(walSync, async (store, sync) => {
      const watch = store.watch();
      sync.isHeld = true;
      const writes = [store.put("a", 1)];
      assert.deepEqual(await shown(watch), []);
      // This write happens during the sync, which does not cover it.
      writes.push(store.put("b", 2));
      sync.release();
      assert.deepEqual(await nextKeys(watch), ["a"]);
      assert.deepEqual(await shown(watch), []);
      sync.release();
      assert.deepEqual(await nextKeys(watch), ["b"]);
      await Promise.all(writes);
      await watch.return();
    });
  });
}

test("Without syncs a commit is shown when the system has it", async () => {
  for (const walSync of ["none", "interval"] as const) {
    await withSlowSyncs(walSync, async (store, sync) => {
      const watch = store.watch();
      sync.isHeld = true;
      await store.put("a", 1);
      assert.deepEqual(await nextKeys(watch), ["a"]);
      await watch.return();
    });
  }
});

test("Synchronous writes are shown, each in its place", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await using watch = store.watch();
  const put = store.put("a", 1);
  store.putSync("b", 1);
  store.transactionSync((tx) => {
    tx.putSync("c", 1);
    tx.deleteSync("d");
  });
  store.writeSync([{ type: "delete", key: "e" }]);
  store.incrementSync("f");
  await put;
  const keys: unknown[] = [];
  for (let i = 0; i < 5; i++) keys.push(await nextKeys(watch));
  assert.deepEqual(keys, [["a"], ["b"], ["c", "d"], ["e"], ["f"]]);
});

test("Values and keys are shown in the store's form", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem, int64: "number", keyEncoding: "bytes" });
  const [bytes, text] = [store.watch(), store.watch({ keyEncoding: "utf8" })];
  await store.write([{ type: "put", key: "k", value: 5n }, {
    type: "put",
    key: "r",
    value: { a: [1, null] },
  }]);
  const values = [5, { a: [1, null] }];
  for (const [watch, keys] of [[bytes, [[0x6b], [0x72]]], [text, ["k", "r"]]] as const) {
    const { value } = await watch.next();
    assert.deepEqual(
      value?.operations.map(keyIn).map((key) =>
        typeof key === "string" ? key : [...key as Uint8Array]
      ),
      keys,
    );
    assert.deepEqual(value?.operations.map((one) => one.type === "put" && one.value), values);
    await watch.return();
  }
});

test("A key that is no text ends a watch that shows text, and no other one", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await using text = store.watch();
  await using bytes = store.watch({ keyEncoding: "bytes" });
  await store.put(Uint8Array.of(0xff), 1);
  await assert.rejects(text.next(), { code: "KEY_ENCODING" });
  assert.equal((await text.next()).done, true);
  assert.deepEqual(await nextKeys(bytes), [Uint8Array.of(0xff)]);
});

test("A store that fails ends its watches with the failure, after what was durable", async () => {
  let isBroken = false;
  const fileSystem = watched(memoryFileSystem(), ({ operation, path }) => {
    if (isBroken && operation === "sync" && path.endsWith(".wal")) throw new Error("broken");
  }, () => Promise.resolve());
  const store = await open("/db", { fileSystem });
  const watch = store.watch();
  await store.put("a", 1);
  isBroken = true;
  await assert.rejects(store.put("b", 1));
  assert.deepEqual(await nextKeys(watch), ["a"]);
  await assert.rejects(watch.next(), { code: "BACKGROUND" });
  assert.equal((await watch.next()).done, true);
  assert.throws(() => store.watch(), { code: "BACKGROUND" });
  await assert.rejects(store.close());
});

test("A watch of a shared handle ends with the handle, and shows what others write until then", async () => {
  const fileSystem = memoryFileSystem();
  await using one = await open("/db", { fileSystem, shared: true });
  const other = await open("/db", { fileSystem, shared: true });
  const watch = other.watch();
  await using own = one.watch();
  await one.put("a", 1);
  assert.deepEqual(await nextKeys(watch), ["a"]);
  await other.close();
  await one.put("b", 1);
  assert.deepEqual(await nextKeys(watch), ["the end"]);
  assert.throws(() => other.watch(), { code: "CLOSED" });
  assert.deepEqual([await nextKeys(own), await nextKeys(own)], [["a"], ["b"]]);
});

test("closeSync shows what it has made durable, and ends watches", async () => {
  const store = await open("/db", { fileSystem: memoryFileSystem() });
  const watch = store.watch();
  const writing = store.put("a", 1).catch(() => {});
  store.closeSync();
  assert.deepEqual(await nextKeys(watch), ["a"]);
  assert.deepEqual(await nextKeys(watch), ["the end"]);
  await writing;
});

test("Writes that nobody waits for count, too: a watch is told that it can't keep up", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const watch = store.watch({}, { limit: 100 });
  const enough = store.watch({}, { limit: 200 });
  await Promise.all(Array.from({ length: 200 }, (_, i) => store.put(`k${i}`, i)));
  await assert.rejects(watch.next(), { name: "LaggedError", code: "LAGGED" });
  for (let i = 0; i < 200; i++) assert.deepEqual(await nextKeys(enough), [`k${i}`]);
  await enough.return();
});

test("Commits of more than 64 MiB are not kept for a reader that does not take them", async () => {
  await using store = await open("/db", {
    fileSystem: memoryFileSystem(),
    walSync: "none",
    compression: "none",
  });
  const watch = store.watch();
  await store.put("a", new Uint8Array(70 * MIB));
  assert.deepEqual(await nextKeys(watch), ["a"], "one alone may be larger");
  await store.put("a", new Uint8Array(40 * MIB));
  await store.put("a", new Uint8Array(40 * MIB));
  await assert.rejects(watch.next(), /LaggedError: .*more than 64 MiB/);
});

test("Ten watches and 100,000 writes take no more memory than their limits", async () => {
  const COUNT = 100_000;
  const LIMIT = 1000;
  await using store = await open("/db", {
    fileSystem: memoryFileSystem(),
    walSync: "none",
    compression: "none",
  });
  const value = new Uint8Array(1000);
  const slow = Array.from({ length: 5 }, () => store.watch({}, { limit: LIMIT }));
  const quick = Array.from({ length: 5 }, () => store.watch({}, { limit: LIMIT }));
  const follow = async (watch: Watch): Promise<number> => {
    let next = 0;
    for await (const { operations } of watch) {
      const [operation] = operations;
      assert.equal(
        operation?.type === "put" && new DataView(bytesOf(operation)).getUint32(0),
        next,
      );
      if (++next === COUNT) break;
    }
    return next;
  };
  const readers = quick.map(follow);
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let i = 0; i < COUNT; i++) {
    new DataView(value.buffer).setUint32(0, i);
    await store.put(`k${i % 10}`, value);
    if (i % 20_000 === 19_999) {
      await collectGarbage(() => process.memoryUsage().arrayBuffers - before < 40 * MIB);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
  }
  assert.deepEqual(await Promise.all(readers), quick.map(() => COUNT));
  for (const watch of slow) await assert.rejects(watch.next(), { code: "LAGGED" });
  // Of 100 MB written in all. The store itself has two memtables and some tables.
  if (runtimeName === "node") assert.ok(most < 40 * MIB, `${Math.round(most / MIB)} MiB`);
});

function bytesOf(operation: Operation): ArrayBuffer {
  assert.ok(operation.type === "put" && operation.value instanceof Uint8Array);
  return operation.value.slice().buffer;
}
