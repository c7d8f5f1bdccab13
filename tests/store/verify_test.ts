/** Tests `verify` of an open store, and `approximateSize`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type EmbeddedStore,
  memoryFileSystem,
  open,
  type Options,
  repair,
  type VerifyProgress,
  verifyStoreSync,
} from "../../mod.ts";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import type { TableExpiry } from "../../src/sstable/table_expiry.ts";
import { manifestName } from "../../src/version/file_names.ts";
import {
  decodeCurrent,
  decodeManifest,
  encodeManifestHeader,
  encodeManifestRecord,
} from "../../src/version/manifest_format.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { DIRECTORY, openFiles } from "../support/store_files.ts";

const small: Options = { memtableSizeBytes: 8192, blockSizeBytes: 512, walSync: "none" };

async function fill(store: EmbeddedStore, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    await store.put(`k${String(i % 700).padStart(4, "0")}`, `value ${i} ${"x".repeat(i % 40)}`);
    if (i % 50 === 0) await store.delete(`k${String(i % 600).padStart(4, "0")}`);
  }
}

test("verify finds a store sound while it is written to, flushed and compacted", async () => {
  await using store = await open("/db", { ...small, fileSystem: memoryFileSystem() });
  await fill(store, 0, 2000);
  let isDone = false;
  const writing = (async () => {
    for (let i = 2000; !isDone; i += 100) {
      await fill(store, i, i + 100);
      if (i % 1000 === 0) await store.compact();
    }
  })();
  for (let round = 0; round < 10; round++) {
    const report = await store.verify();
    assert.deepEqual(report.problems, []);
    assert.equal(report.isSound, true);
    assert.ok(report.tables > 0 && report.entries > 600, JSON.stringify(report));
  }
  isDone = true;
  await writing;
  assert.equal(store.verifySync().isSound, true);
});

test("verify reads every byte of the tables, and tells how far it is", async () => {
  await using store = await open("/db", { ...small, fileSystem: memoryFileSystem() });
  await fill(store, 0, 1500);
  await store.flush();
  const seen: VerifyProgress[] = [];
  const verifying = store.verify({ onProgress: (progress) => seen.push(progress) });
  const { bytes, tables } = store.stats().levels.reduce((sum, level) => ({
    bytes: sum.bytes + level.sizeBytes,
    tables: sum.tables + level.tables,
  }), { bytes: 0, tables: 0 });
  const report = await verifying;
  assert.equal(report.tables, tables);
  assert.ok(report.bytes >= bytes, `${report.bytes} of ${bytes}`);
  assert.ok(seen.length > tables);
  for (const [at, { doneBytes, totalBytes, file }] of seen.entries()) {
    assert.ok(doneBytes <= totalBytes && file.startsWith("/db/"));
    if (at > 0) assert.ok(doneBytes >= seen[at - 1]!.doneBytes);
  }
  assert.equal(seen.at(-1)!.doneBytes, report.bytes);
});

test("verify is ended by its signal, by what its observer throws, and by a close", async () => {
  const store = await open("/db", { ...small, fileSystem: memoryFileSystem() });
  await fill(store, 0, 1500);
  const controller = new AbortController();
  const reason = new Error("enough");
  const aborted = store.verify({
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  await assert.rejects(aborted, (error) => error === reason);
  await assert.rejects(store.verify({ signal: controller.signal }), (error) => error === reason);
  const thrown = store.verify({
    onProgress() {
      throw reason;
    },
  });
  await assert.rejects(thrown, (error) => error === reason);
  await fill(store, 1500, 8000);
  const closed = store.verify({ onProgress: () => store.closeSync() });
  await assert.rejects(closed, { code: "CLOSED" });
  await assert.rejects(store.verify(), { code: "CLOSED" });
  for (const wrong of [5, null, { progress: 1 }, { signal: 1 }, { onProgress: 1 }]) {
    await assert.rejects(store.verify(wrong as never), TypeError);
  }
});

test("verify names every damaged block of every table, and goes on after it", async () => {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const store = openFiles(fileSystem, { ...small, compression: "none", l0CompactionTrigger: 100 });
  for (let i = 0; i < 1500; i++) store.putSync(`k${String(i).padStart(4, "0")}`, `value ${i}`);
  await store.flush();
  const sound = await store.verify();
  assert.deepEqual(sound.problems, []);
  const names = fileSystem.listSync(DIRECTORY).filter((name) => name.endsWith(".sst"));
  assert.ok(names.length >= 3);
  const damaged: string[] = [];
  for (const name of names.slice(0, 2)) {
    const path = `${DIRECTORY}/${name}`;
    const content = fileSystem.content(path).slice();
    for (const at of [40, 2000, 4000]) content[at]! ^= 1;
    fileSystem.setContent(path, content);
    damaged.push(path);
  }
  const report = await store.verify();
  assert.equal(report.isSound, false);
  assert.equal(report.problems.length, 6);
  assert.deepEqual([...new Set(report.problems.map(({ file }) => file))].sort(), damaged.sort());
  assert.ok(report.entries < sound.entries && report.entries > sound.entries / 2);
  assert.equal(report.tables, sound.tables);
  const current = `${DIRECTORY}/CURRENT`;
  const content = fileSystem.content(current).slice();
  content[12]! ^= 1;
  fileSystem.setContent(current, content);
  assert.ok(store.verifySync().problems.some(({ file }) => file === current));
  fileSystem.removeSync(damaged[0]!);
  assert.ok((await store.verify()).problems.some(({ file }) => file === damaged[0]));
});

/** Replaces the expiry that the manifest names for each table. */
function forgeExpiry(
  fileSystem: CloneableFileSystem,
  forged: (expiry: TableExpiry | undefined) => TableExpiry | undefined,
): void {
  const current = decodeCurrent(fileSystem.content(`${DIRECTORY}/CURRENT`));
  const { storeId, manifestNumber } = current;
  const path = `${DIRECTORY}/${manifestName(manifestNumber)}`;
  const { edits } = decodeManifest(fileSystem.content(path), storeId, manifestNumber);
  const writer = new ByteWriter(1024);
  encodeManifestHeader(writer, storeId, manifestNumber, 2);
  for (const [at, edit] of edits.entries()) {
    const added = edit.added.map(({ level, table }) => ({
      level,
      table: { ...table, expiry: forged(table.expiry) },
    }));
    encodeManifestRecord(writer, storeId, manifestNumber, at, { ...edit, added });
  }
  fileSystem.setContent(path, writer.bytes.slice(0, writer.length));
}

test("verify compares the times in the manifest with those of the table, and repair mends them", async () => {
  const original = new CloneableFileSystem();
  original.makeDirectorySync(DIRECTORY);
  const store = openFiles(original, { memtableSizeBytes: 1024 * 1024 });
  const [first, last] = [4e12, 5e12];
  for (let i = 0; i < 100; i++) {
    store.putSync(`k${i}`, i, i < 60 ? { expiresAt: first + i * (last - first) / 59 } : undefined);
  }
  store.closeSync();
  const content = await contentOf(original);
  assert.equal(content.length, 100);

  const forgeries: Record<string, (given: TableExpiry) => TableExpiry | undefined> = {
    "no expiry": () => undefined,
    "an earlier end, by which scans would leave the table out": ({ count, times }) => ({
      count: count + 40,
      times: times.map(() => 1),
    }),
    "another count": ({ count, times }) => ({ count: count - 1, times }),
    "another latest time": ({ count, times }) => ({ count, times: times.with(-1, last + 1) }),
    "another earliest time": ({ count, times }) => ({ count, times: times.with(0, first - 1) }),
    "another share": ({ count, times }) => ({ count, times: times.with(3, times[4]!) }),
    "one time": ({ count, times }) => ({ count, times: [times[0]!] }),
  };
  for (const [name, forged] of Object.entries(forgeries)) {
    const fileSystem = original.clone();
    let tables = 0;
    forgeExpiry(fileSystem, (expiry) => {
      assert.equal(expiry?.times.length, 9);
      tables++;
      return forged(expiry!);
    });
    assert.equal(tables, 1);
    const { problems } = verifyStoreSync(DIRECTORY, { fileSystem });
    assert.equal(problems.length, 1, name);
    assert.match(problems[0]!.message, /expire.* but the manifest says/, name);
    assert.match(problems[0]!.file, /\.sst$/);
    await using forgedStore = await open(DIRECTORY, { fileSystem, readOnly: true });
    assert.equal((await forgedStore.verify()).problems.length, 1, name);

    const report = await repair(DIRECTORY, { fileSystem });
    assert.equal(report.isSound, false);
    assert.deepEqual(verifyStoreSync(DIRECTORY, { fileSystem }).problems, [], name);
    assert.deepEqual(await contentOf(fileSystem), content, name);
  }
  // Forging nothing is no problem.
  forgeExpiry(original, (expiry) => expiry);
  assert.deepEqual(verifyStoreSync(DIRECTORY, { fileSystem: original }).problems, []);
});

async function contentOf(fileSystem: CloneableFileSystem): Promise<unknown[]> {
  await using store = await open(DIRECTORY, { fileSystem, readOnly: true });
  return await Promise.all((await store.keys().toArray()).map((key) => store.getEntry(key)));
}

test("approximateSize comes near the truth, adds up, and reads no block", async () => {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const store = openFiles(fileSystem, { ...small, compression: "none" });
  for (let i = 0; i < 5000; i++) {
    store.putSync(`k${String(i).padStart(5, "0")}`, "v".repeat(100));
  }
  await store.compact();
  store.putSync("k99999", "in memory");
  const whole = store.approximateSize();
  assert.ok(Math.abs(whole.entries - 5001) < 5, JSON.stringify(whole));
  assert.ok(whole.bytes > 500_000 && whole.bytes < 700_000);
  const parts = [{ lt: "k02000" }, { gte: "k02000", lt: "k04000" }, { gte: "k04000" }]
    .map((range) => store.approximateSize(range));
  for (const [at, expected] of [2000, 2000, 1001].entries()) {
    assert.ok(Math.abs(parts[at]!.entries - expected) < 50, JSON.stringify(parts));
  }
  const sum = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.ok(Math.abs(sum - whole.bytes) < 5000);
  assert.ok(store.approximateSize({ prefix: "k0123" }).entries < 40);
  assert.deepEqual(store.approximateSize({ prefix: "x" }), { bytes: 0, entries: 0 });
  assert.deepEqual(store.approximateSize({ prefix: "a" }), { bytes: 0, entries: 0 });
  assert.deepEqual(store.approximateSize({ prefix: "k9" }).entries, 1);
  assert.throws(() => store.approximateSize({ from: 1 } as never), TypeError);
  const { hits, misses } = store.stats().cache;
  store.approximateSize({ gte: "k01111", lt: "k03333" });
  assert.deepEqual(store.stats().cache.hits, hits);
  assert.deepEqual(store.stats().cache.misses, misses);
  await store.close();
  assert.throws(() => store.approximateSize(), { code: "CLOSED" });
});

test("verify of a read-only store checks the tables that it shows", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { ...small, fileSystem });
  await fill(store, 0, 1500);
  await using reader = await open("/db", { fileSystem, readOnly: true });
  await fill(store, 1500, 3000);
  await store.compact();
  const report = await reader.verify();
  assert.deepEqual(report.problems, []);
  assert.ok(report.tables > 0 && report.logs === 0);
});

test("verify counts the large values that it checks outside of the logs that an open replays", async () => {
  const fileSystem = new CloneableFileSystem();
  const large: Options = { ...small, fileSystem, largeValueBytes: 1000, compression: "none" };
  const put = (store: EmbeddedStore): void => {
    for (let i = 0; i < 10; i++) store.putSync(`large ${i}`, new Uint8Array(5000).fill(i));
    for (let i = 0; i < 10; i++) store.putSync(`small ${i}`, i);
  };
  {
    await using store = await open("/db", { ...large, flushOnClose: false });
    put(store);
    const report = await store.verify();
    // Each is in a record of the log.
    assert.deepEqual([report.logs, report.entries, report.largeValues], [1, 20, 0]);
    await store.flush();
    const flushed = await store.verify();
    assert.deepEqual([flushed.entries, flushed.largeValues], [20, 10]);
    assert.ok(flushed.bytes > 10 * 5000, `${flushed.bytes} bytes`);
  }
  const report = verifyStoreSync("/db", { fileSystem });
  assert.deepEqual([report.tables, report.logs], [1, 0]);
  assert.deepEqual([report.entries, report.largeValues], [20, 10]);
  assert.ok(report.bytes > 10 * 5000, `${report.bytes} bytes`);
  // The log stays for its values, and a byte of any of them is checked.
  const [log] = fileSystem.listSync("/db").filter((name) => name.endsWith(".wal"));
  const content = fileSystem.content(`/db/${log}`).slice();
  const at = content.findIndex((byte, index) => byte === 7 && content[index + 1] === 7);
  content[at]! ^= 1;
  fileSystem.setContent(`/db/${log}`, content);
  const damaged = verifyStoreSync("/db", { fileSystem });
  assert.equal(damaged.problems.length, 1);
  assert.equal(damaged.problems[0]!.file, `/db/${log}`);
});
