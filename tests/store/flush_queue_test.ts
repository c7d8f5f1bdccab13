// Flushes that are with the thread two at a time come in force in the order of their memtables,
// whichever ends first.

import assert from "node:assert/strict";
import { test } from "node:test";
import { IoError, memoryFileSystem } from "../../mod.ts";
import { WeightedCache } from "../../src/cache/weighted_cache.ts";
import { flushJob } from "../../src/compaction/flush_job.ts";
import type { FlushedTable, JobThread } from "../../src/worker/job_thread.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import type { Memtable } from "../../src/memtable/memtable.ts";
import { resolveOptions } from "../../src/options.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import type { Task } from "../../src/platform/task.ts";
import { BlockCache } from "../../src/sstable/block_cache.ts";
import { HandlePool } from "../../src/sstable/handle_pool.ts";
import type { TableResources } from "../../src/sstable/table_reader.ts";
import type { Background } from "../../src/store/background/background.ts";
import { FlushQueue } from "../../src/store/background/flush_queue.ts";
import { makeDirectory } from "../../src/store/recovery/store_directory.ts";
import { StoreState } from "../../src/store/state/store_state.ts";
import { WritePath } from "../../src/store/write/write_path.ts";
import { VersionSet } from "../../src/version/version_set.ts";
import { emptyVersionState } from "../../src/version/version_state.ts";

/** A flush that the thread was given; the test decides when it runs. */
interface Given {
  readonly fileNumber: number;
  /** Lets it happen. */
  finish(): void;
  /** Lets it fail for want of a descriptor. */
  fail(): void;
}

/** A store with `memtables` frozen memtables, and a thread whose jobs run when the test says so. */
function setup(memtables: number) {
  const options = resolveOptions({ fileSystem: memoryFileSystem(), walSync: "none" });
  const { fileSystem } = options;
  const directory = fileSystem.resolvePath("/db");
  makeDirectory(fileSystem, directory);
  const resources: TableResources = {
    handles: new HandlePool(fileSystem, 16),
    blocks: new BlockCache(0),
    metadata: new WeightedCache(0),
    verifyChecksums: true,
  };
  const tableOutput = {
    fileSystem,
    directory,
    compressor: compressorFor("none", 1),
    blockSizeBytes: 1024,
    bloomFalsePositiveRate: 0.01,
  };
  const given: Given[] = [];
  const thread = {
    takesFlush: () => true,
    *flush(memtable: Memtable, fileNumber: number): Task<FlushedTable | undefined> {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      given.push({
        fileNumber,
        finish: resolve,
        fail: () => reject(new IoError("create", "/db/table", "too many open files", "EMFILE")),
      });
      yield { run: () => promise, runSync: () => assert.fail("nobody waits for the thread here") };
      return { table: yield* flushJob(memtable, tableOutput, () => fileNumber) };
    },
  };
  const state = new StoreState({
    directory,
    options,
    scheduler: systemScheduler,
    versions: new VersionSet(fileSystem, directory, resources, 7, emptyVersionState(), undefined),
    resources,
    tableOutput,
    jobThread: thread as unknown as JobThread,
    lastSequence: 0,
    memtable: undefined,
  });
  const queue = new FlushQueue(state);
  // Its own background does not know of the queue under test, and must not flush.
  const writes = new WritePath(
    state,
    { makeRoom() {}, kick() {}, assist() {} } as unknown as Background,
  );
  for (let i = 0; i < memtables; i++) {
    writes.putSync("key", `value ${i}`, undefined);
    writes.rotate();
  }
  const failures: unknown[] = [];
  const drive = async (): Promise<void> => {
    // As often as it takes for every step that can end to have ended.
    for (let i = 0; i < 20; i++) {
      queue.start(true);
      for (const task of queue.tasks) if (!task.isWaiting) task.slice(systemScheduler, 1000);
      queue.settle((error) => failures.push(error));
      await systemScheduler.yield();
    }
  };
  return { state, queue, thread, given, drive, failures };
}

/** Numbers of the tables of level 0, newest first. */
function tablesOf(state: StoreState): number[] {
  return state.versions.current.levels[0]!.map(({ metadata }) => metadata.number);
}

test("The thread gets the second flush while it does the first, and no third one", async () => {
  const { state, queue, given, drive } = setup(4);
  await drive();
  assert.equal(given.length, 2);
  assert.equal(queue.tasks.length, 2);
  given[0]!.finish();
  await drive();
  assert.equal(given.length, 3);
  assert.deepEqual(tablesOf(state), [given[0]!.fileNumber]);
  assert.equal(state.immutables.length, 3);
  queue.cancel(new Error("the test ends"));
});

test("A flush that ends before an older one is in force after it", async () => {
  const { state, queue, given, drive, failures } = setup(2);
  const [newer, older] = state.immutables;
  await drive();
  given[1]!.finish();
  await drive();
  assert.deepEqual(tablesOf(state), []);
  assert.deepEqual(state.immutables, [newer, older]);
  assert.equal(state.versions.log.live, true);
  assert.equal(state.versions.log.number, older!.logNumber);
  given[0]!.finish();
  await drive();
  assert.deepEqual(tablesOf(state), [given[1]!.fileNumber, given[0]!.fileNumber]);
  assert.deepEqual(state.immutables, []);
  assert.equal(state.versions.log.number, state.logs.active!.number);
  assert.deepEqual([queue.count, failures], [2, []]);
});

test("A flush that the thread has no descriptor for runs on the main thread, and stays older than the next", async () => {
  const { state, queue, given, drive, failures } = setup(2);
  await drive();
  given[1]!.finish();
  given[0]!.fail();
  await drive();
  const [newest, oldest] = tablesOf(state);
  assert.equal(newest, given[1]!.fileNumber);
  assert.ok(oldest! < newest! && oldest !== given[0]!.fileNumber);
  assert.deepEqual([queue.count, failures], [2, []]);
});

test("A flush runs on the main thread if its thread has ended before it began", async () => {
  const { state, queue, thread, given, drive, failures } = setup(2);
  queue.start(true);
  queue.start(true);
  assert.equal(queue.tasks.length, 2);
  thread.takesFlush = () => false;
  await drive();
  assert.deepEqual([given, failures, queue.count], [[], [], 2]);
  assert.equal(tablesOf(state).length, 2);
  const [newest, oldest] = state.versions.current.levels[0]!;
  assert.ok(newest!.metadata.number > oldest!.metadata.number);
  assert.deepEqual(state.immutables, []);
});

test("A flush runs on the main thread if its thread ends while the memtable is copied", async () => {
  const { state, queue, thread, given, drive, failures } = setup(2);
  thread.flush = function* (): Task<undefined> {
    yield undefined;
    return undefined;
  };
  await drive();
  assert.deepEqual([given, failures, queue.count], [[], [], 2]);
  const [newest, oldest] = tablesOf(state);
  assert.ok(newest! > oldest!);
  assert.deepEqual(state.immutables, []);
});

test("A flush that fails keeps a younger one from being in force", async () => {
  const { state, queue, given, drive, failures } = setup(2);
  const { fileSystem } = state;
  await drive();
  given[1]!.finish();
  await drive();
  // What the thread was to do is done here, and the disk takes no file.
  fileSystem.createSync = () => {
    throw new IoError("create", "/db/table", "no space left on device", "ENOSPC");
  };
  given[0]!.finish();
  await drive();
  assert.deepEqual(tablesOf(state), []);
  assert.equal(state.immutables.length, 2);
  assert.ok(failures.every((error) => error instanceof IoError && error.osCode === "ENOSPC"));
  assert.ok(failures.length > 0);
  queue.cancel(new Error("the test ends"));
});
