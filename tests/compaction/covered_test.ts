/** Deleted spans in compactions: which tables are dropped, and what merges make of spans. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Compaction } from "../../src/compaction/compaction.ts";
import { hiddenEntries, neededSpans, pickHidden } from "../../src/compaction/covered.ts";
import { mergeJob } from "../../src/compaction/merge_job.ts";
import { type KeySpan, viewOfKey } from "../../src/iterator/key_spans.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import { tableName } from "../../src/version/file_names.ts";
import {
  compareViews,
  type TableMetadata,
  tableMetadata,
} from "../../src/version/table_metadata.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { Random } from "../support/random.ts";
import {
  bytesOf,
  outputOptions,
  readTable,
  tableOf,
  type TestEntry,
  textOf,
  writeTable,
} from "../support/store_tables.ts";

const DIRECTORY = "/db";

function spansOf(...texts: readonly string[]): KeySpan[] {
  return texts.map((text) => {
    const [lower, upper] = text.split("-") as [string, string];
    return { lower: viewOfKey(bytesOf(lower)), upper: viewOfKey(bytesOf(upper)) };
  });
}

/** Metadata of a table that does not exist, with spans: `7[a-f]` and `b-d`. */
function spanTable(text: string, ...spans: readonly string[]): TableMetadata {
  return tableMetadata({ ...tableOf(text), deletedSpans: spansOf(...spans) });
}

function dropped(levels: readonly (readonly TableMetadata[])[]): number[] {
  return pickHidden(levels)?.inputs.flatMap(({ tables }) => tables.map(({ number }) => number)) ??
    [];
}

test("pickHidden drops the tables that a span of a newer table holds as a whole", () => {
  const span = spanTable("9[c-h]", "c-h");
  assert.deepEqual(dropped([[span], [tableOf("1[c-g]"), tableOf("2[h-k]")]]), [1]);
  assert.deepEqual(dropped([[span], [], [tableOf("1[d-e]"), tableOf("2[f-g]")]]), [1, 2]);
  // The first key after the span is not in it.
  assert.deepEqual(dropped([[span], [tableOf("1[c-h]")]]), []);
  assert.deepEqual(dropped([[span], [tableOf("1[b-d]")]]), []);
  // Older tables hide nothing of newer ones, and no table of its own level.
  assert.deepEqual(dropped([[tableOf("9[d-e]"), spanTable("8[c-h]", "c-h")]]), []);
  assert.deepEqual(dropped([[spanTable("9[c-h]", "c-h"), tableOf("8[d-e]")]]), [8]);
  assert.deepEqual(dropped([[], [spanTable("3[a-z]", "a-z")], [tableOf("1[c-d]")]]), [1]);
  // Two spans that touch are one to look at, two with a gap are not.
  const two = [spanTable("9[a-d]", "a-d"), spanTable("8[d-h]", "d-h")];
  assert.deepEqual(dropped([two, [tableOf("1[c-e]")]]), [1]);
  assert.deepEqual(dropped([[spanTable("9[a-h]", "a-d", "e-h")], [tableOf("1[c-f]")]]), []);
  // A dropped table's own spans are not needed: what they hide is hidden as well.
  assert.deepEqual(dropped([[span, spanTable("8[d-f]", "d-f")], [tableOf("1[d-e]")]]), [8, 1]);
});

test("neededSpans keeps the spans that a deeper table may have keys of", () => {
  const deeper = [[tableOf("1[c-f]")], [tableOf("2[m-p]")]];
  const kept = (...texts: string[]): number => neededSpans(spansOf(...texts), deeper).length;
  assert.equal(kept("a-b", "g-l", "q-z"), 0);
  assert.equal(kept("a-c"), 0);
  assert.equal(kept("a-c\0"), 1);
  assert.equal(kept("f-g"), 1);
  assert.equal(kept("n-o", "p-q"), 2);
});

test("hiddenEntries is near the part of a table that spans cover", () => {
  const table = tableOf("1[key 0000-key 9999]e1000");
  const about = (low: number, high: number, ...texts: string[]): void => {
    const found = hiddenEntries(table, spansOf(...texts));
    assert.ok(found >= low && found <= high, `${found}, expected ${low} to ${high}`);
  };
  about(1000, 1000, "a-z");
  about(0, 0, "a-b", "l-m");
  about(400, 600, "a-key 5");
  about(400, 600, "key 5-z");
  about(150, 250, "key 3-key 4", "key 6-key 7");
  assert.equal(hiddenEntries(tableOf("1[k-k]e7"), spansOf("a-z")), 7);
});

/** What a reader sees of tables, the newest first. */
function shownBy(
  fileSystem: CloneableFileSystem,
  tables: readonly TableMetadata[],
): Map<string, string> {
  const shown = new Map<string, string>();
  for (const table of [...tables].reverse()) {
    for (const { lower, upper } of table.deletedSpans) {
      const [from, to] = [lower, upper].map((key) =>
        textOf(new Uint8Array(key.buffer, key.byteOffset, key.byteLength))
      ) as [string, string];
      for (const key of [...shown.keys()]) if (key >= from && key < to) shown.delete(key);
    }
    for (const [key, value] of readTable(fileSystem, DIRECTORY, table)) {
      if (value === undefined) shown.delete(key);
      else shown.set(key, value);
    }
  }
  return shown;
}

function keyOf(n: number): string {
  return `k${String(n).padStart(3, "0")}`;
}

/** Merges some levels with spans, over a deeper one that holds every key. */
function mergeSome(
  random: Random,
): { before: Map<string, string>; after: Map<string, string>; outputs: readonly TableMetadata[] } {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const options = outputOptions(fileSystem, DIRECTORY);
  let number = 50;
  const write = (level: number, share: number, spanCount: number): TableMetadata => {
    const spans: string[] = [];
    for (let i = 0, at = 0; i < spanCount; i++) {
      const from = at + random.below(40);
      at = from + 1 + random.below(60);
      spans.push(
        `${keyOf(from)}${random.pick(["", "\0"])}-${keyOf(at++)}${random.pick(["", "\0"])}`,
      );
    }
    const entries: TestEntry[] = [];
    for (let n = 0; n < 200; n++) {
      if (random.below(100) >= share) continue;
      const isDead = random.below(4) === 0 && level < 3;
      entries.push([keyOf(n), isDead ? undefined : `${level} ${number} ${"x".repeat(40)}`]);
    }
    return writeTable(options, number--, level, entries, spansOf(...spans));
  };
  const inputs = [
    { level: 0, tables: [write(0, random.below(30), 1 + random.below(4))] },
    { level: 0, tables: [write(0, random.below(30), random.below(3))] },
    { level: 1, tables: [write(1, 40, random.below(3))] },
  ].filter(({ tables }) => tables[0] !== undefined);
  const bottom = write(3, 100, 0);
  const hasDeeper = random.below(4) > 0;
  const compaction: Compaction = {
    kind: "merge",
    inputs,
    outputLevel: 2,
    maxFileSizeBytes: random.pick([300, 2000, 1 << 20]),
    deeper: hasDeeper ? [[bottom]] : [],
  };
  const below = hasDeeper ? [bottom] : [];
  const all = inputs.flatMap(({ tables }) => tables);
  const before = shownBy(fileSystem, [...all, ...below]);
  let next = 1000;
  const outputs = runTaskSync(mergeJob(compaction, options, () => next++));
  for (let i = 1; i < outputs.length; i++) {
    const [left, right] = [outputs[i - 1]!, outputs[i]!];
    assert.ok(compareViews(left.largestView, right.smallestView) < 0, "outputs overlap");
  }
  if (!hasDeeper) assert.ok(outputs.every(({ deletedSpans }) => deletedSpans.length === 0));
  assert.ok(outputs.every(({ number }) => fileSystem.statSync(`/db/${tableName(number)}`)));
  return { before, after: shownBy(fileSystem, [...outputs, ...below]), outputs };
}

test("A span that a merge divides between tables deletes the same keys as before", () => {
  let divided = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const { before, after, outputs } = mergeSome(new Random(seed));
    divided += outputs.filter(({ deletedSpans }) => deletedSpans.length > 0).length > 1 ? 1 : 0;
    for (const key of after.keys()) assert.ok(before.has(key), `seed ${seed}: ${key} is back`);
    assert.deepEqual(after, before, `seed ${seed}`);
  }
  assert.ok(divided >= 20, `only ${divided} merges have divided their spans`);
});

test("A merge does not read a table that a newer input hides", () => {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const options = outputOptions(fileSystem, DIRECTORY);
  const numbered = (from: number, to: number): TestEntry[] =>
    Array.from({ length: to - from }, (_, i) => [keyOf(from + i), "value"]);
  const newest = writeTable(options, 9, 0, [[keyOf(5), "new"]], spansOf("k010-k100"));
  const [kept, hidden] = [
    writeTable(options, 1, 1, numbered(0, 12)),
    writeTable(options, 2, 1, numbered(20, 90)),
  ];
  // If it were read, the merge would fail.
  fileSystem.removeSync(`${DIRECTORY}/${tableName(2)}`);
  const outputs = runTaskSync(mergeJob(
    {
      kind: "merge",
      inputs: [{ level: 0, tables: [newest] }, { level: 1, tables: [kept, hidden] }],
      outputLevel: 1,
      maxFileSizeBytes: 1 << 20,
      deeper: [],
    },
    options,
    () => 100,
  ));
  assert.equal(outputs.length, 1);
  assert.equal(readTable(fileSystem, DIRECTORY, outputs[0]!).length, 10);
});
