// A store whose large jobs run in a worker thread: the same answers, bounds and failures as without
// it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  BackgroundError,
  CorruptionError,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  openSync,
  type Options,
} from "../../mod.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { Random } from "../support/random.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/**
 * Memtables that are just large enough for the thread, and merges, too: their inputs are not
 * compressed.
 */
const options: Options = { memtableSizeBytes: 1 << 20, compression: "none", walSync: "none" };
const script = fileURLToPath(new URL("background_thread_child.ts", import.meta.url));

/** What the store should hold, and the writes that bring it there. */
class Filler {
  readonly expected = new Map<string, string>();
  readonly #random = new Random(11);

  *writes(count: number): Generator<[key: string, value: string | undefined]> {
    const random = this.#random;
    for (let i = 0; i < count; i++) {
      const key = `key ${random.below(30_000)}`;
      const value = random.below(8) === 0 ? undefined : `value ${random.below(1e9)} `.repeat(8);
      if (value === undefined) this.expected.delete(key);
      else this.expected.set(key, value);
      yield [key, value];
    }
  }

  fillSync(store: EmbeddedStore, count: number): void {
    for (const [key, value] of this.writes(count)) {
      if (value === undefined) store.deleteSync(key);
      else store.putSync(key, value);
    }
  }

  async fill(store: EmbeddedStore, count: number): Promise<void> {
    for (const [key, value] of this.writes(count)) {
      if (value === undefined) await store.delete(key);
      else await store.put(key, value);
    }
  }

  check(store: EmbeddedStore): void {
    const keys = [...this.expected.keys()].sort();
    assert.deepEqual([...store.keys()], keys);
    for (const [key, value] of store.entries()) {
      assert.equal(value, this.expected.get(key as string));
    }
  }
}

/** Number of table files, finished or not. */
function tablesIn(directory: string): number {
  return readdirSync(directory).filter((name) => name.endsWith(".sst")).length;
}

/** Fills a store until the thread is up. */
async function comeUp(store: EmbeddedStore, filler: Filler): Promise<void> {
  while (store.stats().background !== "worker") {
    filler.fillSync(store, 5000);
    await systemScheduler.yield();
  }
}

test("A store that is filled synchronously is the same with the thread, and bounded", async () => {
  const { path: directory, dispose } = temporaryDirectory("thread");
  try {
    const filler = new Filler();
    const store = openSync(directory, options);
    assert.equal(store.stats().background, "inline");
    await comeUp(store, filler);
    let tables = 0;
    let memtables = 0;
    for (let i = 0; i < 40; i++) {
      filler.fillSync(store, 1000);
      const stats = store.stats();
      tables = Math.max(tables, stats.levels[0]!.tables);
      memtables = Math.max(memtables, stats.immutableMemtables);
    }
    assert.ok(tables <= 17, `${tables} tables in level 0`);
    assert.ok(memtables <= 4, `${memtables} memtables waited`);
    filler.check(store);
    await store.compact();
    filler.check(store);
    filler.fillSync(store, 10_000);
    store.closeSync();
    const again = openSync(directory, options);
    filler.check(again);
    again.closeSync();
  } finally {
    dispose();
  }
});

test("A store that is filled asynchronously is the same with the thread", async () => {
  const { path: directory, dispose } = temporaryDirectory("thread");
  try {
    const filler = new Filler();
    const store = await open(directory, options);
    await comeUp(store, filler);
    await filler.fill(store, 25_000);
    filler.check(store);
    await store.flush();
    await store.compact();
    filler.check(store);
    await filler.fill(store, 10_000);
    await store.close();
    const again = await open(directory, options);
    filler.check(again);
    await again.close();
  } finally {
    dispose();
  }
});

test("A flush does not wait for the compaction that the thread is busy with", async () => {
  const { path: directory, dispose } = temporaryDirectory("thread");
  try {
    const filler = new Filler();
    // Nothing is compacted unless the test asks for it.
    const store = await open(directory, { ...options, l0CompactionTrigger: 100 });
    await comeUp(store, filler);
    filler.fillSync(store, 40_000);
    await store.flush();
    const order: string[] = [];
    const compaction = store.compact().then(() => order.push("compaction"));
    // From the first output on the loop has nothing to do but to wait for the thread.
    const before = tablesIn(directory);
    while (tablesIn(directory) === before) await systemScheduler.yield();
    filler.fillSync(store, 100);
    await store.flush();
    order.push("flush");
    await compaction;
    assert.deepEqual(order, ["flush", "compaction"]);
    await store.close();
  } finally {
    dispose();
  }
});

test("A store that is closed during the thread's work is whole, and has no extra file after the next open", async () => {
  const { path: directory, dispose } = temporaryDirectory("thread");
  try {
    const filler = new Filler();
    for (const isSync of [true, false]) {
      const store = await open(directory, options);
      await comeUp(store, filler);
      filler.fillSync(store, 8_000);
      const manual = store.compact().catch((error: unknown) => error);
      await systemScheduler.yield();
      filler.fillSync(store, 6_000);
      if (isSync) store.closeSync();
      else await store.close();
      await manual;
      // An edit whose sync was cut short leaves its inputs to the next open.
      const again = openSync(directory, options);
      const live = again.stats().levels.reduce((sum, { tables }) => sum + tables, 0);
      assert.equal(tablesIn(directory), live);
      filler.check(again);
      again.closeSync();
    }
  } finally {
    dispose();
  }
});

test("Damage that a compaction in the thread finds is the cause of a BackgroundError", async () => {
  const { path: directory, dispose } = temporaryDirectory("thread");
  try {
    const filler = new Filler();
    // Nothing is compacted, and so deleted, but by the call below.
    const store = await open(directory, { ...options, l0CompactionTrigger: 100 });
    await comeUp(store, filler);
    filler.fillSync(store, 15_000);
    await store.flush();
    for (const name of readdirSync(directory).filter((name) => name.endsWith(".sst"))) {
      const file = path.join(directory, name);
      const bytes = readFileSync(file);
      bytes[bytes.length >>> 2]! ^= 1;
      writeFileSync(file, bytes);
    }
    await assert.rejects(store.compact(), (error) => {
      assert.ok(error instanceof BackgroundError);
      const { cause } = error;
      assert.ok(cause instanceof CorruptionError, String(cause));
      assert.match(cause.file, /\d{6}\.sst$/);
      assert.ok(cause.offset >= 0);
      return true;
    });
    assert.throws(() => store.putSync("a", 1), BackgroundError);
    await assert.rejects(store.close(), BackgroundError);
  } finally {
    dispose();
  }
});

test("A store without the thread, by option or by its file system, says so", async () => {
  const { path: directory, dispose } = temporaryDirectory("thread");
  try {
    for (const own of [{ backgroundThread: false }, { fileSystem: memoryFileSystem() }]) {
      const filler = new Filler();
      const store = await open(directory, { ...options, ...own });
      for (let i = 0; i < 10; i++) {
        filler.fillSync(store, 5000);
        await systemScheduler.yield();
      }
      assert.ok(store.stats().flush.count > 3);
      assert.equal(store.stats().background, "inline");
      await store.close();
    }
  } finally {
    dispose();
  }
});

const ends: readonly [act: string, output: string][] = [
  ["idle", "end idle\n"],
  ["busy", "end busy\n"],
  ["exit", "exit\n"],
  ["closed", "end closed\n"],
  ["closed synchronously", "end closed synchronously\n"],
  ["killed thread", "BACKGROUND true inline BACKGROUND\nend killed thread\n"],
];

for (const [act, output] of ends) {
  test(`A process ends if its store's thread is, or its store was: ${act}`, () => {
    const { path: directory, dispose } = temporaryDirectory("thread");
    try {
      const { command, args } = runtimeCommand(runtimeName, script, [directory, act]);
      const { status, stdout, stderr } = spawnSync(command, args, {
        encoding: "utf8",
        timeout: 600_000,
      });
      assert.deepEqual({ status, stdout }, { status: 0, stdout: output }, stderr);
      const store = openSync(directory);
      assert.ok([...store.keys()].length > 5_000);
      store.closeSync();
    } finally {
      dispose();
    }
  });
}
