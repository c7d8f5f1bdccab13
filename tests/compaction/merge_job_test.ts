import assert from "node:assert/strict";
import { test } from "node:test";
import type { Compaction } from "../../src/compaction/compaction.ts";
import { mergeJob } from "../../src/compaction/merge_job.ts";
import { CorruptionError, StoreError } from "../../src/errors.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import { tableName } from "../../src/version/file_names.ts";
import {
  compareViews,
  type TableMetadata,
  tableMetadata,
} from "../../src/version/table_metadata.ts";
import { CloneableFileSystem, refused } from "../support/cloneable_file_system.ts";
import { Random } from "../support/random.ts";
import {
  outputOptions,
  readTable,
  tableOf,
  type TestEntry,
  textOf,
  writeTable,
} from "../support/store_tables.ts";

const DIRECTORY = "/db";
const FIRST_OUTPUT = 1000;

/** Input levels: for each the tables in their order, each with its entries. */
type Inputs = readonly { readonly level: number; readonly tables: readonly TestEntry[][] }[];

interface Setup {
  readonly fileSystem: CloneableFileSystem;
  readonly compaction: Compaction;
}

function setup(
  inputs: Inputs,
  rest: Partial<Compaction> = {},
  table: Parameters<typeof outputOptions>[2] = {},
): Setup {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  let number = 100;
  const written = inputs.map(({ level, tables }) => ({
    level,
    tables: tables.map((entries) =>
      writeTable(outputOptions(fileSystem, DIRECTORY, table), number--, level, entries)
    ),
  }));
  return {
    fileSystem,
    compaction: {
      kind: "merge",
      inputs: written,
      outputLevel: Math.max(1, ...inputs.map(({ level }) => level)),
      maxFileSizeBytes: 1 << 20,
      deeper: [],
      ...rest,
    },
  };
}

function start({ fileSystem, compaction }: Setup): ReturnType<typeof mergeJob> {
  let number = FIRST_OUTPUT;
  return mergeJob(compaction, outputOptions(fileSystem, DIRECTORY), () => number++);
}

/** Runs the job; returns the outputs and what is in each. */
function merge(made: Setup): { tables: readonly TableMetadata[]; content: TestEntry[][] } {
  const tables = runTaskSync(start(made));
  assert.equal(made.fileSystem.openHandles, 0, "leaves a handle open");
  return {
    tables,
    content: tables.map((table) => readTable(made.fileSystem, DIRECTORY, table)),
  };
}

function requireInputsOnly({ fileSystem, compaction }: Setup, what: string): void {
  const inputs = compaction.inputs.flatMap(({ tables }) => tables);
  const names = inputs.map(({ number }) => tableName(number)).sort();
  assert.deepEqual(fileSystem.listSync(DIRECTORY).sort(), names, what);
  assert.equal(fileSystem.openHandles, 0, `${what}: leaves a handle open`);
}

test("mergeJob lets the newest entry of a key win over all levels", () => {
  const made = setup([
    { level: 0, tables: [[["a", "a0new"], ["d", undefined]], [["a", "a0old"], ["b", "b0"]]] },
    { level: 1, tables: [[["a", "a1"], ["b", "b1"]], [["c", "c1"], ["d", "d1"]]] },
    { level: 2, tables: [[["a", "a2"], ["c", "c2"]], [["d", "d2"], ["e", "e2"]]] },
  ]);
  assert.deepEqual(merge(made).content, [
    [["a", "a0new"], ["b", "b0"], ["c", "c1"], ["e", "e2"]],
  ]);
});

test("mergeJob drops a tombstone only if nothing deeper can hold its key", () => {
  const keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const made = setup(
    [{ level: 1, tables: [keys.map((key): TestEntry => [key, undefined])] }],
    {
      outputLevel: 2,
      // Whether a table really holds a key is not known: its range counts, both ends included.
      deeper: [[tableOf("50[b-c]"), tableOf("51[f-f]")], [], [tableOf("52[c-d]")]],
    },
  );
  assert.deepEqual(merge(made).content, [
    [["b", undefined], ["c", undefined], ["d", undefined], ["f", undefined]],
  ]);
});

test("mergeJob drops an expired value if nothing deeper can hold its key, and else makes a tombstone of it", () => {
  const made = setup(
    [
      {
        level: 0,
        tables: [[["a", "1", 100], ["b", "2", 100], ["c", "3", 101], ["d", "4"], ["e", "5", 7]]],
      },
      { level: 1, tables: [[["a", "older"], ["b", "older", 200], ["e", "older"]]] },
    ],
    { nowMs: 100, deeper: [[tableOf("50[b-c]"), tableOf("51[d-d]")]] },
  );
  const { tables, content } = merge(made);
  assert.deepEqual(content, [[["b", undefined], ["c", "3"], ["d", "4"]]]);
  assert.equal(tables[0]!.tombstoneCount, 1);
  assert.deepEqual(tables[0]!.expiry, { count: 1, times: [101] });
});

test("mergeJob keeps what has expired if it is not told the time", () => {
  const made = setup([{ level: 0, tables: [[["a", "1", 1], ["b", "2"]], [["c", "3"]]] }]);
  const { tables, content } = merge(made);
  assert.deepEqual(content, [[["a", "1"], ["b", "2"], ["c", "3"]]]);
  assert.deepEqual(tables[0]!.expiry, { count: 1, times: [1] });
});

test("mergeJob makes no table if everything is dropped", () => {
  const made = setup([
    { level: 0, tables: [[["a", undefined], ["b", undefined]]] },
    { level: 1, tables: [[["a", "1"], ["b", "2"]]] },
  ]);
  assert.deepEqual(merge(made).tables, []);
  requireInputsOnly(made, "nothing is left");
});

test("mergeJob hides an older value even if the tombstone itself is dropped", () => {
  const made = setup([
    { level: 0, tables: [[["b", undefined]], [["a", "1"], ["b", "2"], ["c", "3"]]] },
  ]);
  assert.deepEqual(merge(made).content, [[["a", "1"], ["c", "3"]]]);
});

function numbered(from: number, to: number, size = 50): TestEntry[] {
  return Array.from({ length: to - from }, (_, index) => [
    `k${String(from + index).padStart(4, "0")}`,
    `${from + index}`.padEnd(size, "."),
  ]);
}

test("mergeJob closes an output at the given size", () => {
  const made = setup([{ level: 1, tables: [numbered(0, 200)] }], { maxFileSizeBytes: 2000 });
  const { tables, content } = merge(made);
  assert.ok(tables.length >= 6 && tables.length <= 9, `${tables.length} outputs`);
  for (const [at, table] of tables.entries()) {
    assert.equal(table.number, FIRST_OUTPUT + at);
    assert.equal(table.sizeBytes, made.fileSystem.content(`/db/${tableName(table.number)}`).length);
    if (at > 0) assert.ok(compareViews(tables[at - 1]!.largestView, table.smallestView) < 0);
    // Index, metadata and footer come on top of the blocks, and at most one block too many.
    assert.ok(table.sizeBytes < 2000 + 1000, `${table.sizeBytes} bytes`);
  }
  assert.deepEqual(content.flat(), numbered(0, 200));
});

test("mergeJob closes an output that would overlap too much of the level below it", () => {
  const big = (number: number, from: number, to: number): TableMetadata =>
    tableMetadata({
      ...tableOf(`${number}[${numbered(from, from + 1)[0]![0]}-${numbered(to, to + 1)[0]![0]}]`),
      sizeBytes: 60_000,
    });
  const made = setup([{ level: 1, tables: [numbered(0, 100)] }], {
    outputLevel: 2,
    maxFileSizeBytes: 1000_000,
    deeper: [[]],
  });
  assert.equal(merge(made).tables.length, 1);
  const split = setup([{ level: 1, tables: [numbered(0, 100)] }], {
    outputLevel: 2,
    maxFileSizeBytes: 10_000,
    // Only the first deeper level counts.
    deeper: [[big(50, 5, 9), big(51, 12, 19), big(52, 25, 35), big(53, 80, 89)], [big(60, 1, 2)]],
  });
  const starts = merge(split).tables.map((table) => textOf(table.smallest));
  // At k0020 and k0090 two tables each, 120,000 bytes, have been passed since the output was begun.
  assert.deepEqual(starts, ["k0000", "k0020", "k0090"]);
});

test("mergeJob does not count what it passed before it began an output", () => {
  // Tombstones that are dropped take the merge past many tables of the level below.
  const tombstones = Array.from(
    { length: 40 },
    (_, index): TestEntry => [`k${String(index).padStart(4, "0")}x`, undefined],
  );
  const made = setup([{ level: 1, tables: [[...tombstones, ...numbered(60, 70)]] }], {
    outputLevel: 2,
    maxFileSizeBytes: 10_000,
    deeper: [
      Array.from({ length: 40 }, (_, index) =>
        tableMetadata({
          ...tableOf(
            `${index}[k${String(index).padStart(4, "0")}y-k${String(index).padStart(4, "0")}z]`,
          ),
          sizeBytes: 5000,
        })),
    ],
  });
  assert.deepEqual(merge(made).content, [numbered(60, 70)]);
});

test("mergeJob reads compressed inputs with filters", () => {
  const made = setup(
    [
      { level: 0, tables: [numbered(10, 30).map(([key]) => [key, undefined])] },
      { level: 1, tables: [numbered(0, 50), numbered(50, 100)] },
    ],
    {},
    { compression: "zstd", filter: true },
  );
  assert.deepEqual(merge(made).content, [[...numbered(0, 10), ...numbered(30, 100)]]);
});

test("mergeJob agrees with an oracle for random inputs", () => {
  let outputs = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const random = new Random(seed);
    const key = (index: number): string => `k${String(index).padStart(3, "0")}`;
    const inputs: { level: number; tables: TestEntry[][] }[] = [];
    const expected = new Map<string, string | undefined>();
    let time = 0;
    const randomEntries = (from: number, to: number): TestEntry[] => {
      const entries: TestEntry[] = [];
      for (let index = from; index < to; index++) {
        if (random.below(3) > 0) continue;
        const size = random.below(8) === 0 ? 600 : random.below(30);
        entries.push([
          key(index),
          random.below(3) === 0 ? undefined : `${time++}`.padEnd(size, "v"),
        ]);
      }
      return entries;
    };
    for (let level = 0; level <= 2; level++) {
      const tables: TestEntry[][] = [];
      if (level === 0) {
        for (let count = random.below(4); count > 0; count--) tables.push(randomEntries(0, 120));
      } else {
        for (let from = random.below(30); from < 120; from += 30) {
          tables.push(randomEntries(from, from + 30));
        }
      }
      const filled = tables.filter((table) => table.length > 0);
      if (filled.length > 0) inputs.push({ level, tables: filled });
      for (const [name, value] of filled.flat()) {
        if (!expected.has(name)) expected.set(name, value);
      }
    }
    if (inputs.length === 0) continue;
    const from = random.below(120);
    const deeper = random.below(2) === 0 ? [] : [[tableOf(`900[${key(from)}-${key(from + 20)}]`)]];
    const kept = [...expected].filter(([name, value]) =>
      value !== undefined ||
      (deeper.length > 0 && name >= key(from) && name <= key(from + 20))
    ).sort();
    const made = setup(inputs, { deeper, maxFileSizeBytes: 300 + random.below(4000) });
    const { tables, content } = merge(made);
    outputs += tables.length;
    assert.deepEqual(content.flat(), kept, `seed ${seed}`);
    for (let at = 1; at < tables.length; at++) {
      assert.ok(compareViews(tables[at - 1]!.largestView, tables[at]!.smallestView) < 0);
    }
  }
  assert.ok(outputs > 300, `${outputs} outputs`);
});

const damaged: Inputs = [
  { level: 0, tables: [numbered(20, 60), numbered(0, 40)] },
  { level: 1, tables: [numbered(0, 50, 20), numbered(50, 100, 20)] },
];

test("mergeJob ends with an error at every damaged byte of an input and leaves the inputs alone", () => {
  const seed = 20260820;
  const random = new Random(seed);
  const probe = setup(damaged, { maxFileSizeBytes: 1000 });
  const pristine = probe.fileSystem.clone();
  const expected = merge(probe).content.flat();
  let failed = 0;
  let runs = 0;
  for (const { number } of probe.compaction.inputs.flatMap(({ tables }) => tables)) {
    const path = `/db/${tableName(number)}`;
    const size = probe.fileSystem.content(path).length;
    for (let at = random.below(3); at < size; at += 1 + random.below(11)) {
      const made = { ...probe, fileSystem: pristine.clone() };
      const content = made.fileSystem.content(path);
      content[at]! ^= 1 << random.below(8);
      made.fileSystem.setContent(path, content);
      const before = made.fileSystem.dump(DIRECTORY);
      const what = `seed ${seed}, byte ${at} of ${path}`;
      runs++;
      try {
        assert.deepEqual(merge(made).content.flat(), expected, what);
      } catch (error) {
        assert.ok(error instanceof StoreError, `${what}: ${error}`);
        if (error instanceof CorruptionError) assert.equal(error.file, path, what);
        assert.deepEqual(made.fileSystem.dump(DIRECTORY), before, what);
        assert.equal(made.fileSystem.openHandles, 0, what);
        failed++;
      }
    }
  }
  assert.equal(failed, runs, "every flipped bit was noticed");
  assert.ok(runs > 500, `only ${runs} runs`);
});

test("mergeJob ends with an error if an input is missing, cut off or another table", () => {
  const names = [100, 99, 98, 97].map(tableName);
  for (const name of names) {
    const path = `/db/${name}`;
    const missing = setup(damaged);
    const content = missing.fileSystem.content(path);
    missing.fileSystem.removeSync(path);
    assert.throws(() => merge(missing), StoreError, name);
    for (const cut of [0, 1, 63, 64, 200, content.length - 1]) {
      const made = setup(damaged);
      made.fileSystem.setContent(path, content.slice(0, cut));
      assert.throws(() => merge(made), CorruptionError, `${name} cut to ${cut}`);
      requireInputsOnly(made, `${name} cut to ${cut}`);
    }
    const swapped = setup(damaged);
    const other = names[(names.indexOf(name) + 1) % names.length]!;
    swapped.fileSystem.setContent(path, swapped.fileSystem.content(`/db/${other}`));
    assert.throws(() => merge(swapped), CorruptionError, `${name} is ${other}`);
    requireInputsOnly(swapped, `${name} is ${other}`);
  }
});

test("mergeJob removes its outputs after any failing operation", () => {
  const counting = setup(damaged, { maxFileSizeBytes: 1000 });
  let operations = 0;
  counting.fileSystem.before = () => void operations++;
  runTaskSync(start(counting));
  for (let failing = 1; failing <= operations; failing++) {
    const made = setup(damaged, { maxFileSizeBytes: 1000 });
    let count = 0;
    made.fileSystem.before = (operation, path) => {
      if (++count === failing) throw refused(operation, path, "EIO");
    };
    assert.throws(() => runTaskSync(start(made)), { osCode: "EIO" }, `operation ${failing}`);
    made.fileSystem.before = undefined;
    requireInputsOnly(made, `operation ${failing}`);
  }
});

test("mergeJob removes its outputs if it is cancelled, at any pause", () => {
  for (let stop = 1;; stop++) {
    const made = setup(damaged, { maxFileSizeBytes: 1000 });
    const job = start(made);
    let step = job.next();
    for (let at = 1; at < stop && !step.done; at++) {
      step.value?.runSync();
      step = job.next();
    }
    if (step.done) {
      assert.ok(stop > 10, `only ${stop} pauses`);
      return;
    }
    job.return([]);
    requireInputsOnly(made, `pause ${stop}`);
  }
});

test("mergeJob may be paused every few entries, also while it drops them", () => {
  const entries = numbered(0, 3200, 5);
  const made = setup([
    { level: 0, tables: [entries.map(([key]) => [key, undefined])] },
    { level: 1, tables: [entries] },
  ]);
  let pauses = 0;
  for (const step of start(made)) {
    step?.runSync();
    pauses++;
  }
  assert.ok(pauses >= 3200 / 32, `${pauses} pauses for 3200 keys`);
});
