/** The rules by which writers are held back, as tables: numbers in, "go", "slow" or "wait" out. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BackPressure } from "../../src/store/background/back_pressure.ts";

const KIB = 1024;

function rules(
  { hasThread = false, memtableSizeBytes = 4 * KIB * KIB }: {
    hasThread?: boolean;
    memtableSizeBytes?: number;
  } = {},
): BackPressure {
  return new BackPressure({ l0CompactionTrigger: 4, memtableSizeBytes, hasThread });
}

test("A writer waits while two memtables wait for their flush, or three with a thread", () => {
  for (
    const [waiting, alone, beside] of [
      [0, "go", "go"],
      [1, "go", "go"],
      [2, "wait", "go"],
      [3, "wait", "wait"],
      [4, "wait", "wait"],
    ] as const
  ) {
    assert.equal(rules().of(waiting, 0, "all"), alone, `${waiting} without a thread`);
    assert.equal(rules({ hasThread: true }).of(waiting, 0, "all"), beside, `${waiting} with one`);
  }
});

test("A writer slows down at three triggers of level 0, and stops at five", () => {
  for (
    const [tables, expected] of [
      [0, "go"],
      [4, "go"],
      [11, "go"],
      [12, "slow"],
      [19, "slow"],
      [20, "wait"],
      [100, "wait"],
    ] as const
  ) {
    assert.equal(rules().of(0, tables, "all"), expected, `${tables} tables`);
    assert.equal(rules().isLevel0High(tables), expected !== "go", `${tables} tables`);
  }
});

test("Nobody waits for work that the background does not do", () => {
  for (
    const [waiting, tables, work, expected] of [
      [1, 100, "flushes", "slow"],
      [2, 0, "flushes", "wait"],
      [1, 100, "nothing", "slow"],
      [9, 0, "nothing", "go"],
      [9, 100, "nothing", "slow"],
    ] as const
  ) {
    assert.equal(rules().of(waiting, tables, work), expected, `${waiting}, ${tables}, ${work}`);
  }
});

test("A synchronous writer helps for every 64 KiB, for every small memtable, and always at a full level 0", () => {
  const large = rules();
  assert.equal(large.isAssistDue(64 * KIB - 1, 0), false);
  assert.equal(large.isAssistDue(64 * KIB, 0), true);
  assert.equal(large.isAssistDue(1, 19), false);
  assert.equal(large.isAssistDue(1, 20), true);
  const small = rules({ memtableSizeBytes: 4 * KIB });
  assert.equal(small.isAssistDue(4 * KIB - 1, 0), false);
  assert.equal(small.isAssistDue(4 * KIB, 0), true);
});

test("A synchronous writer helps for longer when the background has fallen behind", () => {
  const usual = rules().assistMs(1, 11);
  assert.ok(rules().assistMs(2, 0) > usual);
  assert.ok(rules().assistMs(0, 12) > usual);
  assert.equal(rules().assistMs(0, 0), usual);
});

test("A memtable is frozen beside three that wait, and not beside four", () => {
  assert.equal(rules().mustFlushFirst(3), false);
  assert.equal(rules().mustFlushFirst(4), true);
});
