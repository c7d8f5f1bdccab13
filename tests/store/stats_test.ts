// What stats() counts, over a store whose content is known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type EmbeddedStore, memoryFileSystem, open, type Options } from "../../mod.ts";

const options: Options = { memtableSizeBytes: 2 ** 20, blockSizeBytes: 1024, compression: "none" };

test("The statistics of a new store are zero", async () => {
  await using store = await open("/db", { ...options, fileSystem: memoryFileSystem() });
  const stats = store.stats();
  assert.equal(stats.memtable.entryCount, 0);
  assert.deepEqual([stats.expiring, stats.deletedRanges], [0, 0]);
  assert.equal(stats.immutableMemtables, 0);
  assert.equal(stats.wal.sizeBytes, 0);
  assert.deepEqual([stats.cache.hits, stats.cache.misses, stats.cache.sizeBytes], [0, 0, 0]);
  assert.equal(stats.cache.capacityBytes, 64 * 2 ** 20);
  assert.deepEqual([stats.indexBytes, stats.filterBytes, stats.openFiles], [0, 0, 0]);
  assert.equal(stats.levels.length, 7);
  for (const [at, { level, tables, entries, tombstones, sizeBytes }] of stats.levels.entries()) {
    assert.deepEqual([level, tables, entries, tombstones, sizeBytes], [at, 0, 0, 0, 0]);
  }
  assert.equal(stats.pendingCompactionBytes, 0);
  assert.deepEqual(stats.values, {
    ...{ files: 0, sizeBytes: 0, usedBytes: 0 },
    ...{ reads: 0, readBytes: 0 },
  });
  assert.deepEqual(stats.stalls, { count: 0, totalMs: 0 });
  assert.deepEqual(stats.flush, { count: 0, bytesWritten: 0 });
  assert.deepEqual(stats.compaction, { count: 0, bytesRead: 0, bytesWritten: 0 });
});

test("Entries are counted in the memtable, and by level after a flush", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { ...options, fileSystem });
  for (let i = 0; i < 100; i++) await store.put(`key ${i}`, "x".repeat(100));
  for (let i = 0; i < 10; i++) await store.delete(`key ${i}`);
  const before = store.stats();
  assert.equal(before.memtable.entryCount, 110);
  assert.ok(before.memtable.sizeBytes > 100 * 100);
  assert.ok(before.wal.sizeBytes > 100 * 100);
  await store.flush();
  const after = store.stats();
  assert.equal(after.memtable.entryCount, 0);
  assert.ok(after.wal.sizeBytes < 200);
  const [table] = fileSystem.listSync("/db").filter((name) => name.endsWith(".sst"));
  const { sizeBytes } = fileSystem.statSync(`/db/${table}`)!;
  const level = {
    level: 0,
    tables: 1,
    entries: 100,
    tombstones: 10,
    expiring: 0,
    deletedRanges: 0,
    sizeBytes,
  };
  assert.deepEqual(after.levels[0], level);
  assert.deepEqual(after.flush, { count: 1, bytesWritten: sizeBytes });
});

test("The cache counts hits and misses, and open files and indexes appear when they are used", async () => {
  const fileSystem = memoryFileSystem();
  const filling = await open("/db", { ...options, fileSystem });
  for (let i = 0; i < 100; i++) await filling.put(`key ${i}`, "x".repeat(100));
  await filling.close();
  await using store = await open("/db", { ...options, fileSystem });
  assert.equal(store.stats().openFiles, 0);
  await store.get("key 5");
  const first = store.stats();
  assert.equal(first.openFiles, 1);
  assert.ok(first.indexBytes > 0);
  assert.ok(first.filterBytes > 0);
  assert.deepEqual([first.cache.hits, first.cache.misses], [0, 1]);
  assert.ok(first.cache.sizeBytes >= 1000);
  store.getSync("key 5");
  const second = store.stats();
  assert.deepEqual([second.cache.hits, second.cache.misses], [1, 1]);
});

test("A compaction that merges counts what it read and wrote", async () => {
  await using store = await open("/db", { ...options, fileSystem: memoryFileSystem() });
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 100; i++) await store.put(`key ${i}`, round);
    await store.flush();
  }
  const read = store.stats().levels[0]!.sizeBytes;
  await store.compact();
  const { compaction, levels } = store.stats();
  const written = levels.reduce((sum, level) => sum + level.sizeBytes, 0);
  assert.deepEqual(compaction, { count: 1, bytesRead: read, bytesWritten: written });
});

test("Expiring entries and deleted ranges are counted, wherever they are", async () => {
  const fileSystem = memoryFileSystem();
  const later = 2 ** 45;
  let store = await open("/db", { ...options, fileSystem });
  await store.put("a", 1, { expiresAt: later });
  await store.put("b", 1);
  await store.flush();
  await store.write([
    { type: "put", key: "c", value: 1, expiresAt: later + 1 },
    { type: "put", key: "d", value: 1, expiresAt: later + 2 },
    { type: "deleteRange", range: { gte: "x", lt: "y" } },
  ]);
  const counts = (of: EmbeddedStore): unknown => {
    const { expiring, deletedRanges, levels } = of.stats();
    return { expiring, deletedRanges, level0: [levels[0]!.expiring, levels[0]!.deletedRanges] };
  };
  assert.deepEqual(counts(store), { expiring: 3, deletedRanges: 1, level0: [1, 0] });
  // A reader has the log in a memtable.
  const reader = await open("/db", { ...options, fileSystem, readOnly: true });
  assert.deepEqual(counts(reader), { expiring: 3, deletedRanges: 1, level0: [1, 0] });
  await reader.close();
  await store.flush();
  assert.deepEqual(counts(store), { expiring: 3, deletedRanges: 1, level0: [3, 1] });
  const [newer, older] = store.tables();
  assert.deepEqual(newer!.expiry, { earliest: later + 1, latest: later + 2 });
  assert.deepEqual([newer!.expiring, newer!.deletedRanges], [2, 1]);
  assert.deepEqual(older!.expiry, { earliest: later, latest: later });
  assert.deepEqual([older!.expiring, older!.deletedRanges], [1, 0]);
  await store.close();
  store = await open("/db", { ...options, fileSystem });
  for (const key of ["a", "c", "d"]) await store.put(key, 2);
  await store.compact();
  assert.deepEqual(counts(store), { expiring: 0, deletedRanges: 0, level0: [0, 0] });
  assert.ok(store.tables().every(({ expiry }) => expiry === undefined));
  await store.close();
});

test("Each large value that a get, a scan or a stream reads is counted, and no other", async () => {
  const fileSystem = memoryFileSystem();
  const large: Options = { ...options, fileSystem, largeValueBytes: 1000 };
  await using store = await open("/db", large);
  const bytes = new Uint8Array(300_000).map((_, index) => index % 251);
  await store.put("a", bytes);
  await store.put("b", "small");
  await store.put("c", bytes);
  const reads = async (read: () => unknown): Promise<[reads: number, readBytes: number]> => {
    const before = store.stats().values;
    await read();
    const { reads, readBytes } = store.stats().values;
    return [reads - before.reads, readBytes - before.readBytes];
  };
  const [, stored] = await reads(() => store.get("a"));
  // A stored value begins with its type and its length.
  assert.ok(stored > bytes.length && stored < bytes.length + 16, `${stored}`);
  for (const isFlushed of [false, true]) {
    if (isFlushed) assert.deepEqual(await reads(() => store.compact()), [0, 0]);
    assert.deepEqual(await reads(() => store.get("a")), [1, stored]);
    assert.deepEqual(await reads(() => store.getSync("a")), [1, stored]);
    assert.deepEqual(await reads(() => store.getMany(["a", "b", "c", "d"])), [2, 2 * stored]);
    assert.deepEqual(await reads(() => store.entries().toArray()), [2, 2 * stored]);
    assert.deepEqual(await reads(() => [...store.entries({ limit: 1 })]), [1, stored]);
    assert.deepEqual(await reads(() => [...store.keys()]), [0, 0]);
    assert.deepEqual(await reads(() => store.has("a")), [0, 0]);
    assert.deepEqual(await reads(() => store.get("b")), [0, 0]);
    assert.deepEqual(await reads(() => store.verify()), [0, 0]);
    const stream = async (): Promise<void> => {
      let length = 0;
      for await (const part of store.getStream("a")!) length += part.length;
      assert.equal(length, bytes.length);
    };
    assert.deepEqual(await reads(stream), [1, stored]);
  }
  assert.deepEqual(await reads(() => store.put("e", bytes)), [0, 0]);
});

test("A packed large value counts once, with its packed bytes, also if it is streamed", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { ...options, compression: "snappy", fileSystem });
  await store.put("a", new Uint8Array(1_000_000));
  await store.flush();
  const { usedBytes } = store.stats().values;
  assert.ok(usedBytes < 100_000, `${usedBytes} bytes`);
  await store.get("a");
  await new Response(store.getStream("a")).arrayBuffer();
  const { reads, readBytes } = store.stats().values;
  assert.deepEqual([reads, readBytes], [2, 2 * usedBytes]);
});
