/**
 * Every bit of a small store turned, every length, every file: right values or typed errors. What is
 * allowed is in tests/support/corruption_mutants.ts, how it is checked in corruption_sweep.ts.
 */

import { test } from "node:test";
import { logStore, smallStore, unsyncedStore } from "../support/corruption_stores.ts";
import { sweep } from "../support/corruption_sweep.ts";

const FILE = "tests/faults/corruption_small_test.ts";

test("A small store with everything in it survives every bit, length and file that is damaged", async () => {
  await sweep(FILE, smallStore(0), smallStore(1), true);
});

test("A store that has only a log survives every bit and length of it that is damaged", async () => {
  await sweep(FILE, logStore(0), logStore(1), true);
});

test("A log whose last records were never synced loses those at most, and what was synced never", async () => {
  await sweep(FILE, unsyncedStore(0), unsyncedStore(1), true);
});
