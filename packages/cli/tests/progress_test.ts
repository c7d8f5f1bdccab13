/** The line of the progress: share, bytes, rate and time left, within the terminal. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { progressLine } from "../src/output/progress.ts";
import { bytesText, countText, durationText } from "../src/text/numbers.ts";

test("The progress shows share, bytes, rate and the time left, and as much as fits", () => {
  const state = { doneBytes: 43e6, totalBytes: 86e6, items: 21_016 };
  const line = progressLine("loading", state, 10, 100);
  assert.equal(
    line,
    "loading  ██████░░░░░░  50 %  43.0 MB of 86.0 MB  4.3 MB/s  10 s left  21,016 entries",
  );
  for (let columns = 10; columns < 100; columns++) {
    assert.ok(progressLine("loading", state, 10, columns).length <= columns);
  }
  assert.match(progressLine("loading", state, 10, 79), /10 s left$/);
  assert.equal(
    progressLine("x", { doneBytes: 0, items: 5, totalItems: 10, unit: "keys" }, 5, 99),
    "x  ██████░░░░░░  50 %  5.0 s left  5 keys  1/s",
  );
  assert.match(progressLine("x", { doneBytes: 0, items: 1 }, 0.5, 99), /^x {2}1 entry {2}2\/s$/);
});

test("Numbers, sizes and durations are short for people", () => {
  assert.deepEqual([0, 999, 1000, 1500, 99_950, 999_500, 1e9].map(bytesText), [
    "0 B",
    "999 B",
    "1.0 KB",
    "1.5 KB",
    "100 KB",
    "1.0 MB",
    "1.0 GB",
  ]);
  assert.deepEqual([0, 999, 1000, 1234567].map(countText), ["0", "999", "1,000", "1,234,567"]);
  assert.deepEqual([0.0003, 0.02, 1.25, 65, 185, 7300].map(durationText), [
    "0.3 ms",
    "20 ms",
    "1.3 s",
    "65 s",
    "3 min 5 s",
    "2 h 1 min",
  ]);
});
