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
import type { ReadPath } from "./read_path.ts";
import type { StoreState } from "./store_state.ts";
import type { WritePath } from "./write_path.ts";

const SLICE_MS = 2;

/** What has to be closed. */
export interface StoreParts {
  /** The shared state. */
  readonly state: StoreState;
  /** The write path. */
  readonly writes: WritePath;
  /** The read path. */
  readonly reads: ReadPath;
  /** The background. */
  readonly background: Background;
  /** The lock, if one was taken. */
  readonly lock: FileLock | undefined;
  /** Called when all is given back. */
  readonly onClosed: () => void;
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

/**
 * Makes durable what was written so far, as closing does, to a store that goes on.
 *
 * @throws {BackgroundError} the store had failed
 */
export async function settleWrites({ state, writes }: StoreParts): Promise<void> {
  if (state.failure !== undefined) throw state.failure;
  await writes.sync();
}

/** As `settleWrites`. */
export function settleWritesSync({ state }: StoreParts): void {
  if (state.failure !== undefined) throw state.failure;
  try {
    state.logs.writeOutSync();
    state.logs.syncSync();
  } catch (error) {
    throw state.fail("a sync of the write-ahead log", error);
  }
}

function mayWrite({ options, failure }: StoreState): boolean {
  return !options.readOnly && failure === undefined;
}

/** The edit that says that no log is needed any more. */
function lastEdit({ versions, lastSequence }: StoreState): VersionEdit {
  const log = { number: versions.newFileNumber(), live: false };
  return { lastSequence, log, removed: [], added: [] };
}

function dispose({ state, writes, background, lock, onClosed }: StoreParts): void {
  background.stop();
  writes.stop();
  for (const lease of [...state.leases]) lease.revoke();
  state.logs.close();
  state.versions.close();
  state.release();
  state.status = "closed";
  try {
    lock?.releaseSync();
  } finally {
    onClosed();
  }
}
