/** Random histories as in model_test.ts. Every read and write goes through a sub of a sub. */

import { test } from "node:test";
import { reportFigure } from "../support/figures.ts";
import { checkHistories, historyCount } from "./check_histories.ts";
import { runHistory } from "./histories.ts";

test("A sub gives the answers of a sorted map in random histories, and its neighbours stay as they were", async () => {
  const file = "tests/properties/model_sub_test.ts";
  const count = await checkHistories(file, 20_260_104, historyCount(500), async (history) => {
    const keysAsText = history.seed % 2 === 0;
    await runHistory(history, { isFixed: false, keysAsText, isSub: true });
  });
  reportFigure("model histories", count);
  reportFigure("model histories through a sub", count);
});
