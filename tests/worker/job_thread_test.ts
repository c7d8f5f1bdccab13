// Jobs in the thread do what they do outside of it; and they end, however they end. On the real
// disk.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import type { Compaction, CompactionInput } from "../../src/compaction/compaction.ts";
import { flushJob } from "../../src/compaction/flush_job.ts";
import { JobThread } from "../../src/worker/job_thread.ts";
import { mergeJob } from "../../src/compaction/merge_job.ts";
import { SharedThread, type SharedThreadLimits } from "../../src/worker/shared_thread.ts";
import type { TableOutputOptions } from "../../src/compaction/table_output.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import { CorruptionError } from "../../src/errors.ts";
import { Memtable } from "../../src/memtable/memtable.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import type { Scheduler } from "../../src/platform/scheduler.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { RunningTask, runTask, runTaskSync, type Task } from "../../src/platform/task.ts";
import { encodeTombstone, encodeValue } from "../../src/value/value_codec.ts";
import { tableName } from "../../src/version/file_names.ts";
import { FileNumbers, sharedFileNumber } from "../../src/version/file_numbers.ts";
import type { TableMetadata } from "../../src/version/table_metadata.ts";
import { Random } from "../support/random.ts";
import { bytesOf, type TestEntry, writeTable } from "../support/store_tables.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const FIRST_OUTPUT = 1000;

interface Setup extends Disposable {
  readonly directory: string;
  readonly options: TableOutputOptions;
  readonly numbers: FileNumbers;
  readonly thread: JobThread;
}

interface Limits extends SharedThreadLimits {
  readonly minJobBytes?: number;
}

function setup(limits: Limits = {}, scheduler: Scheduler = systemScheduler): Setup {
  return setupWith(new SharedThread(scheduler, limits), limits.minJobBytes ?? 0);
}

/** A store's directory, and its use of a thread. */
function setupWith(shared: SharedThread, minJobBytes = 0): Setup {
  const { path: directory, dispose } = temporaryDirectory("jobs");
  const counter = sharedFileNumber(FIRST_OUTPUT);
  const shape = { directory, blockSizeBytes: 1024, bloomFalsePositiveRate: 0.01 };
  const thread = new JobThread(
    { ...shape, compression: "zstd", compressionLevel: 1, fileNumbers: counter },
    defaultFileSystem(),
    shared,
    minJobBytes,
  );
  return {
    directory,
    options: {
      ...shape,
      fileSystem: defaultFileSystem(),
      compressor: compressorFor("zstd", 1),
    },
    numbers: new FileNumbers(directory, counter),
    thread,
    [Symbol.dispose]() {
      thread.close();
      dispose();
    },
  };
}

/** Asks for the thread until it is up, as jobs of a store do. */
async function comeUp(thread: JobThread, compaction: Compaction): Promise<void> {
  while (!thread.takesMerge(compaction)) await systemScheduler.yield();
}

function someEntries(random: Random, count: number): TestEntry[] {
  const keys = new Set<string>();
  while (keys.size < count) keys.add(`key ${random.below(100_000)}`);
  return [...keys].sort().map((
    key,
  ) => [key, random.below(10) === 0 ? undefined : `value ${random.below(1e9)}`.repeat(5)]);
}

/** A merge of three overlapping tables. */
function someMerge({ options }: Setup, count = 2000): Compaction {
  const random = new Random(7);
  const tables = [3, 2, 1].map((number) =>
    writeTable(options, number, 0, someEntries(random, count))
  );
  return {
    kind: "merge",
    inputs: [{ level: 0, tables }],
    outputLevel: 1,
    maxFileSizeBytes: 32 * 1024,
    deeper: [],
  };
}

function memtableOf(entries: readonly TestEntry[]): Memtable {
  const memtable = new Memtable(1, 4096);
  for (const [index, [key, value]] of entries.entries()) {
    const writer = new ByteWriter(64);
    const bytes = bytesOf(key);
    writer.appendUint32(bytes.length);
    writer.appendBytes(bytes, 0, bytes.length);
    const lengthAt = writer.length;
    writer.appendUint32(0);
    if (value === undefined) encodeTombstone(writer);
    else encodeValue(value, writer);
    writer.view.setUint32(lengthAt, writer.length - lengthAt - 4, true);
    memtable.insert(index + 1, writer.bytes, writer.view, 0, lengthAt, writer.length);
  }
  return memtable;
}

/** Bytes of tables without what differs by their numbers: sizes, counts, keys. */
function summaryOf(tables: readonly TableMetadata[]): unknown {
  return tables.map(({ sizeBytes, entryCount, tombstoneCount, smallest, largest }) => ({
    sizeBytes,
    entryCount,
    tombstoneCount,
    smallest,
    largest,
  }));
}

/** Names of the files from a number on. */
function outputsFrom(directory: string, number: number): string[] {
  return readdirSync(directory).filter((name) => name >= tableName(number));
}

test("A merge in the thread writes the same tables as on the main thread", async () => {
  using all = setup();
  const compaction = someMerge(all);
  const here = runTaskSync(mergeJob(compaction, all.options, () => all.numbers.take()));
  assert.ok(here.length > 3);
  await comeUp(all.thread, compaction);
  const next = all.numbers.next;
  const there = await runTask(all.thread.merge(compaction), systemScheduler, 1);
  assert.deepEqual(summaryOf(there), summaryOf(here));
  assert.deepEqual(there.map(({ number }) => number), here.map((_, index) => next + index));
  assert.equal(all.numbers.next, next + here.length);
  const again = runTaskSync(all.thread.merge(compaction));
  assert.deepEqual(summaryOf(again), summaryOf(here));
  for (const { number, sizeBytes } of again) {
    assert.equal(
      readFileSync(path.join(all.directory, tableName(number))).length,
      sizeBytes,
    );
  }
});

test("A flush in the thread writes the same table as on the main thread, large values included", async () => {
  using all = setup();
  const compaction = someMerge(all, 10);
  const random = new Random(3);
  const entries = someEntries(random, 3000);
  entries.push(["key 5", "old"], ["large 1", "L".repeat(100_000)], ["key 5", "new"]);
  entries.push(["large 2", "M".repeat(70_000)], ["large 1", "N".repeat(80_000)], ["", "empty"]);
  const memtable = memtableOf(entries);
  const here = runTaskSync(flushJob(memtable, all.options, () => 500))!;
  await comeUp(all.thread, compaction);
  const there = await runTask(all.thread.flush(memtable, all.numbers.take()), systemScheduler, 1);
  assert.deepEqual(summaryOf([there!.table!]), summaryOf([here]));
  // The second one finds the memory of the first.
  const other = memtableOf([["a", "1"], ["b", undefined]]);
  const small = runTaskSync(all.thread.flush(other, all.numbers.take()))!.table!;
  assert.deepEqual([small.entryCount, small.tombstoneCount], [2, 1]);
  assert.deepEqual(runTaskSync(all.thread.flush(new Memtable(1, 4096), all.numbers.take())), {
    table: undefined,
  });
});

test("A flush may be paused while its memtable is copied, and leaves nothing if the thread ends then", async () => {
  using all = setup();
  await comeUp(all.thread, someMerge(all, 10));
  const before = all.numbers.next;
  const flush = all.thread.flush(memtableOf(someEntries(new Random(3), 5000)), before);
  assert.deepEqual(flush.next(), { done: false, value: undefined });
  all.thread.close();
  assert.equal(runTaskSync(flush), undefined);
  assert.deepEqual(outputsFrom(all.directory, before), []);
});

test("A flush overtakes a merge that the thread is busy with", async () => {
  using all = setup();
  const compaction = someMerge(all, 20_000);
  await comeUp(all.thread, compaction);
  const merge = new RunningTask(all.thread.merge(compaction), () => {});
  merge.slice(systemScheduler, 0);
  assert.equal(merge.isElsewhere, true);
  runTaskSync(all.thread.flush(memtableOf([["a", "1"]]), all.numbers.take()));
  assert.equal(merge.isElsewhere, true);
  merge.driveSync(systemScheduler, Infinity);
  assert.ok(merge.result.length > 3);
});

test("A synchronous driver leaves a job to the thread until its time is up", async () => {
  using all = setup();
  const compaction = someMerge(all, 20_000);
  await comeUp(all.thread, compaction);
  const merge = new RunningTask(all.thread.merge(compaction), () => {});
  merge.driveSync(systemScheduler, 1);
  assert.deepEqual([merge.isSettled, merge.isElsewhere, merge.isWaiting], [false, true, true]);
  await merge.wake;
  assert.equal(merge.isElsewhere, false);
  merge.driveSync(systemScheduler, 0);
  assert.ok(merge.result.length > 3);
});

test("A job that is given up has removed its files when that call returns", async () => {
  using all = setup();
  const compaction = someMerge(all, 20_000);
  await comeUp(all.thread, compaction);
  const merge = new RunningTask(all.thread.merge(compaction), () => {});
  merge.slice(systemScheduler, 0);
  while (outputsFrom(all.directory, FIRST_OUTPUT).length === 0) await systemScheduler.yield();
  merge.cancel(new Error("on purpose"));
  assert.deepEqual(outputsFrom(all.directory, FIRST_OUTPUT), []);
  assert.equal(all.thread.isInUse, true);
  assert.ok(
    runTaskSync(all.thread.flush(memtableOf([["a", "1"]]), all.numbers.take())) !== undefined,
  );
});

test("A job that is given up just after it was done leaves no files either", async () => {
  using all = setup();
  const compaction = someMerge(all);
  await comeUp(all.thread, compaction);
  const merge = new RunningTask(all.thread.merge(compaction), () => {});
  merge.slice(systemScheduler, 0);
  while (merge.isElsewhere) await systemScheduler.yield();
  assert.ok(outputsFrom(all.directory, FIRST_OUTPUT).length > 3);
  merge.cancel(new Error("on purpose"));
  assert.deepEqual(outputsFrom(all.directory, FIRST_OUTPUT), []);
});

test("Damage that the thread finds arrives as the CorruptionError that it is", async () => {
  using all = setup();
  const compaction = someMerge(all);
  const file = path.join(all.directory, tableName(2));
  const bytes = readFileSync(file);
  bytes[bytes.length >>> 2]! ^= 1;
  writeFileSync(file, bytes);
  await comeUp(all.thread, compaction);
  const errors: unknown[] = [];
  for (
    const task of [
      mergeJob(compaction, all.options, () => all.numbers.take()),
      all.thread.merge(compaction),
    ]
  ) {
    const running = new RunningTask(task as Task<unknown>, () => {});
    running.driveSync(systemScheduler, Infinity);
    errors.push(running.error);
  }
  const [here, there] = errors as CorruptionError[];
  assert.ok(here instanceof CorruptionError && there instanceof CorruptionError);
  assert.deepEqual([there.file, there.offset, there.code], [file, here.offset, "CORRUPTION"]);
  assert.equal(there.message, here.message);
  assert.deepEqual(outputsFrom(all.directory, FIRST_OUTPUT), []);
  assert.equal(all.thread.isInUse, true, "the thread has survived it");
});

/** A program that is up, takes jobs, and then does what `act` says. */
function actor(act: string): string {
  return `
import { workerData } from "node:worker_threads";
import process from "node:process";
const { port, words } = workerData;
const signal = () => { Atomics.add(words, 0, 1); Atomics.notify(words, 0); };
process.on("exit", () => { Atomics.store(words, 1, 2); signal(); });
port.on("message", () => { ${act} });
Atomics.store(words, 1, 1);
signal();
`;
}

const deaths: readonly [how: string, act: string, reason: RegExp][] = [
  ["exits", "process.exit(5);", /the worker thread has ended: /],
  ["throws", `throw new Error("on purpose");`, /the worker thread has ended: /],
  ["falls silent", "Atomics.wait(words, 2, 0);", /has not shown any sign of life/],
];

for (const [how, act, reason] of deaths) {
  test(`A job fails with a thread that ${how}, and the next job starts another thread`, async () => {
    using all = setup({ source: actor(act), silenceMs: 200 });
    const compaction = someMerge(all, 10);
    for (let i = 0; i < 2; i++) {
      await comeUp(all.thread, compaction);
      assert.equal(all.thread.isInUse, true);
      assert.throws(() => runTaskSync(all.thread.merge(compaction)), reason);
      assert.equal(all.thread.isInUse, false);
    }
  });
}

test("A job that is awaited fails with a thread that exits", async () => {
  using all = setup({ source: actor("process.exit(5);") });
  const compaction = someMerge(all, 10);
  await comeUp(all.thread, compaction);
  await assert.rejects(
    runTask(all.thread.merge(compaction), systemScheduler, 1),
    /the worker thread has ended/,
  );
});

test("A thread that can't start takes no job, nobody waits for it, and it is tried again minutes later", async () => {
  let lateMs = 0;
  let starts = 0;
  const shared = new SharedThread({
    ...systemScheduler,
    nowMs: () => lateMs,
  }, { source: "this is no program" });
  using all = setupWith(shared);
  const compaction = someMerge(all, 10);
  for (const minutes of [0, 1.1, 2.1]) {
    lateMs += minutes * 60_000;
    assert.equal(all.thread.takesMerge(compaction), false);
    assert.equal(shared.isStarted, true);
    while (shared.isStarted) await systemScheduler.yield();
    starts++;
    assert.equal(shared.deaths, starts);
    for (let i = 0; i < 50; i++) {
      assert.equal(all.thread.takesMerge(compaction), false);
      assert.equal(shared.isStarted, false);
    }
  }
  assert.equal(all.thread.isInUse, false);
});

test("A thread without work ends after a while, and another one is started for the next job", async () => {
  const timers = new Set<() => void>();
  using all = setup({}, {
    ...systemScheduler,
    setTimer(callback) {
      timers.add(callback);
      return { cancel: () => void timers.delete(callback) };
    },
  });
  const compaction = someMerge(all, 10);
  await comeUp(all.thread, compaction);
  assert.equal(timers.size, 0);
  for (let i = 0; i < 2; i++) {
    runTaskSync(all.thread.merge(compaction));
    assert.equal(timers.size, 1, "the time starts again with each job");
  }
  for (const callback of timers) callback();
  assert.equal(all.thread.takesMerge(compaction), false, "it has ended");
  assert.equal(all.thread.isInUse, true);
  await comeUp(all.thread, compaction);
  assert.ok(runTaskSync(all.thread.merge(compaction)).length > 0);
});

test("Small jobs start no thread", async () => {
  using all = setup({ minJobBytes: 1 << 20 });
  const compaction = someMerge(all, 100);
  for (let i = 0; i < 50; i++) {
    assert.equal(all.thread.takesMerge(compaction), false);
    assert.equal(all.thread.takesFlush(memtableOf([["a", "1"]])), false);
    await systemScheduler.yield();
  }
  assert.equal(all.thread.isInUse, false);
});

test("A merge of small tables that moves many large values is a job for the thread", async () => {
  using all = setup({ minJobBytes: 1 << 20 });
  const compaction = someMerge(all, 10);
  const [{ level, tables }] = compaction.inputs as [CompactionInput];
  const valueUses = [7, 8].map((number) => ({
    ...{ kind: 1, number, sizeBytes: 4 << 20, usedBytes: 1 << 20, entryCount: 10 } as const,
  }));
  const inputs = [{ level, tables: tables.map((table) => ({ ...table, valueUses })) }];
  assert.equal(all.thread.takesMerge({ ...compaction, inputs, moves: [9] }), false);
  await comeUp(all.thread, { ...compaction, inputs, moves: [7] });
});

test("Stores share one thread: it works for each of them as for one, and ends with the last one", async () => {
  const shared = new SharedThread(systemScheduler);
  const stores = [setupWith(shared), setupWith(shared), setupWith(shared)];
  const compactions = stores.map((store) => someMerge(store));
  const here = stores.map(({ options, numbers }, i) =>
    runTaskSync(mergeJob(compactions[i]!, options, () => numbers.take()))
  );
  for (const [i, { thread }] of stores.entries()) await comeUp(thread, compactions[i]!);
  const merges = stores.map(({ thread }, i) =>
    runTask(thread.merge(compactions[i]!), systemScheduler, 1)
  );
  const flushes = stores.map(({ thread, numbers }) =>
    runTask(thread.flush(memtableOf([["a", "1"]]), numbers.take()), systemScheduler, 1)
  );
  for (const flush of flushes) assert.equal((await flush)!.table!.entryCount, 1);
  for (const [i, merge] of merges.entries()) {
    assert.deepEqual(summaryOf(await merge), summaryOf(here[i]!));
  }
  for (const [i, store] of stores.entries()) {
    assert.equal(shared.isStarted, true);
    assert.equal(store.thread.isInUse, true);
    store.thread.close();
    assert.equal(store.thread.isInUse, false);
    assert.equal(shared.isStarted, i < stores.length - 1);
  }
  for (const store of stores) store[Symbol.dispose]();
});

test("A closed store gives up its own jobs and no other store's", async () => {
  const shared = new SharedThread(systemScheduler);
  using one = setupWith(shared);
  using other = setupWith(shared);
  const mine = someMerge(one, 20_000);
  const theirs = someMerge(other, 5000);
  await comeUp(one.thread, mine);
  await comeUp(other.thread, theirs);
  const given = new RunningTask(one.thread.merge(mine), () => {});
  given.slice(systemScheduler, 0);
  const merged = new RunningTask(other.thread.merge(theirs), () => {});
  merged.slice(systemScheduler, 0);
  while (outputsFrom(one.directory, FIRST_OUTPUT).length === 0) await systemScheduler.yield();
  given.cancel(new Error("on purpose"));
  one.thread.close();
  assert.deepEqual(outputsFrom(one.directory, FIRST_OUTPUT), []);
  merged.driveSync(systemScheduler, Infinity);
  assert.ok(merged.result.length > 0);
});

test("A thread that ends fails the stores that had jobs in it, and no other one", async () => {
  const shared = new SharedThread(systemScheduler, { source: actor("process.exit(5);") });
  using one = setupWith(shared);
  using other = setupWith(shared);
  const compaction = someMerge(one, 10);
  const theirs = someMerge(other, 10);
  await comeUp(one.thread, compaction);
  await comeUp(other.thread, theirs);
  assert.throws(() => runTaskSync(one.thread.merge(compaction)), /the worker thread has ended/);
  // The other store had asked for the thread, and has nothing to fail: it asks for the next one.
  assert.equal(other.thread.isInUse, false);
  await comeUp(other.thread, theirs);
  assert.equal(other.thread.isInUse, true);
});

test("The thread takes only a few flushes at a time, so the memory for their copies is bounded", async () => {
  const shared = new SharedThread(systemScheduler);
  const stores = Array.from({ length: 6 }, () => setupWith(shared));
  await comeUp(stores[0]!.thread, someMerge(stores[0]!, 10));
  const memtable = memtableOf([["a", "1"]]);
  const flushes: RunningTask<unknown>[] = [];
  for (const { thread, numbers } of stores) {
    if (!thread.takesFlush(memtable)) continue;
    const flush = new RunningTask(thread.flush(memtable, numbers.take()), () => {});
    flush.slice(systemScheduler, 0);
    flushes.push(flush);
  }
  assert.equal(flushes.length, 4);
  for (const flush of flushes) flush.driveSync(systemScheduler, Infinity);
  assert.equal(stores[5]!.thread.takesFlush(memtable), true);
  for (const store of stores) store[Symbol.dispose]();
});
