/**
 * Opening a store read-only: without a lock and without writing, beside a writer that goes on.
 *
 * The writer does not know of it, so it may delete what is being read. Therefore the state is first
 * pinned and then read, as with a sequence lock:
 *
 * 1. Look at CURRENT, and at the length of the manifest that it names.
 * 2. Read the manifest; list the directory; open every log that it needs, and every table.
 * 3. Look again. If an edit came in between, the manifest is longer or CURRENT names another one:
 *   start over. If not, nothing that this manifest needs was deleted by then, because files are
 *   deleted after the edit that drops them. What is open stays readable, even if its name is
 *   removed.
 * 4. Replay the logs into memory.
 *
 * The result is a prefix of the history of writes that includes everything that the system had at
 * step 1. All logs but the newest of the list had ended before the list was made, and the newest
 * only grows. A write that was being appended while we read is cut off like the last write before a
 * crash.
 *
 * Something that looks like damage may be a file that has just been deleted, or that is just being
 * written. At the next try that is over. So an error counts only if the next try finds the same
 * one.
 */

import { IoError, StoreError } from "../../errors.ts";
import type { Scheduler } from "../../platform/scheduler.ts";
import type { IoStep, Task } from "../../platform/task.ts";
import {
  CURRENT_NAME,
  logName,
  manifestName,
  nameOfValues,
  namesWithinReach,
  tableName,
  valueFileName,
} from "../../version/file_names.ts";
import type { Current } from "../../version/manifest_format.ts";
import { VersionSet, type VersionState } from "../../version/version_set.ts";
import type { PinnedFiles } from "../state/pinned_files.ts";
import {
  foreignLogOf,
  missingFile,
  neededLogs,
  newStoreId,
  readCurrent,
  readManifest,
  type RecoveredStore,
  type RecoveryOptions,
  refuseMissingStore,
  requireTables,
} from "./recovery.ts";
import { foreignStoreIn } from "./foreign_store.ts";
import { Replay } from "./replay.ts";

/**
 * A try takes a few milliseconds at most, and a writer that makes an edit during each of this
 * number of tries is rare.
 */
const MAX_TRIES = 100;
const PAUSE_MS = 1;
/** A checkpoint that is not finished yet, or never was (checkpoint.ts). */
const UNFINISHED_NAME = manifestName(0);

/** Tells whether the state of a store has changed. */
interface Look {
  readonly current: Current;
  readonly manifestBytes: number;
}

/**
 * A task that reads the store in a directory as it is at some moment of the call. `prepare` makes
 * caches and the like for a try, whose files are read through `pins`.
 *
 * @throws {StoreError} code `SNAPSHOT_GONE`: a writer has changed the store during every try
 */
export function* readStoreAsItIs<P extends { readonly recovery: RecoveryOptions }>(
  prepare: () => P,
  pins: PinnedFiles,
  scheduler: Scheduler,
): Task<P & { readonly recovered: RecoveredStore }> {
  let lastError: StoreError | undefined;
  for (let tries = 1;; tries++) {
    const prepared = prepare();
    const { recovery } = prepared;
    let isRead = false;
    try {
      const recovered = yield* readOnce(recovery, pins);
      if (recovered !== undefined) {
        isRead = true;
        pins.seal();
        return { ...prepared, recovered };
      }
      lastError = undefined;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.message === lastError?.message && !isReplacement(error)) throw error;
      lastError = error;
    } finally {
      if (!isRead) recovery.resources.handles.close();
    }
    if (tries === MAX_TRIES) {
      throw new StoreError(
        "SNAPSHOT_GONE",
        `Cannot open "${recovery.directory}" read-only: a writer has changed it during each of ` +
          `${MAX_TRIES} tries; open it again`,
        lastError === undefined ? {} : { cause: lastError },
      );
    }
    yield pause(scheduler);
  }
}

/** Reads the store, or returns undefined if it changed meanwhile. */
function* readOnce(
  options: RecoveryOptions,
  pins: PinnedFiles,
): Task<RecoveredStore | undefined> {
  const { fileSystem, directory, resources } = options;
  const before = look(options);
  let state: VersionState;
  let listed: readonly string[];
  if (before === undefined) {
    listed = fileSystem.listSync(directory);
    const foreign = foreignStoreIn(options.foreign, listed) ?? refuse(options, listed);
    state = yield* foreign.read(options, listed);
  } else {
    const { storeId, manifestNumber } = before.current;
    state = readManifest(options, storeId, manifestNumber);
    listed = fileSystem.listSync(directory);
    requireTables(options, state, listed);
  }
  const names = namesWithinReach(listed, state.nextFileNumber);
  const logNumbers = neededLogs(options, state, names);
  const foreignLog = foreignLogOf(options, state, names);

  const pathOf = (name: string): string => fileSystem.joinPath(directory, name);
  const logs = logNumbers.map(logName).map(pathOf);
  if (foreignLog !== undefined) logs.push(pathOf(foreignLog.logName));
  // Compaction removes those of the upper levels first.
  const tables = state.version.levels.flat().map(({ metadata }) =>
    pathOf(tableName(metadata.number))
  );
  const uses = state.version.tables.flat().flatMap(({ valueUses }) => valueUses);
  const values = new Set(uses.map(({ kind, number }) => pathOf(nameOfValues(kind, number))));
  // From here to the second look nothing else of this thread may run.
  pins.keepOnly(before?.current.storeId, new Set([...logs, ...tables, ...values]));
  for (const path of logs) pins.pin(path);
  pins.pinTables([...tables, ...values]);
  if (!isSame(before, look(options))) return undefined;

  const versions = new VersionSet(
    fileSystem,
    directory,
    resources,
    before?.current.storeId ?? newStoreId(options.scheduler),
    state,
    before?.current.manifestNumber,
  );
  const replay = new Replay(options, versions, state.lastSequence);
  if (foreignLog !== undefined) yield* replay.runForeignLog(foreignLog);
  yield* replay.run(logNumbers);
  // The memtable may refer to large values in logs.
  const kept = new Set([...replay.valueLogs].map(logName).map(pathOf));
  // A file that is missing by now was there when its log was: the next try finds another log.
  pins.pinTables([...replay.valueFiles.keys()].map(valueFileName).map(pathOf));
  for (const path of logs) if (!kept.has(path)) pins.unpin(path);
  return {
    versions,
    lastSequence: replay.lastSequence,
    memtable: replay.memtable,
    hasNewTables: false,
  };
}

/** CURRENT, and the length of the manifest; undefined if there is no CURRENT. */
function look(options: RecoveryOptions): Look | undefined {
  const { fileSystem, directory } = options;
  if (fileSystem.statSync(fileSystem.joinPath(directory, CURRENT_NAME)) === undefined) {
    return undefined;
  }
  const current = readCurrent(options);
  const name = manifestName(current.manifestNumber);
  const status = fileSystem.statSync(fileSystem.joinPath(directory, name));
  if (status === undefined) throw missingFile(options, name);
  return { current, manifestBytes: status.sizeBytes };
}

/** A manifest only grows, and its number is never used again. */
function isSame(before: Look | undefined, after: Look | undefined): boolean {
  return before?.current.storeId === after?.current.storeId &&
    before?.current.manifestNumber === after?.current.manifestNumber &&
    before?.manifestBytes === after?.manifestBytes;
}

/** @throws {StoreError} always: the directory holds no readable store */
function refuse(options: RecoveryOptions, names: readonly string[]): never {
  const { directory } = options;
  if (names.includes(UNFINISHED_NAME)) {
    throw new StoreError(
      "NOT_A_STORE",
      `Cannot open the store "${directory}": it is a checkpoint that is not finished`,
    );
  }
  return refuseMissingStore(options, names);
}

/**
 * Whether another file replaced a file while it was opened, as may happen to CURRENT again and
 * again.
 */
function isReplacement(error: StoreError): boolean {
  return error instanceof IoError && error.osCode === "ESTALE";
}

function pause(scheduler: Scheduler): IoStep {
  return {
    runSync: () => scheduler.sleepSync(PAUSE_MS),
    // A turn for a writer in this thread, and time for one elsewhere. Not by a timer: the
    // scheduler's timers let the process end.
    run: async () => {
      await scheduler.yield();
      scheduler.sleepSync(PAUSE_MS);
    },
  };
}
