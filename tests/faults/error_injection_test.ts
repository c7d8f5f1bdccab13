/**
 * Error injection into two scripts of about 200 file-system operations. One fills, flushes and
 * compacts a new store. The other recovers a store, fills it by small syncs that extend its log and
 * by overlapping writes, and compacts and closes it. tests/support/error_injection.ts says what is
 * required.
 */

import { test } from "node:test";
import { inject, type Script, startAfter } from "../support/error_injection.ts";
import { failureKinds, failureTitles } from "../support/fault_injector.ts";
import { reportFigure } from "../support/figures.ts";

const scripts: readonly Script[] = [
  {
    name: "fresh",
    options: { walSync: "none", blockCacheSizeBytes: 0 },
    steps: async (trial) => {
      const { run } = trial;
      if (!await trial.open()) return;
      await trial.write("a put", () => run.put(12, 60));
      await trial.write("a synced batch", () => run.batch(4, 12, 60, { sync: true }));
      await trial.write("a large batch", () => run.batch(12, 12, 900));
      await trial.write("a put", () => run.put(12, 60));
      await trial.write("a flush", () => run.flush());
      await trial.read();
      // The first value that expires starts another log, and its table another manifest.
      run.ttlsMs = [5e15];
      await trial.write("a batch", () => run.batch(6, 12, 200));
      await trial.write("a transaction", () => run.transaction(4, 12, 200, true, false));
      await trial.write("a sync", () => run.sync());
      await trial.write("a deleted range", () => run.eraseRange(3, 8, { puts: 1, sync: true }));
      await trial.write("a flush", () => run.flush());
      await trial.write("a compaction", () => run.compact());
      await trial.write("a put", () => run.put(12, 60));
      await trial.read();
      await trial.write("a large batch", () => run.batch(12, 12, 900));
      await trial.write("a flush", () => run.flush());
      await trial.write("a put", () => run.put(12, 60, true));
      await trial.close();
    },
  },
  {
    name: "recovered",
    options: { walSync: "batch", blockCacheSizeBytes: 0 },
    start: () =>
      startAfter({ walSync: "batch" }, async (run) => {
        await run.wait(run.batch(8, 12, 300));
        await run.wait(run.flush());
        await run.wait(run.batch(8, 12, 300));
        await run.wait(run.put(12, 100));
      }),
    steps: async (trial) => {
      const { run } = trial;
      if (!await trial.open()) return;
      await trial.read();
      // Enough small syncs for the log to be extended.
      for (let i = 0; i < 5; i++) await trial.write("a put", () => run.put(12, 30));
      await trial.write("puts", async () => {
        const puts = [run.put(12, 60), run.put(12, 60), run.put(12, 60)];
        for (const call of await Promise.allSettled(puts)) {
          if (call.status === "rejected") throw call.reason;
        }
      });
      await trial.write("a large batch", () => run.batch(10, 12, 900));
      await trial.write("a put", () => run.put(12, 60));
      await trial.write("a large batch", () => run.batch(10, 12, 900));
      await trial.write("a compaction", () => run.compact());
      await trial.write("a put", () => run.put(12, 60));
      await trial.read();
      await trial.close();
    },
  },
  {
    name: "large values",
    options: { walSync: "batch", blockCacheSizeBytes: 0, largeValueBytes: 64 },
    start: () =>
      startAfter({ walSync: "batch", largeValueBytes: 64 }, async (run) => {
        await run.wait(run.batch(8, 12, 300));
        await run.wait(run.flush());
        await run.wait(run.batch(8, 12, 300));
      }),
    steps: async (trial) => {
      const { run } = trial;
      if (!await trial.open()) return;
      await trial.read();
      await trial.write("a large value", () => run.put(12, 900));
      await trial.write("a batch", () => run.batch(8, 12, 400));
      await trial.read();
      await trial.write("a flush", () => run.flush());
      // Most of the log is overwritten: the flush moves the rest.
      for (let i = 0; i < 3; i++) await trial.write("a batch", () => run.batch(8, 3, 400));
      await trial.write("a flush", () => run.flush());
      await trial.write("a compaction", () => run.compact());
      await trial.read();
      await trial.write("a batch", () => run.batch(8, 12, 400));
      await trial.write("a flush", () => run.flush());
      await trial.stream("a stream", () => run.putStream(12, 9000));
      await trial.write("a put", () => run.put(12, 60));
      await trial.stream("a stream", () => run.putStream(12, 9000));
      await trial.read();
      await trial.write("a compaction", () => run.compact());
      await trial.read();
      await trial.close();
    },
  },
];

for (const script of scripts) {
  for (const kind of failureKinds) {
    test(`${failureTitles[kind]} loses nothing and hangs nothing (script "${script.name}")`, async () => {
      reportFigure(
        "error injections",
        await inject("tests/faults/error_injection_test.ts", script, kind),
      );
    });
  }
}
