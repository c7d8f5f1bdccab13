/**
 * A store with tables in three levels, not compressed, damaged at every byte and in every file:
 * right values or typed errors (tests/support/corruption_mutants.ts, corruption_sweep.ts).
 */

import { test } from "node:test";
import { tableStore } from "../support/corruption_stores.ts";
import { sweep } from "../support/corruption_sweep.ts";

const FILE = "tests/faults/corruption_tables_test.ts";

test("Damaged tables without compression give right values or typed errors", async () => {
  await sweep(FILE, tableStore("none", 0), tableStore("none", 1));
});
