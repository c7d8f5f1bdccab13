/** The tables of bench/memory_bound, and its skewed gets. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../bench/key_values.ts";
import { against, type BoundResult, renderBound } from "../../bench/memory_bound_report.ts";
import { skewed } from "../../bench/memory_bound_rows.ts";

const result = (engine: string, row: string, perSecond: number): BoundResult => ({
  engine,
  row,
  title: row,
  megabytes: 256,
  outcome: {
    kind: "measured",
    version: "1",
    operations: perSecond * 2,
    seconds: 2,
    processorSeconds: 1,
    diskBytes: 4000 * perSecond * 2,
    peakBytes: 1e8,
  },
});

test("Nine of ten skewed gets are of one entry in a hundred, and the rest of all", () => {
  const random = new SeededRandom(1);
  const seen = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const index = skewed(i, random, 10_000);
    assert.ok(index >= 0 && index < 10_000);
    seen.set(index, (seen.get(index) ?? 0) + 1);
  }
  let hot = 0;
  for (const [index, count] of seen) if (index % 100 === 0) hot += count;
  assert.ok(hot > 17_800 && hot < 18_300, `${hot} of 20000`);
  assert.ok(seen.size > 1500, `${seen.size} entries`);
});

test("A row is compared with the best other store that was measured", () => {
  const killed: BoundResult = {
    ...result("b", "get", 1),
    outcome: { kind: "unavailable", reason: "out of memory" },
  };
  const results = [result("tinykvs", "get", 300), result("a", "get", 200), killed];
  assert.equal(against(results, "tinykvs"), "1.50 a");
  assert.equal(against([results[0]!], "tinykvs"), "–");
  const report = renderBound(results, { about: "Node 1", command: "x", entries: 1e7, cacheMB: 64 });
  assert.match(
    report,
    /\| get \| 300 \(4\.0 kB, 1667 µs\) \| 200 \(4\.0 kB, 2500 µs\) \| killed \| 1\.50 a \|/,
  );
});

test("In the row of an open, the shorter time is better", () => {
  const open = (engine: string, seconds: number): BoundResult => ({
    ...result(engine, "open", 1),
    outcome: {
      kind: "measured",
      version: "1",
      operations: 1,
      seconds,
      processorSeconds: 0,
      diskBytes: 1,
      peakBytes: 1,
    },
  });
  assert.equal(against([open("tinykvs", 0.02), open("a", 0.03)], "tinykvs"), "1.50 a");
});
