/**
 * Crash enumeration of flushes, alone, late and compressed, and of logs that are cut at every byte.
 * support/crash_tests.ts says what a workload is, and which variables repeat one state.
 */

import { crashTests, type Workload } from "../support/crash_tests.ts";

const workloads: readonly Workload[] = [
  {
    name: "flush",
    title: "Flushes that are asked for while writes go on",
    options: { walSync: "none", l0CompactionTrigger: 4 },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 12; i++) {
        const calls = [run.batch(6, 40, 150), run.flush(), run.put(40, 60), run.batch(2, 40, 60)];
        if (i % 4 === 3) calls.push(run.sync());
        await run.wait(Promise.all(calls));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "two-immutables",
    title: "Two memtables that wait for their flush",
    options: { walSync: "none" },
    peaks: { immutables: 2 },
    variants: 3,
    script: async (run) => {
      await run.open();
      run.scheduler.hold = (label) => label === "turn" || label.endsWith(".sst");
      for (let round = 0; round < 2; round++) {
        const calls: Promise<void>[] = [];
        for (let i = 0; i < 16; i++) {
          calls.push(run.batch(3, 40, 400, { sync: i % 6 === round % 6 }));
          await run.scheduler.pass(run.random.below(3));
        }
        await run.wait(Promise.all(calls));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "zstd",
    title: "Compressed tables",
    options: { compression: "zstd", walSync: "none" },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 24; i++) {
        await run.wait(run.batch(8, 60, 300, { sync: i % 8 === 0 }));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "every-byte",
    title: "A store whose last write is cut at every byte",
    options: { walSync: "none" },
    everyByte: true,
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 5; i++) {
        await run.wait(run.put(8, 60, i === 3));
        await run.wait(run.batch(3, 8, 40, { sync: i === 2 }));
      }
      await run.wait(run.flush());
      await run.wait(run.put(8, 60));
      await run.close();
    },
  },
];

crashTests("tests/faults/crash_flush_test.ts", workloads, { opened: 10_000, nested: 7_500 });
