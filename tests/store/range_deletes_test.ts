// Deleted ranges: what is gone, what stays, what is read for it, and what is left on disk.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ConflictError,
  type DeletedRange,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  openSync,
  type Operation,
  type Options,
  repairSync,
  verifyStoreSync,
} from "../../mod.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { countingFileSystem } from "../support/counting_file_system.ts";
import { FaultScheduler, useScheduler } from "../support/fault_scheduler.ts";

const SMALL: Options = {
  memtableSizeBytes: 65_536,
  blockSizeBytes: 1024,
  compression: "none",
  walSync: "none",
};

function keyOf(n: number): string {
  return `key ${String(n).padStart(6, "0")}`;
}

function fill(store: EmbeddedStore, from: number, to: number): void {
  const batch = store.batch();
  for (let i = from; i < to; i++) batch.put(keyOf(i), "x".repeat(100));
  store.writeSync(batch);
}

function filesOf(fileSystem: CloneableFileSystem, ending: string): string[] {
  return fileSystem.listSync("/db").filter((name) => name.endsWith(ending));
}

function sizeOf(fileSystem: CloneableFileSystem, ending: string): number {
  return filesOf(fileSystem, ending)
    .reduce((sum, name) => sum + fileSystem.content(`/db/${name}`).length, 0);
}

test("A deleted range takes what was put before it, in memory, in tables and after a reopening", () => {
  const fileSystem = memoryFileSystem();
  const cases: [DeletedRange, string[]][] = [
    [{ gte: "b", lt: "d" }, ["a", "d", "da", "e"]],
    [{ gt: "b", lte: "d" }, ["a", "b", "da", "e"]],
    [{ prefix: "d" }, ["a", "b", "c", "e"]],
    [{ gte: "d" }, ["a", "b", "c"]],
    [{ lt: "d" }, ["d", "da", "e"]],
    [{}, []],
    [{ gte: "d", lt: "b" }, ["a", "b", "c", "d", "da", "e"]],
  ];
  for (const [at, [range, left]] of cases.entries()) {
    for (const flushes of [0, 1, 2]) {
      const path = `/db${at}-${flushes}`;
      const store = openSync(path, { fileSystem });
      for (const key of ["a", "b", "c", "d", "da", "e"]) store.putSync(key, 1);
      if (flushes > 0) store.flushSync();
      const before = store.snapshot();
      const cursor = store.keys();
      store.deleteRangeSync(range);
      if (flushes > 1) store.flushSync();
      assert.deepEqual([...store.keys()], left);
      assert.deepEqual([...store.keys({ reverse: true })], left.toReversed());
      assert.equal(store.countSync(), left.length);
      assert.deepEqual(store.hasManySync(["c", "da"]), ["c", "da"].map((k) => left.includes(k)));
      // Keys that come later than all that were there are not deleted.
      store.putSync("zz", 2);
      store.putSync("c", 3);
      assert.deepEqual(store.getManySync(["c", "zz"]), [3, 2]);
      assert.equal(before.countSync(), 6);
      assert.equal([...cursor].length, 6);
      before.close();
      store.closeSync();
      const again = openSync(path, { fileSystem });
      assert.deepEqual([...again.keys()], [...new Set([...left, "c", "zz"])].sort());
      again.compactSync();
      assert.deepEqual([...again.keys()], [...new Set([...left, "c", "zz"])].sort());
      again.closeSync();
    }
  }
});

test("Snapshots and open cursors do not see a range that is deleted later in the same memtable", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem() });
  // The first deletion begins a new log, and so a new memtable.
  store.deleteRangeSync({ lt: "a" });
  const keys = Array.from({ length: 5000 }, (_, i) => keyOf(i));
  store.writeSync(keys.map((key) => ({ type: "put", key, value: 1 })));
  store.deleteRangeSync({ lt: keyOf(10) });
  const snapshot = store.snapshot();
  const cursor = store.keys();
  assert.deepEqual(cursor.nextManySync(1), [keyOf(10)]);
  store.deleteRangeSync({ gte: keyOf(4000), lt: keyOf(4900) });
  assert.equal(store.countSync(), 5000 - 10 - 900);
  assert.deepEqual(snapshot.getManySync([keyOf(9), keyOf(4000)]), [undefined, 1]);
  assert.deepEqual([...snapshot.keys({ reverse: true })], keys.slice(10).reverse());
  assert.deepEqual([...cursor], keys.slice(11));
  snapshot.close();
  store.closeSync();
});

test("What can't be a range to delete is refused, and nothing is written", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await store.put("a", 1);
  const wrong: unknown[] = [undefined, null, "a", { limit: 3 }, { gte: 1 }, { from: "a" }];
  for (const range of wrong) {
    await assert.rejects(store.deleteRange(range as DeletedRange), TypeError, String(range));
    assert.throws(() => store.deleteRangeSync(range as DeletedRange), TypeError);
    assert.throws(() => store.batch().deleteRange(range as DeletedRange), TypeError);
    await assert.rejects(store.write([{ type: "deleteRange", range } as Operation]), TypeError);
    assert.throws(() => store.transactionSync((tx) => tx.deleteRangeSync(range as DeletedRange)));
  }
  // Without this, a forgotten argument would delete everything.
  await assert.rejects(store.deletePrefix(undefined as unknown as string), TypeError);
  assert.throws(() => store.deletePrefixSync(undefined as unknown as string), TypeError);
  assert.throws(
    () => store.deleteRangeSync({ limit: 3 } as DeletedRange),
    /"limit" is 3, but a deletion does not count keys/,
  );
  assert.equal(await store.count(), 1);
});

test("A store stays readable for older versions until a range is deleted, and then refuses them", () => {
  const versionsOf = (fileSystem: CloneableFileSystem, ending: string): number[] =>
    filesOf(fileSystem, ending).map((name) => fileSystem.content(`/db/${name}`)[8]!);
  const fileSystem = new CloneableFileSystem();
  const store = openSync("/db", { ...SMALL, fileSystem });
  fill(store, 0, 100);
  const manifest = (): string =>
    filesOf(fileSystem, "")
      .filter((name) => name.startsWith("MANIFEST"))[0]!;
  const manifestVersion = (): number => fileSystem.content(`/db/${manifest()}`)[8]!;
  assert.deepEqual([versionsOf(fileSystem, ".wal"), manifestVersion()], [[1], 1]);
  store.flushSync();
  assert.equal(manifestVersion(), 1);
  store.deleteRangeSync({ gte: keyOf(10), lt: keyOf(20) });
  store.putSync("after", 1);
  assert.deepEqual(versionsOf(fileSystem, ".wal").at(-1), 2);
  store.flushSync();
  assert.equal(manifestVersion(), 2);
  store.compactSync();
  assert.equal(store.countSync(), 91);
  store.closeSync();
  // Nothing of it is left in the tables, and the next manifest says so.
  const again = openSync("/db", { ...SMALL, fileSystem });
  again.putSync("b", 1);
  assert.equal(manifestVersion(), 1);
  assert.deepEqual(versionsOf(fileSystem, ".wal"), [1]);
  again.closeSync();
});

test("Tables inside a deleted range are dropped without being read, and scans do not read its blocks", async () => {
  const inner = new CloneableFileSystem();
  const fileSystem = countingFileSystem(inner);
  const store = openSync("/db", { ...SMALL, fileSystem, blockCacheSizeBytes: 0 });
  for (let i = 0; i < 20; i++) fill(store, i * 1000, i * 1000 + 1000);
  await store.flush();
  await store.compact();
  const [bytes, tables] = [sizeOf(inner, ".sst"), filesOf(inner, ".sst").length];
  assert.ok(tables >= 10, `${tables} tables`);
  store.closeSync();

  const reopened = openSync("/db", { ...SMALL, fileSystem, blockCacheSizeBytes: 0 });
  reopened.deleteRangeSync({ gte: keyOf(500), lt: keyOf(19_500) });
  const before = { ...fileSystem.counts };
  assert.equal(reopened.countSync(), 1000);
  assert.equal([...reopened.keys({ reverse: true })].length, 1000);
  const read = fileSystem.counts.readBytes - before.readBytes;
  assert.ok(read < bytes / 4, `two scans of a twentieth read ${read} of ${bytes} bytes`);
  const opens = fileSystem.counts.opens;
  reopened.flushSync();
  await reopened.compact();
  assert.ok(sizeOf(inner, ".sst") < bytes / 4, "files did not shrink");
  assert.ok(fileSystem.counts.opens - opens < tables / 2, "dropped tables were opened");
  assert.equal(reopened.countSync(), 1000);
  reopened.closeSync();
});

test("The space of a deleted range comes back while nobody writes", async () => {
  for (const range of [{}, { gte: keyOf(300), lt: keyOf(2700) }, { lt: keyOf(1500) }]) {
    const scheduler = new FaultScheduler(1);
    const restore = useScheduler(scheduler);
    try {
      const fileSystem = new CloneableFileSystem();
      const store = await scheduler.drive(open("/db", { ...SMALL, fileSystem }));
      for (let i = 0; i < 3; i++) fill(store, i * 1000, i * 1000 + 1000);
      await scheduler.drive(store.flush());
      await scheduler.settle();
      const bytes = sizeOf(fileSystem, ".sst");
      const all = store.countSync();
      await scheduler.drive(store.deleteRange(range));
      const left = store.countSync();
      for (let i = 0; i < 1000; i++) {
        scheduler.elapse(10);
        await scheduler.settle();
      }
      const after = sizeOf(fileSystem, ".sst");
      assert.ok(after <= bytes * (left / all + 0.1), `${after} of ${bytes} bytes for ${left} keys`);
      assert.equal(store.countSync(), left);
      await scheduler.drive(store.close());
    } finally {
      restore();
    }
  }
});

test("Deleting ten thousand ranges one after another leaves one range to look at", () => {
  const store = openSync("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
  for (let i = 0; i < 10_000; i++) {
    store.putSync(keyOf(i), 1);
    if (i >= 10) store.deleteRangeSync({ lt: keyOf(i - 9) });
    if (i % 1000 === 999) assert.equal([...store.keys()][0], keyOf(i - 9));
  }
  assert.equal(store.countSync(), 10);
  assert.equal([...store.keys({ reverse: true, limit: 1 })][0], keyOf(9999));
  store.closeSync();
});

test("A transaction conflicts with a deleted range that holds what it has read", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await store.batch().put("a", 1).put("k", 1).put("z", 1).write();
  const reads: [
    string,
    (tx: Parameters<Parameters<EmbeddedStore["transaction"]>[0]>[0]) => Promise<unknown>,
  ][] = [
    ["a key", (tx) => tx.get("k")],
    ["a missing key", (tx) => tx.get("kk")],
    ["a scan", (tx) => tx.keys({ gte: "j", lt: "l" }).toArray()],
    ["a count of nothing", (tx) => tx.count({ gte: "ka", lt: "kz" })],
  ];
  for (const flushes of [false, true]) {
    for (const [name, read] of reads) {
      await store.put("k", 1);
      const attempt = store.transaction(async (tx) => {
        await read(tx);
        await store.deleteRange({ prefix: "k" });
        if (flushes) await store.flush();
        await tx.put("z", 2);
      }, { retries: 0 });
      await assert.rejects(attempt, ConflictError, name);
    }
    // What it has not read may be deleted, also by itself.
    await store.transaction(async (tx) => {
      assert.equal(await tx.get("a"), 1);
      await tx.deleteRange({ gte: "b" });
      assert.deepEqual(await tx.keys({ lt: "c" }).toArray(), ["a"]);
      await store.deleteRange({ gte: "k", lt: "l" });
      await tx.put("c", 1);
      assert.deepEqual(await tx.getMany(["c", "z"]), [1, undefined]);
    }, { retries: 0 });
    assert.deepEqual(await store.keys().toArray(), ["a", "c"]);
    await store.put("z", 1);
  }
});

test("A sub deletes its own keys, and watches show the part of a range that is theirs", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  const tuples = store.sub("t", { key: "tuple" });
  const texts = store.sub("u", { key: "utf8" });
  const watches = [store.watch(), texts.watch(), tuples.watch(), store.watch({ prefix: "x" })];
  await store.put("outside", 1);
  for (const n of [1n, 2n, 3n]) await tuples.put(["a", n], 1);
  await tuples.put(["b", 1n], 1);
  for (const key of ["a", "b", "c"]) await texts.put(key, 1);
  await tuples.deleteRange({ prefix: ["a"], gte: ["a", 2n] });
  assert.deepEqual(await tuples.keys().toArray(), [["a", 1n], ["b", 1n]]);
  await texts.deleteRange({ gte: "b" });
  assert.deepEqual(await texts.keys().toArray(), ["a"]);
  await texts.clear();
  await tuples.batch().deleteRange({}).put(["z"], 2).write();
  assert.deepEqual([await texts.count(), await tuples.keys().toArray()], [0, [["z"]]]);
  assert.equal(await store.get("outside"), 1);
  await store.clear();
  const shown: unknown[][] = [];
  for (const watch of watches) {
    const seen: unknown[] = [];
    watch.close();
    for await (const { operations } of watch) {
      for (const operation of operations) {
        if (operation.type === "deleteRange") seen.push(operation.range);
      }
    }
    shown.push(seen);
  }
  assert.equal(shown[0]!.length, 5);
  assert.deepEqual(shown[0]!.at(-1), {});
  assert.deepEqual(shown[1], [{ gte: "b" }, {}, {}]);
  assert.deepEqual((shown[2]![0] as DeletedRange<unknown>).gte, ["a", 2n]);
  assert.deepEqual(shown[2]!.slice(1), [{}, {}]);
  assert.deepEqual(shown[3], [{ gte: "x", lt: "y" }]);
});

test("Checkpoints of both formats, and a read-only handle, show what a deleted range has left", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { ...SMALL, fileSystem });
  fill(store, 0, 1500);
  await store.flush();
  await store.deleteRange({ gte: keyOf(100), lt: keyOf(1400) });
  fill(store, 700, 710);
  const expected = await store.keys().toArray();
  assert.equal(expected.length, 210);
  for (const format of ["tinykvs", "go-v0.4"] as const) {
    await store.checkpoint(`/${format}`, { format });
    await using copy = await open(`/${format}`, { fileSystem });
    assert.deepEqual(await copy.keys().toArray(), expected, format);
    await copy.compact();
    assert.deepEqual(await copy.keys().toArray(), expected, format);
  }
  const reader = await open("/db", { fileSystem, readOnly: true });
  assert.deepEqual(await reader.keys().toArray(), expected);
  await reader.close();
  assert.deepEqual((await store.verify()).problems, []);
  await store.compact();
  const { entries } = store.approximateSize({ gte: keyOf(800), lt: keyOf(1300) });
  assert.ok(entries < 50, `${entries} entries are said to be in a deleted range`);
});

test("A repair brings nothing back that a deleted range had taken", () => {
  for (const damage of ["table", "manifest", "log"] as const) {
    const written = new CloneableFileSystem();
    const options: Options = { ...SMALL, walSync: "batch" };
    const store = openSync("/db", { ...options, fileSystem: written, flushOnClose: false });
    fill(store, 0, 500);
    store.flushSync();
    store.compactSync();
    const [old] = filesOf(written, ".sst");
    fill(store, 490, 520);
    store.deleteRangeSync({ gte: keyOf(50), lt: keyOf(450) });
    // Later writes say that the deletion was durable.
    for (let i = 0; i < 3; i++) store.putSync("later", i);
    if (damage !== "log") store.flushSync();
    const newest = filesOf(written, ".sst").find((name) => name !== old);
    // A close would merge the tables.
    if (damage === "log") store.closeSync();
    const fileSystem = written.clone();
    if (damage !== "log") store.closeSync();
    const change = (name: string, at: number): void => {
      const content = fileSystem.content(`/db/${name}`);
      content[at < 0 ? content.length + at : at]! ^= 0xff;
      fileSystem.setContent(`/db/${name}`, content);
    };
    // The block of the table that has the span; the record of the deletion; or all that says which
    // tables there are.
    if (damage === "table") change(newest!, 4);
    else if (damage === "log") change(filesOf(fileSystem, ".wal")[0]!, 45);
    else {for (const name of ["CURRENT", ...filesOf(fileSystem, "")]) {
        if (name === "CURRENT" || name.startsWith("MANIFEST")) change(name, 20);
      }}
    const report = repairSync("/db", { fileSystem });
    assert.ok(report.files.some(({ action }) => action !== "kept"), damage);
    assert.deepEqual(verifyStoreSync("/db", { fileSystem }).problems, []);
    const again = openSync("/db", { ...options, fileSystem });
    const back = again.countSync({ gte: keyOf(50), lt: keyOf(450) });
    // If the deletion itself is lost, the report says so.
    if (damage === "log") assert.ok(report.unknown.some((text) => text.includes("deletions too")));
    else assert.equal(back, 0, damage);
    again.closeSync();
  }
});
