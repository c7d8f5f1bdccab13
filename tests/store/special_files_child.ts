/**
 * A child of special_files_test.ts: opens the store of its argument, reads it, and says what came
 * of it.
 */

import process from "node:process";
import { open, StoreError } from "../../mod.ts";

try {
  const store = await open(process.argv[2]!);
  console.log(`read ${await store.get("in a table")} ${await store.get("in the log")}`);
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  console.log(`refused ${error.code}`);
}
