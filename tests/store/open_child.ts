/** A child of open_test.ts: finds the store of its argument locked, says so, and waits for it. */

import { writeSync } from "node:fs";
import process from "node:process";
import { LockedError, open } from "../../mod.ts";

const directory = process.argv[2]!;
try {
  await open(directory);
} catch (error) {
  if (!(error instanceof LockedError)) throw error;
  writeSync(1, "locked\n");
}
const store = await open(directory, { lockTimeoutMs: 30_000 });
writeSync(1, `${await store.get("a")}\n`);
await store.close();
