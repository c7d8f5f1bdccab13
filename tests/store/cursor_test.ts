// The public cursor over a whole store: what it shows, when it releases its files, and calls that
// overlap.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EmbeddedCursor,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  type Options,
  TypeMismatchError,
} from "../../mod.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { steppingScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { watched } from "./file_systems.ts";

const small: Options = { memtableSizeBytes: 4096, blockSizeBytes: 256, compression: "none" };

function keyOf(n: number): string {
  return `k${String(n).padStart(4, "0")}`;
}

/** A store of `count` keys that are all in tables of several blocks, none of them in memory. */
async function coldStore(
  count: number,
  options: Options = {},
  fileSystem: FileSystem = memoryFileSystem(),
): Promise<EmbeddedStore> {
  const all = { ...small, ...options, fileSystem };
  const filling = await open("/db", all);
  for (let i = 0; i < count; i++) filling.putSync(keyOf(i), i);
  await filling.close();
  return await open("/db", all);
}

function keysFrom(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => keyOf(from + i));
}

async function collect<T>(cursor: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of cursor) items.push(item);
  return items;
}

/** Whether the store's files show that a cursor still holds tables that compaction has replaced. */
async function keepsFiles(store: EmbeddedStore, fileSystem: FileSystem): Promise<boolean> {
  const tables = (): number =>
    fileSystem.listSync("/db").filter((name) => name.endsWith(".sst")).length;
  store.putSync(keyOf(0), "changed");
  await store.compact();
  return tables() > store.stats().levels.reduce((sum, level) => sum + level.tables, 0);
}

test("An asynchronous iteration over blocks that are not in memory ends", async () => {
  await using store = await coldStore(600);
  assert.deepEqual(await collect(store.keys()), keysFrom(0, 600));
});

test("A cursor that is not iterated keeps replaced tables until it is closed", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  const cursor = store.entries();
  assert.equal(await keepsFiles(store, fileSystem), true);
  await cursor.close();
  await cursor.close();
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("A for...of loop that breaks closes its cursor", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  for (const key of store.keys()) if (key === keyOf(3)) break;
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("A for await loop that breaks closes its cursor", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  for await (const key of store.keys()) if (key === keyOf(3)) break;
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("A return from within a loop closes its cursor", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  const firstKey = async (): Promise<unknown> => {
    for await (const key of store.keys()) return key;
  };
  assert.equal(await firstKey(), keyOf(0));
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("A loop whose body throws closes its cursor", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  assert.throws(() => {
    for (const key of store.keys()) throw new Error(`at ${key}`);
  }, /at k0000/);
  await assert.rejects(async () => {
    for await (const key of store.keys()) throw new Error(`at ${key}`);
  }, /at k0000/);
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("A cursor that is iterated to its end keeps nothing", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  await collect(store.keys());
  assert.equal([...store.keys()].length, 300);
  await store.keys().toArray();
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("A cursor in an await using block is closed at its end", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  {
    await using cursor = store.keys();
    assert.deepEqual(await cursor.nextMany(2), [keyOf(0), keyOf(1)]);
  }
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("A dropped cursor keeps no files after the store is closed", async () => {
  const fileSystem = memoryFileSystem();
  const store = await coldStore(300, {}, fileSystem);
  const cursor = store.keys();
  await cursor.nextMany(1);
  store.putSync(keyOf(0), "changed");
  await store.compact();
  await store.close();
  const tables = fileSystem.listSync("/db").filter((name) => name.endsWith(".sst"));
  await using again = await open("/db", { ...small, fileSystem });
  const { levels } = again.stats();
  assert.equal(tables.length, levels.reduce((sum, level) => sum + level.tables, 0));
  await assert.rejects(cursor.nextMany(1), { code: "CLOSED" });
});

test("Every use of a closed cursor is a ClosedError", async () => {
  await using store = await coldStore(50);
  const cursor = store.keys();
  await cursor.close();
  await assert.rejects(cursor.nextMany(1), { code: "CLOSED", message: /cursor/ });
  await assert.rejects(cursor.toArray(), { code: "CLOSED" });
  assert.throws(() => [...cursor], { code: "CLOSED" });
  assert.throws(() => cursor.seek("a"), { code: "CLOSED" });
});

test("Every use of a cursor whose store was closed is a ClosedError that says so", async () => {
  const store = await coldStore(500);
  const cursors = [store.keys(), store.keys(), store.keys(), store.keys()];
  for (const cursor of cursors) await cursor.nextMany(1);
  await store.close();
  const error = { code: "CLOSED", message: /store/ };
  await assert.rejects(cursors[0]!.nextMany(1), error);
  await assert.rejects(cursors[1]!.toArray(), error);
  assert.throws(() => [...cursors[2]!], error);
  assert.throws(() => cursors[3]!.seek("a"), error);
  await cursors[0]!.close();
});

test("An iteration ends with the signal's reason at the next step", async () => {
  await using store = await coldStore(500);
  for (const form of ["sync", "async", "nextMany"] as const) {
    const controller = new AbortController();
    const seen: unknown[] = [];
    const reason = new Error("enough");
    const cursor = store.keys({ signal: controller.signal });
    await assert.rejects(async () => {
      if (form === "sync") {
        for (const key of cursor) if (seen.push(key) === 3) controller.abort(reason);
      } else if (form === "async") {
        for await (const key of cursor) if (seen.push(key) === 3) controller.abort(reason);
      } else {
        seen.push(...await cursor.nextMany(3));
        controller.abort(reason);
        await cursor.nextMany(1);
      }
    }, reason);
    assert.deepEqual(seen, keysFrom(0, 3), form);
  }
});

test("A signal that is already aborted stops every kind of read", async () => {
  await using store = await coldStore(5);
  const signal = AbortSignal.abort(new Error("too late"));
  await assert.rejects(store.keys({ signal }).toArray(), /too late/);
  assert.throws(() => [...store.keys({ signal })], /too late/);
  await assert.rejects(store.count({ signal }), /too late/);
});

test("A signal that aborts during a count ends it", async () => {
  const fileSystem = memoryFileSystem();
  await (await coldStore(600, {}, fileSystem)).close();
  const controller = new AbortController();
  let reads = 0;
  const counting = watched(fileSystem, ({ operation }) => {
    if (operation === "read" && ++reads === 12) controller.abort(new Error("enough"));
  });
  await using store = await open("/db", { ...small, fileSystem: counting });
  await assert.rejects(store.count({ signal: controller.signal }), /enough/);
});

test("A limit of 0 shows nothing and reads nothing", async () => {
  const fileSystem = memoryFileSystem();
  await (await coldStore(300, {}, fileSystem)).close();
  let reads = 0;
  const counting = watched(fileSystem, ({ operation }) => {
    if (operation === "read") reads++;
  });
  await using store = await open("/db", { ...small, fileSystem: counting });
  reads = 0;
  assert.deepEqual([...store.keys({ limit: 0 })], []);
  assert.deepEqual(await store.keys({ limit: 0, reverse: true }).toArray(), []);
  assert.equal(await store.count({ limit: 0 }), 0);
  assert.equal(reads, 0);
});

test("Bounds hold in both directions", async () => {
  await using store = await coldStore(300);
  const range = { gt: keyOf(17), lte: keyOf(200) };
  assert.deepEqual(await collect(store.keys(range)), keysFrom(18, 201));
  const reversed = keysFrom(18, 201).reverse();
  assert.deepEqual(await collect(store.keys({ ...range, reverse: true })), reversed);
  assert.deepEqual([...store.keys({ ...range, reverse: true, limit: 5 })], reversed.slice(0, 5));
  assert.deepEqual([...store.keys({ gte: keyOf(9), lt: keyOf(9) })], []);
  assert.deepEqual([...store.keys({ gte: keyOf(20), lt: keyOf(9), reverse: true })], []);
  assert.deepEqual([...store.keys({ prefix: "k001", gte: keyOf(15) })], keysFrom(15, 20));
});

test("A cursor can seek forward and backward, again and again", async () => {
  await using store = await coldStore(300);
  const cursor = store.keys({ gte: keyOf(10), lt: keyOf(290) });
  assert.deepEqual(await cursor.nextMany(2), keysFrom(10, 12));
  cursor.seek(keyOf(200));
  assert.deepEqual(await cursor.nextMany(2), keysFrom(200, 202));
  cursor.seek(`${keyOf(49)}x`);
  assert.deepEqual(await cursor.nextMany(1), [keyOf(50)]);
  for (const outside of ["", keyOf(9), keyOf(290), "z"]) {
    cursor.seek(outside);
    assert.deepEqual(await cursor.nextMany(1), [], outside);
  }
  cursor.seek(keyOf(10));
  assert.deepEqual(cursor.nextManySync(1), [keyOf(10)]);
});

test("A seek of a reverse cursor goes to the last key at or before", async () => {
  await using store = await coldStore(300);
  const cursor = store.keys({ reverse: true, gte: keyOf(10), lt: keyOf(290) });
  cursor.seek(keyOf(200));
  assert.deepEqual(await cursor.nextMany(2), [keyOf(200), keyOf(199)]);
  cursor.seek(`${keyOf(49)}x`);
  assert.deepEqual(await cursor.nextMany(1), [keyOf(49)]);
  for (const outside of ["z", keyOf(290), keyOf(9), "a"]) {
    cursor.seek(outside);
    assert.deepEqual(await cursor.nextMany(1), [], outside);
  }
  cursor.seek(keyOf(289));
  assert.deepEqual(cursor.nextManySync(1), [keyOf(289)]);
});

test("A cursor at its end can seek until it is closed, and keeps its moment", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  const forward = store.keys({ gte: keyOf(10) });
  const backward = store.keys({ reverse: true, lte: keyOf(200) });
  assert.equal((await forward.nextMany(1000)).length, 290);
  assert.equal(backward.nextManySync(1000).length, 201);
  assert.equal((await forward.next()).done, true);
  store.deleteSync(keyOf(20));
  await store.compact();
  for (let round = 0; round < 2; round++) {
    forward.seek(keyOf(20));
    assert.deepEqual(await forward.nextMany(2), keysFrom(20, 22));
    backward.seek(keyOf(21));
    assert.deepEqual(await backward.nextMany(2), [keyOf(21), keyOf(20)]);
    assert.equal((await forward.nextMany(1000)).length, 278);
    assert.equal(backward.nextManySync(1000).length, 20);
  }
  await forward.close();
  backward.closeSync();
  assert.throws(() => forward.seek("k"), { code: "CLOSED" });
  assert.throws(() => backward.seek("k"), { code: "CLOSED" });
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("After a loop has ended, or toArray, the cursor can't seek", async () => {
  await using store = await coldStore(50);
  const cursors = [store.keys(), store.keys(), store.keys()] as const;
  for (const _ of cursors[0]);
  for await (const _ of cursors[1]);
  await cursors[2].toArray();
  for (const cursor of cursors) {
    assert.throws(() => cursor.seek("k"), { code: "CLOSED" });
    assert.equal((await cursor.next()).done, true);
  }
});

test("return and throw close a cursor", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  const [first, second] = [store.keys(), store.keys()];
  await Promise.all([first.next(), second.next()]);
  assert.deepEqual(await first.return(), { done: true, value: undefined });
  await assert.rejects(second.throw(new Error("boom")), /boom/);
  for (const cursor of [first, second]) {
    assert.equal((await cursor.next()).done, true);
    assert.throws(() => cursor.seek("k"), { code: "CLOSED" });
  }
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("map, filter, take and drop work in both kinds of loops, and close their source", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  const chain = (): EmbeddedCursor<string> =>
    store.entries({ gte: keyOf(5) })
      .filter(([, value]) => (value as number) % 2 === 1)
      .drop(2)
      .map(([key], index) => `${index}:${key as string}`)
      .take(3);
  const expected = [`0:${keyOf(9)}`, `1:${keyOf(11)}`, `2:${keyOf(13)}`];
  assert.deepEqual([...chain()], expected);
  assert.deepEqual(await collect(chain()), expected);
  assert.deepEqual(await chain().toArray(), expected);
  const overlapping = chain();
  const steps = await Promise.all([1, 2, 3, 4].map(() => overlapping.next()));
  assert.deepEqual(steps.map(({ value }) => value), [...expected, undefined]);
  await overlapping.close();
  for (const item of chain()) if (item === expected[1]) break;
  for await (const item of chain()) if (item === expected[1]) break;
  const failing = store.keys().map((key) => {
    throw new Error(`at ${key as string}`);
  });
  assert.throws(() => [...failing], /at k0000/);
  await assert.rejects(store.keys().filter(() => JSON.parse("{")).toArray(), SyntaxError);
  assert.equal(await keepsFiles(store, fileSystem), false);
  assert.throws(() => store.keys().take(-1), RangeError);
  assert.throws(() => store.keys().map(5 as never), TypeError);
});

test("Iterator helpers of the runtime work on a cursor", async () => {
  await using store = await coldStore(20);
  const iterator = store.keys()[Symbol.iterator]();
  assert.ok(iterator instanceof Iterator);
  assert.deepEqual(iterator.drop(3).take(2).toArray(), keysFrom(3, 5));
});

test("A cursor that has read everything ahead can still seek", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  for (let i = 0; i < 20; i++) store.putSync(keyOf(i), i);
  const cursor = store.keys();
  assert.deepEqual(await cursor.nextMany(1), [keyOf(0)]);
  cursor.seek(keyOf(15));
  assert.deepEqual(await cursor.nextMany(9), keysFrom(15, 20));
});

test("Items that were read ahead and dropped by a seek do not count towards the limit", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  for (let i = 0; i < 50; i++) store.putSync(keyOf(i), i);
  const cursor = store.keys({ limit: 5 });
  assert.deepEqual(await cursor.nextMany(2), keysFrom(0, 2));
  cursor.seek(keyOf(30));
  assert.deepEqual(await cursor.nextMany(9), keysFrom(30, 33));
});

test("Calls of next that overlap are answered in their order", async () => {
  await using store = await coldStore(300, { blockCacheSizeBytes: 0 });
  const iterator = store.keys()[Symbol.asyncIterator]();
  const answered: unknown[] = [];
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 400; i++) {
    calls.push(iterator.next().then(({ value }) => answered.push(value)));
    // Also calls that come in between, while earlier ones are being answered.
    if (i % 3 === 0) await Promise.resolve();
  }
  await Promise.all(calls);
  assert.deepEqual(answered.slice(0, 300), keysFrom(0, 300));
  assert.deepEqual(new Set(answered.slice(300)), new Set([undefined]));
});

test("Synchronous use while an asynchronous step is under way is a TypeError", async () => {
  await using store = await coldStore(300);
  const cursor = store.keys();
  const first = cursor.nextMany(1);
  assert.throws(() => cursor[Symbol.iterator]().next(), TypeError);
  assert.throws(() => cursor.seek("a"), TypeError);
  assert.deepEqual(await first, [keyOf(0)]);
  assert.deepEqual(cursor[Symbol.iterator]().next(), { done: false, value: keyOf(1) });
  cursor.seek(keyOf(100));
  assert.deepEqual(await cursor.nextMany(1), [keyOf(100)]);
});

test("A cursor may be iterated alternately, synchronously and asynchronously", async () => {
  await using store = await coldStore(300);
  const cursor = store.keys();
  const seen: unknown[] = [];
  const sync = cursor[Symbol.iterator]();
  const async = cursor[Symbol.asyncIterator]();
  for (let i = 0; i < 150; i++) {
    seen.push(sync.next().value, (await async.next()).value);
  }
  assert.deepEqual(seen, keysFrom(0, 300));
});

test("A cursor shows its moment while the store is written, flushed and compacted", async () => {
  await using store = await coldStore(200);
  store.putSync(keyOf(500), "in the memtable");
  const cursors: EmbeddedCursor<unknown>[] = [store.keys(), store.keys({ reverse: true })];
  const expected = [...keysFrom(0, 200), keyOf(500)];
  for (let i = 0; i < 200; i += 2) store.deleteSync(keyOf(i));
  for (let i = 300; i < 600; i++) store.putSync(keyOf(i), "new");
  await store.flush();
  assert.deepEqual(await cursors[0]!.nextMany(50), expected.slice(0, 50));
  await store.compact();
  assert.deepEqual(await cursors[0]!.toArray(), expected.slice(50));
  assert.deepEqual([...cursors[1]!], expected.reverse());
});

test("A loop over the memtable may write to it at every step", async () => {
  await using store = await open("/db", { ...small, fileSystem: memoryFileSystem() });
  for (let i = 0; i < 100; i++) store.putSync(keyOf(i * 2), i);
  const seen: unknown[] = [];
  for (const [key, value] of store.entries()) {
    seen.push(value);
    store.putSync(`${key}x`, "behind the cursor");
    store.putSync(keyOf(seen.length * 2 + 1), "before the cursor");
    store.deleteSync(keyOf(198));
    assert.equal(store.getSync(`${key}x`), "behind the cursor");
  }
  assert.deepEqual(seen, Array.from({ length: 100 }, (_, i) => i));
});

test("A visitor of scanPrefix may read, write and scan", async () => {
  await using store = await coldStore(150);
  const seen: unknown[] = [];
  await store.scanPrefix("k", (key) => {
    seen.push(key);
    store.putSync(`${key}x`, store.getSync(key) ?? "missing");
    assert.equal([...store.keys({ prefix: key, limit: 3 })].length, 2);
  });
  assert.deepEqual(seen, keysFrom(0, 150));
  assert.equal(await store.count(), 300);
});

test("A visitor that closes the store ends the scan with a ClosedError", async () => {
  const store = await coldStore(150);
  const seen: unknown[] = [];
  const scan = store.scanPrefix("k", (key) => {
    seen.push(key);
    if (seen.length === 5) store.closeSync();
  });
  await assert.rejects(scan, { code: "CLOSED" });
  assert.deepEqual(seen, keysFrom(0, 5));
});

test("A loop whose body closes the store ends with a ClosedError", async () => {
  const first = await coldStore(150);
  assert.throws(() => {
    for (const _ of first.keys()) first.closeSync();
  }, { code: "CLOSED" });
  const second = await coldStore(150);
  await assert.rejects(async () => {
    for await (const _ of second.keys()) await second.close();
  }, { code: "CLOSED" });
});

test("A visitor that throws ends the scan and releases the tables", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await coldStore(300, {}, fileSystem);
  const scan = store.scanRange(keyOf(1), keyOf(9), () => {
    throw new Error("enough");
  });
  await assert.rejects(scan, /enough/);
  assert.equal(await keepsFiles(store, fileSystem), false);
});

test("nextMany returns exactly as many as asked for, and refuses wrong counts", async () => {
  await using store = await coldStore(300);
  const cursor = store.keys();
  assert.deepEqual(await cursor.nextMany(250), keysFrom(0, 250));
  for (const count of [0, -1, 1.5, NaN, Infinity]) {
    await assert.rejects(cursor.nextMany(count), RangeError);
  }
  assert.deepEqual(await cursor.nextMany(100), keysFrom(250, 300));
  assert.deepEqual(await cursor.nextMany(1), []);
});

test("Items before one that can't be read come first, also asynchronously", async () => {
  const fileSystem = memoryFileSystem();
  const options: Options = { fileSystem, int64: "number" };
  for (const form of ["sync", "async"]) {
    await using store = await open("/db", options);
    for (let i = 0; i < 5; i++) store.putSync(keyOf(i), i === 3 ? 2n ** 60n : BigInt(i));
    const seen: unknown[] = [];
    await assert.rejects(async () => {
      if (form === "sync") { for (const value of store.values()) seen.push(value); }
      else for await (const value of store.values()) seen.push(value);
    }, TypeMismatchError);
    assert.deepEqual(seen, [0, 1, 2], form);
  }
});

test("A failed read ends the iteration with its error, and it is over then", async () => {
  const fileSystem = memoryFileSystem();
  await (await coldStore(300, {}, fileSystem)).close();
  let isBroken = false;
  const failing = watched(fileSystem, ({ operation }) => {
    if (isBroken && operation === "read") throw new Error("the disk is gone");
  });
  await using store = await open("/db", { ...small, fileSystem: failing });
  const cursor = store.keys();
  assert.equal((await cursor.nextMany(1)).length, 1);
  isBroken = true;
  await assert.rejects(cursor.toArray(), /the disk is gone/);
  assert.deepEqual(await cursor.nextMany(1), []);
  isBroken = false;
  assert.equal(await store.count(), 300);
});

test("A store that is closed while a cursor waits for a read answers with a ClosedError", async () => {
  const fileSystem = memoryFileSystem();
  await (await coldStore(300, {}, fileSystem)).close();
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => letGo = resolve);
  let isHolding = false;
  const slow = watched(
    fileSystem,
    () => {},
    ({ operation }) => isHolding && operation === "read" ? held : Promise.resolve(),
  );
  // On a slow disk: otherwise gets would read at once.
  const restore = useScheduler(steppingScheduler(() => 4));
  try {
    const store = await open("/db", { ...small, fileSystem: slow });
    await store.get(keyOf(100));
    isHolding = true;
    const waiting = [
      store.keys().nextMany(1),
      store.get(keyOf(7)),
      store.getMany([keyOf(1), keyOf(250)]),
    ];
    const settled = Promise.allSettled(waiting);
    store.closeSync();
    letGo();
    for (const result of await settled) {
      assert.equal(result.status, "rejected");
      assert.equal((result as PromiseRejectedResult).reason.code, "CLOSED");
    }
  } finally {
    restore();
  }
});
