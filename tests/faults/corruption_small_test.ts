/**
 * Damage to every bit of a small store, every length and every file gives right values or typed
 * errors. tests/support/corruption_mutants.ts says what is allowed, and corruption_sweep.ts how it
 * is checked.
 */

import { test } from "node:test";
import {
  logStore,
  rangeLogStore,
  smallStore,
  unsyncedStore,
} from "../support/corruption_stores.ts";
import { sweep } from "../support/corruption_sweep.ts";

const FILE = "tests/faults/corruption_small_test.ts";

test("A small store with all kinds of data survives damage to every bit, length and file", async () => {
  await sweep(FILE, smallStore(0), smallStore(1), true);
});

test("A store that has only a log survives damage to every bit and length of it", async () => {
  await sweep(FILE, logStore(0), logStore(1), true);
});

test("A log with deleted ranges and values that expire survives damage to every byte", async () => {
  await sweep(FILE, rangeLogStore(0), rangeLogStore(1));
});

test("A log whose last records were never synced loses at most those, and never a synced one", async () => {
  await sweep(FILE, unsyncedStore(0), unsyncedStore(1), true);
});
