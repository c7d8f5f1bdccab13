// Objects that are out to change a store's behaviour: polluted prototypes under options, and
// records whose property names are those of Object.prototype.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryFileSystem, open, openSync, type Options } from "../../mod.ts";
import { crashCopy, watched } from "./file_systems.ts";

/** Runs `body` while Object.prototype has the properties. */
async function whilePolluted(
  properties: Readonly<Record<string, unknown>>,
  body: () => void | Promise<void>,
): Promise<void> {
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
  }
  try {
    await body();
  } finally {
    for (const name of Object.keys(properties)) {
      delete (Object.prototype as unknown as Record<string, unknown>)[name];
    }
  }
}

test("Options on Object.prototype change nothing about an open", async () => {
  const fileSystem = memoryFileSystem();
  const polluted: Record<keyof Options, unknown> = {
    preset: "low-memory",
    createIfMissing: false,
    errorIfExists: true,
    readOnly: true,
    shared: true,
    lockTimeoutMs: 5,
    fileSystem: memoryFileSystem(),
    fileMode: 0o666,
    directoryMode: 0o777,
    keyEncoding: "bytes",
    int64: "number",
    memtableSizeBytes: 4096,
    blockCacheSizeBytes: 0,
    blockSizeBytes: 256,
    compression: "none",
    compressionLevel: 4,
    bloomFalsePositiveRate: 0.5,
    walSync: "none",
    walSyncIntervalMs: 7,
    flushOnClose: false,
    largeValueBytes: 64,
    verifyChecksums: false,
    l0CompactionTrigger: 2,
    levelSizeMultiplier: 2,
    maxLevels: 2,
    backgroundThread: false,
  };
  await whilePolluted(polluted, () => {
    const store = openSync("/db", { fileSystem });
    store.putSync("key", 1n);
    assert.equal(store.getSync("key"), 1n);
    assert.deepEqual([...store.keys()], ["key"]);
    assert.equal(store.stats().cache.capacityBytes > 0, true, "the preset was taken");
    store.closeSync();
    const again = openSync("/db", { fileSystem });
    assert.equal(again.getSync("key"), 1n);
    again.closeSync();
  });
  assert.ok(fileSystem.listSync("/db").includes("CURRENT"));
});

test("Bounds on Object.prototype change nothing about a scan, a count or a compaction", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  for (const key of ["a", "b", "c", "d"]) await store.put(key, 1);
  const polluted = { prefix: "x", gte: "b", gt: "b", lte: "c", lt: "c", limit: 1, reverse: true };
  const bounds = { start: "x", end: "y", signal: AbortSignal.abort(), keyEncoding: "bytes" };
  await whilePolluted({ ...polluted, ...bounds }, async () => {
    assert.deepEqual([...store.keys()], ["a", "b", "c", "d"]);
    assert.deepEqual([...store.keys({})], ["a", "b", "c", "d"]);
    assert.deepEqual([...store.keys(Object.create({ lt: "b" }))], ["a", "b", "c", "d"]);
    assert.equal(await store.count({}), 4);
    const seen: unknown[] = [];
    await store.scanPrefix("", (key) => void seen.push(key));
    assert.deepEqual(seen, ["a", "b", "c", "d"]);
    await store.flush();
    await store.put("a", 2);
    await store.compact({});
    assert.equal(store.stats().levels.reduce((sum, level) => sum + level.entries, 0), 4);
  });
});

test("An inherited sync option does not count", async () => {
  let syncs = 0;
  const fileSystem = watched(memoryFileSystem(), ({ operation }) => {
    if (operation === "sync") syncs++;
  });
  await using store = await open("/db", { fileSystem, walSync: "none" });
  await store.put("first", 1);
  const before = syncs;
  const inherits = Object.create({ sync: true }) as { sync?: boolean };
  await store.put("a", 1, inherits);
  await store.delete("a", inherits);
  await store.write([{ type: "put", key: "b", value: 1 }], inherits);
  await store.batch().put("b", 2).write(inherits);
  assert.equal(syncs, before);
  await store.put("c", 1, { sync: true });
  assert.equal(syncs, before + 1);
});

test("Records with names of Object.prototype come back whole from memory, log and tables", async () => {
  const names = [
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "valueOf",
    "__defineGetter__",
    "__lookupSetter__",
    "prototype",
    "then",
    "toJSON",
    "polluted",
  ];
  const inner: Record<string, unknown> = {};
  for (const name of names) {
    Object.defineProperty(inner, name, { value: `of ${name}`, enumerable: true });
  }
  const record: Record<string, unknown> = { list: [inner] };
  for (const name of names) {
    Object.defineProperty(record, name, { value: { polluted: inner }, enumerable: true });
  }
  const before = Object.getOwnPropertyNames(Object.prototype);
  const check = (found: unknown, where: string): void => {
    const copy = found as Record<string, Record<string, Record<string, unknown>>>;
    assert.deepEqual(Object.keys(copy).sort(), ["list", ...names].sort(), where);
    assert.equal(Object.getPrototypeOf(copy), Object.prototype, where);
    for (const name of names) {
      assert.ok(Object.hasOwn(copy, name), `${name}, ${where}`);
      const value = Object.getOwnPropertyDescriptor(copy, name)!.value.polluted;
      for (const other of names) {
        const found = Object.getOwnPropertyDescriptor(value, other)?.value;
        assert.equal(found, `of ${other}`, `${name}.${other}, ${where}`);
      }
    }
    assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before, where);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined, where);
  };
  const fileSystem = memoryFileSystem();
  const store = await open("/db", { fileSystem });
  await store.put("record", record as never);
  await store.put("__proto__", "a key");
  check(await store.get("record"), "memory");
  const recovered = await open("/db", { fileSystem: crashCopy(fileSystem, "/db") });
  check(await recovered.get("record"), "log");
  await recovered.close();
  await store.flush();
  check(store.getSync("record"), "table");
  await store.put("record", record as never);
  await store.compact();
  for (const [key, value] of store.entries({ prefix: "rec" })) check(value, `${key} in a scan`);
  assert.equal(await store.get("__proto__"), "a key");
  await store.putJson("json", JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2}'));
  const json = await store.getJson<Record<string, unknown>>("json");
  assert.deepEqual(Object.keys(json!).sort(), ["__proto__", "constructor"]);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  await store.close();
});

test("A record in itself is a RangeError that leaves nothing, and class instances are TypeErrors", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const circle: Record<string, unknown> = { a: [1, 2, 3] };
  (circle.a as unknown[]).push(circle);
  await assert.rejects(store.put("k", circle as never), RangeError);
  assert.throws(() => store.putSync("k", circle as never), RangeError);
  class Money {
    readonly amount = 1;
  }
  for (const value of [new Money(), { price: new Money() }, [new Money()], new Map()]) {
    await assert.rejects(store.put("k", value as never), TypeError);
  }
  assert.equal(await store.get("k"), undefined);
});
