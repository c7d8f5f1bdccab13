/**
 * Crash enumeration of large values, which are in logs and value files: in puts, batches,
 * transactions and streams, among flushes and compactions that move them, and while nobody writes.
 * support/crash_tests.ts explains workloads, and the variables that repeat one state.
 */

import assert from "node:assert/strict";
import { crashTests, type Workload } from "../support/crash_tests.ts";

const workloads: readonly Workload[] = (["batch", "none"] as const).map((walSync): Workload => ({
  name: `values-${walSync}`,
  title: `A store with large values, with walSync "${walSync}",`,
  options: { walSync, largeValueBytes: 64 },
  variants: 1,
  peaks: { levels: 2 },
  script: async (run) => {
    await run.open();
    for (let i = 0; i < 5; i++) {
      await run.wait(run.batch(5, 16, 400));
      await run.wait(run.put(16, 900));
      if (i === 1) await run.wait(run.transaction(3, 16, 300));
      if (i % 2 === 1) await run.wait(run.flush());
      run.peak();
      if (i === 3) await run.wait(run.compact());
      if (i === 2) await run.crash("strict");
    }
    run.checkAll();
    await run.wait(run.flush());
    await run.idle(4);
    run.checkAll();
    const { sizeBytes, usedBytes } = run.store.stats().values;
    assert.ok(usedBytes > 0 && sizeBytes - usedBytes <= 1.5 * usedBytes, `${sizeBytes}`);
    await run.close();
    await run.open();
    run.checkAll();
    await run.close();
  },
}));

const streams: Workload = {
  name: "values-stream",
  title: "A store with streams that are put,",
  // A stream of 8 KiB gets a file of its own.
  options: { walSync: "batch", largeValueBytes: 64 },
  variants: 1,
  script: async (run) => {
    await run.open();
    for (let i = 0; i < 3; i++) {
      await run.wait(run.putStream(4, 8300));
      await run.wait(run.batch(3, 6, 300));
      if (i === 1) await run.wait(run.flush());
      await run.wait(run.putStream(4, 9000, true));
      if (i === 0) await run.crash("strict");
    }
    run.checkAll();
    await run.wait(run.compact());
    await run.wait(run.putStream(4, 8300));
    await run.idle(4);
    run.checkAll();
    await run.close();
    await run.open();
    run.checkAll();
    await run.close();
  },
};

crashTests("tests/faults/crash_values_test.ts", [...workloads, streams], {
  opened: 250,
  nested: 250,
});
