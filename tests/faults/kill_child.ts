/**
 * A child of kill_test.ts: writes to a store and reports every acknowledgement at once, until it is
 * killed or ends as its arguments say: directory, walSync, ending, number of batches before it.
 *
 * The history is a line of batches, numbered from the first free ordinal on. Batch `n` puts `n` to the
 * key "ordinal" and `n` to six of sixty keys, and deletes another one; a single put, and a put that is
 * not waited for, come in between. A line "n" on standard output means that batch `n` was acknowledged.
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { open, type WalSync } from "../../mod.ts";
import { batchOf } from "./kill_history.ts";

const [directory, walSync, ending, countText] = process.argv.slice(2) as [
  string,
  WalSync,
  "run" | "exit" | "throw" | "sigterm" | "sync",
  string,
];
const last = Number(countText);
const store = await open(directory, {
  walSync,
  walSyncIntervalMs: 5,
  memtableSizeBytes: 16384,
  blockSizeBytes: 1024,
  l0CompactionTrigger: 2,
});
const start = (await store.get("ordinal") as number | undefined ?? 0) + 1;
for (let n = start;; n++) {
  if (ending === "sync" || n % 3 === 0) store.writeSync(batchOf(n));
  else await store.write(batchOf(n));
  writeSync(1, `${n}\n`);
  if (n % 40 === 0) await store.flush();
  if (n - start < last) continue;
  // One that nobody waits for is under way when the end comes.
  store.write(batchOf(n + 1)).catch(() => {});
  if (ending === "exit") process.exit(7);
  if (ending === "throw") throw new Error("uncaught on purpose");
  if (ending === "sigterm") process.kill(process.pid, "SIGTERM");
}
