// The sync of a log that is full of large values takes long. A synchronous writer leaves it to the
// background while the event loop turns, and does it itself if it has to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type EmbeddedStore, memoryFileSystem, openSync } from "../../mod.ts";
import { interceptingFileSystem } from "../support/intercepting_file_system.ts";

const KEYS = 1200;
const value = new Uint8Array(24 * 1024).fill(5);

/** A store whose logs end after some MiB, and the paths of files that were synced in a call. */
function open(): { store: EmbeddedStore; syncs: string[] } {
  const syncs: string[] = [];
  const fileSystem = interceptingFileSystem(memoryFileSystem(), {
    delay: () => Promise.resolve(),
    charge: (operation, path) => void (operation === "sync" && syncs.push(path)),
  });
  const store = openSync("/db", {
    fileSystem,
    memtableSizeBytes: 32 * 1024,
    largeValueBytes: 4096,
    compression: "none",
    walSync: "none",
    backgroundThread: false,
  });
  return { store, syncs };
}

const logsAmong = (paths: readonly string[]): number =>
  paths.filter((path) => path.endsWith(".wal")).length;

test("A synchronous writer leaves the sync of a long log to the turns of the event loop", async () => {
  const { store, syncs } = open();
  store.putSync("first", value);
  const before = logsAmong(syncs);
  for (let i = 0; i < KEYS; i++) {
    store.putSync(`key ${i}`, value);
    if (i % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(store.stats().flush.count >= 2, `${store.stats().flush.count} flushes`);
  assert.equal(logsAmong(syncs) - before, 0);
  await store.close();
});

test("A synchronous writer that gives the event loop no turn syncs long logs itself", async () => {
  const { store, syncs } = open();
  store.putSync("first", value);
  const before = logsAmong(syncs);
  for (let i = 0; i < 2 * KEYS; i++) store.putSync(`key ${i}`, value);
  assert.ok(logsAmong(syncs) - before >= 2);
  assert.ok(store.stats().immutableMemtables <= 4);
  assert.deepEqual(store.getSync("key 0"), value);
  await store.close();
});
