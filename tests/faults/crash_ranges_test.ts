/**
 * Crash enumeration of deleted ranges: in logs, in tables, on the way down the levels, and while
 * the tables that they hide are dropped. support/crash_tests.ts says what a workload is, and which
 * variables repeat one state.
 */

import { crashTests, type Workload } from "../support/crash_tests.ts";

const workloads: readonly Workload[] = [
  {
    name: "ranges",
    title: "Deleted ranges between batches, flushes, compactions and idle time",
    options: { walSync: "none" },
    variants: 1,
    script: async (run) => {
      await run.open();
      run.follow();
      for (let i = 0; i < 4; i++) {
        await run.wait(run.batch(10, 80, 200, { sync: i % 4 === 0 }));
        await run.wait(run.eraseRange(i * 9, i * 9 + 20, { puts: i % 3, sync: i % 3 === 1 }));
        if (i % 2 === 1) await run.wait(run.flush());
        if (i % 4 === 3) await run.wait(run.eraseRange(20 + i, undefined, { puts: 3 }));
        if (i === 2) await run.idle(2);
      }
      await run.wait(run.compact());
      run.checkAll();
      await run.close();
      await run.open();
      run.checkAll();
      await run.wait(run.eraseRange(0, undefined));
      await run.idle(2);
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "ranges-slow-manifest",
    title: "The first deleted range reaches the manifest while other edits wait for it",
    options: { walSync: "none" },
    variants: 1,
    script: async (run) => {
      run.keySuffix = "x".repeat(200);
      await run.open();
      run.scheduler.hold = (label) => label.includes("MANIFEST");
      for (let i = 0; i < 4; i++) {
        const calls = Array.from({ length: 4 }, () => run.batch(4, 60, 300));
        if (i > 1) calls.push(run.eraseRange(i * 10, i * 10 + 30, { puts: 2 }));
        await run.wait(Promise.all(calls));
        await run.scheduler.pass(run.random.below(30));
      }
      run.checkAll();
      await run.close();
    },
  },
];

crashTests("tests/faults/crash_ranges_test.ts", workloads, { opened: 1000, nested: 500 });
