import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  betterRatio,
  MAX_LOSS,
  median,
  parseRecord,
  ratioOf,
  verdictOf,
  withRecorded,
} from "../../bench/smoke_verdict.ts";

const recorded = (ratios: Record<string, number>) => ({
  machine: "2 x CPU",
  runtime: "node 24.21.0",
  date: "2026-11-22",
  ratios,
});

test("median() is the middle number, or the mean of the middle two, and needs one", () => {
  assert.equal(median([5]), 5);
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 100, 2]), 3);
  assert.throws(() => median([]), RangeError);
});

test("ratioOf() compares each round with its own floors, so that a slow machine changes nothing", () => {
  const round = (slowness: number) => ({
    workload: 4e-6 * slowness,
    floorBefore: 0.5e-6 * slowness,
    floorAfter: 1.5e-6 * slowness,
  });
  assert.equal(ratioOf([round(1)]), 0.25);
  assert.equal(ratioOf([round(1), round(8), round(2)]), 0.25);
});

test("ratioOf() is not moved by a few disturbed rounds", () => {
  const good = { workload: 2, floorBefore: 1, floorAfter: 1 };
  const disturbed = { workload: 20, floorBefore: 1, floorAfter: 1 };
  const lucky = { workload: 2, floorBefore: 9, floorAfter: 9 };
  assert.equal(ratioOf([good, disturbed, good, lucky, good, disturbed, good]), 0.5);
});

test("verdictOf() fails a workload only when more than a third is lost", () => {
  assert.equal(verdictOf(3 * (1 - MAX_LOSS), 3), "ok");
  assert.equal(verdictOf(1.99, 3), "lost");
  assert.equal(verdictOf(2.01, 3), "ok");
  assert.equal(verdictOf(3, 3), "ok");
  assert.equal(verdictOf(4.49, 3), "ok");
  assert.equal(verdictOf(4.51, 3), "faster");
});

test("verdictOf() does not pass a row that is not recorded or not a number", () => {
  assert.equal(verdictOf(1, undefined), "not recorded");
  assert.equal(verdictOf(NaN, 3), "lost");
});

test("A second attempt can clear a workload and can't condemn it", () => {
  assert.equal(betterRatio(1, 2), 2);
  assert.equal(betterRatio(2, 1), 2);
});

test("withRecorded() replaces the measured ratios, and keeps other workloads and runtimes", () => {
  const before = { node: recorded({ get: 1, put: 2 }), bun: recorded({ get: 3 }) };
  const next = withRecorded(before, "node", { ...recorded({ put: 5 }), date: "2026-11-23" });
  assert.deepEqual(next, {
    bun: recorded({ get: 3 }),
    node: { ...recorded({ get: 1, put: 5 }), date: "2026-11-23" },
  });
  assert.deepEqual(Object.keys(next), ["bun", "node"]);
  assert.deepEqual(withRecorded({}, "deno", recorded({ get: 1 })), {
    deno: recorded({ get: 1 }),
  });
});

test("parseRecord() reads back what is written, and refuses ratios that nothing can be compared with", () => {
  const record = { node: recorded({ get: 0.5 }) };
  assert.deepEqual(parseRecord(JSON.stringify(record)), record);
  for (const ratio of [0, -1, null, "1"]) {
    const broken = JSON.stringify({ node: { ...record.node, ratios: { get: ratio } } });
    assert.throws(() => parseRecord(broken), TypeError, String(ratio));
  }
  assert.throws(
    () => parseRecord(JSON.stringify({ node: { ...record.node, date: 1 } })),
    /Cannot use the recorded ratios of "node"/,
  );
});

test("The ratios that are recorded can be read", () => {
  const file = new URL("../../bench/smoke_ratios.json", import.meta.url);
  const record = parseRecord(readFileSync(file, "utf8"));
  assert.ok(Object.keys(record).includes("node"));
});
