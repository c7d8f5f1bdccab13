/**
 * Random histories on the store and on a sorted map: every answer must be the map's. Here keys are
 * bytes; model_text_test.ts has keys as text, model_options_test.ts several options at a time.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { reportFigure } from "../support/figures.ts";
import { checkHistories, historyCount } from "./check_histories.ts";
import { runHistory } from "./histories.ts";

test("The store gives the answers of a sorted map in random histories", async () => {
  let maxTables = 0;
  let deepestLevel = 0;
  let expired = 0;
  const wanted = historyCount(2500);
  const file = "tests/properties/model_test.ts";
  const count = await checkHistories(file, 20_260_101, wanted, async (history) => {
    const world = await runHistory(history, { isFixed: false, keysAsText: false });
    maxTables = Math.max(maxTables, world.maxTables);
    deepestLevel = Math.max(deepestLevel, world.deepestLevel);
    expired += world.expired;
  });
  reportFigure("model histories", count);
  // Histories that reach no deep level would prove little.
  if (count < wanted) return;
  assert.ok(maxTables >= 8, `at most ${maxTables} tables`);
  assert.ok(deepestLevel >= 3, `no level below ${deepestLevel}`);
  assert.ok(expired >= 4 * wanted, `only ${expired} values have expired`);
});
