/** The micro benches measure what they say: every case gives its expected sum on this runtime. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { benches } from "../../bench/micro/benches.ts";
import { measureCases, quantile } from "../../bench/micro/micro_case.ts";

test("Every case of the micro benches returns the expected sum twice", () => {
  for (const { name, makeCases } of benches) {
    const cases = makeCases();
    assert.equal(new Set(cases.map((one) => one.name)).size, cases.length, name);
    for (const one of cases) {
      assert.ok(one.operations > 0, `${name}: ${one.name}`);
      for (let call = 0; call < 2; call++) {
        assert.equal(one.run(), one.expected, `${name}: ${one.name}`);
      }
    }
  }
});

test("quantile() interpolates between neighbours", () => {
  assert.equal(quantile([7], 0.5), 7);
  assert.equal(quantile([1, 2, 3, 10], 0.5), 2.5);
  assert.equal(quantile([1, 2, 3, 10], 0), 1);
  assert.equal(quantile([1, 2, 3, 10], 1), 10);
});

test("measureCases() counts each turn's time against all operations of its calls", () => {
  let nowMs = 0;
  const takes = (name: string, ms: number) => ({
    name,
    operations: 10,
    expected: 3,
    run: () => {
      nowMs += ms;
      return 3;
    },
  });
  const results = measureCases(
    [takes("quick", 1), takes("slow", 4)],
    { warmUpMs: 2, rounds: 3, turnMs: 8 },
    () => nowMs,
  );
  assert.deepEqual(results, [
    { name: "quick", medianNs: 100_000, minNs: 100_000, spreadNs: 0 },
    { name: "slow", medianNs: 400_000, minNs: 400_000, spreadNs: 0 },
  ]);
});

test("measureCases() refuses a case whose sum is wrong", () => {
  let calls = 0;
  const broken = { name: "broken", operations: 1, expected: 0, run: () => calls++ };
  let nowMs = 0;
  assert.throws(
    () => measureCases([broken], { warmUpMs: 0, rounds: 1, turnMs: 1 }, () => nowMs++),
    /Case "broken" went wrong: its sum is 1, expected 0/,
  );
});
