/**
 * Open files: only a few at a time, those that were used least go first, and fewer still if the
 * system has no more.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, IoError } from "../../src/errors.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { HandlePool, PooledFile } from "../../src/sstable/handle_pool.ts";
import { countingFileSystem, type FileCounts } from "../support/counting_file_system.ts";

function pool(
  fileCount: number,
  limit: number,
  maxHandles = Infinity,
): { pool: HandlePool; files: PooledFile[]; counts: FileCounts } {
  const inner = memoryFileSystem();
  const files = Array.from({ length: fileCount }, (_, i) => {
    const handle = inner.createSync(`/${i}`);
    handle.writeSync(Uint8Array.of(i), 0, 1, 0);
    handle.closeSync();
    return new PooledFile(`/${i}`);
  });
  const fileSystem = countingFileSystem(inner, { maxHandles });
  return { pool: new HandlePool(fileSystem, limit), files, counts: fileSystem.counts };
}

function contentOf(pool: HandlePool, file: PooledFile): number {
  const into = new Uint8Array(1);
  assert.equal(pool.acquire(file).readSync(into, 0, 1, 0), 1);
  return into[0]!;
}

test("HandlePool opens a file once while it stays open", () => {
  const { pool: handles, files, counts } = pool(3, 4);
  for (let round = 0; round < 5; round++) {
    files.forEach((file, i) => assert.equal(contentOf(handles, file), i));
  }
  assert.equal(counts.opens, 3);
  assert.equal(handles.openCount, 3);
});

test("HandlePool never has more files open than its limit", () => {
  const { pool: handles, files, counts } = pool(20, 5);
  for (let round = 0; round < 3; round++) {
    files.forEach((file, i) => {
      assert.equal(contentOf(handles, file), i);
      assert.ok(counts.openHandles <= 5);
      assert.equal(counts.openHandles, handles.openCount);
    });
  }
});

test("HandlePool keeps a file open that is used all the time", () => {
  const { pool: handles, files, counts } = pool(40, 5);
  const [hot, ...others] = files;
  for (const file of others) {
    contentOf(handles, hot!);
    contentOf(handles, file);
  }
  // The clock hand may take it once while everything else is just as new.
  assert.ok(counts.opens <= others.length + 2, `${counts.opens} opens`);
});

test("HandlePool has room for at least four files", () => {
  const { pool: handles, files } = pool(4, 1);
  for (const file of files) contentOf(handles, file);
  assert.equal(handles.openCount, 4);
});

test("HandlePool works with the descriptors that it gets", () => {
  for (const maxHandles of [1, 2, 3, 5, 9]) {
    const { pool: handles, files } = pool(20, 16, maxHandles);
    for (let round = 0; round < 3; round++) {
      files.forEach((file, i) => assert.equal(contentOf(handles, file), i));
    }
  }
});

test("HandlePool reports the failure if there is no descriptor at all", () => {
  const { pool: handles, files } = pool(1, 16, 0);
  assert.throws(
    () => handles.acquire(files[0]!),
    (error) => error instanceof IoError && error.osCode === "EMFILE",
  );
});

test("HandlePool reports a missing file, and opens it once it exists", () => {
  const { pool: handles, counts } = pool(1, 16);
  assert.throws(
    () => handles.acquire(new PooledFile("/absent")),
    (error) => error instanceof IoError && error.osCode === "ENOENT",
  );
  assert.equal(counts.openHandles, 0);
  assert.equal(handles.openCount, 0);
});

test("HandlePool closes a released file and opens it again on demand", () => {
  const { pool: handles, files, counts } = pool(2, 16);
  contentOf(handles, files[0]!);
  contentOf(handles, files[1]!);
  handles.release(files[0]!);
  handles.release(files[0]!);
  assert.equal(counts.openHandles, 1);
  assert.equal(contentOf(handles, files[0]!), 0);
  assert.equal(counts.opens, 3);
});

test("HandlePool does not hand out a handle whose closing failed", () => {
  const { pool: handles, files } = pool(2, 16);
  const handle = handles.acquire(files[0]!);
  const close = handle.closeSync;
  handle.closeSync = () => {
    close.call(handle);
    throw new IoError("close", handle.path, "broken", "EIO");
  };
  assert.throws(() => handles.release(files[0]!), IoError);
  assert.equal(contentOf(handles, files[0]!), 0);
});

test("HandlePool opens nothing after it was closed", () => {
  const { pool: handles, files, counts } = pool(5, 16);
  for (const file of files) contentOf(handles, file);
  handles.close();
  assert.equal(counts.openHandles, 0);
  assert.equal(handles.openCount, 0);
  assert.throws(() => handles.acquire(files[0]!), ClosedError);
  handles.release(files[0]!);
});
