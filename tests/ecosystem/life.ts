/**
 * The life of a store as test runners see it, to be run inside one: in its realm, with its globals
 * and its clock. It throws if something is not as it should be, and needs no assertions of any
 * runner.
 *
 * bundle.ts makes one file of this and the library.
 */

import {
  type EmbeddedStore,
  type FileHandle,
  type FileSystem,
  LockedError,
  memoryFileSystem,
  open,
  openSync,
  StoreError,
} from "../../mod.ts";
import { process } from "../../src/platform/natives.ts";

function require(condition: boolean, what: string): void {
  if (!condition) throw new Error(`Not so: ${what}`);
}

/** How often `until` looks: with a nap each time, some seconds. */
const LOOKS = 2_000;
const NAP_MS = 2;

/**
 * Lets the event loop turn until something is so. It asks no clock and no timer, which may be
 * fakes.
 */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  const { stat } = process.getBuiltinModule("node:fs");
  const word = new Int32Array(new SharedArrayBuffer(4));
  for (let looks = 0; looks < LOOKS; looks++) {
    if (isSo()) return;
    Atomics.wait(word, 0, 0, NAP_MS);
    await new Promise<void>((resolve) => stat(".", () => resolve()));
  }
  throw new Error(`It did not happen: ${what}`);
}

/** Keys in no order: a flush of 1 MB and more is a job for the thread. */
function fill(store: EmbeddedStore, batches: number): void {
  let n = 1;
  for (let i = 0; i < batches; i++) {
    const batch = store.batch();
    for (let j = 0; j < 1000; j++) {
      n = (Math.imul(n, 1664525) + 1013904223) >>> 0;
      batch.put(`key ${n % 100_000}`, `value ${n} `.repeat(10));
    }
    store.writeSync(batch);
  }
}

async function expectThrown(action: () => unknown, what: string): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error(`It was not refused: ${what}`);
}

/** Everything that a program does with a store on disk. */
export async function wholeLife(directory: string): Promise<void> {
  const store = await open(directory, {
    memtableSizeBytes: 1 << 20,
    compression: "none",
    walSync: "none",
  });
  await store.put("text", "Alice");
  await store.put("bytes", Uint8Array.of(1, 2, 3), { sync: true });
  await store.put("record", { a: [1, "two", { b: Uint8Array.of(4) }], c: null, d: 5n });
  await store.write([{ type: "put", key: "x", value: 1 }, { type: "delete", key: "x" }]);
  await store.batch().put("y", true).delete("text").write();
  require((await store.get("text")) === undefined, "a deleted key is missing");
  const bytes = await store.get("bytes") as Uint8Array;
  require(ArrayBuffer.isView(bytes) && [...bytes].join() === "1,2,3", "bytes come back");
  const record = await store.get("record") as { a: [number, string, { b: Uint8Array }]; d: bigint };
  require(
    record.a[1] === "two" && record.a[2].b[0] === 4 && record.d === 5n,
    "a record comes back",
  );

  // Until the thread does a job: it takes a moment to start, and nobody waits for it.
  fill(store, 10);
  await until(() => {
    if (store.stats().background === "worker") return true;
    fill(store, 4);
    return false;
  }, "the thread is in use");
  fill(store, 6);
  await store.flush();
  await store.compact();
  let count = 0;
  for await (const [key] of store.entries({ prefix: "key " })) count += key === "" ? 0 : 1;
  require(count > 1_000 && count === await store.count({ prefix: "key " }), "a scan sees all");
  require([...store.keys({ limit: 3 })].length === 3, "a synchronous scan");

  const controller = new AbortController();
  controller.abort();
  const aborted = await expectThrown(
    () => store.entries({ signal: controller.signal }).toArray(),
    "an aborted scan",
  );
  require((aborted as Error).name === "AbortError", "an abort is an AbortError");
  const refused = await expectThrown(() => store.put("z", new Date() as never), "a Date");
  require((refused as Error).name === "TypeError", "a Date is a TypeError");
  const locked = await expectThrown(() => open(directory), "a second open");
  require(locked instanceof LockedError && locked.code === "LOCKED", "it is a LockedError");
  const missing = await expectThrown(
    () => open(`${directory}/CURRENT`, { createIfMissing: false }),
    "a file for a directory",
  );
  require(missing instanceof StoreError, "it is a StoreError");
  await store.checkpoint(`${directory} copy`);
  await store.close();

  for (const path of [directory, `${directory} copy`]) {
    const again = openSync(path);
    require(again.getSync("y") === true, "a value is there after opening again");
    require(
      [...again.keys({ prefix: "key " })].length === count,
      "all keys are there after opening again",
    );
    again.putSync("more", 1.5);
    again.closeSync();
  }
  const url = new URL(`file://${directory.replaceAll("\\", "/").replaceAll(" ", "%20")}`);
  const last = await open(url, { walSync: "interval", walSyncIntervalMs: 5 });
  require((await last.get("more")) === 1.5, "the last write is there");
  await last.put("interval", 1);
  await last.close();
}

/** Waits that must end although the clock may stand still. */
export async function waitsThatEnd(directory: string): Promise<void> {
  const held = await open(directory);
  const first = await expectThrown(() => open(directory, { lockTimeoutMs: 100 }), "a held store");
  require(first instanceof LockedError, "an awaited wait for the lock ends");
  const second = await expectThrown(
    () => openSync(directory, { lockTimeoutMs: 100 }),
    "a held store",
  );
  require(second instanceof LockedError, "a synchronous wait for the lock ends");
  await held.close();

  const syncs = { count: 0 };
  const store = await open("/db", {
    fileSystem: countingSyncs(memoryFileSystem(), syncs),
    walSync: "interval",
    walSyncIntervalMs: 5,
  });
  await store.put("a", 1);
  const before = syncs.count;
  await store.put("b", 2);
  await until(() => syncs.count > before, "a sync in the interval");
  await store.close();
}

function countingSyncs(fileSystem: FileSystem, syncs: { count: number }): FileSystem {
  const counting = (handle: FileHandle): FileHandle => ({
    path: handle.path,
    readSync: (...args) => handle.readSync(...args),
    writeSync: (...args) => handle.writeSync(...args),
    syncSync: () => {
      syncs.count++;
      handle.syncSync();
    },
    sizeSync: () => handle.sizeSync(),
    closeSync: () => handle.closeSync(),
  });
  return {
    name: "counting",
    resolvePath: (path) => fileSystem.resolvePath(path),
    joinPath: (directory, name) => fileSystem.joinPath(directory, name),
    openReadSync: (path) => counting(fileSystem.openReadSync(path)),
    createSync: (path) => counting(fileSystem.createSync(path)),
    renameSync: (from, to) => fileSystem.renameSync(from, to),
    removeSync: (path) => fileSystem.removeSync(path),
    listSync: (directory) => fileSystem.listSync(directory),
    statSync: (path) => fileSystem.statSync(path),
    makeDirectorySync: (path) => fileSystem.makeDirectorySync(path),
    syncDirectorySync: (path) => fileSystem.syncDirectorySync(path),
    lockSync: (directory) => fileSystem.lockSync(directory),
  };
}
