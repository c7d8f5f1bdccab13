/**
 * Stores with compressed tables and filters, damaged at every byte and in every file: right values
 * or typed errors (tests/support/corruption_mutants.ts, corruption_sweep.ts).
 */

import { test } from "node:test";
import { tableStore } from "../support/corruption_stores.ts";
import { sweep } from "../support/corruption_sweep.ts";

const FILE = "tests/faults/corruption_codecs_test.ts";

test("Damaged tables with zstd and filters give right values or typed errors", async () => {
  await sweep(FILE, tableStore("zstd", 0), tableStore("zstd", 1));
});

test("A damaged store with a codec for each table gives right values or typed errors", async () => {
  await sweep(FILE, tableStore("mixed", 0), tableStore("mixed", 1));
});
