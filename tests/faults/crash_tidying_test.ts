/**
 * Crash enumeration of the work that a store does without being asked: small tables that are merged
 * at the ends of short sessions, and the space that it frees while nobody writes.
 * support/crash_tests.ts says what a workload is, and which variables repeat one state.
 */

import assert from "node:assert/strict";
import { crashTests, type Workload } from "../support/crash_tests.ts";
import type { Run } from "../support/fault_workload.ts";

function tableCount(run: Run): number {
  return run.store.stats().levels.reduce((sum, { tables }) => sum + tables, 0);
}

const workloads: readonly Workload[] = [
  {
    name: "short-runs",
    title: "Short runs that write one entry each and are closed or crash",
    options: { memtableSizeBytes: 262_144, walSync: "write" },
    variants: 1,
    script: async (run) => {
      let most = 0;
      for (let i = 0; i < 28; i++) {
        if (i % 2 === 0) run.openSync();
        else await run.open();
        run.putNextSync(i);
        most = Math.max(most, tableCount(run));
        if (i % 8 === 7) await run.crash(i % 16 === 7 ? "strict" : "process");
        else if (i % 4 === 3) await run.wait(run.flush());
        if (i % 3 === 0) run.closeSync();
        else await run.close();
      }
      await run.open();
      run.checkAll();
      assert.ok(most <= 11, `${most} tables`);
      await run.close();
    },
  },
  {
    name: "idle",
    title: "A store that gives back while nobody writes what was deleted",
    options: { walSync: "none" },
    variants: 1,
    script: async (run) => {
      await run.open();
      for (let round = 0; round < 3; round++) {
        for (let i = 0; i < 6; i++) await run.wait(run.batch(10, 80, 200));
        await run.wait(run.flush());
        const before = tableCount(run);
        await run.wait(run.erase(80, round === 1 ? 4 : Infinity));
        if (round === 2) {
          await run.close();
          await run.open();
        }
        await run.idle(4);
        run.checkAll();
        assert.ok(tableCount(run) < before, `${tableCount(run)} of ${before} tables`);
      }
      await run.close();
    },
  },
  {
    name: "close-while-idle",
    title: "A store that is closed while it gives back what was deleted",
    options: { walSync: "none" },
    variants: 1,
    script: async (run) => {
      for (let round = 0; round < 4; round++) {
        await run.open();
        for (let i = 0; i < 5; i++) await run.wait(run.batch(10, 80, 200));
        await run.wait(run.flush());
        await run.wait(run.erase(80, 5));
        await run.idle(1 + run.random.below(12) / 10);
        if (round % 2 === 0) await run.close();
        else run.closeSync();
      }
      await run.open();
      run.checkAll();
      await run.close();
    },
  },
];

crashTests("tests/faults/crash_tidying_test.ts", workloads, { opened: 1000, nested: 500 });
