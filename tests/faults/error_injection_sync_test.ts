/**
 * Error injection into the synchronous forms, alone and beside asynchronous ones, and into the
 * reads of a store with tables in several levels and two logs. tests/support/error_injection.ts
 * says what is required.
 */

import { test } from "node:test";
import { inject, type Script, startAfter } from "../support/error_injection.ts";
import { failureKinds, failureTitles } from "../support/fault_injector.ts";
import { reportFigure } from "../support/figures.ts";

const scripts: readonly Script[] = [
  {
    name: "synchronous",
    options: { walSync: "batch", blockCacheSizeBytes: 0 },
    steps: async (trial) => {
      const { run } = trial;
      if (!await trial.openSync()) return;
      await trial.write("a putSync", () => run.putSync(12, 60));
      await trial.write("a writeSync", () => run.batchSync(6, 12, 120));
      await trial.write("a large writeSync", () => run.batchSync(12, 12, 900));
      await trial.write("a putSync that starts a log", () => run.putSync(12, 60));
      await trial.readSync();
      await trial.write("a put with a putSync beside it", async () => {
        const put = run.put(12, 60);
        const settled = put.then(() => undefined, (error: unknown) => error);
        // The log is being synced by then.
        await Promise.resolve();
        let refusal: unknown;
        try {
          run.putSync(12, 60);
        } catch (error) {
          refusal = error;
        }
        refusal ??= await settled;
        if (refusal !== undefined) throw refusal;
      });
      await trial.write("a large writeSync", () => run.batchSync(12, 12, 900));
      await trial.write("a flush with a large writeSync beside it", async () => {
        const flush = run.flush();
        const settled = flush.then(() => undefined, (error: unknown) => error);
        for (let turns = 0; turns < 6; turns++) await run.scheduler.yield();
        let refusal: unknown;
        try {
          run.batchSync(12, 12, 900);
          run.putSync(12, 60);
        } catch (error) {
          refusal = error;
        }
        refusal ??= await settled;
        if (refusal !== undefined) throw refusal;
      });
      await trial.readSync();
      await trial.write("a putSync", () => run.putSync(12, 60));
      await trial.closeSync();
    },
  },
  {
    name: "reads",
    options: { walSync: "interval", walSyncIntervalMs: 5, blockCacheSizeBytes: 0 },
    start: () =>
      startAfter({ walSync: "batch", l0CompactionTrigger: 100 }, async (run) => {
        await run.wait(run.batch(14, 16, 300));
        await run.wait(run.compact());
        for (let count = 0; count < 2; count++) {
          await run.wait(run.batch(6, 16, 300));
          await run.wait(run.flush());
        }
        await run.wait(run.batch(14, 16, 900));
        await run.wait(run.put(16, 100));
      }),
    steps: async (trial) => {
      const { run } = trial;
      if (!await trial.openSync()) return;
      await trial.read();
      await trial.write("a put", () => run.put(16, 60));
      await trial.readSync();
      await trial.write("a compaction", () => run.compact());
      await trial.readSync();
      await trial.write("a batch", () => run.batch(6, 16, 300));
      await trial.write("a put", () => run.put(16, 60));
      await trial.closeSync();
    },
  },
];

for (const script of scripts) {
  for (const kind of failureKinds) {
    test(`${failureTitles[kind]} loses nothing and hangs nothing (script "${script.name}")`, async () => {
      reportFigure(
        "error injections",
        await inject("tests/faults/error_injection_sync_test.ts", script, kind),
      );
    });
  }
}
