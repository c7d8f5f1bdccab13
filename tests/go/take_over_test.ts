// Taking over a store of the Go TinyKVS: crashes in the midst of it, what Go's own crashes leave,
// and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptionError, IoError, UnsupportedFormatError } from "../../src/errors.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import { logName, manifestName, tableName } from "../../src/version/file_names.ts";
import { CloneableFileSystem, refused } from "../support/cloneable_file_system.ts";
import { encodeGoManifest, pathOf } from "../support/go_store.ts";
import {
  goAddRecord,
  goLogOf,
  type GoTableContent,
  goTableFile,
  makeGoStore,
  type Texts,
} from "../support/go_tables.ts";
import { contentOf, DIRECTORY, openFiles, recoveredContent } from "../support/store_files.ts";

const tables: readonly GoTableContent[] = [
  { level: 2, number: 2, texts: { a: "2", b: "2", c: "2", d: "2", z: "2" } },
  { level: 1, number: 3, texts: { a: "3", b: undefined } },
  { level: 1, number: 5, texts: { c: "5", m: "5" } },
  { level: 0, number: 9, texts: { a: "9", y: "9" } },
  { level: 0, number: 10, texts: { y: undefined, x: "10" } },
];
const writes: (readonly [string, string | undefined])[] = [
  ...Array.from({ length: 40 }, (_, i) => [`w${i % 9}`, `${i}`.repeat(80)] as const),
  ["d", undefined],
  ["x", "log"],
  ["w0", undefined],
];
const expected: Record<string, unknown> = { a: "9", c: "5", m: "5" };
for (let i = 1; i < 9; i++) expected[`w${i}`] = `${i === 0 ? 36 : i + 27}`.repeat(80);
for (let i = 1; i < 4; i++) expected[`w${i}`] = `${i + 36}`.repeat(80);
Object.assign(expected, { x: "log", z: "2" });

/** Opening fails with a CorruptionError for the file, and changes nothing. */
function requireCorruption(fileSystem: CloneableFileSystem, name: string, message: RegExp): void {
  const before = fileSystem.dump(DIRECTORY);
  for (const readOnly of [true, false]) {
    assert.throws(() => openFiles(fileSystem, { readOnly }), (error) => {
      assert.ok(error instanceof CorruptionError, `${error}`);
      assert.equal(error.file, pathOf(name));
      assert.match(error.message, message);
      return true;
    });
    assert.deepEqual(fileSystem.dump(DIRECTORY), before);
    assert.equal(fileSystem.openHandles, 0);
  }
}

test("A Go store whose take-over crashes at any operation opens to the same content", () => {
  let states = 0;
  const crashes = (start: CloneableFileSystem, depth: number): void => {
    const clones: CloneableFileSystem[] = [];
    const running = start.clone();
    running.after = () => void clones.push(running.clone());
    assert.deepEqual(recoveredContent(running), expected);
    running.after = undefined;
    for (const clone of clones) {
      states++;
      const names = clone.listSync(DIRECTORY);
      assert.ok(names.includes("CURRENT") || names.includes("wal.log"), `${names}`);
      if (depth > 1) {
        assert.deepEqual(recoveredContent(clone, { readOnly: true }), expected);
        crashes(clone, depth - 1);
        continue;
      }
      const store = openFiles(clone);
      assert.deepEqual(contentOf(store), expected);
      store.putSync("after", "crash");
      store.closeSync();
      assert.deepEqual(recoveredContent(clone), { ...expected, after: "crash" });
      const left = clone.listSync(DIRECTORY);
      assert.ok(!left.includes("wal.log") && !left.includes("MANIFEST"), `${left}`);
    }
  };
  for (const hasManifest of [false, true]) {
    crashes(makeGoStore({ tables, log: goLogOf(writes), hasManifest }), 2);
  }
  assert.ok(states > 400, `${states} states`);
});

test("A failure of any operation of taking over a Go store is an error, and the store still opens", () => {
  let failures = 0;
  for (let failing = 0;; failing++) {
    const fileSystem = makeGoStore({
      tables,
      log: goLogOf(writes),
      hasManifest: failing % 2 === 0,
    });
    let count = 0;
    fileSystem.before = (operation, path) => {
      if (count++ === failing) throw refused(operation, path, "EIO");
    };
    let store: EmbeddedStore | undefined;
    try {
      store = openFiles(fileSystem);
      fileSystem.before = undefined;
      assert.deepEqual(contentOf(store), expected);
      store.closeSync();
    } catch (error) {
      assert.ok(error instanceof IoError && store === undefined, `${error}`);
      failures++;
    }
    fileSystem.before = undefined;
    assert.equal(fileSystem.openHandles, 0, `operation ${failing}`);
    assert.deepEqual(recoveredContent(fileSystem), expected, `operation ${failing}`);
    if (count <= failing) break;
  }
  assert.ok(failures > 30, `${failures}`);
});

test("A Go store whose empty log is missing survives a crash at any operation, too", () => {
  const fileSystem = makeGoStore({ tables });
  fileSystem.removeSync(pathOf("wal.log"));
  const content = recoveredContent(fileSystem.clone());
  const clones: CloneableFileSystem[] = [];
  const running = fileSystem.clone();
  running.after = () => void clones.push(running.clone());
  assert.deepEqual(recoveredContent(running), content);
  for (const clone of clones) assert.deepEqual(recoveredContent(clone), content);
  assert.ok(clones.length >= 8, `${clones.length}`);
});

test("Numbers of new files are above every table of the Go store, named by its manifest or not", () => {
  const fileSystem = makeGoStore({ tables, log: goLogOf(writes), hasManifest: true });
  fileSystem.setContent(pathOf(tableName(1_000_040)), Uint8Array.of(1));
  const store = openFiles(fileSystem);
  store.putSync("new", "1");
  store.closeSync();
  const ours = fileSystem.listSync(DIRECTORY).map((name) => Number(/\d+/.exec(name)?.[0] ?? 0))
    .filter((number) => number > 10);
  // The close compacts small tables, so there may be only one.
  assert.ok(ours.length > 1 && ours.every((number) => number > 1_000_040), `${ours}`);
  assert.ok(!fileSystem.listSync(DIRECTORY).includes(tableName(1_000_040)));
});

test("Tables of a level that overlap after a crash of Go's compaction show what its inputs said", () => {
  const old1 = { level: 1, number: 3, texts: { a: "old", b: "old", c: "old" } };
  const old2 = { level: 1, number: 4, texts: { f: "old", g: "old" } };
  const inputs = [
    { level: 0, number: 6, texts: { a: "new", b: undefined, f: "first" } },
    { level: 0, number: 7, texts: { f: "second", h: "new" } },
  ];
  const output = {
    level: 1,
    number: 8,
    texts: { a: "new", b: undefined, c: "old", f: "second", g: "old", h: "new" },
  };
  const deeper = { level: 2, number: 1, texts: { b: "oldest", g: "oldest", i: "oldest" } };
  const content = { a: "new", c: "old", f: "second", g: "old", h: "new", i: "oldest" };
  // Go deletes the inputs of level 0, oldest first, and then those of level 1.
  const left = [...inputs, old1, old2];
  for (const hasManifest of [false, true]) {
    for (let deleted = 0; deleted <= left.length; deleted++) {
      const present = [deeper, output, ...left.slice(deleted)];
      const fileSystem = makeGoStore({ tables: present, hasManifest });
      assert.deepEqual(recoveredContent(fileSystem), content, `${deleted} deleted`);
      const store = openFiles(fileSystem);
      assert.deepEqual(
        Object.keys(content).concat("b").map((key) => store.getSync(key)),
        [...Object.values(content), undefined],
      );
      store.closeSync();
    }
  }
  // A merge that failed has left a part of its output beside all of its inputs.
  const part: Texts = { a: "new", b: undefined, c: "old" };
  const failed = [deeper, ...left, { level: 1, number: 8, texts: part }];
  assert.deepEqual(recoveredContent(makeGoStore({ tables: failed })), content);
  // A table that was flushed while the merge ran has a lower number than its output, and is newer.
  const flushed = { level: 0, number: 7, texts: { a: "newest" } };
  assert.deepEqual(
    recoveredContent(makeGoStore({ tables: [old1, { ...output, number: 9 }, flushed] })).a,
    "newest",
  );
});

test("More overlapping tables than there are levels are refused", () => {
  const many = Array.from(
    { length: 7 },
    (_, i) => ({ level: 1, number: i + 1, texts: { a: `${i}` } }),
  );
  assert.equal(recoveredContent(makeGoStore({ tables: many.slice(0, 6) }))["a"], "5");
  const fileSystem = makeGoStore({ tables: many });
  const before = fileSystem.dump(DIRECTORY);
  assert.throws(() => openFiles(fileSystem), UnsupportedFormatError);
  assert.deepEqual(fileSystem.dump(DIRECTORY), before);
});

test("A table that Go has not finished is refused if no manifest says that it does not count", () => {
  const whole = goTableFile(0, { q: "unfinished" });
  for (const length of [0, 1, 63, 64, 100, whole.length - 1]) {
    const fileSystem = makeGoStore({ tables });
    fileSystem.setContent(pathOf(tableName(11)), whole.slice(0, length));
    requireCorruption(fileSystem, tableName(11), /not a whole table.*move the file away/);
    const listed = makeGoStore({ tables, hasManifest: true });
    listed.setContent(pathOf(tableName(11)), whole.slice(0, length));
    assert.equal(recoveredContent(listed)["z"], "2");
  }
});

test("A table that the manifest names must exist, and be the one that it describes", () => {
  const missing = makeGoStore({ tables, hasManifest: true });
  missing.removeSync(pathOf(tableName(5)));
  requireCorruption(missing, tableName(5), /is missing, which "MANIFEST" names/);
  const other = makeGoStore({ tables, hasManifest: true });
  other.setContent(pathOf(tableName(5)), goTableFile(1, { c: "5", n: "5" }));
  requireCorruption(other, tableName(5), /not the table that "MANIFEST" describes/);
});

test("Tables that the manifest does not name are left out, unless they may be a flush that it lost", () => {
  const stray = { q: "stray" };
  const removed = { type: 2, sequence: 6, body: Uint8Array.of(11, 0, 0, 0) };
  const records = tables.map((table, i) => goAddRecord(i + 1, table));
  const content = recoveredContent(makeGoStore({ tables }));
  const lost = makeGoStore({ tables, hasManifest: true });
  lost.setContent(pathOf(tableName(11)), goTableFile(0, stray));
  requireCorruption(lost, tableName(11), /may hold entries that no other file has/);
  const deleted = lost.clone();
  deleted.setContent(pathOf("MANIFEST"), encodeGoManifest([...records, removed]));
  const output = makeGoStore({ tables, hasManifest: true });
  output.setContent(pathOf(tableName(11)), goTableFile(1, stray));
  for (const fileSystem of [deleted, output]) {
    assert.deepEqual(recoveredContent(fileSystem), content);
    assert.ok(!fileSystem.listSync(DIRECTORY).includes(tableName(11)));
  }
  // A manifest that names no table at all leaves it to the directory, as in Go.
  const empty = makeGoStore({ tables });
  empty.setContent(pathOf("MANIFEST"), encodeGoManifest([]));
  assert.deepEqual(recoveredContent(empty), content);
});

test("A damaged Go log is refused before anything is changed", () => {
  const log = goLogOf(writes);
  log[700]! ^= 1;
  requireCorruption(makeGoStore({ tables, log }), "wal.log", /offset \d+ .*no record begins here/);
  const junk = makeGoStore({ tables: [], log: Uint8Array.of(1, 2, 3) });
  requireCorruption(junk, "wal.log", /no record of the Go program/);
  assert.equal(recoveredContent(makeGoStore({ tables, log: Uint8Array.of(1, 2, 3) }))["z"], "2");
});

test("A store of ours that has lost CURRENT is not opened as a store of the Go program", () => {
  const fileSystem = makeGoStore({ tables, log: goLogOf(writes) });
  assert.deepEqual(recoveredContent(fileSystem), expected);
  fileSystem.removeSync(pathOf("CURRENT"));
  requireCorruption(fileSystem, "CURRENT", /file "CURRENT" is missing/);
  for (const name of fileSystem.listSync(DIRECTORY)) {
    if (name.startsWith("MANIFEST")) fileSystem.removeSync(pathOf(name));
  }
  requireCorruption(fileSystem, "CURRENT", /file "CURRENT" is missing/);
  fileSystem.setContent(pathOf("wal.log"), new Uint8Array());
  requireCorruption(fileSystem, "CURRENT", /file "CURRENT" is missing/);
  const logged = makeGoStore({ tables });
  logged.setContent(pathOf(logName(20)), new Uint8Array());
  requireCorruption(logged, "CURRENT", /file "CURRENT" is missing/);
});

test("A Go log that comes back after the take-over is deleted and not replayed", () => {
  const log = goLogOf(writes);
  const fileSystem = makeGoStore({ tables, log });
  const store = openFiles(fileSystem);
  store.putSync("x", "newer");
  store.closeSync();
  fileSystem.setContent(pathOf("wal.log"), log);
  assert.deepEqual(recoveredContent(fileSystem), { ...expected, x: "newer" });
  assert.ok(!fileSystem.listSync(DIRECTORY).includes("wal.log"));
});

test("A Go log that appears beside a store of ours is not replayed, whether the store was written to or not", () => {
  const log = goLogOf([["foreign", "entry"]]);
  const unwritten = new CloneableFileSystem();
  assert.deepEqual(recoveredContent(unwritten), {});
  const takenOver = makeGoStore({ tables: [], log: new Uint8Array() });
  assert.deepEqual(recoveredContent(takenOver), {});
  for (const fileSystem of [unwritten, takenOver]) {
    fileSystem.setContent(pathOf("wal.log"), log);
    assert.deepEqual(recoveredContent(fileSystem, { readOnly: true }), {});
    assert.deepEqual(recoveredContent(fileSystem), {});
  }
});

test("Names of tables that Go would read and never writes are refused", () => {
  for (const name of ["7.sst", "0000007.sst", "4294967295.sst", "4294902000.sst"]) {
    const fileSystem = makeGoStore({ tables });
    fileSystem.setContent(pathOf(name), goTableFile(0, { a: "odd" }));
    const before = fileSystem.dump(DIRECTORY);
    assert.throws(() => openFiles(fileSystem), UnsupportedFormatError, name);
    assert.deepEqual(fileSystem.dump(DIRECTORY), before);
  }
  const fileSystem = makeGoStore({ tables });
  for (const name of ["x.sst", "000001.sst.tmp", "000001.ldb", manifestName(3)]) {
    fileSystem.setContent(pathOf(name), Uint8Array.of(1));
  }
  assert.equal(recoveredContent(fileSystem)["z"], "2");
});
