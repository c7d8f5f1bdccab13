/**
 * Random histories of concurrent transactions, checked by a serial oracle (transaction_history.ts).
 * TINYKVS_TEST_SCALE multiplies the number of histories. TINYKVS_SEED runs the history of one seed.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { reportFigure } from "../support/figures.ts";
import { historyCount } from "./check_histories.ts";
import { type HistoryFigures, runTransactionHistory } from "./transaction_history.ts";

const FILE = "tests/properties/transactions_test.ts";
const FIRST_SEED = 20_270_117;

test("Every history of concurrent transactions is that of a serial order, the one of commits", async () => {
  const given = process.env["TINYKVS_SEED"];
  const count = given === undefined ? historyCount(2500) : 1;
  const first = Number(given ?? FIRST_SEED);
  console.log(`${count} histories of transactions, from seed ${first} on`);
  const sums: HistoryFigures = { committed: 0, readOnly: 0, retried: 0, conflicts: 0, tables: 0 };
  for (let seed = first; seed < first + count; seed++) {
    try {
      const figures = await runTransactionHistory(seed);
      for (const name of Object.keys(sums) as (keyof HistoryFigures)[]) {
        sums[name] += figures[name];
      }
    } catch (error) {
      const cause = error instanceof Error ? error.stack : String(error);
      assert.fail(
        `seed ${seed} fails. Repeat:\nTINYKVS_SEED=${seed} node --test ${FILE}\n${cause}`,
      );
    }
  }
  console.log(JSON.stringify(sums));
  reportFigure("transaction histories", count);
  if (count < 100) return;
  // Histories without conflicts, or without flushes, would prove little.
  assert.ok(sums.committed > 3 * count, `only ${sums.committed} commits`);
  assert.ok(sums.retried > count / 4, `only ${sums.retried} commits after a conflict`);
  assert.ok(sums.conflicts > count / 20, `only ${sums.conflicts} given up`);
  assert.ok(sums.readOnly > count / 4, `only ${sums.readOnly} that only read`);
  assert.ok(sums.tables > count, `only ${sums.tables} tables`);
});
