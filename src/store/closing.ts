/**
 * Closing a store: in which order what was accepted is made durable and what is held is given back.
 *
 * Writes under way are acknowledged first, a compaction is given up where it stands, the memtable is
 * flushed, and one edit says that no log is needed. Whatever fails on the way, files, leases and the
 * lock are given back at the end.
 */

import type { FileLock } from "../platform/file_system.ts";
import { runTask } from "../platform/task.ts";
import type { VersionEdit } from "../version/version_edit.ts";
import type { Background } from "./background.ts";
import type { StoreState } from "./store_state.ts";
import type { WritePath } from "./write_path.ts";

const SLICE_MS = 2;

/** What has to be closed. */
export interface StoreParts {
  /** The shared state. */
  readonly state: StoreState;
  /** The write path. */
  readonly writes: WritePath;
  /** The background. */
  readonly background: Background;
  /** The lock, if one was taken. */
  readonly lock: FileLock | undefined;
}

/**
 * Closes an open store.
 *
 * @throws {BackgroundError} the store had failed, or failed now; it is closed all the same
 */
export async function closeStore(parts: StoreParts): Promise<void> {
  const { state, writes, background, lock } = parts;
  state.status = "closing";
  try {
    await writes.drained();
    background.stopCompaction();
    if (mayWrite(state)) {
      lock?.verifySync();
      writes.rotate();
      await background.flushed();
      if (state.logs.active !== undefined) {
        await runTask(state.versions.apply(lastEdit(state)), state.scheduler, SLICE_MS);
      }
      state.logs.removeBelow(state.versions.log.number);
    }
  } catch (error) {
    throw state.fail("closing the store", error);
  } finally {
    dispose(parts);
  }
  if (state.failure !== undefined) throw state.failure;
}

/** As `closeStore`. */
export function closeStoreSync(parts: StoreParts): void {
  const { state, writes, background, lock } = parts;
  state.status = "closing";
  try {
    background.stopCompaction();
    if (mayWrite(state)) {
      lock?.verifySync();
      state.logs.writeOutSync();
      writes.rotate();
      background.flushedSync();
      if (state.logs.active !== undefined) state.versions.applySync(lastEdit(state));
      state.logs.removeBelow(state.versions.log.number);
    }
  } catch (error) {
    throw state.fail("closing the store", error);
  } finally {
    dispose(parts);
  }
  if (state.failure !== undefined) throw state.failure;
}

function mayWrite({ options, failure }: StoreState): boolean {
  return !options.readOnly && failure === undefined;
}

/** The edit that says that no log is needed any more. */
function lastEdit({ versions, lastSequence }: StoreState): VersionEdit {
  const log = { number: versions.newFileNumber(), live: false };
  return { lastSequence, log, removed: [], added: [] };
}

function dispose({ state, background, lock }: StoreParts): void {
  background.stop();
  for (const lease of [...state.leases]) lease.revoke();
  state.logs.close();
  state.versions.close();
  lock?.releaseSync();
  state.status = "closed";
}
