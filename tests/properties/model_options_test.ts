/**
 * Random histories as in model_test.ts, each under four sets of options that must give the same
 * answers.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { reportFigure } from "../support/figures.ts";
import { checkHistories, historyCount } from "./check_histories.ts";
import { runHistory } from "./histories.ts";
import { optionSets } from "./option_sets.ts";

test("Four sets of options give the same answers in random histories", async () => {
  const file = "tests/properties/model_options_test.ts";
  const count = await checkHistories(file, 20_260_103, historyCount(500), async (history) => {
    const keysAsText = history.seed % 2 === 0;
    let expected: readonly string[] | undefined;
    for (let i = 0; i < 4; i++) {
      const first = (history.first + i) % optionSets.length;
      const asyncFiles = history.asyncFiles !== (i % 2 === 0);
      const world = await runHistory({ ...history, first, asyncFiles }, {
        isFixed: true,
        keysAsText,
      });
      expected ??= world.answers;
      assert.deepEqual(world.answers, expected, `options ${first}`);
    }
  });
  reportFigure("model histories", count);
  reportFigure("model histories under four option sets", count);
});
