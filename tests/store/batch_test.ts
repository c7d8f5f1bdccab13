// Batches: all or nothing, and what a caller's getters may not do to them.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClosedError,
  EmbeddedBatch,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  openSync,
  type Value,
} from "../../mod.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { crashCopy } from "./file_systems.ts";

/** What a store would be after a crash now. */
async function afterCrash(fileSystem: FileSystem): Promise<Record<string, Value>> {
  await using store = await open("/db", { fileSystem: crashCopy(fileSystem, "/db") });
  return await contentOf(store);
}

async function contentOf(store: EmbeddedStore): Promise<Record<string, Value>> {
  return Object.fromEntries(await store.entries().toArray()) as Record<string, Value>;
}

test("A batch applies its operations in their order, and the last one on a key wins", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  await store.put("gone", 1);
  const batch = store.batch().put("a", 1).put("b", 1).delete("a").put("b", 2).delete("gone")
    .delete("c").put("c", 3);
  assert.equal(batch.length, 7);
  await batch.write();
  assert.deepEqual(await contentOf(store), { b: 2, c: 3 });
  assert.deepEqual(await afterCrash(fileSystem), { b: 2, c: 3 });
});

test("store.write takes an array of operations", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await store.write([
    { type: "put", key: "a", value: 1 },
    { type: "put", key: "b", value: 2 },
    { type: "delete", key: "a" },
  ]);
  await store.write([]);
  store.writeSync([{ type: "put", key: "c", value: 3 }]);
  assert.deepEqual(await contentOf(store), { b: 2, c: 3 });
});

test("An array with one bad operation changes nothing", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  await store.put("a", "old");
  const good = { type: "put", key: "a", value: "new" } as const;
  const bad: [unknown, new () => Error][] = [
    [{ type: "put", key: "x".repeat(65537), value: 1 }, RangeError],
    [{ type: "put", key: "b", value: undefined }, TypeError],
    [{ type: "put", key: "b", value: 2n ** 63n }, RangeError],
    [{ type: "put", key: 5, value: 1 }, TypeError],
    [{ type: "increment", key: "b" }, TypeError],
    [undefined, TypeError],
  ];
  for (const [operation, expected] of bad) {
    await assert.rejects(store.write([good, operation as never]), expected);
    assert.throws(() => store.writeSync([good, operation as never]), expected);
  }
  await assert.rejects(store.write("ab" as never), TypeError);
  assert.deepEqual(await contentOf(store), { a: "old" });
  assert.deepEqual(await afterCrash(fileSystem), { a: "old" });
});

test("A bad operation leaves a batch as it was, ready for more", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  const batch = store.batch().put("a", 1);
  const { sizeBytes } = batch;
  assert.throws(() => batch.put("b", undefined as never), TypeError);
  assert.throws(() => batch.put("b", { bad: () => 1 } as never), TypeError);
  assert.throws(() => batch.put("x".repeat(65537), 1), RangeError);
  assert.throws(() => batch.delete(null as never), TypeError);
  assert.deepEqual([batch.length, batch.sizeBytes], [1, sizeBytes]);
  await batch.put("c", 3).write();
  assert.deepEqual(await afterCrash(fileSystem), { a: 1, c: 3 });
});

test("A batch that was written refuses everything", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  for (const batch of [store.batch(), store.batch().put("a", 1)]) {
    await batch.write();
    const error = { code: "CLOSED" };
    assert.throws(() => batch.put("b", 1), error);
    assert.throws(() => batch.delete("b"), error);
    assert.throws(() => batch.clear(), error);
    await assert.rejects(batch.write(), error);
    await assert.rejects(store.write(batch), error);
    assert.throws(() => store.writeSync(batch), error);
  }
  assert.deepEqual(await contentOf(store), { a: 1 });
});

test("A batch that a closed store refuses can be written to the store when it is open again", async () => {
  const fileSystem = memoryFileSystem();
  const store = openSync("/db", { fileSystem });
  const batch = store.batch().put("a", 1);
  store.closeSync();
  await assert.rejects(batch.write(), { code: "CLOSED" });
  await using again = await open("/db", { fileSystem });
  await again.write(batch);
  assert.deepEqual(await contentOf(again), { a: 1 });
});

test("A batch that was made without a store can only be written by one", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await assert.rejects(new EmbeddedBatch().put("a", 1).write(), { code: "CLOSED" });
  await store.write(new EmbeddedBatch().put("a", 1));
  assert.deepEqual(await contentOf(store), { a: 1 });
});

test("Batches that are filled at the same time do not mix, after any earlier write", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  const first = store.batch().put("a", "1".repeat(1000));
  const { sizeBytes } = first;
  await first.write();
  assert.deepEqual([first.length, first.sizeBytes], [1, sizeBytes]);
  const second = store.batch().put("b", 2);
  const third = store.batch().put("c", 3);
  const record = {
    get inner(): number {
      store.writeSync([{ type: "put", key: "d", value: 4 }]);
      third.put("e", 5);
      return 6;
    },
  };
  await store.put("f", record);
  await second.put("g", 7).write();
  await store.write([{ type: "put", key: "h", value: 8 }]);
  await third.write();
  assert.deepEqual(await afterCrash(fileSystem), {
    a: "1".repeat(1000),
    b: 2,
    c: 3,
    d: 4,
    e: 5,
    f: { inner: 6 },
    g: 7,
    h: 8,
  });
});

test("clear forgets the operations", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const batch = store.batch().put("a", 1).delete("b").clear();
  assert.deepEqual([batch.length, batch.sizeBytes], [0, 0]);
  await batch.put("c", 1).write();
  assert.deepEqual(await contentOf(store), { c: 1 });
});

test("Buffers given to a batch may be reused at once", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const batch = store.batch();
  const key = new Uint8Array(1);
  const value = new Uint8Array(2);
  for (const n of [65, 66, 67]) batch.put(key.fill(n), value.fill(n));
  key.fill(0);
  value.fill(0);
  await batch.write();
  const same = (n: number): Uint8Array => new Uint8Array(2).fill(n);
  assert.deepEqual(await contentOf(store), { A: same(65), B: same(66), C: same(67) });
});

test("A getter of a record in a batch that writes the same batch does not harm the log", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  const refusals: unknown[] = [];
  const attempt = (action: () => unknown): void => {
    try {
      const result = action();
      if (result instanceof Promise) result.catch((error: unknown) => refusals.push(error));
    } catch (error) {
      refusals.push(error);
    }
  };
  for (
    const misuse of [
      (batch: EmbeddedBatch) => batch.write(),
      (batch: EmbeddedBatch) => store.write(batch),
      (batch: EmbeddedBatch) => store.writeSync(batch),
      (batch: EmbeddedBatch) => batch.clear(),
      (batch: EmbeddedBatch) => batch.put("inner", 1),
      (batch: EmbeddedBatch) => batch.delete("inner"),
    ]
  ) {
    const batch = store.batch().put("first", "x".repeat(100));
    batch.put("second", {
      get name() {
        attempt(() => misuse(batch));
        return "by a getter";
      },
    });
    assert.equal(batch.length, 2);
    await batch.put("third", 3).write();
    assert.deepEqual(await afterCrash(fileSystem), {
      first: "x".repeat(100),
      second: { name: "by a getter" },
      third: 3,
    });
  }
  assert.equal(refusals.length, 6);
  for (const refusal of refusals) assert.ok(refusal instanceof TypeError, String(refusal));
});

test("A getter of a record may write to the store, whose write comes first", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem, memtableSizeBytes: 4096 });
  store.putSync("outer", {
    get name() {
      for (let i = 0; i < 100; i++) store.putSync(`inner ${i}`, "x".repeat(100));
      store.putSync("outer", "inner");
      return "outer";
    },
  });
  await store.put("outer async", {
    get name() {
      store.putSync("inner async", 1);
      return "outer";
    },
  });
  const expected = { name: "outer" };
  assert.deepEqual(store.getSync("outer"), expected);
  const content = await afterCrash(fileSystem);
  assert.deepEqual(content["outer"], expected);
  assert.deepEqual(content["outer async"], expected);
  assert.equal(content["inner async"], 1);
  assert.equal(Object.keys(content).length, 103);
});

test("A getter that throws leaves nothing of its record", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  const record = {
    first: "x".repeat(1000),
    get second(): string {
      throw new Error("no second");
    },
  };
  await assert.rejects(store.put("a", record), /no second/);
  assert.throws(() => store.putSync("a", record), /no second/);
  const batch = store.batch().put("b", 1);
  assert.throws(() => batch.put("a", record), /no second/);
  await batch.write();
  assert.deepEqual(await afterCrash(fileSystem), { b: 1 });
});

test("A batch larger than the memtable and than the log's buffer is applied whole", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem, memtableSizeBytes: 4096 });
  const batch = store.batch();
  for (let i = 0; i < 3000; i++) batch.put(`key ${i}`, "x".repeat(100));
  await batch.write();
  assert.equal(await store.count(), 3000);
  assert.equal(Object.keys(await afterCrash(fileSystem)).length, 3000);
});

test("A batch of a store, a sub or a transaction can be written synchronously, and once", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const sub = store.sub("s", { key: "tuple", value: "json" });
  const nested = sub.sub("inner");
  const batch = store.batch().put("a", 1);
  sub.in(batch).put(["b"], [null]).delete(["c"]);
  nested.in(sub.in(batch)).put("d", 4);
  batch.writeSync();
  assert.equal(store.getSync("a"), 1);
  assert.deepEqual(sub.getSync(["b"]), [null]);
  assert.equal(nested.getSync("d"), 4);
  assert.throws(() => batch.writeSync(), ClosedError);
  assert.throws(() => sub.in(batch).writeSync(), ClosedError);
  await assert.rejects(batch.write(), ClosedError);

  sub.batch().put(["e"], 5).writeSync({ sync: true });
  assert.equal(sub.getSync(["e"]), 5);
  const surplus = sub.batch().put(["f"], 6);
  assert.throws(() => surplus.writeSync(...([{}, 1] as never as [])), TypeError);
  assert.throws(() => surplus.writeSync({ synk: true } as never), TypeError);
  assert.equal(sub.hasSync(["f"]), false);
  surplus.writeSync();
  assert.equal(sub.getSync(["f"]), 6);

  store.transactionSync((tx) => {
    tx.batch().put("g", 7).writeSync();
    sub.in(tx).batch().put(["h"], 8).writeSync();
    assert.equal(store.hasSync("g"), false);
    assert.equal(tx.getSync("g"), 7);
  });
  assert.equal(store.getSync("g"), 7);
  assert.equal(sub.getSync(["h"]), 8);

  const late = sub.batch().put(["i"], 9);
  await sub.close();
  assert.throws(() => late.writeSync(), ClosedError);
  const after = store.batch().put("j", 10);
  await store.close();
  assert.throws(() => after.writeSync(), ClosedError);
});
