/** Random histories as in model_test.ts, on stores that read their keys as text. */

import { test } from "node:test";
import { reportFigure } from "../support/figures.ts";
import { checkHistories, historyCount } from "./check_histories.ts";
import { runHistory } from "./histories.ts";

test("A store of text keys gives the answers of a sorted map in random histories", async () => {
  const file = "tests/properties/model_text_test.ts";
  const count = await checkHistories(file, 20_260_102, historyCount(2000), async (history) => {
    await runHistory(history, { isFixed: false, keysAsText: true });
  });
  reportFigure("model histories", count);
});
