/**
 * Scripts as in picker_test.ts. Sizes are in hundreds of bytes; a table of level 1 is closed at 64
 * of them, so tables of up to three are small.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CompactionOptions } from "../../src/compaction/compaction.ts";
import { pickCompaction } from "../../src/compaction/picker.ts";
import { planNeighbours } from "../../src/compaction/small_tables.ts";
import {
  compareSmallest,
  type TableMetadata,
  tableMetadata,
} from "../../src/version/table_metadata.ts";
import { describe, type levelsOf, runScripts } from "../support/compactions.ts";
import { bytesOf } from "../support/store_tables.ts";

const options: CompactionOptions = {
  l0CompactionTrigger: 4,
  levelSizeMultiplier: 4,
  maxLevels: 5,
  baseLevelSizeBytes: 40_000,
  baseFileSizeBytes: 6400,
};

test("pickCompaction merges eight or more small adjacent tables, of the first level that has some", () => {
  runScripts(
    `
    # Seven stay.
    1: 10[a-a] 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g]
    => nothing

    1: 10[a-a] 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h]
    => merge 1: 10 11 12 13 14 15 16 17 -> 1

    # All that follow one another are taken, and no large one.
    1: 9[A-A]x4 10[a-a] 11[b-b] 12[c-c]x3 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h] 18[i-i] 19[j-j]x4
    2: 20[a-f]x99 21[x-z]
    => merge 1: 10 11 12 13 14 15 16 17 18 -> 1 deeper 20

    # A large one in between separates them.
    1: 10[a-a] 11[b-b] 12[c-c] 13[d-d] 14[e-e]x4 15[f-f] 16[g-g] 17[h-h] 18[i-i]
    => nothing

    # Also in the last level, but not in one that the options do not know.
    4: 10[a-a] 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h]
    => merge 4: 10 11 12 13 14 15 16 17 -> 4

    5: 10[a-a] 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h]
    => nothing

    # Where they meet much of the next level, the output would be cut into as many tables.
    1: 10[a-a] 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h]
    2: 20[a-b]x300 21[c-d]x400
    => nothing

    # Levels that are too large come first.
    0: 4[a-c] 3[b-d] 2[a-b] 1[c-e]
    1: 10[a-a] 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h]
    => merge 0: 4 3 2 1 | 1: 10 11 12 13 14 -> 1`,
    (levels) => describe(pickCompaction(levels, options)),
  );
});

test("pickCompaction merges a table that has grown again only if its neighbours are as large", () => {
  const sizes = { ...options, baseFileSizeBytes: 32_000 };
  runScripts(
    `
    1: 10[a-a]x9 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h]
    => nothing

    1: 10[a-a]x9 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h]x3
    => merge 1: 10 11 12 13 14 15 16 17 -> 1

    # The others do without it.
    1: 10[a-a]x19 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h]x2 18[i-i]x2
    => merge 1: 11 12 13 14 15 16 17 18 -> 1`,
    (levels) => describe(pickCompaction(levels, sizes)),
  );
});

test("pickCompaction merges small tables of level 0 that it would otherwise move one by one", () => {
  runScripts(
    `
    0: 4[g-h] 3[e-f] 2[c-d] 1[a-b]
    => merge 0: 4 3 2 1 -> 1

    # Up to the first that meets something in level 1, or is not small.
    0: 4[g-h] 3[e-f] 2[c-d] 1[a-b]
    1: 10[f-f]
    => merge 0: 2 1 -> 1

    0: 4[g-h] 3[e-f] 2[c-d]x4 1[a-b]
    => move 0: 1 -> 1

    0: 4[g-h] 3[e-f]x4 2[c-d] 1[a-b]
    2: 20[a-z]
    => merge 0: 2 1 -> 1 deeper 20

    # What lies between them counts, too.
    0: 4[g-h] 3[e-f] 2[c-d] 1[x-y]
    1: 10[k-k]
    => move 0: 1 -> 1`,
    (levels) => describe(pickCompaction(levels, options)),
  );
});

test("planNeighbours leaves no two adjacent tables that would fit into one", () => {
  const plan = (range: { smallest: DataView | undefined; largest: DataView | undefined }) =>
  (
    levels: ReturnType<typeof levelsOf>,
  ) => planNeighbours(levels, options, range).map(describe).join("; ") || "nothing";
  runScripts(
    `
    1: 10[a-a] 11[c-d]x63 12[e-f]
    => merge 1: 10 11 -> 1

    1: 10[a-a] 11[c-d]x64 12[e-f]
    => nothing

    # Of several levels, into the lowest.
    1: 10[a-b] 13[m-n]
    2: 11[c-d]
    3: 12[e-f]x62 14[o-p]x9
    => merge 1: 10 | 2: 11 | 3: 12 -> 3; merge 1: 13 | 3: 14 -> 3

    # Those that meet another one, and those of level 0, are left out and separate the others.
    0: 1[e-e]
    1: 10[a-b] 11[c-d] 12[e-f] 13[g-h]
    => merge 1: 10 11 -> 1

    0: 1[e-e]
    1: 10[a-b] 11[g-h]
    => nothing`,
    plan({ smallest: undefined, largest: undefined }),
  );
  const bound = (text: string): DataView => new DataView(bytesOf(text).buffer);
  runScripts(
    `
    1: 10[a-b] 11[c-d] 12[e-f] 13[g-h]
    => merge 1: 11 12 -> 1`,
    plan({ smallest: bound("ca"), largest: bound("e") }),
  );
});

test("If each run makes one small table, it is rewritten no more often than it can double, and few are left", () => {
  // A table of 1,000 bytes for 100 bytes of entries, as for one entry: nine tenths of it are
  // overhead.
  const limits = { ...options, baseLevelSizeBytes: 8 << 20, baseFileSizeBytes: 2 << 20 };
  const OVERHEAD = 900;
  for (const runs of [300, 3000, 30_000]) {
    let number = 1;
    let at = 0;
    const make = (contentBytes: number, smallest: number, largest: number): TableMetadata =>
      tableMetadata({
        number: number++,
        sizeBytes: contentBytes + OVERHEAD,
        entryCount: contentBytes / 100,
        tombstoneCount: 0,
        checksum: 1,
        smallest: bytesOf(String(smallest).padStart(8, "0")),
        largest: bytesOf(String(largest).padStart(8, "0")),
      });
    const levels: TableMetadata[][] = [[], [], [], [], [], [], []];
    let rewritten = 0;
    let most = 0;
    for (let run = 0; run < runs; run++) {
      levels[0]!.unshift(make(100, at, at));
      at++;
      for (;;) {
        const compaction = pickCompaction(levels, limits);
        if (compaction === undefined) break;
        const taken = compaction.inputs.flatMap(({ tables }) => tables);
        assert.equal(compaction.kind, "merge");
        const content = taken.reduce((sum, { sizeBytes }) => sum + sizeBytes - OVERHEAD, 0);
        const keys = taken.flatMap(({ smallest, largest }) => [smallest, largest])
          .map((bytes) => Number(String.fromCharCode(...bytes)));
        for (const [level, tables] of levels.entries()) {
          levels[level] = tables.filter((table) => !taken.includes(table));
        }
        const output = make(content, Math.min(...keys), Math.max(...keys));
        levels[1]!.push(output);
        levels[1]!.sort(compareSmallest);
        rewritten += content;
      }
      most = Math.max(most, levels.flat().length);
    }
    const amplification = rewritten / (runs * 100);
    console.log(
      `${runs} runs: at most ${most} tables, entries written ${
        amplification.toFixed(1)
      } times more`,
    );
    assert.ok(most <= 50, `${runs} runs: ${most} tables`);
    assert.ok(amplification <= 12, `${runs} runs: entries were rewritten ${amplification} times`);
  }
});
