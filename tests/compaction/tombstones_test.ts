/**
 * Scripts as in picker_test.ts. A table has ten entries unless it says otherwise (`e50`); `!7` of
 * them are tombstones.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompactionOptions } from "../../src/compaction/compaction.ts";
import { pickCompaction, pickIdleCompaction } from "../../src/compaction/picker.ts";
import { pickTombstones, type TombstoneRule } from "../../src/compaction/tombstones.ts";
import { describe, levelsOf, runScripts } from "../support/compactions.ts";

const options: CompactionOptions = {
  l0CompactionTrigger: 4,
  levelSizeMultiplier: 4,
  maxLevels: 5,
  baseLevelSizeBytes: 400_000,
  baseFileSizeBytes: 100,
};
const rule: TombstoneRule = { rewrittenPerTombstone: 4, leastTombstones: 2 };

test("pickTombstones rewrites a table in its level if its tombstones hide nothing any more", () => {
  runScripts(
    `
    1: 10[a-c]!5 11[d-f]
    => merge 1: 10 -> 1

    # A quarter of its entries must be tombstones, and at least two of them.
    1: 10[a-c]e12!3
    => merge 1: 10 -> 1

    1: 10[a-c]e13!3
    => nothing

    1: 10[a-c]e1!1
    => nothing

    # In the last level as well, and in one that the options do not know.
    4: 40[a-c]!5
    => merge 4: 40 -> 4

    6: 60[a-c]!5
    => merge 6: 60 -> 6

    # One of level 0 goes to level 1.
    0: 1[a-c]!5
    => merge 0: 1 -> 1`,
    (levels) => describe(pickTombstones(levels, options, rule)),
  );
});

test("pickTombstones takes tombstones to the next level that holds keys of their range", () => {
  runScripts(
    `
    1: 10[a-c]!10 11[d-f]
    2: 20[a-b] 21[c-c] 22[d-d]
    3: 30[b-b]
    => merge 1: 10 | 2: 20 21 -> 2 deeper 30

    # What it costs is counted in entries: forty for ten tombstones, and no more.
    1: 10[a-c]!10
    2: 20[a-b]e30
    => merge 1: 10 | 2: 20 -> 2

    1: 10[a-c]!10
    2: 20[a-b]e31
    => nothing

    # Over a level that has none it is moved.
    1: 10[a-c]!10
    3: 30[a-b]e30
    => move 1: 10 -> 2 deeper 30

    1: 10[a-c]!10
    3: 30[a-b]e31
    => nothing

    # The cheapest goes first.
    1: 10[a-c]!10 11[d-f]!10
    2: 20[a-b]e30 21[e-e]e9
    => merge 1: 11 | 2: 21 -> 2

    # Nothing is written to levels that the options do not know.
    4: 40[a-c]!10
    5: 50[a-c]
    => nothing`,
    (levels) => describe(pickTombstones(levels, options, rule)),
  );
});

test("pickTombstones merges the tables of level 0 that overlap, without waiting for more tables", () => {
  runScripts(
    `
    0: 3[x-z] 2[b-c]!10 1[a-b]
    1: 10[a-a]e15 11[c-c]e5
    => merge 0: 2 1 | 1: 10 11 -> 1

    0: 2[b-c]!10 1[a-b]
    1: 10[a-a]e15 11[c-c]e6
    => nothing

    # Older ones that meet none of them stay.
    0: 2[b-c]!10 1[d-e]
    => merge 0: 2 -> 1

    0: 1[b-c]!10
    3: 30[b-b]
    => move 0: 1 -> 1 deeper  / 30`,
    (levels) => describe(pickTombstones(levels, options, rule)),
  );
});

test("An idle store drops tombstones that a store in use leaves, until their share and number are high", () => {
  const dead = levelsOf("1: 10[a-c]e1000!300 11[d-f]e100!63 12[g-i]e1000!63");
  assert.equal(describe(pickCompaction(dead, options)), "merge 1: 10 -> 1");
  const rest = levelsOf("1: 11[d-f]e100!63 12[g-i]e1000!63 13[j-j]e1000!62");
  assert.equal(describe(pickCompaction(rest, options)), "nothing");
  assert.equal(describe(pickIdleCompaction(rest, options)), "merge 1: 11 -> 1");
  const last = levelsOf("1: 12[g-i]e1000!63 13[j-j]e1000!62");
  assert.equal(describe(pickIdleCompaction(last, options)), "merge 1: 12 -> 1");
  assert.equal(describe(pickIdleCompaction(levelsOf("1: 13[j-j]e1000!62"), options)), "nothing");
});
