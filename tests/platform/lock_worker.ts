/** A worker thread of directory_lock_test.ts: tries to lock the directory that it is given. */

import { parentPort, workerData } from "node:worker_threads";
import { LockedError } from "../../src/errors.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";

try {
  const lock = defaultFileSystem().lockSync(workerData as string);
  parentPort!.once("message", () => {
    lock.releaseSync();
    parentPort!.postMessage("released");
  });
  parentPort!.postMessage("held");
} catch (error) {
  parentPort!.postMessage(error instanceof LockedError ? error.holder : String(error));
}
