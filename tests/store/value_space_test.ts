// The space that large values take: dead bytes, small files, and the cost of ending a session.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openSync } from "../../mod.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { FaultScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";

/** The sizes of the logs and value files in the directory of a store. */
function valueFiles(fileSystem: CloneableFileSystem): number[] {
  return fileSystem.listSync("/db").filter((name) => /\.(wal|val)$/.test(name))
    .map((name) => fileSystem.statSync(`/db/${name}`)!.sizeBytes);
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}

test("The zeros at the end of a log count as dead bytes when it is flushed", async () => {
  const random = new Random(1);
  const fileSystem = new CloneableFileSystem();
  let living = 0;
  for (let session = 0; session < 5; session++) {
    const store = openSync("/db", { fileSystem, compression: "none", walSync: "write" });
    for (let i = 0; i < 5; i++) {
      await store.put(`key ${session} ${i}`, randomBytes(9000, random));
      living += 9000;
    }
    // Such small syncs extend the log.
    assert.ok(Math.max(...valueFiles(fileSystem)) > 200_000);
    await store.close();
    const found = sum(valueFiles(fileSystem));
    assert.ok(found <= 2.5 * living, `${found} bytes for ${living} living ones`);
  }
});

test("An open after a crash moves no more values than it may merge", async () => {
  const random = new Random(2);
  const fileSystem = new CloneableFileSystem();
  const scheduler = new FaultScheduler(2);
  const restore = useScheduler(scheduler);
  try {
    const options = { fileSystem, compression: "none", walSync: "write" } as const;
    const store = openSync("/db", options);
    for (let i = 0; i < 100; i++) store.putSync(`key ${i}`, randomBytes(50_000, random));
    store.compactSync();
    for (let i = 0; i < 100; i++) if (i % 4 > 0) store.deleteSync(`key ${i}`);
    store.flushSync();
    // So that the next open has something to recover.
    store.putSync("last", 1);
    const before = store.stats().values;
    let crashed: CloneableFileSystem | undefined;
    // The first merge finds out what is dead, and the next one would move what is not.
    for (let i = 0; i < 10_000 && crashed === undefined; i++) {
      scheduler.elapse(10);
      await scheduler.pass(1);
      if (store.stats().values.usedBytes < before.usedBytes) crashed = fileSystem.clone();
    }
    store.closeSync();
    assert.ok(crashed !== undefined);
    const sizes = valueFiles(crashed);
    let writtenBytes = 0;
    const create = crashed.createSync.bind(crashed);
    crashed.createSync = (path) => {
      const handle = create(path);
      const write = handle.writeSync.bind(handle);
      handle.writeSync = (from, offset, length, position) => {
        writtenBytes += length;
        return write(from, offset, length, position);
      };
      return handle;
    };
    openSync("/db", { ...options, fileSystem: crashed }).closeSync();
    assert.ok(writtenBytes < 1024 * 1024, `${writtenBytes} bytes written, ${sizes}`);
  } finally {
    restore();
  }
});
