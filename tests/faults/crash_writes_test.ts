/**
 * Crash enumeration of first opens, and of writes in every mode, from single puts to batches larger
 * than a memtable. support/crash_tests.ts says what a workload is, and which variables repeat one
 * state.
 */

import { crashTests, type Workload } from "../support/crash_tests.ts";

const workloads: readonly Workload[] = [
  {
    name: "creation",
    title: "A store that is being created",
    variants: 8,
    options: {},
    script: async (run) => {
      await run.open();
      await run.close();
      await run.open();
      await run.wait(run.put(8, 20));
      await run.wait(run.put(8, 20));
      await run.close();
      await run.open();
      run.checkAll();
      await run.close();
    },
  },
  ...(["write", "batch", "interval", "none"] as const).map((walSync): Workload => ({
    name: `puts-${walSync}`,
    title: `Single puts with walSync "${walSync}"`,
    options: { walSync, walSyncIntervalMs: 5 },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 44; i++) {
        run.scheduler.elapse(1);
        await run.scheduler.pass(run.random.below(3));
        const calls = Array.from(
          { length: 1 + run.random.below(4) },
          () => run.put(24, 120, run.random.below(8) === 0),
        );
        if (i % 16 === 15) calls.push(run.sync());
        await run.wait(Promise.all(calls));
      }
      run.checkAll();
      await run.close();
    },
  })),
  {
    name: "extended-logs",
    title: "Small durable puts, into logs that are extended ahead of them",
    options: { walSync: "batch", memtableSizeBytes: 12 * 1024 },
    variants: 2,
    peaks: { extendedLogs: 2 },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 90; i++) {
        const calls = Array.from({ length: 1 + run.random.below(3) }, () => run.put(24, 40));
        await run.wait(Promise.all(calls));
        if (i % 40 === 39) await run.wait(run.batch(8, 24, 900));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "large-batches",
    title: "Batches larger than the log's buffer and than a memtable",
    options: { walSync: "none" },
    variants: 2,
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 3; i++) {
        await run.wait(run.batch(3, 32, 100));
        await run.wait(run.batch(4, 32, 3000, { sync: i % 2 === 0 }));
        await run.wait(run.batch(6, 32, 24_000, { sync: i % 3 === 0 }));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "synchronous",
    title: "A store that is used synchronously",
    options: { walSync: "batch" },
    script: (run) => {
      run.openSync();
      for (let i = 0; i < 30; i++) {
        run.putSync(30, 200);
        if (i % 3 === 0) run.batchSync(5, 30, 200);
      }
      run.checkAll();
      run.closeSync();
      run.openSync({ walSync: "none" });
      for (let i = 0; i < 20; i++) run.batchSync(5, 30, 200);
      run.checkAll();
      run.closeSync();
      return Promise.resolve();
    },
  },
];

crashTests("tests/faults/crash_writes_test.ts", workloads, { opened: 10_000, nested: 8_000 });
