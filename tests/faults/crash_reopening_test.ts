/**
 * Crash enumeration of stores that are closed, killed and opened again, also with other limits and
 * rules. support/crash_tests.ts says what a workload is, and which variables repeat one state.
 */

import { crashTests, type Workload } from "../support/crash_tests.ts";
import { smallOptions } from "../support/fault_workload.ts";

const workloads: readonly Workload[] = [
  {
    name: "reopening",
    title: "A store that is closed and opened again and again",
    options: { walSync: "none" },
    script: async (run) => {
      for (let i = 0; i < 8; i++) {
        await run.open();
        run.checkAll();
        for (let j = 0; j < i; j++) await run.wait(run.batch(4, 40, 200));
        await run.close();
      }
    },
  },
  {
    name: "smaller-limits",
    title: "A store that is recovered with smaller limits than it was written with",
    options: { walSync: "none", memtableSizeBytes: 64 * 1024, blockSizeBytes: 4096 },
    variants: 2,
    checkOptions: { ...smallOptions, maxLevels: 3 },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 26; i++) {
        await run.wait(run.batch(8, 60, 400, { sync: i % 7 === 3 }));
      }
      await run.wait(run.flush());
      await run.wait(run.batch(8, 60, 400));
      await run.close();
      await run.open({ ...smallOptions, maxLevels: 3 });
      run.checkAll();
      for (let i = 0; i < 10; i++) await run.wait(run.batch(8, 60, 400));
      await run.close();
    },
  },
  {
    name: "crashes",
    title: "A store that crashes, recovers and goes on, several times",
    options: { walSync: "none" },
    script: async (run) => {
      await run.open();
      for (const kind of ["process", "prefix", "strict", "sector-512", "reorder", "all"] as const) {
        for (let i = 0; i < 8; i++) {
          const calls = [run.batch(4, 40, 200, { sync: i % 3 === 0 }), run.put(40, 100)];
          if (i === 7) await run.scheduler.pass(run.random.below(30));
          else await run.wait(Promise.all(calls));
        }
        await run.crash(kind);
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "windows",
    title: "A store under the rules of Windows",
    options: { walSync: "none" },
    profile: "windows",
    variants: 2,
    script: async (run) => {
      for (let i = 0; i < 3; i++) {
        await run.open();
        run.checkAll();
        for (let j = 0; j < 8; j++) {
          await run.wait(run.batch(8, 60, 300, { sync: j % 4 === 0 }));
        }
        await run.wait(run.compact());
        await run.wait(run.put(60, 100));
        await run.close();
      }
    },
  },
];

crashTests("tests/faults/crash_reopening_test.ts", workloads, { opened: 9_000, nested: 6_000 });
