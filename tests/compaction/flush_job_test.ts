import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { flushJob } from "../../src/compaction/flush_job.ts";
import { IoError } from "../../src/errors.ts";
import { Memtable } from "../../src/memtable/memtable.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import { encodeTombstone, encodeValue } from "../../src/value/value_codec.ts";
import { CloneableFileSystem, refused } from "../support/cloneable_file_system.ts";
import { bytesOf, outputOptions, readTable, type TestEntry } from "../support/store_tables.ts";

const DIRECTORY = "/db";

function newFileSystem(): CloneableFileSystem {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  return fileSystem;
}

function memtableOf(entries: readonly TestEntry[]): Memtable {
  const memtable = new Memtable(1, 4096);
  for (const [index, [key, value]] of entries.entries()) {
    const writer = new ByteWriter(64);
    const bytes = bytesOf(key);
    writer.appendUint32(bytes.length);
    writer.appendBytes(bytes, 0, bytes.length);
    const lengthAt = writer.length;
    writer.appendUint32(0);
    if (value === undefined) encodeTombstone(writer);
    else encodeValue(value, writer);
    writer.view.setUint32(lengthAt, writer.length - lengthAt - 4, true);
    memtable.insert(index + 1, writer.bytes, writer.view, 0, lengthAt, writer.length);
  }
  return memtable;
}

test("flushJob writes the newest version of every key, tombstones included", () => {
  const fileSystem = newFileSystem();
  const memtable = memtableOf([
    ["b", "old"],
    ["a", "1"],
    ["b", "new"],
    ["", "empty key"],
    ["c", "deleted"],
    ["c", undefined],
    ["d", undefined],
    ["d", "again"],
  ]);
  const table = runTaskSync(flushJob(memtable, outputOptions(fileSystem, DIRECTORY), () => 5))!;
  assert.deepEqual([table.number, table.entryCount, table.tombstoneCount], [5, 5, 1]);
  assert.deepEqual(readTable(fileSystem, DIRECTORY, table), [
    ["", "empty key"],
    ["a", "1"],
    ["b", "new"],
    ["c", undefined],
    ["d", "again"],
  ]);
});

test("flushJob makes no table of an empty memtable and takes no number", () => {
  const fileSystem = newFileSystem();
  const job = flushJob(
    new Memtable(1, 4096),
    outputOptions(fileSystem, DIRECTORY),
    () => assert.fail("took a number"),
  );
  assert.equal(runTaskSync(job), undefined);
  assert.deepEqual(fileSystem.listSync(DIRECTORY), []);
});

const many: TestEntry[] = Array.from({ length: 640 }, (_, index) => [
  `key${String(index).padStart(5, "0")}`,
  `value ${index}`,
]);

test("flushJob may be paused every few entries", () => {
  const fileSystem = newFileSystem();
  const job = flushJob(memtableOf(many), outputOptions(fileSystem, DIRECTORY), () => 5);
  let pauses = 0;
  for (let step = job.next(); !step.done; step = job.next()) {
    pauses++;
    step.value?.runSync();
  }
  assert.equal(pauses, 640 / 32 + 2);
});

test("flushJob removes its output if it is cancelled, at any pause", () => {
  for (let stop = 1; stop <= 22; stop++) {
    const fileSystem = newFileSystem();
    const job = flushJob(memtableOf(many), outputOptions(fileSystem, DIRECTORY), () => 5);
    for (let step = 0; step < stop; step++) assert.ok(!job.next().done, `pause ${step}`);
    job.return(undefined);
    assert.deepEqual(fileSystem.listSync(DIRECTORY), [], `after pause ${stop}`);
    assert.equal(fileSystem.openHandles, 0, `after pause ${stop}`);
  }
});

test("flushJob removes its output after any failing operation", () => {
  for (const failing of ["create", "write", "sync", "sync directory"]) {
    const fileSystem = newFileSystem();
    fileSystem.before = (operation, path) => {
      if (operation === failing) throw refused(operation, path, "EIO");
    };
    const job = flushJob(memtableOf(many), outputOptions(fileSystem, DIRECTORY), () => 5);
    assert.throws(() => runTaskSync(job), IoError, failing);
    fileSystem.before = undefined;
    assert.deepEqual(fileSystem.listSync(DIRECTORY), [], failing);
    assert.equal(fileSystem.openHandles, 0, failing);
  }
});
