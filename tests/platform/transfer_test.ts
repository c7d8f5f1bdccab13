import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileHandle, FileSystem } from "../../src/platform/file_system.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { readFully, readWholeFileSync, writeFullySync } from "../../src/platform/transfer.ts";

/** A file system with `content` at /a; `change` may replace methods of every opened handle. */
function withFile(content: Uint8Array, change: (handle: FileHandle) => void): FileSystem {
  const fileSystem = memoryFileSystem();
  const created = fileSystem.createSync("/a");
  writeFullySync(created, content, 0, content.length, 0);
  created.closeSync();
  const openReadSync = fileSystem.openReadSync.bind(fileSystem);
  fileSystem.openReadSync = (path) => {
    const handle = openReadSync(path);
    change(handle);
    return handle;
  };
  return fileSystem;
}

test("writeFullySync stops with ENOSPC when a write makes no progress", () => {
  const handle = memoryFileSystem().createSync("/a");
  const write = handle.writeSync.bind(handle);
  let room = 5;
  let calls = 0;
  handle.writeSync = (from, offset, length, position) => {
    calls++;
    const count = Math.min(room, length);
    room -= count;
    return count === 0 ? 0 : write(from, offset, count, position);
  };
  assert.throws(() => writeFullySync(handle, new Uint8Array(8), 0, 8, 100), {
    name: "IoError",
    operation: "write",
    path: "/a",
    osCode: "ENOSPC",
    message: 'Cannot write "/a": the file took 5 of 8 bytes at offset 100 and no more',
  });
  assert.equal(calls, 2);
});

test("readFully uses the synchronous read if a handle has no other", async () => {
  const handle = memoryFileSystem().createSync("/a");
  assert.equal(handle.read, undefined);
  writeFullySync(handle, Uint8Array.of(1, 2, 3), 0, 3, 0);
  const into = new Uint8Array(3);
  await readFully(handle, into, 0, 3, 0);
  assert.deepEqual(into, Uint8Array.of(1, 2, 3));
});

test("readWholeFileSync returns the content and closes the handle", () => {
  let opened: FileHandle | undefined;
  const fileSystem = withFile(Uint8Array.of(1, 2, 3), (handle) => opened = handle);
  assert.deepEqual(readWholeFileSync(fileSystem, "/a", 3), Uint8Array.of(1, 2, 3));
  assert.throws(() => opened!.sizeSync(), { osCode: "EBADF" });
});

test("readWholeFileSync refuses a file over the cap before it allocates or reads", () => {
  let opened: FileHandle | undefined;
  const fileSystem = withFile(Uint8Array.of(1), (handle) => {
    opened = handle;
    handle.sizeSync = () => Number.MAX_SAFE_INTEGER;
    handle.readSync = () => assert.fail("it was read");
  });
  assert.throws(() => readWholeFileSync(fileSystem, "/a", 10), {
    name: "IoError",
    osCode: "EFBIG",
    message: 'Cannot read "/a": its size is 9007199254740991 bytes, expected at most 10',
  });
  assert.throws(() => opened!.syncSync(), { osCode: "EBADF" });
});

test("readWholeFileSync reports a file that shrinks during the read", () => {
  const fileSystem = withFile(Uint8Array.of(1, 2), (handle) => handle.sizeSync = () => 4);
  assert.throws(() => readWholeFileSync(fileSystem, "/a", 10), { osCode: "EOF" });
});
