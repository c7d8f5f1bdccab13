/** A worker thread of lock_race_test.ts: tries to open the store that it is given. */

import { parentPort, workerData } from "node:worker_threads";
import { LockedError, open } from "../../mod.ts";

try {
  const store = await open(workerData as string);
  await store.close();
  parentPort!.postMessage("opened");
} catch (error) {
  parentPort!.postMessage(error instanceof LockedError ? error.holder : String(error));
}
