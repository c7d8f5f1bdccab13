// flushOnClose: false: the log is durable when the store is closed, and the next open has all of
// it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type EmbeddedStore, open, type WalSync } from "../../mod.ts";
import { crashKinds, FaultFileSystem } from "../support/fault_file_system.ts";

const DIRECTORY = "/db";
const COUNT = 500;

async function filled(fileSystem: FaultFileSystem, walSync: WalSync): Promise<EmbeddedStore> {
  const memtableSizeBytes = 16 * 1024;
  const store = await open(DIRECTORY, {
    fileSystem,
    walSync,
    memtableSizeBytes,
    flushOnClose: false,
  });
  // Some memtables are full and flushed, or being flushed; the last one is neither.
  for (let i = 0; i < COUNT; i++) void store.put(`key ${i}`, "v".repeat(100));
  return store;
}

function hasLog(fileSystem: FaultFileSystem): boolean {
  return fileSystem.listSync(DIRECTORY).some((name) => name.endsWith(".wal"));
}

async function requireAll(fileSystem: FaultFileSystem): Promise<void> {
  const store = await open(DIRECTORY, { fileSystem });
  for (let i = 0; i < COUNT; i++) {
    assert.equal(await store.get(`key ${i}`), "v".repeat(100), `key ${i}`);
  }
  await store.close();
  assert.equal(hasLog(fileSystem), false);
}

for (const walSync of ["none", "interval", "batch", "write"] as const) {
  test(`A close that leaves the log loses nothing to a power loss, with walSync "${walSync}"`, async () => {
    for (const isSync of [false, true]) {
      const fileSystem = new FaultFileSystem(1);
      const store = await filled(fileSystem, walSync);
      if (isSync) store.closeSync();
      else await store.close();
      assert.equal(hasLog(fileSystem), true);
      assert.equal(fileSystem.openHandles, 0);
      for (const [seed, kind] of crashKinds.entries()) {
        await requireAll(fileSystem.crash(kind, seed).build(seed));
      }
      await requireAll(fileSystem);
    }
  });
}

test("A close that leaves the log writes no table and no manifest; one without writes leaves none", async () => {
  const fileSystem = new FaultFileSystem(1);
  const options = { fileSystem, flushOnClose: false };
  const store = await open(DIRECTORY, options);
  await store.put("key", 1);
  const before = fileSystem.listSync(DIRECTORY).sort();
  await store.close();
  assert.deepEqual(
    fileSystem.listSync(DIRECTORY).sort(),
    before.filter((name) => !name.startsWith("LOCK.")),
  );
  await requireClosedWithoutLog(options);
});

async function requireClosedWithoutLog(
  options: { fileSystem: FaultFileSystem; flushOnClose: boolean },
): Promise<void> {
  const store = await open(DIRECTORY, options);
  assert.equal(await store.get("key"), 1);
  await store.close();
  assert.equal(hasLog(options.fileSystem), false);
}
