/**
 * Crash enumeration of values that expire: in batches and transactions, among flushes, compactions
 * and times in which nobody writes, while the clock moves on. support/crash_tests.ts explains
 * workloads, and the variables that repeat one state.
 */

import assert from "node:assert/strict";
import { crashTests, type Workload } from "../support/crash_tests.ts";

const workloads: readonly Workload[] = (["batch", "none"] as const).map((walSync): Workload => ({
  name: `expiry-${walSync}`,
  title: `A store whose values expire, with walSync "${walSync}",`,
  options: { walSync },
  variants: 1,
  peaks: { levels: 2 },
  script: async (run) => {
    await run.open();
    // The first values do not expire: the first that does starts another log.
    await run.wait(run.batch(4, 40, 150));
    run.ttlsMs = [100, 1000, 30_000];
    for (let i = 0; i < 9; i++) {
      await run.wait(run.batch(6, 40, 150));
      if (i % 3 === 0) run.transactionSync(4, 40, 150);
      if (i % 4 === 1) await run.wait(run.transaction(5, 40, 150));
      run.scheduler.elapse([0, 60, 500][i % 3]!);
      if (i % 5 === 4) await run.wait(run.flush());
      run.peak();
      if (i === 7) await run.wait(run.compact());
      if (i === 5) await run.crash("strict");
    }
    run.checkAll();
    const before = run.store.stats().levels.reduce((sum, { entries }) => sum + entries, 0);
    run.scheduler.elapse(60_000);
    await run.wait(run.flush());
    await run.idle(4);
    run.checkAll();
    const after = run.store.stats().levels.reduce((sum, { entries }) => sum + entries, 0);
    assert.ok(after < before, `${after} entries in tables, before ${before}`);
    await run.close();
    await run.open();
    run.checkAll();
    await run.close();
  },
}));

crashTests("tests/faults/crash_expiry_test.ts", workloads, { opened: 500, nested: 250 });
