/**
 * A child of the kill tests: writes to a store and reports every acknowledgement at once, until it
 * is killed or ends as its task (kill_history.ts) says.
 *
 * The history is a line of batches, numbered from the first free ordinal on. Up to four are under
 * way at a time, and memtables are so small that there are always flushes and compactions. Lines on
 * standard output: "open n" when the store is open and batch `n` is the last in it, then "n" for
 * every acknowledged batch. A synchronous call writes them, so that the end of the process loses
 * none.
 */

import { writeSync } from "node:fs";
import process from "node:process";
import { open } from "../../mod.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import { interceptingFileSystem } from "../support/intercepting_file_system.ts";
import { batchOf, MAX_IN_FLIGHT, type WriterTask } from "./kill_history.ts";

const task = JSON.parse(process.argv[2]!) as WriterTask;
const { ending, isSync } = task;
let operations = 0;
/** Undefined as long as nothing is to be torn, true before the first half, false after it. */
let tearNext: boolean | undefined;

function dieNow(): void {
  process.kill(process.pid, "SIGKILL");
}

const fileSystem = interceptingFileSystem(defaultFileSystem(), {
  before(operation, _path, length): void {
    if (ending !== "operation" || operation === "open" || operation === "read") return;
    if (++operations !== task.at) return;
    // A write of several bytes is left torn: the next one, of its second half, never comes.
    if (operation === "write" && length > 1) tearNext = true;
    else dieNow();
  },
  allowWrite(_path, length): number {
    if (tearNext === undefined) return length;
    if (tearNext) {
      tearNext = false;
      return length >>> 1;
    }
    dieNow();
    return length;
  },
});

const store = await open(task.directory, {
  fileSystem,
  walSync: task.walSync,
  walSyncIntervalMs: 5,
  memtableSizeBytes: 8192,
  blockSizeBytes: 512,
  compression: "none",
  l0CompactionTrigger: 2,
  levelSizeMultiplier: 2,
  maxLevels: 4,
});
const recovered = await store.get("ordinal") as number | undefined ?? 0;
writeSync(1, `open ${recovered}\n`);

function fail(error: unknown): void {
  writeSync(2, `a call failed: ${(error as Error).stack}\n`);
  process.exit(9);
}

let acknowledged = 0;
/** Reports a batch and ends the process if it was the one. */
function acknowledge(n: number): void {
  writeSync(1, `${n}\n`);
  if (++acknowledged < task.at) return;
  if (ending === "exit") process.exit(7);
  if (ending === "throw") throw new Error("uncaught on purpose");
  if (ending === "sigterm") process.kill(process.pid, "SIGTERM");
}

const underWay: Promise<void>[] = [];
for (let n = recovered + 1;; n++) {
  if (isSync || n % 5 === 0) {
    store.writeSync(batchOf(n));
    acknowledge(n);
  } else {
    const write = store.write(batchOf(n));
    underWay.push(write.then(() => acknowledge(n)));
  }
  if (underWay.length >= MAX_IN_FLIGHT) await underWay.shift();
  if (n % 97 === 0) store.compact().catch(fail);
  if (n % 41 === 0) store.flush().catch(fail);
}
