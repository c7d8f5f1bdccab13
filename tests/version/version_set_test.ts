import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, IoError } from "../../src/errors.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import { decodeCurrent, decodeManifest } from "../../src/version/manifest_format.ts";
import { manifestName, MAX_FILE_NUMBER, tableName } from "../../src/version/file_names.ts";
import type { TableMetadata } from "../../src/version/table_metadata.ts";
import type { VersionEdit } from "../../src/version/version_edit.ts";
import { MAX_NUMBERS_AHEAD, VersionSet } from "../../src/version/version_set.ts";
import {
  applyEdit,
  emptyVersionState,
  type VersionState,
} from "../../src/version/version_state.ts";
import { CloneableFileSystem, refused } from "../support/cloneable_file_system.ts";
import { TEST_STORE_ID } from "../support/logs.ts";
import { hexOf, outputOptions, resourcesOf, tableOf, writeTable } from "../support/store_tables.ts";

const DIRECTORY = "/db";

interface Setup {
  readonly fileSystem: CloneableFileSystem;
  readonly versions: VersionSet;
  /** Operations that changed something since the last call of `clear`. */
  readonly operations: string[];
  readonly clear: () => void;
}

/** Versions of a new store whose first manifest is in force. */
function newVersions(): Setup {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const versions = new VersionSet(
    fileSystem,
    DIRECTORY,
    resourcesOf(fileSystem),
    TEST_STORE_ID,
    emptyVersionState(),
    undefined,
  );
  versions.applySync({ removed: [], added: [] });
  const operations: string[] = [];
  fileSystem.after = (operation, path) =>
    operations.push(`${operation} ${path.replace(`${DIRECTORY}/`, "")}`);
  return { fileSystem, versions, operations, clear: () => operations.splice(0) };
}

/** Writes a real table and says what the manifest has to know of it. */
function makeTable({ fileSystem, versions }: Setup, keys: string, level = 0): TableMetadata {
  const entries = [...keys].map((key) => [key, `value of ${key}`] as const);
  return writeTable(
    outputOptions(fileSystem, DIRECTORY),
    versions.newFileNumber(),
    level,
    entries,
  );
}

/** What opening would find: the numbers of the tables by level, and the rest of the state. */
function stateOnDisk(fileSystem: CloneableFileSystem): VersionState & { numbers: number[][] } {
  const { manifestNumber: number } = decodeCurrent(fileSystem.content(`${DIRECTORY}/CURRENT`));
  const bytes = fileSystem.content(`${DIRECTORY}/${manifestName(number)}`);
  const helper = new VersionSet(
    fileSystem,
    DIRECTORY,
    resourcesOf(fileSystem),
    TEST_STORE_ID,
    emptyVersionState(),
    number,
  );
  let state = emptyVersionState();
  for (const edit of decodeManifest(bytes, TEST_STORE_ID, number).edits) {
    state = applyEdit(state, edit, (table) => helper.liveTable(table));
  }
  return {
    ...state,
    numbers: state.version.tables.map((level) => level.map((table) => table.number)),
  };
}

function add(level: number, ...tables: TableMetadata[]): VersionEdit {
  return { removed: [], added: tables.map((table) => ({ level, table })) };
}

function remove(level: number, ...tables: TableMetadata[]): VersionEdit {
  return { removed: tables.map(({ number }) => ({ level, number })), added: [] };
}

function has(fileSystem: CloneableFileSystem, table: TableMetadata): boolean {
  return fileSystem.statSync(`${DIRECTORY}/${tableName(table.number)}`) !== undefined;
}

test("VersionSet writes the first manifest and then CURRENT in an order that survives power loss", () => {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const operations: string[] = [];
  fileSystem.after = (operation, path) => operations.push(`${operation} ${path}`);
  const versions = new VersionSet(
    fileSystem,
    DIRECTORY,
    resourcesOf(fileSystem),
    TEST_STORE_ID,
    emptyVersionState(),
    undefined,
  );
  versions.applySync({ removed: [], added: [] });
  assert.deepEqual(operations, [
    "create /db/MANIFEST-000001",
    "write /db/MANIFEST-000001",
    "sync /db/MANIFEST-000001",
    "sync directory /db",
    "create /db/CURRENT.tmp",
    "write /db/CURRENT.tmp",
    "sync /db/CURRENT.tmp",
    "rename /db/CURRENT",
    "sync directory /db",
  ]);
});

test("VersionSet replaces a temporary CURRENT that a crash left", () => {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  fileSystem.setContent(`${DIRECTORY}/CURRENT.tmp`, new Uint8Array(500));
  const versions = new VersionSet(
    fileSystem,
    DIRECTORY,
    resourcesOf(fileSystem),
    TEST_STORE_ID,
    emptyVersionState(),
    undefined,
  );
  versions.applySync({ removed: [], added: [] });
  assert.deepEqual(decodeCurrent(fileSystem.content(`${DIRECTORY}/CURRENT`)), {
    storeId: TEST_STORE_ID,
    manifestNumber: 1,
  });
  assert.deepEqual(fileSystem.listSync(DIRECTORY).sort(), ["CURRENT", "MANIFEST-000001"]);
});

test("VersionSet appends one record for each edit and installs it only after the sync", () => {
  const setup = newVersions();
  const table = makeTable(setup, "abc");
  setup.clear();
  const task = setup.versions.apply({ ...add(0, table), lastSequence: 3 });
  const step = task.next();
  assert.deepEqual(setup.operations, ["write MANIFEST-000001"]);
  assert.deepEqual(setup.versions.current.tables[0], []);
  assert.equal(setup.versions.lastSequence, 0);
  assert.ok(!step.done && step.value !== undefined);
  step.value.runSync();
  assert.deepEqual(setup.versions.current.tables[0], []);
  assert.ok(task.next().done);
  assert.deepEqual(setup.versions.current.tables[0]!.map(({ number }) => number), [table.number]);
  assert.equal(setup.versions.lastSequence, 3);
  assert.deepEqual(stateOnDisk(setup.fileSystem).numbers[0], [table.number]);
});

test("VersionSet deletes a table after the edit that drops it is durable, and not before", () => {
  const setup = newVersions();
  const table = makeTable(setup, "abc");
  setup.versions.applySync(add(0, table));
  setup.clear();
  setup.versions.applySync(remove(0, table));
  assert.deepEqual(setup.operations, [
    "write MANIFEST-000001",
    "sync MANIFEST-000001",
    `remove ${tableName(table.number)}`,
  ]);
});

test("VersionSet keeps a dropped table for as long as a version that names it is held", () => {
  const setup = newVersions();
  const { versions, fileSystem } = setup;
  const table = makeTable(setup, "abc");
  versions.applySync(add(0, table));
  const first = versions.retain();
  const other = makeTable(setup, "xyz");
  versions.applySync(add(0, other));
  const second = versions.retain();
  assert.equal(versions.retain(), second);
  versions.applySync(remove(0, table));
  assert.ok(has(fileSystem, table));
  versions.release(second);
  assert.ok(has(fileSystem, table));
  versions.release(first);
  assert.ok(has(fileSystem, table));
  versions.release(second);
  assert.ok(!has(fileSystem, table));
  assert.ok(has(fileSystem, other));
});

test("VersionSet keeps a table that only changes its level", () => {
  const setup = newVersions();
  const { versions, fileSystem } = setup;
  const table = makeTable(setup, "abc");
  versions.applySync(add(0, table));
  const held = versions.retain();
  for (let level = 0; level < 6; level++) {
    versions.applySync({
      removed: [{ level, number: table.number }],
      added: [{ level: level + 1, table }],
    });
  }
  versions.release(held);
  assert.ok(has(fileSystem, table));
  assert.equal(versions.current.levels[6]![0]!.metadata, table);
  versions.applySync(remove(6, table));
  assert.ok(!has(fileSystem, table));
});

test("VersionSet refuses an edit that does not fit without writing or being poisoned", () => {
  const setup = newVersions();
  const table = makeTable(setup, "abc");
  setup.versions.applySync(add(1, table));
  setup.clear();
  assert.throws(() => setup.versions.applySync(remove(0, table)), DecodeError);
  assert.throws(() => setup.versions.applySync(add(1, tableOf("99[b-z]"))), DecodeError);
  assert.deepEqual(setup.operations, []);
  assert.equal(setup.versions.poison, undefined);
  setup.versions.applySync(remove(1, table));
});

test("VersionSet deletes the files that an edit has made obsolete one at a time", () => {
  const setup = newVersions();
  const { fileSystem, versions } = setup;
  const tables = ["abc", "def", "ghi"].map((keys) => makeTable(setup, keys, 1));
  versions.applySync(add(1, ...tables));
  const left = (): number => tables.filter((table) => has(fileSystem, table)).length;
  const edit = versions.apply(remove(1, ...tables));
  edit.next().value!.runSync();
  assert.equal(left(), 3);
  for (const expected of [2, 1, 0]) {
    assert.deepEqual(edit.next(), { done: false, value: undefined });
    assert.equal(left(), expected);
    assert.deepEqual(versions.current.tables[1], []);
  }
  assert.ok(edit.next().done);
});

test("VersionSet deletes the rest at once if an edit's task is given up, unless the manifest failed", () => {
  for (const isPoisoned of [false, true]) {
    const setup = newVersions();
    const { fileSystem, versions } = setup;
    const tables = ["abc", "def", "ghi"].map((keys) => makeTable(setup, keys, 1));
    versions.applySync(add(1, ...tables));
    const edit = versions.apply(remove(1, ...tables));
    edit.next().value!.runSync();
    edit.next();
    if (isPoisoned) {
      fileSystem.before = (operation, path) => {
        if (operation === "sync") throw refused(operation, path, "EIO");
      };
      assert.throws(() => versions.applySync({ removed: [], added: [] }), IoError);
    }
    edit.return();
    const left = tables.filter((table) => has(fileSystem, table)).length;
    assert.equal(left, isPoisoned ? 2 : 0);
  }
});

test("VersionSet puts edits that overlap in time in force one after another", () => {
  const setup = newVersions();
  const { versions } = setup;
  const old = makeTable(setup, "abc");
  versions.applySync(add(0, old));
  const compacted = makeTable(setup, "abc", 1);
  const flushed = makeTable(setup, "bcd");
  const compaction = versions.apply({
    removed: [{ level: 0, number: old.number }],
    added: [{ level: 1, table: compacted }],
  });
  const flush = versions.apply({ ...add(0, flushed), lastSequence: 9 });
  const compactionSync = compaction.next();
  const manifest = `${DIRECTORY}/${manifestName(versions.manifestNumber!)}`;
  const sizeBytes = setup.fileSystem.statSync(manifest)!.sizeBytes;
  // The second edit is not written before the first one's record is durable.
  const waiting = flush.next();
  assert.equal(setup.fileSystem.statSync(manifest)!.sizeBytes, sizeBytes);
  assert.ok(!compactionSync.done && !waiting.done);
  waiting.value!.runSync();
  const flushSync = flush.next();
  assert.ok(setup.fileSystem.statSync(manifest)!.sizeBytes > sizeBytes);
  assert.ok(!flushSync.done);
  flushSync.value!.runSync();
  assert.ok(flush.next().done);
  assert.deepEqual(versions.current.tables.map((tables) => tables.length).slice(0, 2), [2, 0]);
  compactionSync.value!.runSync();
  // One step for the file of the table that is obsolete now.
  assert.deepEqual(compaction.next(), { done: false, value: undefined });
  assert.equal(has(setup.fileSystem, old), false);
  assert.ok(compaction.next().done);
  const expected = [[flushed.number], [compacted.number], [], [], [], [], []];
  assert.deepEqual(
    versions.current.tables.map((tables) => tables.map(({ number }) => number)),
    expected,
  );
  assert.deepEqual(stateOnDisk(setup.fileSystem).numbers, expected);
  assert.ok(!has(setup.fileSystem, old));
});

/** Edits that change nothing, until the next one would start a new manifest. */
function growManifest({ versions, fileSystem }: Setup): void {
  const path = `${DIRECTORY}/${manifestName(versions.manifestNumber!)}`;
  while (fileSystem.statSync(path)!.sizeBytes <= 64 * 1024) {
    versions.applySync({ lastSequence: versions.lastSequence, removed: [], added: [] });
  }
}

test("VersionSet rewrites an overgrown manifest and then deletes the old one", () => {
  const setup = newVersions();
  const { versions, fileSystem } = setup;
  const table = makeTable(setup, "abc");
  versions.applySync({ ...add(2, table), lastSequence: 12, log: { number: 8, live: true } });
  growManifest(setup);
  assert.equal(versions.manifestNumber, 1);
  setup.clear();
  const other = makeTable(setup, "def");
  setup.clear();
  versions.applySync(add(0, other));
  const name = manifestName(versions.manifestNumber!);
  assert.deepEqual(setup.operations, [
    `create ${name}`,
    `write ${name}`,
    `sync ${name}`,
    "sync directory /db",
    "create CURRENT.tmp",
    "write CURRENT.tmp",
    "sync CURRENT.tmp",
    "rename CURRENT",
    "sync directory /db",
    "remove MANIFEST-000001",
  ]);
  const state = stateOnDisk(fileSystem);
  assert.deepEqual(state.numbers.slice(0, 3), [[other.number], [], [table.number]]);
  assert.equal(state.lastSequence, 12);
  assert.deepEqual(state.log, { number: 8, live: true });
  assert.equal(state.nextFileNumber, versions.newFileNumber());
  versions.applySync(remove(0, other));
  assert.deepEqual(stateOnDisk(fileSystem).numbers[0], []);
});

test("VersionSet does not start a manifest over an edit that is not in force yet", () => {
  const setup = newVersions();
  const { versions, fileSystem } = setup;
  const [first, second, third] = ["abc", "def", "ghi"].map((keys) => makeTable(setup, keys));
  const path = `${DIRECTORY}/${manifestName(1)}`;
  while (fileSystem.statSync(path)!.sizeBytes <= 64 * 1024 - 80) {
    versions.applySync({ lastSequence: 0, removed: [], added: [] });
  }
  const pending = versions.apply(add(0, first!));
  pending.next();
  assert.ok(fileSystem.statSync(path)!.sizeBytes > 64 * 1024);
  // The manifest is overgrown now, but a new one would start without the edit that is under way.
  const other = versions.apply(add(0, second!));
  other.next();
  assert.equal(versions.manifestNumber, 1);
  runTaskSync(pending);
  runTaskSync(other);
  versions.applySync(add(0, third!));
  assert.notEqual(versions.manifestNumber, 1);
  const expected = [third!.number, second!.number, first!.number];
  assert.deepEqual(stateOnDisk(fileSystem).numbers[0], expected);
});

test("A manifest of the next version takes over the edits that are pending", () => {
  const setup = newVersions();
  const { versions, fileSystem } = setup;
  const [first, second] = ["abc", "def"].map((keys) => makeTable(setup, keys));
  const spans = [{ lower: second!.smallestView, upper: second!.largestView }];
  const pending = versions.apply(add(0, first!));
  const step = pending.next();
  assert.ok(!step.done);
  // The first table with deleted spans, which a manifest of version 1 can't name.
  runTaskSync(versions.apply(add(0, { ...second!, deletedSpans: spans })));
  assert.notEqual(versions.manifestNumber, 1);
  const path = `${DIRECTORY}/${manifestName(versions.manifestNumber!)}`;
  assert.equal(fileSystem.content(path)[8], 2);
  const expected = [second!.number, first!.number];
  const found = stateOnDisk(fileSystem);
  assert.ok(found.numbers[0]!.includes(first!.number), `table ${first!.number} is missing`);
  assert.deepEqual(found.numbers[0], expected);
  assert.equal(found.version.tables[0]![0]!.deletedSpans.length, 1);
  step.value!.runSync();
  runTaskSync(pending);
  assert.deepEqual(versions.current.tables[0]!.map(({ number }) => number), expected);
  assert.deepEqual(stateOnDisk(fileSystem).numbers[0], expected);
});

test("VersionSet gives the manifest to the next edit if one is cancelled", () => {
  const setup = newVersions();
  const { versions } = setup;
  const first = makeTable(setup, "abc");
  const cancelled = versions.apply(add(0, first));
  cancelled.next();
  cancelled.return(undefined);
  assert.deepEqual(versions.current.tables[0], []);
  growManifest(setup);
  const second = makeTable(setup, "def");
  versions.applySync(add(0, second));
  assert.notEqual(versions.manifestNumber, 1);
  assert.deepEqual(stateOnDisk(setup.fileSystem).numbers[0], [second.number]);
});

/**
 * Operations of an edit, in a directory that is about to get a new manifest or not, that may fail.
 */
const failures: { readonly overgrown: boolean; readonly operation: string; nth: number }[] = [
  { overgrown: false, operation: "write", nth: 1 },
  { overgrown: false, operation: "sync", nth: 1 },
  ...["create", "write", "sync", "sync directory", "rename"].map((operation) => ({
    overgrown: true,
    operation,
    nth: 1,
  })),
  ...["create", "write", "sync", "sync directory"].map((operation) => ({
    overgrown: true,
    operation,
    nth: 2,
  })),
];

test("VersionSet accepts no edit and deletes no file after a failed write or sync", () => {
  for (const { overgrown, operation, nth } of failures) {
    const what = `${operation} ${nth}${overgrown ? " of a new manifest" : ""}`;
    const setup = newVersions();
    const { versions, fileSystem } = setup;
    const table = makeTable(setup, "abc");
    const other = makeTable(setup, "def");
    versions.applySync(add(0, table, other));
    const held = versions.retain();
    versions.applySync(remove(0, other));
    if (overgrown) growManifest(setup);
    const before = fileSystem.listSync(DIRECTORY);
    let count = 0;
    fileSystem.before = (name, path) => {
      if (name === operation && ++count === nth) throw refused(name, path, "EIO");
    };
    assert.throws(() => versions.applySync(remove(0, table)), IoError, what);
    const error = versions.poison;
    assert.ok(error instanceof IoError && error.osCode === "EIO", what);
    assert.deepEqual(
      versions.current.tables[0]!.map(({ number }) => number),
      [table.number],
      `${what}: the edit is in force`,
    );
    fileSystem.before = undefined;
    setup.clear();
    assert.throws(() => versions.applySync({ removed: [], added: [] }), (again) => again === error);
    // Letting go of what only an old version needs deletes nothing any more.
    versions.release(held);
    assert.deepEqual(setup.operations, [], what);
    for (const name of before) assert.ok(fileSystem.listSync(DIRECTORY).includes(name), what);
    // Both outcomes of the failed edit are states that can be opened.
    const { numbers } = stateOnDisk(fileSystem);
    assert.ok(numbers[0]!.length <= 1, what);
    versions.close();
    assert.equal(fileSystem.openHandles, 0, `${what}: leaves a handle open`);
  }
});

test("VersionSet does not install an edit whose sync succeeded after another one's failed", () => {
  const setup = newVersions();
  const { versions } = setup;
  const doomed = versions.apply(add(0, makeTable(setup, "abc")));
  const innocent = versions.apply(add(0, makeTable(setup, "def")));
  doomed.next();
  innocent.next();
  assert.throws(() => doomed.throw(refused("sync", "x", "EIO")), IoError);
  assert.throws(() => innocent.next(), IoError);
  assert.deepEqual(versions.current.tables[0], []);
});

test("VersionSet leaves a table that it can't delete to the next open", () => {
  const setup = newVersions();
  const { versions, fileSystem } = setup;
  const table = makeTable(setup, "abc");
  versions.applySync(add(0, table));
  fileSystem.before = (operation, path) => {
    if (operation === "remove") throw refused(operation, path, "EBUSY");
  };
  versions.applySync(remove(0, table));
  assert.ok(has(fileSystem, table));
  assert.equal(versions.poison, undefined);
});

test("VersionSet hands out ascending numbers above every reserved one", () => {
  const { versions } = newVersions();
  const first = versions.newFileNumber();
  assert.equal(versions.newFileNumber(), first + 1);
  versions.reserveFileNumber(100);
  versions.reserveFileNumber(50);
  assert.equal(versions.newFileNumber(), 101);
  versions.reserveFileNumber(MAX_FILE_NUMBER - 2);
  assert.equal(versions.newFileNumber(), MAX_FILE_NUMBER - 1);
  assert.throws(() => versions.newFileNumber(), IoError);
});

test("VersionSet keeps a log's number within the distance from the manifest's that recovery skips", () => {
  const { versions, fileSystem } = newVersions();
  versions.applySync({ removed: [], added: [] });
  const stated = (): number => stateOnDisk(fileSystem).nextFileNumber;
  for (let taken = 0; taken < 1000; taken++) {
    if (taken % 100 === 0) assert.ok(versions.newLogNumber() < stated() + MAX_NUMBERS_AHEAD);
    versions.newFileNumber();
  }
  const before = stated();
  versions.newLogNumber();
  assert.equal(stated(), before, "an edit for every log costs a sync");
});

test("VersionSet knows whether the live log was durable before it was named, also from a new manifest", () => {
  for (const [logs, expected] of [[[2], true], [[2, 5], false], [[2, 5, 0, 8], true]] as const) {
    const setup = newVersions();
    const { versions, fileSystem } = setup;
    for (const number of logs) {
      const log = number === 0 ? { number: 7, live: false } : { number, live: true };
      versions.applySync({ log, removed: [], added: [] });
      assert.equal(versions.isLogDurable, stateOnDisk(fileSystem).isLogDurable);
    }
    assert.equal(versions.isLogDurable, expected, logs.join());
    const before = versions.manifestNumber;
    growManifest(setup);
    versions.applySync({ removed: [], added: [] });
    assert.notEqual(versions.manifestNumber, before);
    assert.equal(versions.isLogDurable, expected, logs.join());
    assert.equal(stateOnDisk(fileSystem).isLogDurable, expected, `${logs.join()}, a new manifest`);
  }
});

test("VersionSet writes the next file number with every edit", () => {
  const { versions, fileSystem } = newVersions();
  versions.reserveFileNumber(40);
  versions.applySync({ removed: [], added: [] });
  assert.equal(stateOnDisk(fileSystem).nextFileNumber, 41);
});

test("VersionSet announces every new version while the old one is still whole", () => {
  const setup = newVersions();
  const { versions, fileSystem } = setup;
  const table = makeTable(setup, "abc");
  versions.applySync(add(0, table));
  const seen: boolean[] = [];
  versions.onInstalled = () => seen.push(has(fileSystem, table));
  versions.applySync(remove(0, table));
  assert.deepEqual(seen, [true]);
  assert.ok(!has(fileSystem, table));
});

test("A new manifest has the same bytes whatever the order of the edits that led to it", () => {
  const [a, b] = [tableOf("20[a-b]"), tableOf("21[c-d]")];
  const manifests = [[a, b], [b, a]].map((order) => {
    const setup = newVersions();
    for (const table of order) setup.versions.applySync(add(3, table));
    growManifest(setup);
    setup.versions.applySync({ removed: [], added: [] });
    const name = manifestName(setup.versions.manifestNumber!);
    return hexOf(setup.fileSystem.content(`${DIRECTORY}/${name}`));
  });
  assert.equal(manifests[0], manifests[1]);
});
