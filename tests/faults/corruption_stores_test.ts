/**
 * Whole stores as programs and crashes leave them, damaged at every byte and in every file: right
 * values or typed errors (tests/support/corruption_mutants.ts, corruption_sweep.ts).
 */

import { test } from "node:test";
import { closedStore, crashedStore, rangesStore } from "../support/corruption_stores.ts";
import { sweep } from "../support/corruption_sweep.ts";

const FILE = "tests/faults/corruption_stores_test.ts";

test("A damaged store that crashed with two logs gives right values or typed errors", async () => {
  await sweep(FILE, crashedStore(0), crashedStore(1));
});

test("A damaged store that was closed cleanly gives right values or typed errors", async () => {
  await sweep(FILE, await closedStore(0), await closedStore(1));
});

test("A damaged store with deleted ranges in its tables gives right values or typed errors", async () => {
  await sweep(FILE, rangesStore(0), rangesStore(1));
});
