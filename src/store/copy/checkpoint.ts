/**
 * `store.checkpoint`: the store as it is at the call, written to another directory beside the
 * running store, in our own format (store_copy.ts) or in that of Go TinyKVS v0.4
 * (go/go_checkpoint.ts).
 *
 * It reads through a lease, as a snapshot does, and is a task that is driven in slices, so writes,
 * flushes and compactions of the store go on. This file owns the directory that is made:
 *
 * - The directory's lock is held meanwhile, as by any store.
 * - From first to last a file `MANIFEST-000000`, a number that no store uses, stands in it, durable
 *   before any other file is. While it is there without a CURRENT and a `wal.log`, `open` refuses
 *   tables that lie beside it, also those that are in Go's format and need no manifest. The Go
 *   program knows no such mark: go_store_writer.ts says what that leaves open.
 * - What fails, is aborted, or loses its store on the way removes its files. A crash may leave
 *   some, but never a directory that opens as a store with less in it.
 */

import { ClosedError, isRefusal, StoreError } from "../../errors.ts";
import { ownFields } from "../../options.ts";
import type { FileLock } from "../../platform/file_system.ts";
import { SLICE_MS } from "../../platform/pacing.ts";
import { RunningTask, runTaskSync, syncDirectoryStep, type Task } from "../../platform/task.ts";
import { fencedFileSystem } from "../../version/fenced_file_system.ts";
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  isLockName,
  manifestName,
  parseFileName,
} from "../../version/file_names.ts";
import { type GoExpiring, writeGoStore } from "../../go/go_checkpoint.ts";
import { GO_LOG_NAME } from "../../go/go_log.ts";
import { stagedTableNumber } from "../../go/go_store_writer.ts";
import { checkSignal, throwIfAborted } from "../../contract/abort_signal.ts";
import type { Lease } from "../state/read_view.ts";
import {
  isDirectory,
  makeDirectory,
  type NewDirectory,
  syncParent,
} from "../recovery/store_directory.ts";
import { copyStore } from "./store_copy.ts";
import { requirePath } from "../recovery/store_path.ts";
import type { StoreState } from "../state/store_state.ts";

/** The format of a checkpoint: ours, or that of Go TinyKVS v0.4. */
export type CheckpointFormat = "tinykvs" | "go-v0.4";

/** The options of a checkpoint. */
export interface CheckpointOptions {
  /** The library that will open it. Default "tinykvs". */
  format?: CheckpointFormat;
  /**
   * For the format "go-v0.4", whose values do not expire: what to make of values that do. "refuse"
   * them with an error that names the key, "drop" them, or "keep" them without their time. Default
   * "refuse".
   */
  expiring?: "refuse" | "drop" | "keep";
  /** Gives the checkpoint up: it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** The mark of an unfinished checkpoint. */
const UNFINISHED_NAME = manifestName(0);
/** The longest time for which the event loop is held at once. */
const NAMES: ReadonlySet<string> = new Set(["format", "expiring", "signal"]);

/** Makes a checkpoint; `Store.checkpoint` documents it. */
export async function makeCheckpoint(
  state: StoreState,
  path: string | URL,
  options: CheckpointOptions | undefined,
): Promise<void> {
  const { directory, ...wanted } = begin(state, path, options);
  const { fileSystem } = state;
  const lease = state.lease();
  let lock: FileLock | undefined;
  try {
    makeOrFindDirectory({ fileSystem, directory });
    lock = await (fileSystem.lock?.(directory) ?? fileSystem.lockSync(directory));
    const task = lockedTask(state, lease, { fileSystem, directory }, lock, wanted);
    await drive(state, lease, task, wanted.signal);
  } finally {
    lease.release();
    lock?.releaseSync();
  }
}

/** As `makeCheckpoint`, at once. */
export function makeCheckpointSync(
  state: StoreState,
  path: string | URL,
  options: CheckpointOptions | undefined,
): void {
  const { directory, ...wanted } = begin(state, path, options);
  const { fileSystem } = state;
  const lease = state.lease();
  let lock: FileLock | undefined;
  try {
    makeOrFindDirectory({ fileSystem, directory });
    lock = fileSystem.lockSync(directory);
    runTaskSync(lockedTask(state, lease, { fileSystem, directory }, lock, wanted));
  } finally {
    lease.release();
    lock?.releaseSync();
  }
}

/** What a checkpoint was asked for. */
interface Wanted {
  readonly format: CheckpointFormat;
  readonly expiring: GoExpiring;
  readonly signal: AbortSignal | undefined;
}

function begin(
  state: StoreState,
  path: string | URL,
  options: CheckpointOptions | undefined,
): Wanted & { readonly directory: string } {
  const place = requirePath(path, "make a checkpoint");
  const wanted = resolveCheckpoint(options);
  state.requireOpen();
  throwIfAborted(wanted.signal);
  return { ...wanted, directory: state.fileSystem.resolvePath(place) };
}

function lockedTask(
  state: StoreState,
  lease: Lease,
  { fileSystem, directory }: NewDirectory,
  lock: FileLock,
  { format, expiring }: Wanted,
): Task<void> {
  const target = { fileSystem: fencedFileSystem(fileSystem, directory, lock), directory };
  requireEmpty(target);
  return checkpointTask(state, lease, target, format, expiring);
}

function resolveCheckpoint(options: CheckpointOptions | undefined): Wanted {
  const fail = (problem: string): never => {
    throw new TypeError(`Cannot make a checkpoint: ${problem}`);
  };
  const fallback = { format: "tinykvs", expiring: "refuse", signal: undefined } as const;
  if (options === undefined) return fallback;
  if (typeof options !== "object" || options === null) {
    return fail(`found ${options === null ? "null" : typeof options}, expected options`);
  }
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) fail(`unknown option "${name}"`);
  }
  const { format = "tinykvs", expiring, signal } = ownFields(options);
  if (format !== "tinykvs" && format !== "go-v0.4") {
    throw new RangeError(
      `Cannot make a checkpoint: "format" is ${
        typeof format === "string" ? JSON.stringify(format) : typeof format
      }, expected "tinykvs" or "go-v0.4"`,
    );
  }
  if (expiring !== undefined && format !== "go-v0.4") {
    fail('"expiring" is for the format "go-v0.4", others keep values with their times');
  }
  if (expiring !== undefined && !["refuse", "drop", "keep"].includes(expiring)) {
    throw new RangeError(
      `Cannot make a checkpoint: "expiring" is ${
        typeof expiring === "string" ? JSON.stringify(expiring) : typeof expiring
      }, expected "refuse", "drop" or "keep"`,
    );
  }
  checkSignal(signal, "Cannot make a checkpoint");
  return { format, expiring: expiring ?? "refuse", signal };
}

function makeOrFindDirectory({ fileSystem, directory }: NewDirectory): void {
  const status = fileSystem.statSync(directory);
  if (status === undefined) return makeDirectory(fileSystem, directory);
  if (!isDirectory(fileSystem, directory, status)) {
    throw taken(directory, `it is ${status.kind === "file" ? "a file" : "not a directory"}`);
  }
  // Before the lock, which would leave its file in a directory that we must not touch.
  requireEmpty({ fileSystem, directory });
  syncParent(fileSystem, directory);
}

/** The files of a lock may be there: an earlier checkpoint that failed has left them. */
function requireEmpty({ fileSystem, directory }: NewDirectory): void {
  const name = fileSystem.listSync(directory).find((found) => !isLockName(found));
  if (name !== undefined) throw taken(directory, `it holds "${name}"`);
}

function taken(directory: string, found: string): StoreError {
  return new StoreError(
    "ALREADY_EXISTS",
    `Cannot write a checkpoint to "${directory}": ${found}, expected an empty directory or none`,
  );
}

/** Runs the task in slices, as long as its store is open and nobody aborts it. */
async function drive(
  { scheduler }: StoreState,
  lease: Lease,
  task: Task<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  // If a step ends after the task, the cleanup has made its failure meaningless.
  const running = new RunningTask(task, () => {});
  for (;;) {
    running.slice(scheduler, SLICE_MS);
    if (running.isWaiting) await running.wake;
    else if (!running.isSettled) await scheduler.yield();
    if (running.isSettled && running.error === undefined) return running.result;
    try {
      // If the store was closed meanwhile, the files are not the cause.
      lease.requireHeld("store");
      throwIfAborted(signal);
    } catch (error) {
      running.cancel(error);
      throw error;
    }
    if (running.isSettled) return running.result;
  }
}

function* checkpointTask(
  state: StoreState,
  lease: Lease,
  target: NewDirectory,
  format: CheckpointFormat,
  expiring: GoExpiring,
): Task<void> {
  const { fileSystem, directory } = target;
  const path = (name: string): string => fileSystem.joinPath(directory, name);
  // Exclusively: if somebody else makes a checkpoint here, they have come first, and we may not
  // remove anything.
  fileSystem.createSync(path(UNFINISHED_NAME)).closeSync();
  let isFinished = false;
  try {
    yield syncDirectoryStep(fileSystem, directory);
    if (format === "go-v0.4") yield* writeGoStore(state, lease, target, expiring);
    else yield* copyStore(state, lease, target);
    fileSystem.removeSync(path(UNFINISHED_NAME));
    if (format === "go-v0.4") fileSystem.createSync(path(GO_LOG_NAME)).closeSync();
    yield syncDirectoryStep(fileSystem, directory);
    isFinished = true;
  } finally {
    // This runs even if the store is closed meanwhile: a cancelled generator runs nothing else.
    if (!isFinished) removeFiles(target);
  }
}

/**
 * Removes what a failed checkpoint has made; the directory itself stays. A file that can't be
 * removed stays, and the mark with it.
 */
function removeFiles({ fileSystem, directory }: NewDirectory): void {
  const mark = fileSystem.joinPath(directory, UNFINISHED_NAME);
  try {
    if (fileSystem.statSync(mark) === undefined) fileSystem.createSync(mark).closeSync();
    fileSystem.syncDirectorySync(directory);
    const names = fileSystem.listSync(directory);
    // The files that make a store of the rest go first.
    const first = [CURRENT_NAME, GO_LOG_NAME].filter((name) => names.includes(name));
    const others = names.filter((name) => name !== UNFINISHED_NAME && isOurs(name));
    for (const part of [first, others]) {
      for (const name of part) fileSystem.removeSync(fileSystem.joinPath(directory, name));
      fileSystem.syncDirectorySync(directory);
    }
    fileSystem.removeSync(mark);
  } catch (error) {
    // The caller has to hear of the failure that led here, not of this one.
    if (!isRefusal(error) && !(error instanceof ClosedError)) throw error;
  }
}

/** Whether a checkpoint makes files of this name. The directory was empty before. */
function isOurs(name: string): boolean {
  return name === CURRENT_TEMPORARY_NAME || parseFileName(name) !== undefined ||
    stagedTableNumber(name) !== undefined;
}
