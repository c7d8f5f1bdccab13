import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { crc32 } from "../../src/bytes/crc32.ts";
import { CorruptionError, StoreError, UnsupportedFormatError } from "../../src/errors.ts";
import type { Options } from "../../src/options.ts";
import { open, openSync } from "../../src/store/open.ts";
import { logName, manifestName, parseFileName, tableName } from "../../src/version/file_names.ts";
import { decodeCurrent } from "../../src/version/manifest_format.ts";
import { encodeManifestHeader } from "../../src/version/manifest_format.ts";
import { CloneableFileSystem, refused } from "../support/cloneable_file_system.ts";
import { LOG_HEADER_BYTES } from "../../src/wal/log_format.ts";
import { resealHeader } from "../support/logs.ts";
import {
  contentOf,
  DIRECTORY,
  type LogRecord,
  makeLog,
  makeStoreFiles,
  openFiles,
  putRecords,
  recoveredContent,
} from "../support/store_files.ts";

const TABLE = { level: 1, number: 4, entries: [["a", "in a table"], ["b", "too"]] } as const;

function pathOf(name: string): string {
  return `${DIRECTORY}/${name}`;
}

/** Opening fails with a CorruptionError for the file, and changes nothing. */
function requireCorruption(
  fileSystem: CloneableFileSystem,
  name: string,
  what: string,
  message = /./,
): void {
  const before = fileSystem.dump(DIRECTORY);
  assert.throws(
    () => openFiles(fileSystem),
    (error) => {
      assert.ok(error instanceof CorruptionError, `${what}: ${error}`);
      assert.equal(error.file, pathOf(name), what);
      assert.ok(Number.isSafeInteger(error.offset) && error.offset >= 0, what);
      assert.match(error.message, message, what);
      return true;
    },
    what,
  );
  assert.deepEqual(fileSystem.dump(DIRECTORY), before, `${what}: the failing open changed files`);
  assert.equal(fileSystem.openHandles, 0, `${what}: the failing open left a handle open`);
}

/** What the records hold, applied one after the other. */
function contentOfRecords(records: readonly LogRecord[]): Record<string, unknown> {
  const content = new Map<string, unknown>();
  for (const [key, value] of records.flatMap(({ entries }) => entries)) {
    if (value === undefined) content.delete(key);
    else content.set(key, value);
  }
  return Object.fromEntries([...content].sort(([a], [b]) => a < b ? -1 : 1));
}

test("Recovery refuses a store that has files but no CURRENT", () => {
  const withTable = makeStoreFiles({ tables: [TABLE] });
  withTable.removeSync(pathOf("CURRENT"));
  requireCorruption(withTable, "CURRENT", "a table is left", /it holds "000004.sst"/);
  const withLog = makeStoreFiles({ log: { number: 3, live: true } });
  makeLog(withLog, 3, 1, putRecords("k", 3, true));
  withLog.removeSync(pathOf("CURRENT"));
  requireCorruption(withLog, "CURRENT", "a log is left", /it holds "000003.wal"/);
});

test("Recovery refuses a store whose manifest is missing", () => {
  const fileSystem = makeStoreFiles({ tables: [TABLE] });
  const name = fileSystem.listSync(DIRECTORY).find((file) => file.startsWith("MANIFEST"))!;
  fileSystem.removeSync(pathOf(name));
  requireCorruption(fileSystem, name, "no manifest", /is missing/);
});

test("Recovery refuses a store that lacks a table", () => {
  const other = { ...TABLE, number: 5, level: 0 };
  for (const number of [4, 5]) {
    const fileSystem = makeStoreFiles({ tables: [TABLE, other] });
    fileSystem.removeSync(pathOf(tableName(number)));
    requireCorruption(fileSystem, tableName(number), `no table ${number}`, /is missing/);
  }
});

test("Recovery refuses a store that lacks the log which the manifest says is live", () => {
  const fileSystem = makeStoreFiles({ tables: [TABLE], log: { number: 9, live: true } });
  requireCorruption(fileSystem, logName(9), "no log", /is missing/);
  // A newer one can't replace it.
  makeLog(fileSystem, 10, 1, putRecords("k", 3, true));
  requireCorruption(fileSystem, logName(9), "a newer log", /is missing/);
});

test("Recovery refuses a damaged CURRENT or manifest and changes nothing", () => {
  for (const name of ["CURRENT", "MANIFEST-000005"]) {
    const fileSystem = makeStoreFiles({ tables: [TABLE] });
    const content = fileSystem.content(pathOf(name));
    content[12]! ^= 4;
    fileSystem.setContent(pathOf(name), content);
    requireCorruption(fileSystem, name, name);
    fileSystem.setContent(pathOf(name), new Uint8Array(0));
    requireCorruption(fileSystem, name, `an empty ${name}`);
  }
});

test("Recovery refuses a log, a manifest and a CURRENT of another store", () => {
  // Two stores with the same history, so that numbers and sequence numbers fit.
  const unclean = (): CloneableFileSystem => {
    const fileSystem = new CloneableFileSystem();
    const store = openFiles(fileSystem);
    store.putSync("a", 1);
    store.putSync("b", "two");
    return fileSystem.clone();
  };
  const [ours, theirs] = [unclean(), unclean()];
  const names = ours.listSync(DIRECTORY).filter((name) => !name.startsWith("LOCK"));
  assert.deepEqual(names.sort(), ["000002.wal", "CURRENT", "MANIFEST-000001"]);
  for (const name of names) {
    const mixed = ours.clone();
    mixed.setContent(pathOf(name), theirs.content(pathOf(name)));
    const reported = name === "CURRENT" ? "MANIFEST-000001" : name;
    requireCorruption(mixed, reported, `${name} of another store`, /belongs to the store/);
  }
  assert.deepEqual(recoveredContent(ours), { a: 1, b: "two" });
});

test("Recovery replays logs over tables, newest first", () => {
  const fileSystem = makeStoreFiles({
    tables: [TABLE],
    lastSequence: 2,
    log: { number: 9, live: true },
  });
  makeLog(fileSystem, 9, 3, [{ entries: [["a", "first"], ["c", "first"]] }], { end: true });
  makeLog(fileSystem, 10, 5, [{ entries: [["a", undefined], ["c", "second"]] }]);
  assert.deepEqual(recoveredContent(fileSystem), { b: "too", c: "second" });
  assert.deepEqual(recoveredContent(fileSystem), { b: "too", c: "second" });
});

test("Recovery ignores and removes logs below the one that the manifest names", () => {
  const fileSystem = makeStoreFiles({
    tables: [TABLE],
    lastSequence: 2,
    log: { number: 9, live: false },
  });
  makeLog(fileSystem, 8, 1, [{ entries: [["a", "obsolete"], ["z", "obsolete"]] }]);
  assert.deepEqual(recoveredContent(fileSystem), { a: "in a table", b: "too" });
  assert.equal(fileSystem.statSync(pathOf(logName(8))), undefined);
});

const foreignNames = [
  ".DS_Store",
  "._000004.sst",
  "notes.txt",
  "1.sst",
  "0000004.sst",
  "000001.sst.bak",
  "000001.SST",
  "MANIFEST-5",
  "MANIFEST-000001.old",
  "MANIFEST",
  "CURRENT.bak",
  "LOCK",
  "LOCK.holder",
  "LOCK.0a1b2c3d4e5f6071.tmp",
  "99999999999.sst",
  "4294967296.wal",
];

test("Recovery removes orphans of every kind and keeps files that are not the store's", () => {
  const fileSystem = makeStoreFiles({
    tables: [TABLE],
    lastSequence: 2,
    log: { number: 9, live: false },
  });
  const orphans = ["000001.sst", "000020.sst", "000003.wal", "MANIFEST-000001", "MANIFEST-000030"];
  for (const name of [...orphans, "CURRENT.tmp", ...foreignNames]) {
    fileSystem.setContent(pathOf(name), Uint8Array.of(1, 2, 3));
  }
  fileSystem.makeDirectorySync(pathOf("000009.sst"));
  fileSystem.makeDirectorySync(pathOf("MANIFEST-000002"));
  assert.deepEqual(recoveredContent(fileSystem), { a: "in a table", b: "too" });
  const manifest = manifestName(
    decodeCurrent(fileSystem.content(pathOf("CURRENT"))).manifestNumber,
  );
  assert.deepEqual(
    fileSystem.listSync(DIRECTORY).sort(),
    [...foreignNames, "000009.sst", "MANIFEST-000002", "CURRENT", tableName(4), manifest].sort(),
  );
  for (const name of foreignNames) {
    assert.deepEqual(fileSystem.content(pathOf(name)), Uint8Array.of(1, 2, 3), name);
  }
});

test("A new store takes over a directory with foreign files and files of a crashed creation", () => {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  for (const name of [...foreignNames, "MANIFEST-000001", "CURRENT.tmp"]) {
    fileSystem.setContent(pathOf(name), Uint8Array.of(1, 2, 3));
  }
  const store = openFiles(fileSystem);
  store.putSync("k", "v");
  store.closeSync();
  const names = fileSystem.listSync(DIRECTORY);
  for (const name of foreignNames) assert.ok(names.includes(name), name);
  assert.ok(!names.includes("MANIFEST-000001") && !names.includes("CURRENT.tmp"));
  assert.deepEqual(recoveredContent(fileSystem), { k: "v" });
});

test("No new file gets the number of an orphan, even if the orphan can't be removed", () => {
  const fileSystem = makeStoreFiles({ tables: [TABLE], lastSequence: 2 });
  fileSystem.setContent(pathOf(tableName(700)), Uint8Array.of(9));
  fileSystem.setContent(pathOf("MANIFEST-000800"), Uint8Array.of(9));
  fileSystem.setContent(pathOf(logName(5)), Uint8Array.of(9));
  fileSystem.makeDirectorySync(pathOf("000900.sst"));
  fileSystem.before = (operation, path) => {
    if (operation === "remove" && /00[78]00/.test(path)) throw refused(operation, path, "EBUSY");
  };
  const created: number[] = [];
  fileSystem.after = (operation, path) => {
    const number = parseFileName(path.slice(DIRECTORY.length + 1))?.number;
    if (operation === "create" && number !== undefined) created.push(number);
  };
  for (let round = 0; round < 3; round++) {
    const store = openFiles(fileSystem);
    store.putSync(`k${round}`, "v");
    store.closeSync();
  }
  assert.ok(created.length > 5 && created.every((number) => number > 900), `${created}`);
  assert.equal(new Set(created).size, created.length);
  assert.deepEqual(fileSystem.content(pathOf(tableName(700))), Uint8Array.of(9));
});

/** Two logs: records of the older one are cut to `bytes`, those of the newer one are whole. */
function twoLogs(
  older: { synced: boolean; end: boolean },
  newer: { synced: boolean; headerSynced?: boolean },
): { fileSystem: CloneableFileSystem; offsets: number[] } {
  const fileSystem = makeStoreFiles({ log: { number: 9, live: true } });
  const offsets = makeLog(fileSystem, 9, 1, putRecords("old", 4, older.synced), { end: older.end });
  makeLog(fileSystem, 10, 5, putRecords("new", 3, newer.synced), {
    headerSynced: newer.headerSynced ?? newer.synced,
  });
  return { fileSystem, offsets };
}

function cut(fileSystem: CloneableFileSystem, name: string, length: number): void {
  fileSystem.setContent(pathOf(name), fileSystem.content(pathOf(name)).slice(0, length));
}

test("Recovery ends at a hole between logs of which nothing was durable", () => {
  const whole = contentOfRecords([...putRecords("old", 4, false), ...putRecords("new", 3, false)]);
  const { fileSystem, offsets } = twoLogs({ synced: false, end: true }, { synced: false });
  const end = fileSystem.content(pathOf(logName(9))).length;
  // The manifest says that the header was durable.
  for (let length = LOG_HEADER_BYTES; length <= end; length++) {
    const crashed = fileSystem.clone();
    cut(crashed, logName(9), length);
    const records = offsets.slice(1, 5).filter((offset) => offset <= length).length;
    const expected = records === 4
      ? whole
      : contentOfRecords(putRecords("old", 4, false).slice(0, records));
    assert.deepEqual(recoveredContent(crashed), expected, `${length} bytes`);
    assert.equal(crashed.statSync(pathOf(logName(10))), undefined);
    assert.deepEqual(recoveredContent(crashed), expected, `${length} bytes, again`);
  }
});

test("Recovery continues after a log that lacks only its end record", () => {
  const whole = contentOfRecords([...putRecords("old", 4, false), ...putRecords("new", 3, true)]);
  const { fileSystem, offsets } = twoLogs({ synced: true, end: true }, { synced: true });
  for (let length = offsets[4]!; length <= offsets[5]!; length++) {
    const crashed = fileSystem.clone();
    cut(crashed, logName(9), length);
    assert.deepEqual(recoveredContent(crashed), whole, `${length} bytes`);
  }
});

test("Recovery refuses a hole where the newer log proves that the older one was durable", () => {
  for (const synced of [false, true]) {
    const { fileSystem, offsets } = twoLogs({ synced, end: false }, { synced: true });
    for (let length = 0; length < offsets[4]!; length += 7) {
      const crashed = fileSystem.clone();
      cut(crashed, logName(9), length);
      const what = length < LOG_HEADER_BYTES ? /header is missing/ : /continues with 5/;
      requireCorruption(crashed, logName(9), `${length} bytes`, what);
    }
  }
});

test("Recovery refuses a log that has lost its header, if the manifest says that it was durable", () => {
  const damages: Record<string, (bytes: Uint8Array) => Uint8Array> = {
    "is empty": () => new Uint8Array(),
    "is cut in its header": (bytes) => bytes.slice(0, 24),
    "is all zeros": (bytes) => new Uint8Array(bytes.length),
    "holds other bytes": (bytes) => bytes.map((byte, at) => (byte * 7 + at) & 0xff),
  };
  for (const [what, damage] of Object.entries(damages)) {
    const fileSystem = makeStoreFiles({ log: { number: 9, live: true } });
    makeLog(fileSystem, 9, 1, putRecords("durable", 4, true), { headerSynced: true });
    const path = pathOf(logName(9));
    fileSystem.setContent(path, damage(fileSystem.content(path)));
    requireCorruption(fileSystem, logName(9), what, /header is missing/);
  }
});

test("Recovery ends at a log whose header was never written, and drops what follows", () => {
  // Three logs, nothing synced: power loss may keep the first and the third and lose the second.
  for (const size of [0, 10, 31]) {
    const fileSystem = makeStoreFiles({ log: { number: 9, live: true } });
    makeLog(fileSystem, 9, 1, putRecords("old", 4, false), { end: true });
    fileSystem.setContent(pathOf(logName(10)), new Uint8Array(size));
    makeLog(fileSystem, 11, 8, putRecords("new", 3, false));
    const expected = contentOfRecords(putRecords("old", 4, false));
    assert.deepEqual(recoveredContent(fileSystem), expected, `${size} bytes`);
    assert.deepEqual(recoveredContent(fileSystem), expected, `${size} bytes, again`);
    const proven = makeStoreFiles({ log: { number: 9, live: true } });
    makeLog(proven, 9, 1, putRecords("old", 4, false), { end: true });
    proven.setContent(pathOf(logName(10)), new Uint8Array(size));
    makeLog(proven, 11, 8, putRecords("new", 3, true), { headerSynced: true });
    requireCorruption(proven, logName(10), `${size} bytes, but the third was durable`);
  }
});

/** A log of this store, as it was before it was deleted. */
function deletedLog(number: number): Uint8Array {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  makeLog(fileSystem, 2, 1, putRecords("deleted", 6, true), { headerSynced: true });
  const bytes = fileSystem.content(pathOf(logName(2)));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(12, number, true);
  resealHeader(bytes);
  return bytes;
}

test("Recovery does not refuse a store whose newest log, never durable, shows the head of a deleted one", () => {
  for (const deleted of [deletedLog(2), deletedLog(7)]) {
    for (const size of [32, 100, deleted.length]) {
      const what = `${size} bytes of a deleted log`;
      const alone = makeStoreFiles({
        tables: [TABLE],
        lastSequence: 2,
        log: { number: 9, live: true },
        isSecondLog: true,
      });
      makeLog(alone, 9, 3, putRecords("new", 9, false));
      const expected = { a: "in a table", b: "too" };
      showDeleted(alone, 9, deleted, size);
      assert.deepEqual(recoveredContent(alone), expected, what);
      assert.deepEqual(recoveredContent(alone), expected, `${what}, again`);
      const after = makeStoreFiles({ log: { number: 8, live: true } });
      makeLog(after, 8, 1, putRecords("old", 4, true), { end: true });
      makeLog(after, 10, 5, putRecords("new", 9, false), { end: true });
      makeLog(after, 11, 14, putRecords("newer", 3, false));
      showDeleted(after, 10, deleted, size);
      assert.deepEqual(recoveredContent(after), contentOfRecords(putRecords("old", 4, true)), what);
    }
  }
});

/** The first block of a log shows what a deleted one had there. */
function showDeleted(
  fileSystem: CloneableFileSystem,
  number: number,
  deleted: Uint8Array,
  size: number,
): void {
  const bytes = fileSystem.content(pathOf(logName(number)));
  bytes.set(deleted.subarray(0, size));
  fileSystem.setContent(pathOf(logName(number)), bytes);
}

test("Recovery refuses the head of a deleted log if something says that the right one was durable", () => {
  const deleted = deletedLog(2);
  const name = logName(9);
  const plan = { tables: [TABLE], lastSequence: 2, log: { number: 9, live: true } } as const;
  const first = makeStoreFiles(plan);
  makeLog(first, 9, 3, putRecords("new", 9, false));
  showDeleted(first, 9, deleted, deleted.length);
  requireCorruption(first, name, "the first log of a session", /is number 2, its name says 9/);
  const synced = makeStoreFiles({ ...plan, isSecondLog: true });
  makeLog(synced, 9, 3, putRecords("new", 9, true));
  showDeleted(synced, 9, deleted, 100);
  requireCorruption(synced, name, "a later record", /no whole record is here/);
  const followed = makeStoreFiles({ ...plan, isSecondLog: true });
  makeLog(followed, 9, 3, putRecords("new", 9, false), { end: true });
  makeLog(followed, 10, 12, putRecords("newer", 3, true));
  showDeleted(followed, 9, deleted, deleted.length);
  requireCorruption(followed, name, "a later log", /continues with 12/);
  const copied = makeStoreFiles({ log: { number: 8, live: true } });
  makeLog(copied, 8, 1, putRecords("old", 4, true), { end: true });
  copied.setContent(pathOf(name), copied.content(pathOf(logName(8))));
  requireCorruption(copied, name, "a copy of a log that is needed", /is number 8, its name says 9/);
});

test("Recovery treats an older header of the same number as a block that was never durable", () => {
  const fileSystem = makeStoreFiles({ log: { number: 8, live: true } });
  makeLog(fileSystem, 8, 1, putRecords("old", 4, true), { end: true });
  makeLog(fileSystem, 9, 3, putRecords("stale", 4, false));
  assert.deepEqual(recoveredContent(fileSystem), contentOfRecords(putRecords("old", 4, true)));
});

test("Recovery refuses a sequence of logs from which one is missing", () => {
  const fileSystem = makeStoreFiles({ log: { number: 9, live: true } });
  makeLog(fileSystem, 9, 1, putRecords("old", 4, true), { end: true });
  makeLog(fileSystem, 11, 8, putRecords("new", 3, true));
  requireCorruption(fileSystem, logName(9), "a log is missing", /continues with 8/);
});

test("Recovery refuses a log that does not continue what the tables hold", () => {
  for (const first of [2, 4, 100]) {
    const fileSystem = makeStoreFiles({
      tables: [TABLE],
      lastSequence: 2,
      log: { number: 9, live: true },
    });
    makeLog(fileSystem, 9, first, putRecords("k", 2, false), { headerSynced: true });
    if (first === 3) continue;
    requireCorruption(fileSystem, logName(9), `first sequence ${first}`);
  }
});

test("Recovery refuses damage in a log that later records prove, and removes what it had written", () => {
  // The first log fills several memtables, so tables are written before the damage is met.
  const big: LogRecord[] = Array.from({ length: 60 }, (_, index) => ({
    entries: [[`k${index}`, "v".repeat(400)]],
    synced: true,
  }));
  const fileSystem = makeStoreFiles({ log: { number: 9, live: true } });
  makeLog(fileSystem, 9, 1, big, { end: true });
  const offsets = makeLog(fileSystem, 10, 61, putRecords("z", 5, true), { headerSynced: true });
  const content = fileSystem.content(pathOf(logName(10)));
  content[offsets[1]! + 50]! ^= 1;
  fileSystem.setContent(pathOf(logName(10)), content);
  requireCorruption(fileSystem, logName(10), "damage in the second log");
  requireCorruption(fileSystem, logName(10), "the same again");
});

test("Recovery that fails to write removes what it had written", () => {
  const big: LogRecord[] = Array.from({ length: 60 }, (_, index) => ({
    entries: [[`k${index}`, "v".repeat(400)]],
  }));
  const pristine = makeStoreFiles({ log: { number: 9, live: true } });
  makeLog(pristine, 9, 1, big, { end: true });
  let creations = 0;
  let isInForce = false;
  const counting = pristine.clone();
  counting.before = (operation, path) => {
    if (path.includes("MANIFEST-")) isInForce ||= operation === "create";
    // Later compactions are not part of it.
    else if (operation === "create" && path.endsWith(".sst") && !isInForce) creations++;
  };
  const expected = recoveredContent(counting);
  assert.ok(creations > 3, `${creations} tables`);
  for (let failing = 1; failing <= creations; failing++) {
    const fileSystem = pristine.clone();
    let count = 0;
    fileSystem.before = (operation, path) => {
      if (operation !== "create" || !path.endsWith(".sst")) return;
      if (++count === failing) throw refused(operation, path, "ENOSPC");
    };
    assert.throws(() => openFiles(fileSystem), { osCode: "ENOSPC" });
    fileSystem.before = undefined;
    assert.deepEqual(fileSystem.dump(DIRECTORY), pristine.dump(DIRECTORY), `table ${failing}`);
    assert.equal(fileSystem.openHandles, 0);
    assert.deepEqual(recoveredContent(fileSystem), expected);
  }
});

test("Recovery of more than a memtable makes several tables and loses no entry", () => {
  const records: LogRecord[] = Array.from({ length: 300 }, (_, index) => ({
    entries: [[`k${index % 100}`, `${index}`.padEnd(200, ".")], [`d${index}`, undefined]],
    synced: index % 7 === 0,
  }));
  const fileSystem = makeStoreFiles({ log: { number: 9, live: true } });
  makeLog(fileSystem, 9, 1, records.slice(0, 200), { end: true });
  makeLog(fileSystem, 10, 401, records.slice(200));
  const expected = contentOfRecords(records);
  const store = openFiles(fileSystem, { l0CompactionTrigger: 1000 });
  assert.ok(store.stats().levels[0]!.tables > 5);
  assert.deepEqual(contentOf(store), expected);
  store.closeSync();
  assert.deepEqual(recoveredContent(fileSystem), expected);
});

test("A record larger than a memtable is recovered whole", () => {
  const entries = Array.from(
    { length: 100 },
    (_, index) => [`k${index}`, "v".repeat(300)] as const,
  );
  const fileSystem = makeStoreFiles({ log: { number: 9, live: true } });
  makeLog(fileSystem, 9, 1, [{ entries }]);
  assert.deepEqual(recoveredContent(fileSystem), contentOfRecords([{ entries }]));
});

test("Sequence numbers continue after every way of ending", () => {
  const ends = [
    "crash",
    "crash",
    "close",
    "crash",
    "idle",
    "crash",
    "idle",
    "close",
    "idle",
    "crash",
  ];
  let fileSystem = new CloneableFileSystem();
  const firstSequences: number[] = [];
  const expected: Record<string, string> = {};
  for (const [round, end] of ends.entries()) {
    const store = openFiles(fileSystem);
    assert.deepEqual(contentOf(store), expected, `round ${round}`);
    if (end !== "idle") {
      store.putSync("k", `${round}`);
      store.putSync(`k${round}`, "v");
      expected["k"] = `${round}`;
      expected[`k${round}`] = "v";
      const log = fileSystem.listSync(DIRECTORY).find((name) => name.endsWith(".wal"))!;
      const header = fileSystem.content(pathOf(log));
      firstSequences.push(new DataView(header.buffer).getUint32(16, true));
    }
    if (end === "crash") fileSystem = fileSystem.clone();
    else store.closeSync();
  }
  assert.deepEqual(firstSequences, [1, 3, 5, 7, 9, 11, 13]);
  assert.deepEqual(recoveredContent(fileSystem), expected);
});

test("Opening read-only keeps more than a memtable in memory and does not write it out", () => {
  const records: LogRecord[] = Array.from({ length: 60 }, (_, index) => ({
    entries: [[`k${index % 50}`, `${index}`.padEnd(400, ".")]],
  }));
  const fileSystem = makeStoreFiles({ log: { number: 9, live: true } });
  makeLog(fileSystem, 9, 1, records);
  const before = fileSystem.dump(DIRECTORY);
  assert.deepEqual(
    recoveredContent(fileSystem, { readOnly: true }),
    contentOfRecords(records),
  );
  assert.deepEqual(fileSystem.dump(DIRECTORY), before);
});

test("Opening read-only changes not one byte and sees what the logs hold", async () => {
  const { fileSystem } = twoLogs({ synced: false, end: true }, { synced: false });
  for (const name of ["000001.sst", "CURRENT.tmp", "MANIFEST-000099", "000002.wal"]) {
    fileSystem.setContent(pathOf(name), Uint8Array.of(1));
  }
  const before = fileSystem.dump(DIRECTORY);
  const expected = contentOfRecords([
    ...putRecords("old", 4, false),
    ...putRecords("new", 3, true),
  ]);
  fileSystem.after = (operation, path) => assert.fail(`${operation} ${path}`);
  const store = openFiles(fileSystem, { readOnly: true });
  assert.deepEqual(contentOf(store), expected);
  assert.equal(store.getSync("old2"), "value 2 of old");
  assert.throws(() => store.putSync("k", "v"), { code: "READ_ONLY" });
  assert.throws(() => store.deleteSync("old1"), { code: "READ_ONLY" });
  await assert.rejects(store.flush(), { code: "READ_ONLY" });
  await assert.rejects(store.compact(), { code: "READ_ONLY" });
  await store.close();
  assert.deepEqual(fileSystem.dump(DIRECTORY), before);
  assert.equal(fileSystem.openHandles, 0);
});

test("Opening read-only reports the same damage, and makes nothing in an empty place", () => {
  const { fileSystem } = twoLogs({ synced: false, end: false }, { synced: true });
  cut(fileSystem, logName(9), 100);
  assert.throws(() => openFiles(fileSystem, { readOnly: true }), CorruptionError);
  const empty = new CloneableFileSystem();
  assert.throws(() => openFiles(empty, { readOnly: true }), { code: "NOT_A_STORE" });
  assert.equal(empty.statSync(DIRECTORY), undefined);
  empty.makeDirectorySync(DIRECTORY);
  assert.throws(() => openFiles(empty, { readOnly: true }), { code: "NOT_A_STORE" });
  assert.deepEqual(empty.listSync(DIRECTORY), []);
});

/** Changes a u32 of a file and puts the right checksum over `[from, to)` at `at`. */
function forge(
  fileSystem: CloneableFileSystem,
  name: string,
  field: number,
  value: number,
  [from, to, at]: readonly [number, number, number],
): void {
  const content = fileSystem.content(pathOf(name));
  const view = new DataView(content.buffer);
  view.setUint32(field, value, true);
  view.setUint32(at, crc32(content, view, from, to), true);
  fileSystem.setContent(pathOf(name), content);
}

test("Files of a newer format version are distinguished from damaged ones and left alone", () => {
  const manifest = makeStoreFiles({ tables: [TABLE] });
  const name = manifest.listSync(DIRECTORY).find((file) => file.startsWith("MANIFEST"))!;
  forge(manifest, name, 8, 4, [0, 20, 20]);
  const log = makeStoreFiles({ log: { number: 9, live: true } });
  makeLog(log, 9, 1, putRecords("k", 3, true));
  forge(log, logName(9), 8, 7, [0, 28, 28]);
  const current = makeStoreFiles({ tables: [TABLE] });
  const line = "tinykvs 2 STATE-000007 crc32=0c5c73a4\n";
  current.setContent(pathOf("CURRENT"), new TextEncoder().encode(line));
  const cases: [CloneableFileSystem, string, string][] = [
    [manifest, name, "manifest version 4"],
    [log, logName(9), "log version 7"],
    [current, "CURRENT", "store version 2"],
  ];
  for (const [fileSystem, file, found] of cases) {
    const before = fileSystem.dump(DIRECTORY);
    assert.throws(
      () => openFiles(fileSystem),
      (error) =>
        error instanceof UnsupportedFormatError && error.file === pathOf(file) &&
        error.found === found,
      found,
    );
    assert.deepEqual(fileSystem.dump(DIRECTORY), before);
    assert.equal(fileSystem.openHandles, 0);
  }
});

test("A table with a newer format or an unknown critical field is not read", async () => {
  const fields: [number, number, string][] = [
    // The version of the table format; and the tag of the first field, which is critical.
    [36 + 4 + 8, 2, "table format 2"],
    [36 + 4, 99 + 0x10000, "a table with the critical field 99"],
  ];
  for (const [field, value, found] of fields) {
    const fileSystem = makeStoreFiles({ tables: [TABLE] });
    const content = fileSystem.content(pathOf(tableName(4)));
    const view = new DataView(content.buffer);
    const footer = content.length - 64;
    const metadata = view.getUint32(footer + 24, true);
    view.setUint32(metadata + field, value, true);
    const part = crc32(content, view, metadata, footer - 4);
    view.setUint32(footer - 4, crc32(content, view, footer, content.length, part), true);
    fileSystem.setContent(pathOf(tableName(4)), content);
    const store = openFiles(fileSystem);
    const isRefused = (error: unknown): boolean =>
      error instanceof UnsupportedFormatError && error.file === pathOf(tableName(4)) &&
      error.found === found;
    assert.throws(() => store.getSync("a"), isRefused, found);
    assert.throws(() => contentOf(store), isRefused, found);
    await assert.rejects(store.get("a"), isRefused);
    await store.close();
  }
});

test("A directory with the names of the Go program's files and other content is refused and left as it is", () => {
  const directories = [
    ["wal.log"],
    ["wal.log", "000001.sst", "000002.sst"],
    ["wal.log", "MANIFEST", "LOCK", "000001.sst"],
  ];
  for (const names of directories) {
    const fileSystem = new CloneableFileSystem();
    fileSystem.makeDirectorySync(DIRECTORY);
    for (const name of names) fileSystem.setContent(pathOf(name), Uint8Array.of(1, 2, 3));
    const before = fileSystem.dump(DIRECTORY);
    for (const options of [{}, { readOnly: true }]) {
      assert.throws(() => openFiles(fileSystem, options), CorruptionError, `${names}`);
    }
    assert.deepEqual(fileSystem.dump(DIRECTORY), before);
  }
});

test("A store that crashes at any operation of a recovery recovers to the same content", () => {
  const { fileSystem } = twoLogs({ synced: true, end: true }, { synced: true });
  makeLog(fileSystem, 11, 8, [
    ...Array.from({ length: 30 }, (_, index): LogRecord => ({
      entries: [[`old${index % 5}`, "v".repeat(300)]],
      synced: true,
    })),
    { entries: [["old0", undefined], ["new0", undefined]], synced: true },
  ], { headerSynced: true });
  fileSystem.setContent(pathOf(tableName(6)), Uint8Array.of(1));
  const expected = recoveredContent(fileSystem.clone());
  assert.ok(Object.keys(expected).length === 6 && !("old0" in expected));
  let states = 0;
  const crashes = (start: CloneableFileSystem, depth: number): void => {
    const clones: CloneableFileSystem[] = [];
    const running = start.clone();
    running.after = () => void clones.push(running.clone());
    assert.deepEqual(recoveredContent(running), expected);
    running.after = undefined;
    for (const clone of clones) {
      states++;
      if (depth > 1) crashes(clone, depth - 1);
      else {
        const store = openFiles(clone);
        assert.deepEqual(contentOf(store), expected);
        store.putSync("after", "crash");
        store.closeSync();
        assert.deepEqual(recoveredContent(clone), { after: "crash", ...expected });
      }
    }
  };
  crashes(fileSystem, 2);
  assert.ok(states > 500, `${states} states`);
});

test("A store that crashes at any operation of its creation can be opened", () => {
  const fileSystem = new CloneableFileSystem();
  const clones: CloneableFileSystem[] = [];
  fileSystem.after = () => void clones.push(fileSystem.clone());
  const store = openFiles(fileSystem);
  store.putSync("k", "v");
  store.closeSync();
  assert.ok(clones.length > 15);
  for (const clone of clones) {
    const again = openFiles(clone);
    assert.ok(["v", undefined].includes(again.getSync("k") as string));
    again.putSync("k2", "v2");
    again.closeSync();
    assert.equal(recoveredContent(clone)["k2"], "v2");
  }
});

test("The names of all directories that open makes are synced, from the store's up", () => {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync("/data");
  const synced = new Set<string>();
  fileSystem.after = (operation, path) => {
    if (operation === "sync directory" && !path.endsWith("/db")) synced.add(path);
  };
  openSync("/data/a/b/db", { fileSystem }).closeSync();
  assert.deepEqual([...synced].sort(), ["/data", "/data/a", "/data/a/b"]);
});

test("A failing open releases the lock, so that the next one can try", async () => {
  const fileSystem = makeStoreFiles({ tables: [TABLE] });
  const path = pathOf(tableName(4));
  const content = fileSystem.content(path);
  fileSystem.removeSync(path);
  const options: Options = { fileSystem };
  await assert.rejects(open(DIRECTORY, options), CorruptionError);
  assert.throws(() => openFiles(fileSystem), CorruptionError);
  fileSystem.setContent(path, content);
  const store = openFiles(fileSystem);
  assert.throws(() => openFiles(fileSystem), { code: "LOCKED" });
  store.closeSync();
});

test("A manifest that claims impossible numbers is damage, not a crash of the program", () => {
  const fileSystem = makeStoreFiles({ tables: [TABLE] });
  const { storeId, manifestNumber } = decodeCurrent(fileSystem.content(pathOf("CURRENT")));
  const writer = new ByteWriter(64);
  encodeManifestHeader(writer, storeId, manifestNumber);
  const payload = Uint8Array.of(1, 255, 255, 255, 255, 255, 255, 15, 0);
  const start = writer.length;
  const tag = (storeId ^ manifestNumber) >>> 0;
  for (const field of [0, payload.length, tag, 0]) writer.appendUint32(field);
  writer.appendBytes(payload, 0, payload.length);
  writer.view.setUint32(start, crc32(writer.bytes, writer.view, start + 4, writer.length), true);
  const name = fileSystem.listSync(DIRECTORY).find((file) => file.startsWith("MANIFEST"))!;
  fileSystem.setContent(pathOf(name), writer.bytes.slice(0, writer.length));
  requireCorruption(fileSystem, name, "a next file number of 2^60", /2\^53|the next file number/);
});

test("A table's name that belongs to a directory is an error of the store's own", () => {
  const fileSystem = makeStoreFiles({ tables: [TABLE] });
  fileSystem.removeSync(pathOf(tableName(4)));
  fileSystem.makeDirectorySync(pathOf(tableName(4)));
  assert.throws(() => recoveredContent(fileSystem), StoreError);
});
