/**
 * Many reads of a cold store at the same time. The tests count the reads from the file system, and
 * not time: a block is read once, however many wait for it.
 */

import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { test } from "node:test";
import { type EmbeddedStore, memoryFileSystem, open } from "../../mod.ts";
import { ClosedError, CorruptionError, IoError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { readWholeFileSync, writeFullySync } from "../../src/platform/transfer.ts";
import { countingFileSystem } from "../support/counting_file_system.ts";
import { steppingScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { Random } from "../support/random.ts";
import { watched } from "./file_systems.ts";

const COUNT = 6000;
const VALUE = "v".repeat(300);
const keyOf = (index: number): string => `key${String(index).padStart(6, "0")}`;
const keys = Array.from({ length: COUNT }, (_, index) => keyOf(index));

const options = {
  blockSizeBytes: 4096,
  memtableSizeBytes: 256 * 1024,
  compression: "none",
  walSync: "none",
} as const;

/** Tables of two levels with all keys, of which no compaction is due. */
async function fill(fileSystem: FileSystem): Promise<void> {
  await using store = await open("/db", { ...options, fileSystem });
  for (const key of shuffle(keys)) store.putSync(key, key + VALUE);
  await store.compact();
  for (let i = 0; i < COUNT; i += 40) store.putSync(keyOf(i), keyOf(i) + VALUE);
}

function shuffle(items: readonly string[]): string[] {
  const random = new Random(1);
  const shuffled = items.slice();
  for (let i = shuffled.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [shuffled[i], shuffled[other]] = [shuffled[other]!, shuffled[i]!];
  }
  return shuffled;
}

/** Each key has its value. The first that has not is named: all of them would fill a screen. */
function requireValues(found: readonly unknown[], order: readonly string[]): void {
  assert.equal(found.length, order.length);
  for (const [at, key] of order.entries()) {
    assert.equal(found[at], key + VALUE, `"${key}" has another value`);
  }
}

/** Reads of a store that was just opened: those of `use`, and those of one read after the other. */
async function countReads(
  fileSystem: FileSystem & { readonly counts: { reads: number } },
  blockCacheSizeBytes: number,
  use: (store: EmbeddedStore) => Promise<void>,
): Promise<number> {
  await using store = await open("/db", { ...options, blockCacheSizeBytes, fileSystem });
  const before = fileSystem.counts.reads;
  // A clock that moves when it is read: nothing else decides how many gets are read at once.
  const restore = useScheduler(steppingScheduler(() => 0.1));
  try {
    await use(store);
  } finally {
    restore();
  }
  return fileSystem.counts.reads - before;
}

for (const isAsync of [true, false]) {
  const disk = isAsync ? "a file system that reads in other turns" : "one that reads at once";

  test(`A herd of gets over cold blocks reads each block once, on ${disk}`, async () => {
    const fileSystem = countingFileSystem(memoryFileSystem(), { isAsync });
    await fill(fileSystem);
    const sequential = await countReads(fileSystem, 64 << 20, async (store) => {
      for (const key of keys) assert.equal(await store.get(key), key + VALUE);
    });
    // Without a cache a block that was loaded for all is loaded again for those who come later.
    for (
      const [blockCacheSizeBytes, factor] of [[64 << 20, 1], [256 << 10, 1.25], [0, 2]] as const
    ) {
      const most = sequential * factor;
      for (const order of [keys, shuffle(keys)]) {
        const reads = await countReads(fileSystem, blockCacheSizeBytes, async (store) => {
          const found = await Promise.all(order.map((key) => store.get(key)));
          requireValues(found, order);
          const { hits, misses } = store.stats().cache;
          assert.ok(misses <= most, `${misses} misses, ${hits} hits`);
        });
        assert.ok(reads <= most, `${reads} reads, one after the other ${sequential}`);
      }
    }
  });

  test(`A herd of scans, getManys and gets shares what it reads, on ${disk}`, async () => {
    const fileSystem = countingFileSystem(memoryFileSystem(), { isAsync });
    await fill(fileSystem);
    const one = await countReads(fileSystem, 1 << 20, async (store) => {
      for await (const key of store.keys({ gte: keyOf(3000), limit: 3 })) assert.ok(key);
    });
    const many = await countReads(fileSystem, 1 << 20, async (store) => {
      const scans = Array.from({ length: 500 }, async () => {
        const found: string[] = [];
        for await (const key of store.keys({ gte: keyOf(3000), limit: 3 })) found.push(String(key));
        assert.deepEqual(found, [3000, 3001, 3002].map(keyOf));
      });
      const gets = Array.from({ length: 500 }, async () => {
        assert.deepEqual(await store.getMany([keyOf(3001)]), [keyOf(3001) + VALUE]);
        assert.equal(await store.get(keyOf(3000)), keyOf(3000) + VALUE);
      });
      await Promise.all([...scans, ...gets]);
    });
    assert.ok(many <= one + 20, `${many} reads by a thousand, ${one} by one`);
  });
}

test("A herd of gets lets the event loop turn, and no more than 64 of its reads are under way", async () => {
  let underWay = 0;
  let most = 0;
  let isCold = false;
  const fileSystem = watched(memoryFileSystem(), () => {}, async ({ operation }) => {
    if (!isCold || operation !== "read") return;
    most = Math.max(most, ++underWay);
    await new Promise<void>((resolve) => setImmediate(resolve));
    underWay--;
  });
  await fill(fileSystem);
  await using store = await open("/db", { ...options, fileSystem });
  isCold = true;
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const restore = useScheduler(steppingScheduler(() => 0.1));
  try {
    await Promise.all(shuffle(keys).map((key) => store.get(key)));
  } finally {
    restore();
    isDone = true;
  }
  assert.ok(most <= 64, `${most} reads at a time`);
  // Fifteen readings of the clock make a slice, and four gets continue between two of them.
  assert.ok(turns >= COUNT / 60, `${turns} turns`);
});

test("A failed read gives each of its waiters a separate error, and is tried again", async () => {
  let failure: "none" | "read" | "damage" = "none";
  let failed = 0;
  const inner = memoryFileSystem();
  const fileSystem = watched(inner, () => {}, ({ operation, path }) => {
    if (operation !== "read" || !path.endsWith(".sst") || failure !== "read") {
      return Promise.resolve();
    }
    failed++;
    return Promise.reject(new IoError("read", path, "the disk says no (EIO)", "EIO"));
  });
  await fill(fileSystem);
  await using store = await open("/db", { ...options, blockCacheSizeBytes: 0, fileSystem });
  for (const isIndexCold of [true, false]) {
    failure = "read";
    failed = 0;
    // The first ones are read at once, which here does not fail.
    const gets = keys.map((key) => store.get(key));
    const settled = await Promise.allSettled(gets);
    const errors = settled.filter((get) => get.status === "rejected").map(({ reason }) => reason);
    assert.ok(errors.length > 1000, `${errors.length} failed, index cold: ${isIndexCold}`);
    assert.ok(failed < errors.length / 2, `${failed} reads failed for ${errors.length} gets`);
    assert.equal(new Set(errors).size, errors.length, "two gets share an error");
    for (const error of errors) {
      assert.ok(error instanceof IoError && error.osCode === "EIO", String(error));
      assert.match(error.message, /^Cannot read "\/db\/\d+\.sst": the disk says no \(EIO\)$/);
    }
    failure = "none";
    const found = await Promise.all(keys.map((key) => store.get(key)));
    requireValues(found, keys);
  }
});

test("Closing a store under a herd ends each get with a ClosedError, and the gets of another store go on", async () => {
  const fileSystem = countingFileSystem(memoryFileSystem(), { isAsync: true });
  await fill(fileSystem);
  const other = countingFileSystem(memoryFileSystem(), { isAsync: true });
  await fill(other);
  const store = await open("/db", { ...options, fileSystem });
  await using second = await open("/db", { ...options, fileSystem: other });
  const gets = Promise.allSettled(keys.map((key) => store.get(key)));
  const others = Promise.all(keys.map((key) => second.get(key)));
  await store.close();
  const settled = await gets;
  const closed = settled.filter((get) => get.status === "rejected").map(({ reason }) => reason);
  assert.ok(closed.length > 1000, `${closed.length} were closed`);
  for (const error of closed) assert.ok(error instanceof ClosedError, String(error));
  assert.equal(new Set(closed).size, closed.length, "two gets share an error");
  requireValues(await others, keys);
  assert.equal(fileSystem.counts.openHandles, 0);
});

test("Synchronous gets and writes under a herd change none of its answers", async () => {
  const fileSystem = countingFileSystem(memoryFileSystem(), { isAsync: true });
  await fill(fileSystem);
  await using store = await open("/db", { ...options, blockCacheSizeBytes: 0, fileSystem });
  const gets = keys.map((key) => store.get(key));
  for (let i = 0; i < COUNT; i += 7) {
    if (i % 70 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    assert.equal(store.getSync(keyOf(i)), keyOf(i) + VALUE);
    store.putSync(keyOf(i), keyOf(i) + VALUE);
  }
  requireValues(await Promise.all(gets), keys);
});

test("A damaged block is reported to everybody who waits for it, and to nobody else", async () => {
  const fileSystem = countingFileSystem(memoryFileSystem(), { isAsync: true });
  await fill(fileSystem);
  const table = fileSystem.listSync("/db").filter((name) => name.endsWith(".sst")).sort()[0]!;
  const path = fileSystem.joinPath("/db", table);
  const bytes = readWholeFileSync(fileSystem, path, 2 ** 24);
  bytes[100]! ^= 1;
  fileSystem.removeSync(path);
  const handle = fileSystem.createSync(path);
  writeFullySync(handle, bytes, 0, bytes.length, 0);
  handle.closeSync();
  await using store = await open("/db", { ...options, fileSystem });
  const settled = await Promise.allSettled(keys.map((key) => store.get(key)));
  const errors = settled.filter((get) => get.status === "rejected").map(({ reason }) => reason);
  assert.ok(errors.length > 5 && errors.length < 200, `${errors.length} failed`);
  assert.equal(new Set(errors).size, errors.length, "two gets share an error");
  for (const error of errors) {
    assert.ok(error instanceof CorruptionError && error.file === path, String(error));
  }
});
