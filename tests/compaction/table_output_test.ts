import assert from "node:assert/strict";
import { test } from "node:test";
import { TableOutput } from "../../src/compaction/table_output.ts";
import { IoError } from "../../src/errors.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import { CloneableFileSystem, refused } from "../support/cloneable_file_system.ts";
import { entryOf, outputOptions, readTable, textOf } from "../support/store_tables.ts";

const DIRECTORY = "/db";

function setup(): { fileSystem: CloneableFileSystem; output: TableOutput; operations: string[] } {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const operations: string[] = [];
  fileSystem.after = (operation, path) => operations.push(`${operation} ${path}`);
  let number = 7;
  const output = new TableOutput(outputOptions(fileSystem, DIRECTORY), 3, () => number++);
  return { fileSystem, output, operations };
}

test("TableOutput creates no file before the first entry", () => {
  const { output, operations } = setup();
  assert.equal(output.isOpen, false);
  assert.equal(output.openBytes, 0);
  assert.deepEqual(runTaskSync(output.finish()), []);
  assert.deepEqual(operations, []);
});

test("TableOutput syncs each file before the next and the names at the end", () => {
  const { fileSystem, output, operations } = setup();
  output.add(entryOf(["a", "1"]));
  output.add(entryOf(["b", undefined]));
  assert.equal(output.isOpen, true);
  runTaskSync(output.finishTable());
  assert.equal(output.isOpen, false);
  output.add(entryOf(["c", "3"]));
  const tables = runTaskSync(output.finish());
  assert.deepEqual(operations, [
    "create /db/000007.sst",
    "write /db/000007.sst",
    "sync /db/000007.sst",
    "create /db/000008.sst",
    "write /db/000008.sst",
    "sync /db/000008.sst",
    "sync directory /db",
  ]);
  assert.equal(fileSystem.openHandles, 0);
  assert.deepEqual(tables.map((table) => [table.number, table.entryCount, table.tombstoneCount]), [
    [7, 2, 1],
    [8, 1, 0],
  ]);
  assert.deepEqual([textOf(tables[0]!.smallest), textOf(tables[0]!.largest)], ["a", "b"]);
  assert.equal(tables[0]!.sizeBytes, fileSystem.content("/db/000007.sst").length);
  assert.deepEqual(readTable(fileSystem, DIRECTORY, tables[0]!), [["a", "1"], ["b", undefined]]);
  assert.deepEqual(readTable(fileSystem, DIRECTORY, tables[1]!), [["c", "3"]]);
});

test("TableOutput tells how large the open table is, block by block", () => {
  const { output } = setup();
  output.add(entryOf(["a", "x".repeat(200)]));
  assert.equal(output.openBytes, 0);
  output.add(entryOf(["b", "x".repeat(200)]));
  assert.ok(output.openBytes > 200 && output.openBytes < 300, `${output.openBytes}`);
  runTaskSync(output.finish());
  assert.equal(output.openBytes, 0);
});

test("TableOutput.abandon closes and removes everything", () => {
  const { fileSystem, output } = setup();
  output.add(entryOf(["a", "1"]));
  runTaskSync(output.finishTable());
  output.add(entryOf(["b", "2"]));
  output.abandon();
  assert.deepEqual(fileSystem.listSync(DIRECTORY), []);
  assert.equal(fileSystem.openHandles, 0);
});

test("TableOutput.abandon continues if a file can't be removed", () => {
  const { fileSystem, output } = setup();
  output.add(entryOf(["a", "1"]));
  runTaskSync(output.finishTable());
  output.add(entryOf(["b", "2"]));
  fileSystem.before = (operation, path) => {
    if (operation === "remove" && path.includes("7")) throw refused(operation, path, "EBUSY");
  };
  output.abandon();
  assert.deepEqual(fileSystem.listSync(DIRECTORY), ["000007.sst"]);
  assert.equal(fileSystem.openHandles, 0);
});

test("TableOutput refuses to write over a file that exists and leaves that file alone", () => {
  const { fileSystem, output } = setup();
  fileSystem.setContent("/db/000007.sst", Uint8Array.of(1, 2, 3));
  assert.throws(() => output.add(entryOf(["a", "1"])), IoError);
  output.abandon();
  assert.deepEqual(fileSystem.content("/db/000007.sst"), Uint8Array.of(1, 2, 3));
});
