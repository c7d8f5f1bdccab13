/**
 * Opening: from a path and options to an open store, or to an error that leaves everything as it was.
 *
 * The order matters: options are checked before the disk is touched, the lock is taken before anything
 * is read, and a lock that was taken is released on every way out.
 */

import type { JobThreadSettings } from "../compaction/job_messages.ts";
import { JobThread } from "../compaction/job_thread.ts";
import { compressorFor } from "../compression/compressors.ts";
import { CorruptionError, IoError, LockedError, StoreError } from "../errors.ts";
import { isGoStore } from "../go/go_store.ts";
import { type Options, type ResolvedOptions, resolveOptions } from "../options.ts";
import type { FileLock } from "../platform/file_system.ts";
import type { Scheduler } from "../platform/scheduler.ts";
import { systemScheduler } from "../platform/system_scheduler.ts";
import { runTask, runTaskSync, type Task } from "../platform/task.ts";
import { WeightedCache } from "../cache/weighted_cache.ts";
import { BlockCache } from "../sstable/block_cache.ts";
import { HandlePool } from "../sstable/handle_pool.ts";
import { TableBufferPool } from "../sstable/table_buffers.ts";
import type { TableResources } from "../sstable/table_reader.ts";
import { fencedFileSystem } from "../version/fenced_file_system.ts";
import { CURRENT_NAME } from "../version/file_names.ts";
import { sharingFileSystem } from "./descriptor_sharing.ts";
import {
  createStore,
  isStore,
  type RecoveredStore,
  recoverStore,
  type RecoveryOptions,
  remainsOfStore,
} from "./recovery.ts";
import { Store } from "./store.ts";
import { isDirectory, makeDirectory, syncParent } from "./store_directory.ts";
import { StoreState } from "./store_state.ts";

/** Table files that are open at a time; fewer where the system gives fewer. */
const MAX_OPEN_FILES = 128;
/** Indexes and filters may take a quarter of the block cache's budget, and at least this much. */
const MIN_METADATA_CACHE_BYTES = 16 * 1024 * 1024;
const LOCK_RETRY_MS = 20;
/** How long a wait for the lock holds the event loop at a time. */
const LOCK_NAP_MS = 2;
const SLICE_MS = 2.5;

/**
 * Opens the store in a directory, creating it if there is none.
 *
 * After a crash this recovers what the write-ahead logs hold. Only one handle at a time may have a
 * store open, on any runtime.
 *
 * @throws {TypeError | RangeError} an option or the path is not valid
 * @throws {LockedError} another handle has the store open
 * @throws {CorruptionError} a file of the store is missing or damaged; nothing is changed
 * @throws {UnsupportedFormatError} the store was written by a newer version
 * @throws {IoError} the file system refused
 *
 * @example
 * ```ts
 * import { open } from "@tinykvs/core";
 *
 * const directory = await Deno.makeTempDir();
 * await using store = await open(directory);
 * await store.put("name", "Alice");
 * ```
 */
export async function open(path: string | URL, options?: Options): Promise<Store> {
  const request = checkRequest(path, options);
  const lock = await takeLock(request, systemScheduler);
  try {
    return await runTask(openLocked(request, systemScheduler, lock), systemScheduler, SLICE_MS);
  } catch (error) {
    throw givenUp(lock, error);
  }
}

/**
 * As {@linkcode open}, synchronously.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, openSync } from "@tinykvs/core";
 *
 * const store = openSync("/db", { fileSystem: memoryFileSystem() });
 * store.putSync("name", "Alice");
 * store.closeSync();
 * ```
 */
export function openSync(path: string | URL, options?: Options): Store {
  const request = checkRequest(path, options);
  const lock = takeLockSync(request, systemScheduler);
  try {
    return runTaskSync(openLocked(request, systemScheduler, lock));
  } catch (error) {
    throw givenUp(lock, error);
  }
}

/** Gives the lock back; where that is lost it, and not what was read without it, is to blame. */
function givenUp(lock: FileLock | undefined, error: unknown): unknown {
  try {
    lock?.verifySync();
    return error;
  } catch (lost) {
    return lost;
  } finally {
    lock?.releaseSync();
  }
}

interface Request {
  readonly directory: string;
  readonly options: ResolvedOptions;
}

function checkRequest(path: string | URL, given: Options | undefined): Request {
  if (typeof path !== "string" && !(path instanceof URL)) {
    throw new TypeError(`Cannot open the store: the path is ${typeof path}, expected a string`);
  }
  const options = resolveOptions(given);
  const { fileSystem } = options;
  const directory = fileSystem.resolvePath(path);
  const status = fileSystem.statSync(directory);
  if (status === undefined) {
    if (options.readOnly || !options.createIfMissing) {
      throw notAStore(directory, "it does not exist");
    }
    makeDirectory(fileSystem, directory);
  } else if (!isDirectory(fileSystem, directory, status)) {
    throw notAStore(directory, `it is ${status.kind === "file" ? "a file" : "no directory"}`);
  } else if (options.readOnly || !options.createIfMissing) {
    // Before the lock, which would leave its file in a directory that is none of our business.
    const names = fileSystem.listSync(directory);
    if (!isStore(names) && !isGoStore(names)) refuseRemains(directory, options, names);
  }
  return { directory, options };
}

async function takeLock(request: Request, scheduler: Scheduler): Promise<FileLock | undefined> {
  const deadline = scheduler.nowMs() + request.options.lockTimeoutMs;
  for (;;) {
    try {
      return await lockOnce(request);
    } catch (error) {
      if (!(error instanceof LockedError) || scheduler.nowMs() >= deadline) throw error;
    }
    // Not by a timer: those of the scheduler let the process end, here before it has its store.
    for (let waitedMs = 0; waitedMs < LOCK_RETRY_MS; waitedMs += LOCK_NAP_MS) {
      await scheduler.yield();
      scheduler.sleepSync(LOCK_NAP_MS);
    }
  }
}

function takeLockSync(request: Request, scheduler: Scheduler): FileLock | undefined {
  const deadline = scheduler.nowMs() + request.options.lockTimeoutMs;
  for (;;) {
    try {
      return lockOnceSync(request);
    } catch (error) {
      if (!(error instanceof LockedError) || scheduler.nowMs() >= deadline) throw error;
    }
    scheduler.sleepSync(LOCK_RETRY_MS);
  }
}

async function lockOnce({ directory, options }: Request): Promise<FileLock | undefined> {
  const { fileSystem } = options;
  try {
    return await (fileSystem.lock?.(directory) ?? fileSystem.lockSync(directory));
  } catch (error) {
    return requireHarmless(options, error);
  }
}

function lockOnceSync({ directory, options }: Request): FileLock | undefined {
  try {
    return options.fileSystem.lockSync(directory);
  } catch (error) {
    return requireHarmless(options, error);
  }
}

/** Where we may not even create the lock's file, as on a read-only disk, we can't harm anybody. */
function requireHarmless({ readOnly }: ResolvedOptions, error: unknown): undefined {
  if (!readOnly || !(error instanceof IoError)) throw error;
}

function* openLocked(
  { directory, options: given }: Request,
  scheduler: Scheduler,
  lock: FileLock | undefined,
): Task<Store> {
  const handles = new HandlePool(given.fileSystem, MAX_OPEN_FILES);
  const sharing = sharingFileSystem(given.fileSystem, handles);
  const options = {
    ...given,
    fileSystem: lock === undefined ? sharing : fencedFileSystem(sharing, directory, lock),
  };
  const resources: TableResources = {
    handles,
    blocks: new BlockCache(options.blockCacheSizeBytes),
    metadata: new WeightedCache(
      Math.max(MIN_METADATA_CACHE_BYTES, options.blockCacheSizeBytes / 4),
    ),
    verifyChecksums: options.verifyChecksums,
  };
  const { fileSystem, readOnly, memtableSizeBytes } = options;
  const recovery: RecoveryOptions = {
    fileSystem,
    directory,
    resources,
    tableOutput: {
      fileSystem,
      directory,
      compressor: compressorFor(options.compression, options.compressionLevel),
      blockSizeBytes: options.blockSizeBytes,
      bloomFalsePositiveRate: options.bloomFalsePositiveRate,
      buffers: new TableBufferPool(),
    },
    memtableSizeBytes,
    readOnly,
    scheduler,
  };
  let recovered: RecoveredStore;
  const names = fileSystem.listSync(directory);
  if (isStore(names) || isGoStore(names)) {
    if (options.errorIfExists) {
      throw new StoreError("ALREADY_EXISTS", `Cannot create a store in "${directory}": one exists`);
    }
    recovered = yield* recoverStore(recovery, names);
  } else {
    refuseRemains(directory, options, names);
    // Also where the directory was there: whoever made it may have been killed before the sync.
    syncParent(fileSystem, directory);
    recovered = createStore(recovery, names);
  }
  const state = new StoreState({
    directory,
    options,
    scheduler,
    resources,
    tableOutput: recovery.tableOutput,
    jobThread: options.backgroundThread && !readOnly
      ? new JobThread(
        {
          ...jobSettings(directory, options),
          fileNumbers: recovered.versions.fileNumbers.counter,
          lock: lock?.witness,
        },
        fileSystem,
        scheduler,
      )
      : undefined,
    ...recovered,
  });
  if (lock !== undefined) lock.onLost = (error) => void state.fail("holding the lock", error);
  return new Store(state, lock);
}

function jobSettings(
  directory: string,
  options: ResolvedOptions,
): Omit<JobThreadSettings, "fileNumbers" | "lock"> {
  const { compression, compressionLevel, blockSizeBytes, bloomFalsePositiveRate } = options;
  return { directory, compression, compressionLevel, blockSizeBytes, bloomFalsePositiveRate };
}

/** A directory without CURRENT may be made a store, unless there was one. */
function refuseRemains(
  directory: string,
  options: ResolvedOptions,
  names: readonly string[],
): void {
  const { fileSystem } = options;
  const [remains] = remainsOfStore(names);
  if (remains !== undefined) {
    const path = fileSystem.joinPath(directory, CURRENT_NAME);
    throw new CorruptionError(
      `Cannot open "${directory}": it holds "${remains}", but file "${CURRENT_NAME}" is missing`,
      path,
      0,
    );
  }
  if (options.readOnly || !options.createIfMissing) {
    throw notAStore(directory, `there is no file "${CURRENT_NAME}" in it`);
  }
}

function notAStore(directory: string, found: string): StoreError {
  return new StoreError("NOT_A_STORE", `Cannot open the store "${directory}": ${found}`);
}
