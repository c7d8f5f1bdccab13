/**
 * A child of kill_thread_test.ts: writes without end to the store in the directory of its first
 * argument, on the plain disk, with jobs that are large enough for the worker thread. It prints the
 * number of each durable batch, and prints once that the thread is in use.
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { EmbeddedBatch, open } from "../../mod.ts";
import { BATCH_SIZE, keyOf, valueOf } from "./kill_thread_content.ts";

const [directory] = process.argv.slice(2) as [string];
const store = await open(directory, {
  memtableSizeBytes: 1 << 20,
  compression: "none",
  l0CompactionTrigger: 2,
  levelSizeMultiplier: 2,
});
const found = await store.get("last") as number | undefined ?? 0;
let isTold = false;
for (let n = found + 1;; n++) {
  const batch = new EmbeddedBatch();
  for (let i = 0; i < BATCH_SIZE; i++) batch.put(keyOf(n, i), valueOf(n, i));
  batch.put("last", n);
  // Both drivers of background work, one after the other.
  if (n % 12 < 6) await store.write(batch);
  else store.writeSync(batch);
  writeSync(1, `${n}\n`);
  if (!isTold && store.stats().background === "worker") {
    isTold = true;
    writeSync(1, "worker\n");
  }
}
