/** The pure parts of bench/peers that decide: targets, verdicts, plan and results file. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { EngineKind } from "../../bench/peers/engine.ts";
import { Figures } from "../../bench/peers/figures.ts";
import {
  budgetOf,
  canRun,
  isFor,
  minutesLeft,
  type PlannedRun,
  plannedRuns,
  standingOf,
} from "../../bench/peers/plan.ts";
import type { Column, Measured, Outcome, Row, Run } from "../../bench/peers/results.ts";
import {
  differences,
  parseSession,
  type Session,
  type Settings,
  withItem,
  withoutPrepared,
} from "../../bench/peers/session.ts";
import { renderVerdict } from "../../bench/peers/report_tables.ts";
import { goRecorded, nodeTargets } from "../../bench/peers/targets.ts";
import { judgeAll, type Judged, targetsFor } from "../../bench/peers/verdict.ts";
import { type Workload, workloads } from "../../bench/peers/workloads.ts";

function measured(figure: number, more: Partial<Measured> = {}): Measured {
  return {
    kind: "measured",
    version: "1",
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

const rows: Row[] = workloads.map(({ name, title, family, unit }) => ({
  name,
  title,
  family,
  isLowerBetter: unit === "milliseconds",
}));

function column(engine: string): Column {
  const isOwn = engine.startsWith("tinykvs");
  const isFloor = engine === "append" || engine === "empty loop";
  return { engine, version: "1", isFloor, isOwn, notes: "", problem: undefined };
}

const columns = ["tinykvs", "tinykvs none", "tinykvs low-memory", "lmdb", "append", "empty loop"]
  .map(column);

function run(engine: string, workload: string, outcome: Outcome | number, round = 1): Run {
  return {
    engine,
    workload,
    round,
    isPeer: engine === "lmdb" || engine === "slow",
    outcome: typeof outcome === "number" ? measured(outcome) : outcome,
  };
}

function judgeNode(runs: readonly Run[]): Judged[] {
  return judgeAll(nodeTargets, new Figures(columns, rows, runs));
}

function verdictsOf(judged: readonly Judged[], what: string): string[] {
  return judged.filter((one) => one.what === what).map(({ verdict }) => verdict);
}

test("Every row that a target or a recorded figure names is one of the bench", () => {
  const known = new Set(rows.map(({ name }) => name));
  for (const name of Object.keys(goRecorded)) assert.ok(known.has(name), name);
  for (const { checks } of nodeTargets) {
    for (const { figure, against } of checks) {
      if (figure.of === "row") assert.ok(known.has(figure.row), figure.row);
      if (against.is === "figure" && against.figure.of === "row") {
        assert.ok(known.has(against.figure.row), against.figure.row);
      }
    }
  }
});

test("A rate is compared with a number, the best peer and the figure of Go", () => {
  const judged = judgeNode([
    run("tinykvs", "fillseq-sync", 380_000),
    run("lmdb", "fillseq-sync", 96_000),
  ]);
  const found = judged.filter(({ what }) => what === "fillseq-sync");
  assert.deepEqual(found.map(({ verdict, bound }) => [verdict, Math.round(bound!)]), [
    ["missed", 384_000],
    ["met", 355_000],
    ["met", 370_000],
  ]);
  assert.equal(found[0]!.bestPeer?.peer, "lmdb");
  assert.ok(Math.abs(found[0]!.go![0] - 380 / 142) < 1e-9);
});

test("A target whose figure was not measured is not met, nor is a bound without its other side", () => {
  assert.ok(judgeNode([]).every(({ verdict }) => verdict === "not measured"));
  const judged = judgeNode([run("tinykvs", "get-many100", 80_000)]);
  assert.deepEqual(verdictsOf(judged, "get-many100"), ["not measured"]);
});

test("getMany is compared with the same keys one by one, a durable put with the disk", () => {
  const runs = [
    run("tinykvs", "get-many100", 79_000),
    run("tinykvs", "get-nocache-await", 40_000),
    run("tinykvs", "durable-one", 910),
    run("append", "durable-one", 1000),
  ];
  const judged = judgeNode(runs);
  assert.deepEqual(verdictsOf(judged, "get-many100"), ["missed"]);
  assert.deepEqual(verdictsOf(judged, "durable-one"), ["met"]);
  const slower = judgeNode([...runs.slice(0, 2), run("tinykvs", "durable-one", 890), runs[3]!]);
  assert.deepEqual(verdictsOf(slower, "durable-one"), ["missed"]);
});

test("The longest stall is the worst of any row, less the stall of the row's empty loop", () => {
  const stall = (engine: string, row: string, longestStallMs: number): Run =>
    run(engine, row, measured(1, { longestStallMs }));
  const runs = [
    stall("tinykvs", "fillrandom-await", 9),
    stall("empty loop", "fillrandom-await", 4),
    stall("tinykvs", "scan-for-await", 6),
    stall("empty loop", "stall", 3),
  ];
  const found = judgeNode(runs).find(({ what }) => what === "any awaited row, ms");
  assert.equal(found?.figure, 5);
  assert.equal(found?.verdict, "missed");
});

test("Memory, disk and write amplification are the worst of any row", () => {
  const judged = judgeNode([
    run("tinykvs", "fillseq-sync", measured(1, { peakMemoryBytes: 149e6 })),
    run("tinykvs", "fillrandom-64", measured(1, { peakMemoryBytes: 160e6, writeAmplification: 5 })),
    run("tinykvs low-memory", "fillseq-sync", measured(1, { peakMemoryBytes: 100e6 })),
    run("tinykvs", "prepare", measured(1, { diskBytes: 59.3e6 }), 0),
    run("tinykvs level 1", "prepare", measured(1, { diskBytes: 59.4e6 }), 0),
  ]);
  assert.deepEqual(verdictsOf(judged, "any row, MB"), ["missed"]);
  assert.deepEqual(verdictsOf(judged, "any row, low-memory, MB"), ["met"]);
  assert.deepEqual(verdictsOf(judged, "MB"), ["met"]);
  assert.deepEqual(verdictsOf(judged, "MB, level 1"), ["missed"]);
  assert.deepEqual(verdictsOf(judged, "any fillrandom row"), ["met"]);
});

test("On other runtimes every row is compared with its peers and 60 % of Node's figure", () => {
  const node = new Figures(columns, rows, [
    run("tinykvs", "get-hot-sync", 1_000_000),
    run("tinykvs", "open", 3),
  ]);
  const figures = new Figures(columns, rows, [
    run("tinykvs", "get-hot-sync", 590_000),
    run("lmdb", "get-hot-sync", 400_000),
    run("tinykvs", "open", 4.9),
    run("lmdb", "open", 1),
  ]);
  const judged = judgeAll(targetsFor("bun", rows, figures, node), figures);
  const of = (target: string): [string, string][] =>
    judged.filter((one) => one.target === target).map(({ what, verdict }) => [what, verdict]);
  assert.deepEqual(of("ahead of every peer in every row"), [
    ["get-hot-sync", "met"],
    ["open", "missed"],
  ]);
  assert.deepEqual(of("at least 60 % of Node's figure"), [
    ["get-hot-sync", "missed"],
    ["open", "met"],
  ]);
  const bound = (runtime: string): number | null =>
    judgeAll(targetsFor(runtime, rows, figures, node), figures)[0]!.bound;
  assert.deepEqual([bound("bun"), bound("deno")], [4, 6]);
});

test("The verdict counts what is met and shows the rest in bold", () => {
  // The other one is its memory.
  const lines = renderVerdict(judgeNode([run("tinykvs", "get-missing-sync", 2_100_000)]));
  assert.ok(lines[0]!.startsWith("Targets: 2 of "), lines[0]);
  const table = lines[2]!;
  assert.ok(
    table.includes(
      "get missing: 2.0M/s | get-missing-sync | 2.10M | at least 2.00M |  | 0.72 / 29.58 | met |",
    ),
    table,
  );
  assert.ok(table.includes("**not measured**"));
});

function kind(name: string, more: Partial<EngineKind> = {}): EngineKind {
  return {
    name,
    runtimes: ["node"],
    notes: "",
    load: () => Promise.reject(new Error("never loaded here")),
    ...more,
  };
}

const workloadOf = (name: string): Workload => workloads.find((one) => one.name === name)!;
const budgets = { readSeconds: 2, fillSeconds: 4 };

test("The engines of a row run in an order that rotates, and rounds are outermost", () => {
  const kinds = [kind("a"), kind("b", { rowsOfInterest: ["get"] }), kind("c")];
  const planned = plannedRuns(kinds, [workloadOf("get-hot-sync"), workloadOf("open")], 2);
  assert.deepEqual(
    planned.map((one) => `${one.round} ${one.row.name} ${one.kind.name}`),
    [
      "1 get-hot-sync b",
      "1 get-hot-sync c",
      "1 get-hot-sync a",
      "1 open a",
      "1 open c",
      "2 get-hot-sync c",
      "2 get-hot-sync a",
      "2 get-hot-sync b",
      "2 open c",
      "2 open a",
    ],
  );
});

test("Only peers are stopped early when they fill a store", () => {
  const fill = workloadOf("fillseq-sync");
  assert.equal(budgetOf(kind("lmdb"), fill, budgets), 4);
  assert.ok(budgetOf(kind("tinykvs", { isOwn: true }), fill, budgets) >= 60);
  assert.equal(budgetOf(kind("tinykvs", { isOwn: true }), workloadOf("open"), budgets), 2);
});

test("Rows from the disk measure tinykvs only: peers keep what they have mapped", () => {
  for (const name of ["get-disk-await", "get-disk-many100"]) {
    assert.equal(isFor(kind("lmdb"), workloadOf(name)), false);
    assert.equal(isFor(kind("tinykvs", { isOwn: true }), workloadOf(name)), true);
  }
});

test("A row starts no process for a store that lacks its operation, unless durability may change that", () => {
  assert.equal(canRun(workloadOf("get-hot-sync"), ["getSync", "putSync"]), true);
  assert.equal(canRun(workloadOf("get-hot-await"), ["getSync", "putSync"]), false);
  assert.equal(canRun(workloadOf("scan-bulk"), ["scanForOf"]), false);
  assert.equal(canRun(workloadOf("durable-one"), []), true);
});

test("A run continues with rows that are not done, have not failed and may still be the best", () => {
  const row = workloadOf("get-hot-sync");
  const planned = (name: string, round: number, more: Partial<EngineKind> = {}): PlannedRun => ({
    kind: kind(name, more),
    row,
    round,
  });
  const runs = [
    run("lmdb", row.name, 900),
    run("slow", row.name, 299),
    run("tinykvs", row.name, 100),
    run("append", row.name, 100),
    run("broken", row.name, { kind: "failed", reason: "crashed" }),
  ];
  assert.equal(standingOf(planned("lmdb", 1), runs), "done");
  assert.equal(standingOf(planned("lmdb", 2), runs), "due");
  assert.equal(standingOf(planned("slow", 2), runs), "far behind");
  assert.equal(standingOf(planned("tinykvs", 2, { isOwn: true }), runs), "due");
  assert.equal(standingOf(planned("append", 2, { isFloor: true }), runs), "due");
  assert.equal(standingOf(planned("broken", 2), runs), "failed before");
  assert.equal(standingOf(planned("new", 1), runs), "due");
});

test("If a row counts milliseconds, a store is far behind at three times as many", () => {
  const row = workloadOf("open");
  const runs = [run("lmdb", row.name, 1), run("slow", row.name, 3.1)];
  assert.equal(standingOf({ kind: kind("slow"), row, round: 2 }, runs), "far behind");
  assert.equal(standingOf({ kind: kind("lmdb"), row, round: 2 }, runs), "due");
});

test("The time left shrinks as rows are done, and follows the time that processes really took", () => {
  const planned = plannedRuns([kind("lmdb"), kind("slow")], [workloadOf("get-hot-sync")], 1);
  const before = minutesLeft(planned, 1, [], budgets, 1_000_000);
  const half = minutesLeft(planned, 0, [run("lmdb", "get-hot-sync", 1)], budgets, 1_000_000);
  assert.ok(before > half && half > 0);
  const again = plannedRuns([kind("lmdb")], [workloadOf("get-hot-sync")], 2);
  const slow = { ...run("lmdb", "get-hot-sync", 1), processSeconds: 60 };
  assert.equal(minutesLeft(again, 0, [slow], budgets, 1_000_000), 1);
});

const settings: Settings = {
  runtime: "node",
  entries: 1000,
  rounds: 3,
  ...budgets,
  seed: 1,
  rows: ["open"],
  engines: ["tinykvs"],
};

test("A run continues only from a file of the same settings", () => {
  assert.deepEqual(differences(settings, { ...settings }), []);
  assert.deepEqual(differences(settings, { ...settings, entries: 2000, rows: ["open", "stall"] }), [
    "entries is 1000 there, 2000 here",
    'rows is ["open"] there, ["open","stall"] here',
  ]);
});

test("A results file is read back as it was written, and any other file is refused", () => {
  const session: Session = {
    format: 1,
    settings,
    folder: "/tmp/x",
    about: { runtime: "Node 24" },
    commits: ["abc"],
    dates: [],
    loads: [],
    seconds: 1,
    columns: [],
    rows,
    runs: [run("tinykvs", "open", 3)],
    verdicts: [],
  };
  assert.deepEqual(parseSession(JSON.stringify(session)), session);
  for (const text of ["null", "{}", '{"format":2,"runs":[],"settings":{}}']) {
    assert.throws(() => parseSession(text), TypeError);
  }
});

test("A store whose files are gone is made again, and commits are listed as they change", () => {
  const runs = ["lmdb", "slow"].flatMap((
    engine,
  ) => [run(engine, "prepare", 1, 0), run(engine, "open", 1)]);
  assert.deepEqual(withoutPrepared(runs, "lmdb"), runs.slice(1));
  assert.deepEqual(withItem(withItem(withItem([], "a"), "a"), "b"), ["a", "b"]);
});
