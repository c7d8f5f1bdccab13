// The methods of an open store: values and limits, typed access, closing, and what a write waits
// for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import {
  type CompactRange,
  type EmbeddedStore,
  type FileSystem,
  MAX_KEY_BYTES,
  memoryFileSystem,
  open,
  openSync,
  type Options,
  TypeMismatchError,
  type Value,
  type WalSync,
} from "../../mod.ts";
import { type Call, crashCopy, watched } from "./file_systems.ts";

const values: Record<string, Value> = {
  "int64": 42n,
  "int64 least": -(2n ** 63n),
  "int64 most": 2n ** 63n - 1n,
  "float64": 95.5,
  "float64 nan": NaN,
  "float64 minus zero": -0,
  "float64 infinite": -Infinity,
  "bool true": true,
  "bool false": false,
  "string": "Alice",
  "string empty": "",
  "string of all planes": "ä€日😀\0",
  "string long": "long ".repeat(20_000),
  "bytes": new Uint8Array([0, 1, 255]),
  "bytes empty": new Uint8Array(0),
  "bytes long": new Uint8Array(100_000).fill(7),
  "record": { name: "Alice", tags: ["a", null, { deep: true }], n: 1.5 },
  "record empty": {},
  "record of odd names": JSON.parse('{"__proto__":1,"constructor":2,"toString":3,"":4}'),
  "array": [1, "two", false, [null]],
  "array empty": [],
};

function requireSame(actual: Value | undefined, expected: Value, name: string): void {
  assert.equal(typeof actual, typeof expected, name);
  if (typeof expected === "object" && !(expected instanceof Uint8Array)) {
    assert.equal(JSON.stringify(actual), JSON.stringify(expected), name);
  } else {
    assert.deepEqual(actual, expected, name);
  }
}

async function requireAll(store: EmbeddedStore, stage: string): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    requireSame(await store.get(name), value, `${name} by get ${stage}`);
    requireSame(store.getSync(name), value, `${name} by getSync ${stage}`);
  }
  const entries = Object.fromEntries(await store.entries().toArray());
  for (const [name, value] of Object.entries(values)) {
    requireSame(entries[name], value, `${name} by a cursor ${stage}`);
  }
}

test("Every type of value comes back as it was stored, from memory, tables and after reopening", async () => {
  for (const compression of ["zstd", "snappy", "none"] as const) {
    const options: Options = { fileSystem: memoryFileSystem(), compression, blockSizeBytes: 1024 };
    const store = await open("/db", options);
    for (const [name, value] of Object.entries(values)) await store.put(name, value);
    await requireAll(store, "from the memtable");
    await store.flush();
    await requireAll(store, "from level 0");
    await store.put("more", 1);
    await store.compact();
    await requireAll(store, "after a compaction");
    await store.close();
    await using again = await open("/db", options);
    await requireAll(again, "after reopening");
  }
});

test("Every type of value survives a crash in the log", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  for (const [name, value] of Object.entries(values)) store.putSync(name, value);
  await using again = await open("/db", { fileSystem: crashCopy(fileSystem, "/db") });
  await requireAll(again, "after a crash");
});

test("A key of 65,536 bytes is accepted, and one byte more is a RangeError that changes nothing", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  const longest = "k".repeat(MAX_KEY_BYTES);
  await store.put(longest, 1);
  await store.flush();
  assert.equal(await store.get(longest), 1);
  assert.deepEqual(await store.keys({ gte: longest, reverse: true }).toArray(), [longest]);
  assert.deepEqual(await store.keys({ gt: longest }).toArray(), []);
  const before = store.stats().wal.sizeBytes;
  for (const key of [`${longest}k`, new Uint8Array(MAX_KEY_BYTES + 1), "€".repeat(21_846)]) {
    await assert.rejects(store.put(key, 1), RangeError);
    await assert.rejects(store.delete(key), RangeError);
    await assert.rejects(store.get(key), RangeError);
    await assert.rejects(store.getMany(["a", key]), RangeError);
    assert.throws(() => store.putSync(key, 1), RangeError);
    assert.throws(() => store.deleteSync(key), RangeError);
    assert.throws(() => store.getSync(key), RangeError);
    assert.throws(() => store.batch().put(key, 1), RangeError);
    assert.throws(() => store.keys({ gte: key }), RangeError);
  }
  assert.equal(store.stats().wal.sizeBytes, before);
});

test("A value that can be neither key nor value is a TypeError that changes nothing", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await store.put("a", "old");
  const before = store.stats().wal.sizeBytes;
  for (const value of [undefined, null, () => 1, Symbol("s"), new Map(), "\ud800", [undefined]]) {
    await assert.rejects(store.put("a", value as never), TypeError);
    assert.throws(() => store.putSync("a", value as never), TypeError);
  }
  for (const key of [undefined, null, 1, 1n, {}, [], new Map(), "\ud800", new Uint16Array(2)]) {
    await assert.rejects(store.put(key as never, 1), TypeError);
    await assert.rejects(store.get(key as never), TypeError);
    await assert.rejects(store.has(key as never), TypeError);
    assert.throws(() => store.hasSync(key as never), TypeError);
    assert.throws(() => store.putSync(key as never, 1), TypeError);
  }
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) {
    await assert.rejects(store.put("a", value), RangeError);
  }
  assert.equal(store.stats().wal.sizeBytes, before);
  assert.equal(await store.get("a"), "old");
});

test("A missing key is undefined, also one that was deleted or lies outside of every table", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  for (const stage of ["empty", "in memory", "in tables"]) {
    if (stage === "in memory") {
      await store.put("b", 1);
      await store.put("c", 1);
      await store.delete("b");
      await store.delete("never there");
    }
    if (stage === "in tables") await store.flush();
    for (const key of ["", "a", "b", "bb", "d"]) {
      assert.equal(await store.get(key), undefined, `${key} ${stage}`);
      assert.equal(store.getSync(key), undefined);
      assert.equal(await store.has(key), false);
      assert.equal(store.hasSync(key), false);
    }
    assert.deepEqual(await store.getMany(["a", "b", "d"]), [undefined, undefined, undefined]);
  }
});

test("A caller may reuse its buffers as soon as the call returns", async () => {
  const fileSystem = memoryFileSystem();
  const options: Options = { fileSystem, keyEncoding: "bytes", blockCacheSizeBytes: 0 };
  const store = await open("/db", options);
  const key = new Uint8Array(2);
  const value = new Uint8Array(100);
  const puts: Promise<void>[] = [];
  for (let i = 0; i < 250; i++) puts.push(store.put(key.fill(i), value.fill(i)));
  key.fill(255);
  value.fill(255);
  await Promise.all(puts);
  await store.close();
  await using again = await open("/db", options);
  const keys = Array.from({ length: 250 }, (_, i) => new Uint8Array(2).fill(i));
  const found = again.getMany(keys);
  for (const one of keys) one.fill(255);
  keys.length = 1;
  const gets: Promise<Value | undefined>[] = [];
  for (let i = 0; i < 250; i++) gets.push(again.get(key.fill(i)));
  const scan = again.keys({ gte: key.fill(7), lte: value.subarray(0, 2).fill(9) });
  key.fill(255);
  value.fill(255);
  assert.equal((await scan.toArray()).length, 3);
  for (const results of [await found, await Promise.all(gets)]) {
    assert.equal(results.length, 250);
    for (const [i, result] of results.entries()) {
      assert.deepEqual(result, new Uint8Array(100).fill(i));
    }
  }
});

test("A caller may change the bytes of a result", async () => {
  const options: Options = { fileSystem: memoryFileSystem(), compression: "none" };
  const store = await open("/db", { ...options, keyEncoding: "bytes" });
  const key = new Uint8Array([1, 2, 3]);
  const large = new Uint8Array([4]);
  await store.put(key, new Uint8Array(50).fill(1));
  await store.put(large, new Uint8Array(5000).fill(1));
  await store.put("record", { bytes: new Uint8Array(20).fill(1) });
  const readAll = async (): Promise<unknown[]> => [
    await store.get(key),
    store.getSync(key),
    await store.get(large),
    ...await store.getMany([key, large]),
    ...await store.values().toArray(),
    ...store.keys(),
    (store.getSync("record") as { bytes: Uint8Array }).bytes,
    await store.getBytes(key),
  ];
  const expected = structuredClone(await readAll());
  assert.equal(expected.length, 13);
  for (const stage of ["memory", "tables", "cached blocks"]) {
    const found = await readAll();
    assert.deepEqual(found.map((one) => structuredClone(one)), expected, stage);
    for (const one of found) if (one instanceof Uint8Array) one.fill(0xee);
    assert.deepEqual(await readAll(), expected, stage);
    await store.flush();
  }
  await store.close();
});

test("Typed access returns the value of its type and refuses the others", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await store.putString("string", "text");
  await store.putInt64("int64", 5);
  await store.putFloat64("float64", 5);
  await store.putBool("bool", true);
  await store.putBytes("bytes", new Uint8Array([5]));
  await store.putMap("record", { a: 1 });
  await store.putJson("json", { a: [1, null] });
  await store.flush();
  assert.equal(await store.getString("string"), "text");
  assert.equal(await store.getInt64("int64"), 5n);
  assert.equal(await store.getFloat64("float64"), 5);
  assert.equal(await store.getBool("bool"), true);
  assert.deepEqual(await store.getBytes("bytes"), new Uint8Array([5]));
  assert.equal(JSON.stringify(await store.getMap("record")), '{"a":1}');
  assert.deepEqual(await store.getJson("json"), { a: [1, null] });
  const getters: Record<string, (key: string) => Promise<unknown>> = {
    string: (key) => store.getString(key),
    int64: (key) => store.getInt64(key),
    float64: (key) => store.getFloat64(key),
    bool: (key) => store.getBool(key),
    bytes: (key) => store.getBytes(key),
    record: (key) => store.getMap(key),
  };
  for (const [type, getter] of Object.entries(getters)) {
    assert.equal(await getter("missing"), undefined);
    for (const key of Object.keys(getters)) {
      if (key === type) continue;
      await assert.rejects(getter(key), {
        code: "TYPE_MISMATCH",
        found: key,
        expected: type,
      });
    }
  }
  assert.equal(await store.getJson("missing"), undefined);
  await assert.rejects(store.getJson("bool"), { code: "TYPE_MISMATCH" });
  await assert.rejects(store.getJson("string"), SyntaxError);
});

test("Typed puts refuse values of other types and store nothing", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const attempts = [
    store.putString("a", 1 as never),
    store.putInt64("a", 1.5),
    store.putInt64("a", 2 ** 53),
    store.putInt64("a", "1" as never),
    store.putFloat64("a", 1n as never),
    store.putBool("a", 1 as never),
    store.putBytes("a", [1] as never),
    store.putMap("a", new Uint8Array(1) as never),
    store.putMap("a", null as never),
    store.putJson("a", undefined),
  ];
  for (const attempt of attempts) await assert.rejects(attempt, TypeError);
  await assert.rejects(store.putInt64("a", 2n ** 63n), RangeError);
  assert.equal(await store.has("a"), false);
});

test("int64 may be read as numbers, and those too large are an error that names the key", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem(), int64: "number" });
  await store.put("small", -5n);
  await store.put("large", 2n ** 60n);
  assert.equal(await store.get("small"), -5);
  assert.equal(store.getSync("small"), -5);
  await store.put("record", { id: -(2n ** 60n) });
  const isTooLarge = (key: string) => (error: unknown): boolean => {
    assert.ok(error instanceof TypeMismatchError, String(error));
    assert.equal(error.key, `"${key}"`);
    assert.equal(error.found, "an int64 beyond 2^53 - 1");
    assert.equal(error.expected, 'a safe integer (int64: "number")');
    assert.match(error.message, new RegExp(`of key "${key}" as a safe integer`));
    return true;
  };
  for (const key of ["large", "record"]) {
    await assert.rejects(store.get(key), isTooLarge(key));
    assert.throws(() => store.getSync(key), isTooLarge(key));
    await assert.rejects(store.getEntry(key), isTooLarge(key));
    await assert.rejects(store.getMany(["small", key]), isTooLarge(key));
    await assert.rejects(store.entries({ gte: key, limit: 1 }).toArray(), isTooLarge(key));
    assert.throws(() => [...store.values({ gte: key, limit: 1 })], isTooLarge(key));
  }
  assert.equal(await store.getInt64("large"), 2n ** 60n);
  await assert.rejects(store.getString("small"), { message: /of key "small" as string/ });
});

test("Keys that are not text are read as bytes, or refused by name", async () => {
  const fileSystem = memoryFileSystem();
  const text = await open("/db", { fileSystem });
  await text.put(new Uint8Array([0xff, 1]), "value");
  assert.equal(await text.get(new Uint8Array([0xff, 1])), "value");
  await assert.rejects(text.keys().toArray(), { code: "KEY_ENCODING", message: /0xff01/ });
  await text.close();
  await using bytes = await open("/db", { fileSystem, keyEncoding: "bytes" });
  assert.deepEqual(await bytes.keys().toArray(), [new Uint8Array([0xff, 1])]);
});

test("getMany answers as of one moment, in the order of the keys, repeated ones included", async () => {
  const fileSystem = memoryFileSystem();
  const options: Options = { fileSystem, blockSizeBytes: 256 };
  const store = await open("/db", options);
  for (let i = 0; i < 500; i++) store.putSync(`k${i}`, i);
  await store.close();
  await using again = await open("/db", options);
  const keys = Array.from({ length: 700 }, (_, i) => `k${(i * 7) % 600}`);
  const found = again.getMany(keys);
  for (let i = 0; i < 500; i++) again.putSync(`k${i}`, "later");
  const expected = keys.map((key) => Number(key.slice(1)) < 500 ? Number(key.slice(1)) : undefined);
  assert.deepEqual(await found, expected);
  assert.deepEqual(await again.getMany([]), []);
});

test("Every method of a closed store is a ClosedError", async () => {
  const store = await open("/db", { fileSystem: memoryFileSystem() });
  await store.put("a", 1);
  const batch = store.batch().put("b", 1);
  await store.close();
  const asynchronous: (() => Promise<unknown>)[] = [
    () => store.put("a", 1),
    () => store.put("a", {}),
    () => store.delete("a"),
    () => store.write([]),
    () => store.write([{ type: "put", key: "a", value: 1 }]),
    () => batch.write(),
    () => store.get("a"),
    () => store.getMany(["a"]),
    () => store.getMany([]),
    () => store.has("a"),
    () => store.count(),
    () => store.scanPrefix("", () => {}),
    () => store.scanRange("a", "b", () => {}),
    () => store.transaction(() => 1),
    () => store.flush(),
    () => store.sync(),
    () => store.compact(),
    () => store.putString("a", ""),
    () => store.putInt64("a", 1),
    () => store.putFloat64("a", 1),
    () => store.putBool("a", true),
    () => store.putBytes("a", new Uint8Array(1)),
    () => store.putJson("a", 1),
    () => store.putMap("a", {}),
    () => store.getString("a"),
    () => store.getInt64("a"),
    () => store.getFloat64("a"),
    () => store.getBool("a"),
    () => store.getBytes("a"),
    () => store.getJson("a"),
    () => store.getMap("a"),
  ];
  for (const method of asynchronous) {
    await assert.rejects(method, { code: "CLOSED" }, String(method));
  }
  const synchronous: (() => unknown)[] = [
    () => store.putSync("a", 1),
    () => store.deleteSync("a"),
    () => store.writeSync([]),
    () => store.getSync("a"),
    () => store.hasSync("a"),
    () => store.entries(),
    () => store.keys(),
    () => store.values(),
    () => store.stats(),
    () => store.transactionSync(() => 1),
    () => store.watch(),
  ];
  for (const method of synchronous) {
    assert.throws(method, { code: "CLOSED" }, String(method));
  }
});

test("A store may be closed twice, and in both ways", async () => {
  const fileSystem = memoryFileSystem();
  const store = await open("/db", { fileSystem });
  await store.put("a", 1);
  const first = store.close();
  assert.equal(store.status, "closing");
  await assert.rejects(store.put("b", 1), { code: "CLOSED" });
  assert.throws(() => store.closeSync(), { code: "CLOSED" });
  await Promise.all([first, store.close()]);
  await store.close();
  store.closeSync();
  const second = openSync("/db", { fileSystem });
  assert.equal(second.getSync("a"), 1);
  second.closeSync();
  second.closeSync();
  await second.close();
  assert.equal(second.status, "closed");
});

test("await using closes the store, even if its block throws", async () => {
  const fileSystem = memoryFileSystem();
  let kept: EmbeddedStore | undefined;
  await assert.rejects(async () => {
    await using store = await open("/db", { fileSystem });
    kept = store;
    await store.put("a", 1);
    throw new Error("thrown in the block");
  }, /thrown in the block/);
  assert.equal(kept?.status, "closed");
  await using again = await open("/db", { fileSystem });
  assert.equal(await again.get("a"), 1);
});

test("close waits for writes that were not awaited", async () => {
  for (const walSync of ["none", "interval", "batch", "write"] as const) {
    for (const form of ["async", "sync"]) {
      const fileSystem = memoryFileSystem();
      const store = await open("/db", { fileSystem, walSync });
      const puts = Array.from({ length: 20 }, (_, i) => store.put(`k${i}`, i));
      if (form === "async") await store.close();
      else store.closeSync();
      await Promise.all(puts);
      await using again = await open("/db", { fileSystem });
      assert.equal(await again.count(), 20, `${walSync} ${form}`);
    }
  }
});

test("A clean close leaves no log, and the next open writes no table", async () => {
  const fileSystem = memoryFileSystem();
  for (let i = 0; i < 3; i++) {
    const store = await open("/db", { fileSystem });
    await store.put("a", i);
    if (i === 1) store.closeSync();
    else await store.close();
    assert.deepEqual(fileSystem.listSync("/db").filter((name) => name.endsWith(".wal")), []);
    await using again = await open("/db", { fileSystem });
    assert.equal(again.stats().flush.count, 0);
    assert.equal(await again.get("a"), i);
  }
});

/** A store over a file system that notes what is done to its logs. */
async function noting(walSync: WalSync, options: Options = {}): Promise<{
  store: EmbeddedStore;
  calls: string[];
  fileSystem: FileSystem;
  gates: (() => void)[];
  hold: (isHeld: boolean) => void;
}> {
  const calls: string[] = [];
  const gates: (() => void)[] = [];
  let isHeld = false;
  const below = memoryFileSystem();
  const note = ({ operation, path, length }: Call): void => {
    // The zeros that extend a log do not count as writes (tests/wal/log_writer_test.ts).
    const isExtension = operation === "write" && length === 256 * 1024;
    if (path.endsWith(".wal") && !isExtension) calls.push(operation);
  };
  const fileSystem = watched(
    below,
    note,
    ({ operation, path }) =>
      isHeld && operation === "sync" && path.endsWith(".wal")
        ? new Promise((resolve) => gates.push(resolve))
        : Promise.resolve(),
  );
  const store = await open("/db", { fileSystem, walSync, ...options });
  // The first write of a session starts the log.
  await store.put("first", 1);
  calls.length = 0;
  return { store, calls, fileSystem: below, gates, hold: (value) => isHeld = value };
}

test("Puts of one turn share one write of the log, and in batch mode one sync", async () => {
  for (
    const [walSync, expected] of [
      ["batch", ["write", "sync"]],
      ["none", ["write"]],
      ["interval", ["write"]],
    ] as const
  ) {
    const { store, calls } = await noting(walSync);
    await Promise.all(Array.from({ length: 100 }, (_, i) => store.put(`k${i}`, i)));
    assert.deepEqual(calls, expected, walSync);
    await store.close();
  }
});

test("In write mode every awaited put has its own sync", async () => {
  const { store, calls } = await noting("write");
  await store.put("a", 1);
  await store.put("b", 1);
  await store.delete("c");
  assert.deepEqual(calls, ["write", "sync", "write", "sync", "write", "sync"]);
  await store.close();
});

/**
 * A turn of the event loop: a store may wait for one, which microtasks alone would never let it
 * have.
 */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("Puts that come while a sync runs share the next one", async () => {
  const { store, calls, gates, hold } = await noting("batch");
  hold(true);
  const first = store.put("a", 1);
  while (gates.length === 0) await turn();
  const isDone = [false, false];
  const others = [store.put("b", 1), store.put("c", 1)].map((put, i) =>
    put.then(() => isDone[i] = true)
  );
  gates.shift()!();
  await first;
  while (gates.length === 0) await turn();
  assert.deepEqual(isDone, [false, false]);
  assert.deepEqual(calls, ["write", "sync", "write", "sync"]);
  gates.shift()!();
  await Promise.all(others);
  assert.deepEqual(calls, ["write", "sync", "write", "sync"]);
  hold(false);
  await store.close();
});

test("A put that asks for a sync gets one in every mode, and others need not wait for one", async () => {
  for (const walSync of ["none", "interval"] as const) {
    const { store, calls } = await noting(walSync);
    await store.put("a", 1);
    assert.deepEqual(calls.splice(0), ["write"], walSync);
    await store.put("b", 1, { sync: true });
    assert.deepEqual(calls.splice(0), ["write", "sync"], walSync);
    await store.delete("b", { sync: true });
    assert.deepEqual(calls.splice(0), ["write", "sync"], walSync);
    await store.batch().put("c", 1).write({ sync: true });
    assert.deepEqual(calls.splice(0), ["write", "sync"], walSync);
    await store.put("d", 1);
    assert.deepEqual(calls.splice(0), ["write"], walSync);
    await store.sync();
    assert.deepEqual(calls.splice(0), ["sync"], walSync);
    await store.close();
  }
});

test("putSync is as durable as walSync asks for when it returns", async () => {
  for (
    const [walSync, expected] of [
      ["write", ["write", "sync"]],
      ["batch", ["write", "sync"]],
      ["none", ["write"]],
    ] as const
  ) {
    const { store, calls } = await noting(walSync);
    store.putSync("a", 1);
    assert.deepEqual(calls.splice(0), expected, walSync);
    store.writeSync([{ type: "delete", key: "a" }, { type: "put", key: "b", value: 1 }]);
    assert.deepEqual(calls.splice(0), expected, walSync);
    await store.close();
  }
});

test("putSync while a put is under way keeps the order of the calls", async () => {
  for (const walSync of ["none", "interval", "batch", "write"] as const) {
    const { store, fileSystem, gates, hold } = await noting(walSync);
    hold(true);
    const puts = [store.put("a", 1), store.put("b", 1)];
    store.putSync("a", 2);
    puts.push(store.put("a", 3), store.delete("b"));
    store.putSync("c", store.getSync("a")!);
    await using copy = await open("/db", { fileSystem: crashCopy(fileSystem, "/db") });
    assert.deepEqual(await copy.entries().toArray(), [["a", 3], ["c", 3], ["first", 1]], walSync);
    hold(false);
    while (gates.length > 0) gates.shift()!();
    await Promise.all(puts);
    assert.equal(store.getSync("a"), 3);
    await store.close();
  }
});

test("A write is seen by the next read, before it is acknowledged", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const put = store.put("a", 1);
  assert.equal(store.getSync("a"), 1);
  assert.deepEqual([...store.entries()], [["a", 1]]);
  const removal = store.delete("a");
  assert.equal(await store.get("a"), undefined);
  await Promise.all([put, removal]);
});

test("Acknowledged writes are on disk in every mode, and a kill leaves an open log", async () => {
  for (const walSync of ["none", "interval", "batch", "write"] as const) {
    const { store, fileSystem } = await noting(walSync);
    for (let i = 0; i < 10; i++) {
      await store.put(`k${i}`, i);
      await using copy = await open("/db", { fileSystem: crashCopy(fileSystem, "/db") });
      assert.equal(await copy.count(), i + 2, walSync);
    }
    await store.close();
  }
});

test("compact leaves one table per key range, without deleted or replaced entries", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem, memtableSizeBytes: 4096 });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 200; i++) await store.put(`k${i}`, `${round}`.repeat(20));
  }
  for (let i = 0; i < 200; i += 2) await store.delete(`k${i}`);
  await store.compact();
  const { levels } = store.stats();
  assert.equal(levels.reduce((sum, level) => sum + level.entries, 0), 100);
  assert.equal(levels.reduce((sum, level) => sum + level.tombstones, 0), 0);
  assert.equal(levels[0]!.tables, 0);
  const before = store.stats().compaction;
  await store.compact();
  assert.deepEqual(store.stats().compaction, before);
  for (let i = 0; i < 200; i++) await store.delete(`k${i}`);
  await store.compact({ start: "k", end: "l" });
  assert.equal(store.stats().levels.reduce((sum, level) => sum + level.tables, 0), 0);
  assert.deepEqual(fileSystem.listSync("/db").filter((name) => name.endsWith(".sst")), []);
});

test("compact of a range leaves the rest alone, and refuses bounds that are not keys", async () => {
  const ranges: CompactRange[] = [
    ...[{ prefix: "m" }, { gte: "m", lt: "n" }, { gt: "l", lte: "m1" }],
    ...[{ start: "m", end: "m1" }, { gte: "m", prefix: "m1" }],
  ];
  for (const range of ranges) {
    await using store = await open("/db", {
      fileSystem: memoryFileSystem(),
      l0CompactionTrigger: 20,
    });
    for (const key of ["a1", "m1", "z1"]) {
      await store.put(key, 1);
      await store.flush();
      await store.delete(key);
      await store.flush();
    }
    await store.compact(range);
    const left = store.tables().map(({ smallest }) => new TextDecoder().decode(smallest));
    assert.deepEqual(left.sort(), ["a1", "a1", "z1", "z1"], JSON.stringify(range));
    for (const key of ["start", "end", "prefix", "lt"]) {
      await assert.rejects(store.compact({ [key]: 5 as never }), TypeError);
    }
    assert.equal(await store.count(), 0);
  }
});

test("flush and compact that are under way when the store is closed end with it", async () => {
  const fileSystem = memoryFileSystem();
  const store = await open("/db", { fileSystem, memtableSizeBytes: 4096 });
  for (let i = 0; i < 500; i++) store.putSync(`k${i * 7 % 500}`, "x".repeat(100));
  const work = [store.flush(), store.compact()];
  const settled = Promise.allSettled(work);
  await store.close();
  for (const result of await settled) {
    if (result.status === "rejected") assert.equal(result.reason.code, "CLOSED");
  }
  await using again = await open("/db", { fileSystem });
  assert.equal(await again.count(), 500);
});
