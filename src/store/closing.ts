/**
 * Closing a store: in which order accepted writes become durable and resources are released.
 *
 * Writes under way are acknowledged first, a running compaction is given up, the memtable is
 * flushed, one edit says that no log is needed, and small tables are compacted. With
 * `flushOnClose: false` the log is made durable instead, and stays. After any failure on the way,
 * files, leases and the lock are still released at the end.
 */

import type { FileLock } from "../platform/file_system.ts";
import { OPENING_SLICE_MS } from "../platform/pacing.ts";
import { runTask, runTaskSync } from "../platform/task.ts";
import type { VersionEdit } from "../version/version_edit.ts";
import type { Background } from "./background/background.ts";
import type { ReadPath } from "./read/read_path.ts";
import type { StoreState } from "./state/store_state.ts";
import { tidyUp } from "./background/tidying.ts";
import type { WritePath } from "./write/write_path.ts";

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
  /** Called when everything is released. */
  readonly onClosed: () => void;
}

/**
 * Closes an open store.
 *
 * @throws {BackgroundError} the store had failed, or failed now; it is closed anyway
 */
export async function closeStore(parts: StoreParts): Promise<void> {
  const { state, writes, background, lock } = parts;
  state.status = "closing";
  try {
    state.endStreams();
    await writes.drained();
    background.stopCompaction();
    if (mayWrite(state)) {
      lock?.verifySync();
      if (leavesLog(state)) {
        await background.flushed();
        state.logs.writeOutSync();
        await state.logs.sync();
        return;
      }
      writes.rotate();
      await background.flushed();
      if (state.logs.active !== undefined) {
        await runTask(state.versions.apply(lastEdit(state)), state.scheduler, OPENING_SLICE_MS);
      }
      state.logs.removeBelow(state.versions.log.number);
      if (state.logs.active !== undefined) {
        await runTask(tidyUp(state), state.scheduler, OPENING_SLICE_MS);
      }
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
    state.endStreams();
    background.stopCompaction();
    if (mayWrite(state)) {
      lock?.verifySync();
      state.logs.writeOutSync();
      if (leavesLog(state)) {
        background.flushedSync();
        state.logs.syncSync();
        return;
      }
      writes.rotate();
      background.flushedSync();
      if (state.logs.active !== undefined) state.versions.applySync(lastEdit(state));
      state.logs.removeBelow(state.versions.log.number);
      if (state.logs.active !== undefined) runTaskSync(tidyUp(state));
    }
  } catch (error) {
    throw state.fail("closing the store", error);
  } finally {
    dispose(parts);
  }
  if (state.failure !== undefined) throw state.failure;
}

/**
 * Makes the writes so far durable, as closing does, for a store that stays open.
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

/** Whether the next open is to find what is in memory in the log, as after a crash. */
function leavesLog({ options, memtable }: StoreState): boolean {
  return !options.flushOnClose && memtable.entryCount > 0;
}

/** The edit that says that no log is needed any more. */
function lastEdit({ versions, lastSequence }: StoreState): VersionEdit {
  const log = { number: versions.newFileNumber(), live: false };
  return { lastSequence, log, removed: [], added: [] };
}

function dispose({ state, writes, background, lock, onClosed }: StoreParts): void {
  background.stop();
  writes.stop();
  if (state.failure === undefined) state.observer?.acknowledged(state.lastSequence);
  state.observer?.ended(state.failure);
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
