// Options of single writes: a mistaken one is refused before anything is written, and a right one
// is obeyed by every call that writes.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EmbeddedStore as Store,
  memoryFileSystem,
  open,
  type WriteOptions,
} from "../../mod.ts";
import { watched } from "./file_systems.ts";

/** Every call that writes, with anything as its options and after them. */
const writes: Readonly<Record<string, (store: Store, ...rest: never[]) => unknown>> = {
  put: (store, ...rest) => store.put("k", 1, ...rest),
  putSync: (store, ...rest) => store.putSync("k", 1, ...rest),
  delete: (store, ...rest) => store.delete("old", ...rest),
  deleteSync: (store, ...rest) => store.deleteSync("old", ...rest),
  write: (store, ...rest) => store.write([{ type: "delete", key: "old" }], ...rest),
  writeSync: (store, ...rest) => store.writeSync([{ type: "put", key: "k", value: 1 }], ...rest),
  "write of a batch": (store, ...rest) => store.write(store.batch().put("k", 1), ...rest),
  "writeSync of a batch": (store, ...rest) => store.writeSync(store.batch().put("k", 1), ...rest),
  "batch.write": (store, ...rest) => store.batch().put("k", 1).write(...rest),
  putString: (store, ...rest) => store.putString("k", "v", ...rest),
  putInt64: (store, ...rest) => store.putInt64("k", 1, ...rest),
  putFloat64: (store, ...rest) => store.putFloat64("k", 1, ...rest),
  putBool: (store, ...rest) => store.putBool("k", true, ...rest),
  putBytes: (store, ...rest) => store.putBytes("k", Uint8Array.of(1), ...rest),
  putJson: (store, ...rest) => store.putJson("k", [1], ...rest),
  putMap: (store, ...rest) => store.putMap("k", { a: 1 }, ...rest),
  deleteIfExists: (store, ...rest) => store.deleteIfExists("old", ...rest),
  deleteIfExistsSync: (store, ...rest) => store.deleteIfExistsSync("old", ...rest),
  putIfNotExists: (store, ...rest) => store.putIfNotExists("k", 1, ...rest),
  putIfNotExistsSync: (store, ...rest) => store.putIfNotExistsSync("k", 1, ...rest),
  putIfEquals: (store, ...rest) => store.putIfEquals("old", 1, 0, ...rest),
  putIfEqualsSync: (store, ...rest) => store.putIfEqualsSync("old", 1, 0, ...rest),
  increment: (store, ...rest) => store.increment("k", 1n, ...rest),
  incrementSync: (store, ...rest) => store.incrementSync("k", 1n, ...rest),
  update: (store, ...rest) => store.update("old", () => 1, ...rest),
  updateSync: (store, ...rest) => store.updateSync("old", () => 1, ...rest),
};

const wrong: readonly [options: unknown, message: RegExp][] = [
  [{ sync: 1 }, /"sync" is a number, expected true or false/],
  [{ sync: "true" }, /"sync" is a string, expected true or false/],
  [{ sync: null }, /"sync" is null/],
  [{ sync: Object(true) }, /"sync" is an instance of Boolean/],
  [{ Sync: true }, /unknown name "Sync", expected "sync"/],
  [{ fsync: true }, /unknown name "fsync"/],
  [{ sync: true, durable: true }, /unknown name "durable"/],
  [{ walSync: "write" }, /unknown name "walSync"/],
  [true, /found a boolean, expected an object such as \{ sync: true \}/],
  [1, /found a number/],
  ["sync", /found a string/],
  [null, /found null/],
  [() => {}, /found a function/],
  [[], /found an array/],
  [[true], /unknown name "0"/],
  [new Map([["sync", true]]), /found an instance of Map/],
  [new AbortController().signal, /found an instance of AbortSignal/],
];

async function opened(): Promise<Store> {
  const store = await open("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
  store.putSync("old", 0);
  return store;
}

/** Lets the call fail in whichever way it does, and checks that it has changed nothing. */
async function refuses(
  store: Store,
  call: () => unknown,
  message: RegExp,
  what: string,
): Promise<void> {
  const attempt = Promise.resolve().then(call);
  await assert.rejects(attempt, { name: "TypeError", message }, what);
  assert.deepEqual([...store.entries()], [["old", 0]], what);
}

test("A mistaken option of a write is ignored, and the write is not synced", async () => {
  await using store = await opened();
  for (const [name, write] of Object.entries(writes)) {
    for (const [options, message] of wrong) {
      await refuses(store, () => write(store, options as never), message, `${name}, ${message}`);
    }
  }
});

test("An argument after the options, a callback for example, is ignored", async () => {
  await using store = await opened();
  const callback = (): void => {};
  const message = /found a function as argument \d, expected (at most \d|no) arguments$/;
  for (const [name, write] of Object.entries(writes)) {
    await refuses(
      store,
      () => write(store, { sync: true } as never, callback as never),
      message,
      name,
    );
  }
  const others: Record<string, (...rest: never[]) => unknown> = {
    "batch.put": (...rest) => store.batch().put("k", 1, {}, ...rest as []),
    "batch.delete": (...rest) => store.batch().delete("old", ...rest as []),
    batch: (...rest) => store.batch(...rest as []),
    flush: (...rest) => store.flush(...rest as []),
    sync: (...rest) => store.sync(...rest as []),
    compact: (...rest) => store.compact({}, ...rest as []),
    checkpoint: (...rest) => store.checkpoint("/copy", {}, ...rest as []),
  };
  for (const [name, call] of Object.entries(others)) {
    await refuses(store, () => call(callback as never), message, name);
  }
});

test("An operation with an unknown field is written without it", async () => {
  await using store = await opened();
  const operations: [unknown, RegExp][] = [
    [{ type: "put", key: "k", value: 1, sync: true }, /operation 1: a put has no "sync"/],
    [{ type: "put", key: "k", value: 1, sublevel: {} }, /a put has no "sublevel"/],
    [{ type: "delete", key: "old", valueEncoding: "utf8" }, /a delete has no "valueEncoding"/],
    [{ type: "delete", key: "old", value: 1 }, /a delete has no "value"/],
  ];
  for (const [operation, message] of operations) {
    const all = [{ type: "put", key: "a", value: 1 }, operation] as never;
    await refuses(store, () => store.write(all), message, String(message));
    await refuses(store, () => store.writeSync(all), message, String(message));
  }
  // A property that is not the operation's own, or is not a value, does not count.
  const inherits = Object.assign(Object.create({ ttl: 5 }), { type: "put", key: "k", value: 1 });
  store.writeSync([inherits, { type: "delete", key: "old", value: undefined } as never]);
  assert.deepEqual([...store.entries()], [["k", 1]]);
});

test("compact ignores bounds with unknown names, and works on the whole store", async () => {
  await using store = await opened();
  const ranges: [unknown, RegExp][] = [
    [{ from: "a" }, /unknown name "from", expected "prefix", "gte"/],
    [{ reverse: true }, /unknown name "reverse"/],
    [{ start: "a", prefix: "b" }, /"prefix" beside "start" or "end"/],
    [{ gte: 5 }, /found a number/],
    [null, /found null/],
    ["a", /found a string/],
    [Uint8Array.of(1), /found an instance of Uint8Array/],
    [() => {}, /found a function/],
  ];
  for (const [range, message] of ranges) {
    await refuses(store, () => store.compact(range as never), message, String(message));
  }
  assert.equal(store.stats().levels.reduce((sum, { tables }) => sum + tables, 0), 0);
});

test("A mistaken option of a conditional write is ignored if its condition does not hold", async () => {
  await using store = await opened();
  const message = /"sync" is a number/;
  const options = { sync: 1 } as never;
  const calls: Record<string, () => unknown> = {
    putIfNotExists: () => store.putIfNotExists("old", 1, options),
    putIfEqualsSync: () => store.putIfEqualsSync("old", 1, 2, options),
    deleteIfExists: () => store.deleteIfExists("nothing", options),
    update: () => store.update("nothing", () => undefined, options),
  };
  for (const [name, call] of Object.entries(calls)) await refuses(store, call, message, name);
});

test("A batch whose options were refused can still be written", async () => {
  await using store = await opened();
  const batch = store.batch().put("k", 1);
  await assert.rejects(batch.write({ sync: 1 } as never), TypeError);
  await assert.rejects(store.write(batch, true as never), TypeError);
  await batch.write({ sync: true });
  assert.equal(store.getSync("k"), 1);
});

test("A synchronous or typed write is not synced although the caller asks for it", async () => {
  for (const walSync of ["none", "interval"] as const) {
    for (const [name, write] of Object.entries(writes)) {
      let syncs = 0;
      const fileSystem = watched(memoryFileSystem(), ({ operation, path }) => {
        if (operation === "sync" && path.endsWith(".wal")) syncs++;
      });
      await using store = await open("/db", { fileSystem, walSync, walSyncIntervalMs: 1_000_000 });
      await store.put("old", 0);
      // An interval may be over at the first write.
      await store.sync();
      const before = syncs;
      const unasked: (WriteOptions | undefined)[] = [undefined, {}, { sync: false }];
      const reset = (): void =>
        store.writeSync([{ type: "put", key: "old", value: 0 }, { type: "delete", key: "k" }]);
      for (const options of [...unasked, { sync: undefined } as never]) {
        reset();
        await write(store, options as never);
        if (walSync === "none") assert.equal(syncs, before, `${name}, ${walSync}`);
      }
      reset();
      const asked = syncs;
      await write(store, { sync: true } as never);
      assert.equal(syncs, asked + 1, `${name}, ${walSync}`);
    }
  }
});
