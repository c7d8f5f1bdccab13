/** A lock as another thread of its holder sees it: the job thread writes in the store's name. */

import { LockLostError } from "../errors.ts";
import type { FileLock, LockWitness } from "./file_system.ts";
import { describeRecord, readRecord, recordStatus } from "./lock_record.ts";

/** A lock that can be verified, and nothing else. */
export function watchedLock({ directory, path, dev, ino }: LockWitness): FileLock {
  let lost: LockLostError | undefined;
  return {
    verifySync(): void {
      if (lost !== undefined) throw lost;
      const status = recordStatus(path);
      if (status?.ino === ino && status.dev === dev) return;
      throw lost = new LockLostError(directory, describeRecord(readRecord(path)));
    },
    releaseSync(): void {},
  };
}
