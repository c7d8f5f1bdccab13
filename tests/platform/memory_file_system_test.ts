import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { writeFullySync } from "../../src/platform/transfer.ts";
import { fileSystemContract } from "../contracts/file_system_contract.ts";

fileSystemContract("memory", () => {
  const fileSystem = memoryFileSystem();
  fileSystem.makeDirectorySync("/store");
  return { fileSystem, directory: "/store", dispose: () => {} };
});

test("memory file system keeps its content apart from other instances", () => {
  const one = memoryFileSystem();
  const other = memoryFileSystem();
  one.makeDirectorySync("/a");
  assert.equal(other.statSync("/a"), undefined);
});

test("memory file system lists names in the order of their creation", () => {
  const fileSystem = memoryFileSystem();
  for (const name of ["b", "a", "c"]) fileSystem.createSync(`/${name}`).closeSync();
  assert.deepEqual(fileSystem.listSync("/"), ["b", "a", "c"]);
});

test("memory file system copies the bytes that it is given", () => {
  const fileSystem = memoryFileSystem();
  const handle = fileSystem.createSync("/a");
  const from = Uint8Array.of(1, 2);
  writeFullySync(handle, from, 0, 2, 0);
  from.fill(9);
  const into = new Uint8Array(2);
  handle.readSync(into, 0, 2, 0);
  assert.deepEqual(into, Uint8Array.of(1, 2));
});

test("memory file system refuses to create, rename onto or remove its root", () => {
  const fileSystem = memoryFileSystem();
  fileSystem.createSync("/a").closeSync();
  assert.throws(() => fileSystem.createSync("/"), { osCode: "EEXIST" });
  assert.throws(() => fileSystem.renameSync("/a", "/"), { osCode: "EISDIR" });
  assert.throws(() => fileSystem.removeSync("/"), { osCode: "EISDIR" });
  assert.deepEqual(fileSystem.listSync("/"), ["a"]);
});
