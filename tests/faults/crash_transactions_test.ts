/**
 * Crash enumeration of transactions, asynchronous and synchronous, among batches, flushes and
 * compactions. A watch runs at the same time, and every commit that it shows counts as
 * acknowledged. support/crash_tests.ts explains workloads, and the variables that repeat one state.
 */

import assert from "node:assert/strict";
import { crashTests, type Workload } from "../support/crash_tests.ts";

const workloads: readonly Workload[] = (["batch", "none"] as const).map((walSync): Workload => ({
  name: `transactions-${walSync}`,
  title: `Transactions with walSync "${walSync}"`,
  options: { walSync },
  variants: 1,
  peaks: { levels: 2 },
  script: async (run) => {
    await run.open();
    run.follow();
    for (let i = 0; i < 12; i++) {
      const sync = run.random.below(6) === 0;
      await run.wait(run.transaction(1 + run.random.below(6), 24, 150, sync));
      if (i % 3 === 0) run.transactionSync(1 + run.random.below(4), 24, 150);
      const flushing = i % 5 === 4 ? run.flush() : undefined;
      // Larger than a memtable, written while one is being flushed.
      if (i % 8 === 7) await run.wait(run.transaction(8, 24, 1500));
      await run.wait(Promise.all([run.batch(3, 24, 100), flushing]));
      run.peak();
      if (i === 8) await run.wait(run.compact());
    }
    run.checkAll();
    await run.close();
    assert.ok(run.seen > 20, `only ${run.seen} commits were seen`);
    await run.open();
    run.checkAll();
    await run.close();
  },
}));

crashTests("tests/faults/crash_transactions_test.ts", workloads, { opened: 1000, nested: 500 });
