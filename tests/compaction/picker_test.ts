/**
 * Most tests are scripts: levels as text, and under `=>` the choice of the picker. Sizes are in
 * hundreds of bytes; level 1 may have 400 bytes, level 2 1600, level 3 6400 (unless a test says
 * otherwise).
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Compaction, CompactionOptions } from "../../src/compaction/compaction.ts";
import {
  pendingCompactionBytes,
  pickCompaction,
  pickIdleCompaction,
  planFullCompaction,
} from "../../src/compaction/picker.ts";
import type { Levels } from "../../src/compaction/plan.ts";
import { planNeighbours } from "../../src/compaction/small_tables.ts";
import {
  compareSmallest,
  compareViews,
  rangesOverlap,
  type TableMetadata,
  tableMetadata,
} from "../../src/version/table_metadata.ts";
import { Random } from "../support/random.ts";
import { describe, levelsOf, numbers, runScripts } from "../support/compactions.ts";
import { bytesOf, textOf } from "../support/store_tables.ts";

const options: CompactionOptions = {
  l0CompactionTrigger: 4,
  levelSizeMultiplier: 4,
  maxLevels: 5,
  baseLevelSizeBytes: 400,
  baseFileSizeBytes: 100,
};

const picked = (levels: Levels): string => describe(pickCompaction(levels, options));

test("pickCompaction has nothing to do while every level is within its limits", () => {
  runScripts(
    `
    0: 3[a-z] 2[a-z] 1[a-z]
    => nothing

    1: 1[a-b] 2[c-d] 3[e-f]
    => nothing

    # The last level has no limit.
    4: 1[a-b]x99999
    => nothing

    # Nor have levels that only a store with more levels had.
    5: 1[a-b]x99999
    6: 2[a-b]x99999
    => nothing`,
    picked,
  );
});

test("pickCompaction merges the tables of level 0 that overlap each other", () => {
  runScripts(
    `
    0: 4[a-c] 3[b-d] 2[a-b] 1[c-e]
    => merge 0: 4 3 2 1 -> 1

    # 3 meets nobody; it stays, the others go.
    0: 4[a-c] 3[x-z] 2[c-d] 1[a-b]
    => merge 0: 4 2 1 -> 1

    # A chain: the oldest meets 2, which meets 3, which meets 4.
    0: 4[g-h] 3[e-g] 2[c-e] 1[a-c]
    => merge 0: 4 3 2 1 -> 1

    # The tables between the ends of a chosen hull come along, too.
    0: 4[m-m] 3[c-d] 2[a-z] 1[b-b]
    => merge 0: 4 3 2 1 -> 1

    # Keys that only touch count.
    0: 4[b-b] 3[x-x] 2[y-y] 1[a-b]
    => merge 0: 4 1 -> 1`,
    picked,
  );
});

test("pickCompaction adds the tables of level 1 that lie in the range of level 0", () => {
  runScripts(
    `
    0: 4[c-e] 3[x-x] 2[y-y] 1[a-c]
    1: 10[a-a] 11[d-d] 12[e-k] 14[l-z]
    => merge 0: 4 1 | 1: 10 11 12 -> 1

    # A single table of level 0 that meets one of level 1.
    0: 4[v-w] 3[x-x] 2[y-y] 1[a-c]
    1: 10[b-b]
    => merge 0: 1 | 1: 10 -> 1`,
    picked,
  );
});

test("pickCompaction moves the oldest table of level 0 if no other table overlaps it", () => {
  runScripts(
    `
    0: 4[g-h] 3[e-f] 2[c-d] 1[a-b]
    => move 0: 1 -> 1

    0: 4[g-h] 3[e-f] 2[c-d] 1[k-l]!
    1: 10[a-j] 11[m-z]
    2: 20[k-k]
    => move 0: 1 -> 1 deeper 20`,
    picked,
  );
});

test("pickCompaction names the deeper tables that can hold a key of the inputs", () => {
  runScripts(
    `
    0: 4[a-c] 3[b-d] 2[a-b] 1[c-e]
    1: 9[e-h]
    2: 20[a-a] 21[g-g] 22[i-j]
    3: 30[-a] 31[h-z]
    4: 40[x-y]
    5: 50[c-c]
    => merge 0: 4 3 2 1 | 1: 9 -> 1 deeper 20 21 / 30 31 /  / 50`,
    picked,
  );
});

test("pickCompaction goes to the level that is furthest beyond its limit", () => {
  runScripts(
    `
    # Level 0 at 1.0, level 1 at 1.5.
    0: 4[a-c] 3[b-d] 2[a-b] 1[c-e]
    1: 10[a-c]x3 11[d-f]x3
    => move 1: 10 -> 2

    # Level 0 at 2.0, level 1 at 1.5.
    0: 8[a-c] 7[a-c] 6[a-c] 5[a-c] 4[a-c] 3[b-d] 2[a-b] 1[c-e]
    1: 10[a-c]x3 11[d-f]x3
    => merge 0: 8 7 6 5 4 3 2 1 | 1: 10 11 -> 1

    # At the same distance the upper one.
    1: 10[a-c]x4
    2: 20[a-c]x16
    => merge 1: 10 | 2: 20 -> 2

    2: 20[a-c]x17
    => move 2: 20 -> 3`,
    picked,
  );
});

test("pickCompaction chooses the table that overlaps the fewest bytes for each of its own", () => {
  runScripts(
    `
    # 11 meets 100 bytes, 10 and 12 meet 200.
    1: 10[a-c]x2 11[d-e]x2 12[f-h]x2
    2: 20[a-b] 21[c-c] 22[e-e] 23[f-f] 24[h-k]
    => merge 1: 11 | 2: 22 -> 2

    # 10 meets 300 bytes for 400 of its own, 11 meets 100 for 100.
    1: 10[a-c]x4 11[d-e]
    2: 20[a-b]x3 22[e-e]
    => merge 1: 10 | 2: 20 -> 2

    # One that meets nothing is moved, though others are larger.
    1: 10[a-c]x4 11[d-e] 12[f-g]
    2: 20[a-b] 22[g-z]
    => move 1: 11 -> 2`,
    picked,
  );
});

test("pickCompaction adds adjacent tables that overlap the same tables", () => {
  runScripts(
    `
    1: 10[a-b]x3 11[c-d]x4
    2: 20[b-c]x7
    => merge 1: 10 11 | 2: 20 -> 2

    # One by one 10 and 12 meet twice their size, 11 four times; together less.
    1: 10[a-d]x2 11[e-h]x2 12[i-l]x2
    2: 20[c-e]x4 21[g-j]x4
    => merge 1: 10 11 12 | 2: 20 21 -> 2

    # A neighbour that brings more than it has stays.
    1: 10[a-d]x3 11[e-h]x3
    2: 20[c-e]x3 21[g-j]x9
    => merge 1: 10 | 2: 20 -> 2

    # No more than twelve tables' worth: 2,400 bytes in level 2.
    1: 10[a-d]x4 11[e-h]x4
    2: 20[c-e]x16
    => merge 1: 10 11 | 2: 20 -> 2

    1: 10[a-d]x4 11[e-h]x5
    2: 20[c-e]x16
    => merge 1: 11 | 2: 20 -> 2

    # Nor more than eight tables.
    1: 10[a-a] 11[b-b] 12[c-c] 13[d-d] 14[e-e] 15[f-f] 16[g-g] 17[h-h] 18[i-i]
    2: 20[a-z]x9
    => merge 1: 10 11 12 13 14 15 16 17 | 2: 20 -> 2`,
    picked,
  );
});

test("pickCompaction works with two levels", () => {
  const two = { ...options, maxLevels: 2 };
  const levels = levelsOf("0: 4[a-c] 3[b-d] 2[a-b] 1[c-e]\n1: 10[a-c]x99999\n3: 30[a-b]");
  assert.equal(describe(pickCompaction(levels, two)), "merge 0: 4 3 2 1 | 1: 10 -> 1 deeper  / 30");
});

test("pickCompaction takes the size of an output from its level", () => {
  const levels = levelsOf("2: 20[a-c]x17\n3: 30[b-z]");
  assert.equal(pickCompaction(levels, options)!.maxFileSizeBytes, 400);
});

test("pendingCompactionBytes adds up the bytes beyond the limits", () => {
  const pending = (text: string): number => pendingCompactionBytes(levelsOf(text), options);
  assert.equal(pending("0: 3[a-z] 2[a-z] 1[a-z]"), 0);
  assert.equal(pending("0: 4[a-z] 3[a-z] 2[a-z] 1[a-z]"), 400);
  assert.equal(pending("1: 10[a-b]x7\n2: 20[a-b]x17\n4: 40[a-z]x9999"), 400);
});

function full(levels: Levels, range: { start?: string; end?: string } = {}): string {
  const view = (text: string | undefined): DataView | undefined =>
    text === undefined ? undefined : new DataView(bytesOf(text).buffer);
  const bounds = { smallest: view(range.start), largest: view(range.end) };
  return planFullCompaction(levels, options, bounds).map(describe).join("; ") || "nothing";
}

test("planFullCompaction merges each group of overlapping tables into its lowest level", () => {
  runScripts(
    `
    0: 2[a-c] 1[m-n]
    1: 10[b-d] 11[n-p]
    3: 30[d-e] 31[q-r]
    => merge 0: 2 | 1: 10 | 3: 30 -> 3; merge 0: 1 | 1: 11 -> 1

    # Level 0 goes to level 1 at least, newest first.
    0: 5[a-c] 7[b-d] 6[c-e]
    => merge 0: 7 6 5 -> 1

    # A group over tables of the same level, joined by one above.
    1: 10[b-y]
    2: 20[a-b] 21[c-d] 22[y-z]
    => merge 1: 10 | 2: 20 21 22 -> 2

    # Levels that the options do not know any more.
    0: 1[a-b]
    6: 60[b-c]
    => merge 0: 1 | 6: 60 -> 6`,
    (levels) => full(levels),
  );
});

test("planFullCompaction leaves single tables alone if they have nothing to drop", () => {
  runScripts(
    `
    1: 10[a-b] 11[c-d]
    2: 20[e-f]
    => nothing

    1: 10[a-b]! 11[c-d]
    => merge 1: 10 -> 1

    # A table of the Go program does not say what it holds.
    1: 10[a-b]g
    => merge 1: 10 -> 1

    0: 1[a-b]
    => move 0: 1 -> 1

    0: 1[a-b]!
    => merge 0: 1 -> 1`,
    (levels) => full(levels),
  );
});

test("planFullCompaction works on groups that overlap the range, and on whole groups", () => {
  const levels = levelsOf("0: 3[x-z]\n1: 10[a-c]! 11[d-f]! 12[g-i]!\n2: 20[c-d] 21[h-h]");
  assert.equal(
    full(levels, { start: "f", end: "g" }),
    "merge 1: 10 11 | 2: 20 -> 2; merge 1: 12 | 2: 21 -> 2",
  );
  assert.equal(full(levels, { start: "fa", end: "fz" }), "nothing");
  assert.equal(full(levels, { start: "w" }), "move 0: 3 -> 1");
  assert.equal(full(levels, { end: "a" }), "merge 1: 10 11 | 2: 20 -> 2");
  assert.equal(full(levels, { start: "z", end: "a" }), "nothing");
});

/** Random levels that keep the invariants: from level 1 on disjoint and sorted. */
function randomLevels(random: Random): Levels {
  let number = 1;
  const key = (): string => String.fromCharCode(97 + random.below(20));
  const make = (smallest: string, largest: string): TableMetadata =>
    tableMetadata({
      number: number++,
      sizeBytes: 50 + random.below(400),
      entryCount: 10,
      tombstoneCount: random.below(2),
      checksum: 1,
      smallest: bytesOf(smallest),
      largest: bytesOf(largest),
    });
  const levels: TableMetadata[][] = [];
  for (let level = 0; level < 7; level++) {
    const tables: TableMetadata[] = [];
    if (level === 0) {
      for (let count = random.below(9); count > 0; count--) {
        const [a, b] = [key(), key()].sort();
        tables.push(make(a!, b!));
      }
      tables.reverse();
    } else {
      let code = 97 + random.below(6);
      while (code < 117) {
        const end = code + random.below(4);
        tables.push(make(String.fromCharCode(code), String.fromCharCode(end)));
        code = end + 1 + random.below(6);
      }
    }
    levels.push(tables);
  }
  return levels;
}

function requireSound(levels: Levels, compaction: Compaction, what: string): void {
  const { inputs, outputLevel, deeper, kind } = compaction;
  const all = inputs.flatMap(({ tables }) => tables);
  assert.ok(all.length > 0, `${what}: no inputs`);
  const taken = new Set(all.map(({ number }) => number));
  assert.equal(taken.size, all.length, `${what}: takes a table twice`);
  for (const { level, tables } of inputs) {
    assert.ok(tables.length > 0 && level <= outputLevel, what);
    const inOrder = levels[level]!.filter(({ number }) => taken.has(number));
    assert.deepEqual(numbers(tables), numbers(inOrder), `${what}: not in the order of the level`);
  }
  const smallest = [...all].sort(compareSmallest)[0]!.smallestView;
  const largest = [...all].sort((a, b) => compareViews(b.largestView, a.largestView))[0]!
    .largestView;
  const meets = (table: TableMetadata): boolean => rangesOverlap(table, smallest, largest);
  for (let level = 0; level <= outputLevel; level++) {
    for (const table of levels[level]!.filter(({ number }) => !taken.has(number))) {
      // In the output level no table may overlap the outputs. Above it, no table may stay that is
      // older than an input and overlaps it, because it would end up above that input.
      const isLeftBehind = level === outputLevel
        ? meets(table)
        : inputs.some((input) =>
          (input.level < level || (level === 0 && input.level === 0)) &&
          input.tables.some((other) =>
            rangesOverlap(table, other.smallestView, other.largestView) &&
            (input.level < level || table.number < other.number)
          )
        );
      assert.ok(!isLeftBehind, `${what}: leaves ${table.number} behind`);
    }
  }
  for (let level = outputLevel + 1; level < levels.length; level++) {
    const expected = numbers(levels[level]!.filter(meets));
    assert.equal(numbers(deeper[level - outputLevel - 1] ?? []), expected, `${what}: deeper`);
  }
  if (kind === "move") {
    assert.equal(all.length, 1, what);
    assert.equal(inputs[0]!.level, outputLevel - 1, what);
  }
}

test("pickCompaction keeps newer entries above older ones for random levels", () => {
  const seed = 20260810;
  const random = new Random(seed);
  let kinds = 0;
  for (let run = 0; run < 5000; run++) {
    const levels = randomLevels(random);
    const compaction = pickCompaction(levels, options);
    if (compaction === undefined) continue;
    kinds |= compaction.kind === "move" ? 1 : 2;
    requireSound(levels, compaction, `seed ${seed}, run ${run}: ${describe(compaction)}`);
  }
  assert.equal(kinds, 3, "both kinds were seen");
});

test("planFullCompaction keeps newer entries above older ones and leaves one table per key, for random levels", () => {
  const seed = 20260811;
  const random = new Random(seed);
  for (let run = 0; run < 2000; run++) {
    const levels = randomLevels(random);
    const plans = planFullCompaction(levels, options, { smallest: undefined, largest: undefined });
    const taken = new Set<number>();
    for (const plan of plans) {
      const what = `seed ${seed}, run ${run}: ${describe(plan)}`;
      requireSound(levels, { ...plan, deeper: deeperOf(levels, plan) }, what);
      assert.equal(deeperOf(levels, plan).flat().length, 0, `${what}: something is deeper`);
      for (const { tables } of plan.inputs) {
        for (const { number } of tables) {
          assert.ok(!taken.has(number), `${what}: two plans take ${number}`);
          taken.add(number);
        }
      }
    }
    const left = levels.flat().filter(({ number }) => !taken.has(number));
    for (const table of left) {
      assert.equal(table.tombstoneCount, 0);
      const meets = levels.flat().filter((other) =>
        rangesOverlap(other, table.smallestView, table.largestView)
      );
      assert.equal(meets.length, 1, `seed ${seed}, run ${run}: leaves ${table.number}`);
    }
  }
});

function deeperOf(levels: Levels, plan: Compaction): TableMetadata[][] {
  const all = plan.inputs.flatMap(({ tables }) => tables);
  return levels.slice(plan.outputLevel + 1).map((tables) =>
    tables.filter((table) =>
      all.some((input) => rangesOverlap(table, input.smallestView, input.largestView))
    )
  );
}

/** What an entry of a table takes there. */
const ENTRY_BYTES = 40;

/** A store of metadata and key sets: every table maps its keys to when they were written. */
class ModelStore {
  levels: TableMetadata[][] = [[], [], [], [], [], [], []];
  readonly tables = new Map<number, Map<string, number>>();
  readonly newest = new Map<string, number>();
  readonly #random: Random;
  #number = 1;
  #clock = 1;
  merges = 0;
  moves = 0;
  small = 0;
  inPlace = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Writes random keys, negative for tombstones, to a table of level 0. */
  flush(): void {
    const content = new Map<string, number>();
    const from = this.#random.below(40);
    for (let count = 1 + this.#random.below(6); count > 0; count--) {
      const key = String.fromCharCode(97 + from + this.#random.below(12));
      const time = this.#clock++;
      content.set(key, this.#random.below(4) === 0 ? -time : time);
      this.newest.set(key, content.get(key)!);
    }
    this.levels[0]!.unshift(this.#make(content));
  }

  run(compaction: Compaction): void {
    const { inputs, outputLevel, kind, deeper } = compaction;
    const gone = new Set(inputs.flatMap(({ tables }) => tables.map(({ number }) => number)));
    let outputs: TableMetadata[];
    if (kind === "move") {
      this.moves++;
      outputs = [...inputs[0]!.tables];
    } else {
      this.merges++;
      if (inputs.length === 1 && inputs[0]!.level === outputLevel) {
        if (inputs[0]!.tables.length > 1) this.small++;
        else this.inPlace++;
      }
      const merged = new Map<string, number>();
      for (const { tables } of inputs) {
        for (const { number } of tables) {
          for (const [key, time] of this.tables.get(number)!) {
            if (!merged.has(key)) merged.set(key, time);
          }
        }
      }
      const mayBeDeeper = (key: string): boolean =>
        deeper.flat().some((table) =>
          textOf(table.smallest) <= key && key <= textOf(table.largest)
        );
      const kept = [...merged].filter(([key, time]) => time > 0 || mayBeDeeper(key)).sort();
      outputs = [];
      const most = Math.ceil(compaction.maxFileSizeBytes / ENTRY_BYTES);
      for (let at = 0; at < kept.length; at += most) {
        outputs.push(this.#make(new Map(kept.slice(at, at + most))));
      }
      for (const number of gone) this.tables.delete(number);
    }
    this.levels = this.levels.map((tables) => tables.filter(({ number }) => !gone.has(number)));
    this.levels[outputLevel]!.push(...outputs);
    this.levels[outputLevel]!.sort(compareSmallest);
  }

  check(what: string): void {
    for (const tables of this.levels.slice(1)) {
      for (let i = 1; i < tables.length; i++) {
        const order = compareViews(tables[i - 1]!.largestView, tables[i]!.smallestView);
        assert.ok(order < 0, `${what}: tables of a level overlap`);
      }
    }
    for (const [key, time] of this.newest) {
      assert.equal(Math.max(0, this.#find(key) ?? 0), Math.max(0, time), `${what}: key ${key}`);
    }
  }

  #find(key: string): number | undefined {
    for (const tables of this.levels) {
      for (const { number } of tables) {
        const time = this.tables.get(number)!.get(key);
        if (time !== undefined) return time;
      }
    }
    return undefined;
  }

  #make(content: Map<string, number>): TableMetadata {
    const keys = [...content.keys()].sort();
    const number = this.#number++;
    this.tables.set(number, content);
    return tableMetadata({
      number,
      sizeBytes: content.size * ENTRY_BYTES,
      entryCount: content.size,
      tombstoneCount: [...content.values()].filter((time) => time < 0).length,
      checksum: 1,
      smallest: bytesOf(keys[0]!),
      largest: bytesOf(keys.at(-1)!),
    });
  }
}

test("Random flushes and compactions never let an older value win over a newer one", () => {
  let merges = 0;
  let moves = 0;
  let small = 0;
  let inPlace = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const store = new ModelStore(random);
    const limits: CompactionOptions = {
      l0CompactionTrigger: 2 + random.below(4),
      levelSizeMultiplier: 2 + random.below(4),
      maxLevels: 2 + random.below(6),
      baseLevelSizeBytes: 200 + random.below(400),
      // With the larger one tables of a few entries are small.
      baseFileSizeBytes: random.pick([100, 4000]),
    };
    const pick = random.pick([pickCompaction, pickIdleCompaction]);
    for (let step = 0; step < 60; step++) {
      const what = `seed ${seed}, step ${step}`;
      const choice = random.below(20);
      if (choice < 10) store.flush();
      else if (choice < 19) {
        const compaction = pick(store.levels, limits);
        if (compaction !== undefined) store.run(compaction);
      } else {
        const everything = { smallest: undefined, largest: undefined };
        for (const plan of planFullCompaction(store.levels, limits, everything)) store.run(plan);
        for (let before = Infinity; store.levels.flat().length < before;) {
          before = store.levels.flat().length;
          for (const plan of planNeighbours(store.levels, limits, everything)) store.run(plan);
        }
        const tables = store.levels.flat().sort(compareSmallest);
        for (let i = 1; i < tables.length; i++) {
          const together = tables[i - 1]!.sizeBytes + tables[i]!.sizeBytes;
          assert.ok(together > limits.baseFileSizeBytes, `${what}: two tables could be one`);
        }
        const tombstones = store.levels.flat().reduce(
          (sum, table) => sum + table.tombstoneCount,
          0,
        );
        assert.equal(tombstones, 0, `${what}: a full compaction leaves tombstones`);
      }
      store.check(what);
    }
    // The picker comes to rest.
    for (let rounds = 0;; rounds++) {
      assert.ok(rounds < 1000, `seed ${seed}: the picker never comes to rest`);
      const compaction = pick(store.levels, limits);
      if (compaction === undefined) break;
      store.run(compaction);
      store.check(`seed ${seed}, at rest ${rounds}`);
    }
    merges += store.merges;
    moves += store.moves;
    small += store.small;
    inPlace += store.inPlace;
  }
  assert.ok(merges > 1000 && moves > 500, `${merges} merges, ${moves} moves`);
  assert.ok(small > 20 && inPlace > 20, `${small} of small neighbours, ${inPlace} in place`);
});
