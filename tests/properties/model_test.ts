/**
 * Random histories on the store and on a sorted map (model.ts): every answer must be the map's.
 *
 * Histories are made by fast-check from a fixed seed. `TINYKVS_TEST_SCALE` multiplies their number;
 * `TINYKVS_SEED` takes another seed, and with `TINYKVS_PATH` repeats one that failed, and shrinks it.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Change,
  keyCount,
  optionSets,
  type RangeChoice,
  runHistory,
  scanForms,
  type Step,
  valueMakers,
} from "./model.ts";

const scale = Number(process.env.TINYKVS_TEST_SCALE ?? 1);
const seed = Number(process.env.TINYKVS_SEED ?? 20_260_101);
const path = process.env.TINYKVS_PATH;

const key: fc.Arbitrary<number> = fc.oneof(
  { arbitrary: fc.nat(39), weight: 3 },
  { arbitrary: fc.nat(keyCount - 1), weight: 2 },
);
const maybeKey: fc.Arbitrary<number | undefined> = fc.option(key, { nil: undefined, freq: 2 });
const set: fc.Arbitrary<number> = fc.nat(optionSets.length - 1);
const value = fc.record({
  // The two kinds of large values are rarer.
  kind: fc.oneof(
    { arbitrary: fc.nat(valueMakers.length - 3), weight: 9 },
    { arbitrary: fc.nat(valueMakers.length - 1), weight: 1 },
  ),
  seed: fc.nat(999),
});
const change: fc.Arbitrary<Change> = fc.record({
  key,
  value: fc.option(value, { nil: undefined, freq: 3 }),
});
const range: fc.Arbitrary<RangeChoice> = fc.record({
  prefix: fc.option(key, { nil: undefined, freq: 1 }),
  gte: maybeKey,
  gt: fc.option(key, { nil: undefined, freq: 1 }),
  lte: fc.option(key, { nil: undefined, freq: 1 }),
  lt: maybeKey,
  reverse: fc.boolean(),
  limit: fc.option(fc.nat(40), { nil: undefined, freq: 1 }),
});
const cursor = fc.nat(5);
const form = fc.constantFrom("async" as const, "sync" as const);

function weighted(weight: number, arbitrary: fc.Arbitrary<Step>): fc.WeightedArbitrary<Step> {
  return { weight, arbitrary };
}

const step: fc.Arbitrary<Step> = fc.oneof(
  weighted(
    14,
    fc.record({
      do: fc.constant("change" as const),
      change,
      form: fc.constantFrom("sync" as const, "async" as const, "later" as const),
    }),
  ),
  weighted(
    5,
    fc.record({
      do: fc.constant("batch" as const),
      changes: fc.array(change, { maxLength: 12 }),
      form: fc.constantFrom(
        "sync" as const,
        "array" as const,
        "chain" as const,
        "later" as const,
      ),
    }),
  ),
  weighted(
    5,
    fc.record({
      do: fc.constant("fill" as const),
      from: fc.nat(159),
      count: fc.integer({ min: 1, max: 60 }),
      stride: fc.constantFrom(1, 3, 7, 159),
      bytes: fc.constantFrom(0, 10, 100, 100, 400),
      seed: fc.nat(999),
    }),
  ),
  weighted(
    8,
    fc.record({
      do: fc.constant("get" as const),
      key,
      form: fc.constantFrom(
        "get" as const,
        "getSync" as const,
        "has" as const,
        "hasSync" as const,
        "typed" as const,
      ),
    }),
  ),
  weighted(2, fc.record({ do: fc.constant("getMany" as const), keys: fc.array(key) })),
  weighted(
    8,
    fc.record({ do: fc.constant("scan" as const), range, form: fc.constantFrom(...scanForms) }),
  ),
  weighted(4, fc.record({ do: fc.constant("openCursor" as const), range })),
  weighted(
    8,
    fc.record({
      do: fc.constant("pull" as const),
      cursor,
      count: fc.integer({ min: 1, max: 30 }),
      form: fc.constantFrom("sync" as const, "async" as const, "many" as const),
    }),
  ),
  weighted(3, fc.record({ do: fc.constant("seek" as const), cursor, key })),
  weighted(1, fc.record({ do: fc.constant("closeCursor" as const), cursor })),
  weighted(
    6,
    fc.record({ do: fc.constantFrom("flush" as const, "sync" as const, "turn" as const) }),
  ),
  weighted(
    2,
    fc.record({ do: fc.constant("compact" as const), start: maybeKey, end: maybeKey }),
  ),
  weighted(2, fc.record({ do: fc.constant("reopen" as const), options: set, form })),
  weighted(
    2,
    fc.record({ do: fc.constant("crash" as const), options: set, form, afterTurn: fc.boolean() }),
  ),
);

const history = fc.record({
  first: set,
  keysAsText: fc.boolean(),
  steps: fc.array(step, { minLength: 4, maxLength: 90, size: "max" }),
});

/** Runs a property; a failure tells the seed and the command that repeats it. */
async function check(
  property: fc.IAsyncProperty<[{ first: number; keysAsText: boolean; steps: Step[] }]>,
  numRuns: number,
): Promise<void> {
  // Shrinking may take minutes: it is left to the repetition.
  const parameters = { numRuns, seed, ...(path === undefined ? { endOnFailure: true } : { path }) };
  const details = await fc.check(property, parameters);
  if (!details.failed) return;
  const { counterexamplePath, counterexample, errorInstance } = details;
  const cause = errorInstance instanceof Error ? errorInstance.stack : String(errorInstance);
  assert.fail(
    `after ${details.numRuns} histories and ${details.numShrinks} shrinks, with seed ${seed}:\n` +
      `TINYKVS_SEED=${seed} TINYKVS_PATH="${counterexamplePath}" node --test ` +
      `tests/properties/model_test.ts\n${fc.stringify(counterexample)}\n${cause}`,
  );
}

test("The store gives the answers of a sorted map in random histories", async () => {
  let maxTables = 0;
  let deepestLevel = 0;
  const property = fc.asyncProperty(history, async ({ first, keysAsText, steps }) => {
    const result = await runHistory(steps, { first, fixed: false, keysAsText });
    maxTables = Math.max(maxTables, result.maxTables);
    deepestLevel = Math.max(deepestLevel, result.deepestLevel);
  });
  await check(property, 1800 * scale);
  if (path !== undefined) return;
  // Histories that reach no deep level would prove little.
  assert.ok(maxTables >= 8, `at most ${maxTables} tables`);
  assert.ok(deepestLevel >= 3, `no level below ${deepestLevel}`);
});

test("Four sets of options give the same answers in random histories", async () => {
  const property = fc.asyncProperty(history, async ({ first, keysAsText, steps }) => {
    // A crash may keep more or less of what was not acknowledged, so here there is none.
    const calm = steps.filter((one) => one.do !== "crash");
    const results = [];
    for (let i = 0; i < 4; i++) {
      const chosen = (first + i) % optionSets.length;
      results.push(await runHistory(calm, { first: chosen, fixed: true, keysAsText }));
    }
    for (const { answers } of results) assert.deepEqual(answers, results[0]!.answers);
  });
  await check(property, 200 * scale);
});
