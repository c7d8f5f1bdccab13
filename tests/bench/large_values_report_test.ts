/** The tables and targets of bench/large_values. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  judgeLarge,
  LargeFigures,
  type LargeResult,
  renderLarge,
} from "../../bench/large_values_report.ts";
import type { LargeStep } from "../../bench/large_values_steps.ts";

const BYTES = 100_000;

/** A step that took so long, with half as much processor time. */
function result(engine: string, step: LargeStep, seconds: number, stallMs = 1): LargeResult {
  const taken = { bytes: 100e6, seconds, processorSeconds: seconds / 2 };
  return {
    engine,
    bytes: BYTES,
    step,
    outcome: {
      kind: "measured",
      version: "1",
      taken: step.startsWith("get") ? [taken, { ...taken, seconds: seconds / 4 }] : [taken],
      keysMs: step === "keys" ? [50, seconds] : [],
      stallMs,
      peakBytes: 150e6,
      writtenBytes: 110e6,
    },
  };
}

const missing: LargeResult = {
  engine: "node:sqlite",
  bytes: BYTES,
  step: "put-await",
  outcome: { kind: "unsupported", reason: "has no such operation" },
};

test("A cell is the median of the rounds, or the highest of several steps", () => {
  const figures = new LargeFigures([
    ...[1, 2, 10].map((seconds) => result("tinykvs", "put-sync", seconds)),
    result("tinykvs", "put-await", 4, 30),
    missing,
  ]);
  assert.equal(figures.find("putSync", "tinykvs", BYTES), 50);
  assert.equal(figures.perProcessor("putSync", "tinykvs", BYTES), 100);
  assert.equal(figures.cell("putSync", "tinykvs", BYTES), "50.0 (100)");
  assert.equal(figures.find("stall", "tinykvs", BYTES), 30);
  assert.equal(figures.find("written", "tinykvs", BYTES), 1.1);
  assert.equal(figures.cell("putAwait", "node:sqlite", BYTES), "–");
  assert.equal(figures.find("getSync", "tinykvs", BYTES), undefined);
});

test("Targets are judged by the best way of each store, and only if both were measured", () => {
  const results = [
    result("tinykvs", "put-sync", 4),
    result("tinykvs", "put-await", 1, 25),
    result("tinykvs", "get-sync", 1),
    result("tinykvs", "keys", 3),
    result("node:sqlite", "put-sync", 2.5),
    result("node:sqlite", "get-sync", 0.5),
    result("lmdb", "keys", 1),
    result("empty loop", "put-sync", 0.1, 10),
  ];
  const verdicts = judgeLarge(new LargeFigures(results), "tinykvs");
  const verdictOf = (words: string): boolean | undefined =>
    verdicts.find((verdict) => verdict.words === `100 KB: ${words}`)?.isMet;
  assert.equal(verdictOf("put, 2 times node:sqlite, MB/s"), true);
  assert.equal(verdictOf("put, lmdb, MB/s"), undefined);
  assert.equal(verdictOf("get, node:sqlite, MB/s"), false);
  assert.equal(verdictOf("list keys, 2 times lmdb, ms"), false);
  assert.equal(verdictOf("longest stall, 10 ms above the empty loop's"), false);
  assert.equal(verdictOf("bytes written"), true);
  assert.equal(verdictOf("peak memory, MB"), true);
});

test("The report has a table for each length, and the targets of our own stores", () => {
  const report = renderLarge(
    new LargeFigures([result("tinykvs", "put-sync", 1), result("lmdb", "put-sync", 2), missing]),
    { about: "a machine", command: "npm run bench:large" },
  );
  assert.match(report, /^\| values of 100 KB \| tinykvs \| lmdb \| node:sqlite \|$/m);
  assert.match(report, /^\| put, sync, MB\/s \| 100 \(200\) \| 50\.0 \(100\) \| – \|$/m);
  assert.match(report, /^\| 100 KB: put, lmdb, MB\/s \| 100 \| 50\.0 \| met \|$/m);
  assert.equal(report.includes("target, lmdb"), false);
});
