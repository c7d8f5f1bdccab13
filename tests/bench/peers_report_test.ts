/** The pure parts of bench/peers: medians, ratios, the table, and the sums that check answers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { keyOf, ValuePool } from "../../bench/key_values.ts";
import { EntrySum, sumOf } from "../../bench/peers/digests.ts";
import { type About, renderReport } from "../../bench/peers/report.ts";
import {
  cellOf,
  type Column,
  compareWithBest,
  type Measured,
  median,
  type Outcome,
  type Row,
  type Run,
  spread,
} from "../../bench/peers/results.ts";
import { shortNumber } from "../../bench/peers/table_text.ts";

function measured(figure: number, more: Partial<Measured> = {}): Measured {
  return {
    kind: "measured",
    version: "1.2.3",
    operations: 1000,
    stopped: false,
    seconds: 1,
    figure,
    firstMilliseconds: null,
    longestStallMs: null,
    peakMemoryBytes: 50e6,
    diskBytes: 10e6,
    writeAmplification: null,
    ...more,
  };
}

test("The median is the middle of the numbers, or between the two in the middle", () => {
  assert.equal(median([3, 100, 1]), 3);
  assert.equal(median([1, 2, 10, 4]), 3);
  assert.equal(median([7]), 7);
  assert.throws(() => median([]), RangeError);
  assert.equal(spread([90, 100, 130]), 0.4);
});

test("A cell has a figure only if every round measured", () => {
  const figureOf = ({ figure }: Measured): number => figure;
  const cell = cellOf([measured(10), measured(30, { stopped: true }), measured(20)], figureOf);
  assert.equal(cell?.figure, 20);
  assert.equal(cell?.stopped, true);
  const failed: Outcome = { kind: "failed", reason: "crashed" };
  assert.deepEqual(cellOf([measured(10), failed], figureOf)?.problem, failed);
  assert.equal(cellOf([measured(10), failed], figureOf)?.figure, undefined);
  assert.equal(cellOf([], figureOf), undefined);
});

test("A ratio is above 1 if the store is ahead of the best peer, in rates and in times", () => {
  const peers = new Map([["a", 50], ["b", 200], ["c", 100]]);
  assert.deepEqual(compareWithBest(400, peers, false), { peer: "b", ratio: 2 });
  assert.deepEqual(compareWithBest(100, peers, true), { peer: "a", ratio: 0.5 });
  assert.equal(compareWithBest(1, new Map(), false), undefined);
});

test("Numbers are shown with three digits", () => {
  const shown: [number, string][] = [
    [0.5, "0.50"],
    [12.34, "12.3"],
    [321.7, "322"],
    [999.6, "1.00k"],
    [8_049, "8.05k"],
    [412_345, "412k"],
    [999_600, "1.00M"],
    [1_239_000, "1.24M"],
  ];
  for (const [value, text] of shown) assert.equal(shortNumber(value), text);
});

const about: About = {
  runtime: "Node 24.21.0",
  version: "0.1.0",
  commit: "abc",
  system: "linux",
  cpu: "2 x CPU",
  memoryMB: 8000,
  date: "2026-11-22",
  command: "node bench/peers/run.ts node",
  entries: 1000,
  rounds: 2,
  readSeconds: 2,
  fillSeconds: 4,
  seed: 1,
  minutes: 1,
  loads: [0.1, 0.2],
};

function column(engine: string, more: Partial<Column> = {}): Column {
  return {
    engine,
    version: "1.0",
    isFloor: false,
    isOwn: false,
    notes: `notes of ${engine}`,
    problem: undefined,
    ...more,
  };
}

test("The report compares with the best peer, and leaves out no store without saying why", () => {
  const columns = [
    column("tinykvs", { isOwn: true }),
    column("fast"),
    column("slow"),
    column("broken", { problem: "was ended by SIGABRT" }),
    column("append", { isFloor: true }),
  ];
  const rows: Row[] = [
    { name: "put-sync", title: "put, sync", family: "put", isLowerBetter: false, isFill: true },
    { name: "put-await", title: "put, await", family: "put", isLowerBetter: false, isFill: true },
  ];
  const runs: Run[] = [];
  const add = (engine: string, workload: string, outcomes: readonly Outcome[]): void =>
    outcomes.forEach((outcome, i) => runs.push({ engine, workload, round: i + 1, outcome }));
  add("tinykvs", "put-sync", [measured(300_000), measured(500_000)]);
  add("fast", "put-sync", [{ kind: "unsupported", reason: "has no such operation" }]);
  add("slow", "put-sync", [measured(100_000, { stopped: true }), measured(100_000)]);
  add("append", "put-sync", [measured(900_000), measured(900_000)]);
  add("tinykvs", "put-await", [measured(200_000), measured(200_000)]);
  add("fast", "put-await", [measured(250_000), measured(250_000)]);
  add("slow", "put-await", [{ kind: "failed", reason: "timed out after 60 s" }]);
  const lines = renderReport(about, columns, rows, runs, []).split("\n");
  assert.ok(lines.includes("| put, sync | 400k | – | 100k* | 900k | 4.00 slow | 50 % |"));
  assert.ok(lines.includes("| put, await | 200k | 250k | ✗ |  | 0.80 fast | 0 % |"));
  assert.ok(lines.includes("| put | 400k | 250k | 100k* | 900k | 1.60 fast | 50 % |"));
  assert.ok(lines.includes("- broken could not be measured: was ended by SIGABRT"));
  assert.ok(lines.includes("- slow failed: timed out after 60 s (put-await)"));
  assert.ok(lines.includes("node bench/peers/run.ts node"));
});

test("The sum over a scan notices entries that are missing, doubled, swapped or different", () => {
  const values = new ValuePool(1);
  const expected = sumOf([0, 1, 2, 3], values);
  const sumOfEntries = (entries: readonly [number, number][]): EntrySum => {
    const sum = new EntrySum();
    for (const [key, value] of entries) sum.see(keyOf(key), values.valueOf(value));
    return sum;
  };
  sumOfEntries([[0, 0], [1, 1], [2, 2], [3, 3]]).check(expected);
  const wrong: [number, number][][] = [
    [[0, 0], [1, 1], [2, 2]],
    [[0, 0], [1, 1], [2, 2], [2, 2]],
    [[0, 0], [2, 2], [1, 1], [3, 3]],
    [[0, 0], [1, 1], [2, 3], [3, 3]],
    [[0, 0], [1, 1], [2, 2], [4, 3]],
  ];
  for (const entries of wrong) {
    assert.throws(() => sumOfEntries(entries).check(expected), /Wrong answer/);
  }
  const cut = new EntrySum();
  for (let i = 0; i < 4; i++) cut.see(keyOf(i), values.valueOf(i).subarray(0, 99));
  assert.throws(() => cut.check(expected), /Wrong answer/);
});
