/**
 * Crash enumeration of compactions: on the way down the levels, late to the manifest, and cut short
 * by a close. support/crash_tests.ts says what a workload is, and which variables repeat one state.
 */

import { crashTests, type Workload } from "../support/crash_tests.ts";

const workloads: readonly Workload[] = [
  {
    name: "compaction",
    title: "Compactions over three levels with deletes and open iterators",
    options: { walSync: "none" },
    peaks: { levels: 3 },
    variants: 1,
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 18; i++) {
        await run.wait(run.batch(10, 80, 300, { sync: i % 5 === 0, deleteOneIn: 3 }));
        if (i % 6 !== 5) continue;
        const cursor = run.store.entries();
        await run.wait(cursor.nextMany(5));
        const calls = [run.batch(10, 80, 300), run.batch(10, 80, 300), run.flush()];
        if (i === 11) calls.push(run.compact());
        await run.wait(Promise.all(calls));
        await run.wait(cursor.nextMany(20));
        await run.wait(cursor.close());
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "slow-manifest",
    title: "Flushes and compactions whose edits wait for the manifest at the same time",
    options: { walSync: "none" },
    variants: 2,
    script: async (run) => {
      // A record of the manifest that is longer than a sector can be lost while a later one is not.
      run.keySuffix = "x".repeat(300);
      await run.open();
      run.scheduler.hold = (label) => label.includes("MANIFEST");
      for (let i = 0; i < 5; i++) {
        const calls = Array.from({ length: 6 }, () => run.batch(4, 60, 200));
        await run.wait(Promise.all(calls));
        await run.scheduler.pass(run.random.below(30));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "close-in-compaction",
    title: "A store that is closed in the middle of a compaction",
    options: { walSync: "none", l0CompactionTrigger: 3 },
    variants: 2,
    script: async (run) => {
      for (let i = 0; i < 4; i++) {
        await run.open();
        for (let j = 0; j < 8; j++) await run.wait(run.batch(10, 80, 200));
        run.store.flush().catch(() => {});
        await run.scheduler.pass(1 + run.random.below(40));
        await run.close();
      }
      await run.open();
      run.checkAll();
      await run.close();
    },
  },
];

crashTests("tests/faults/crash_compaction_test.ts", workloads, { opened: 10_000, nested: 8_000 });
