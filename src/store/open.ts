/**
 * Opening: from a path and options to an open store, or to an error that leaves everything as it was.
 *
 * The order matters: options are checked before the disk is touched, the lock is taken before anything
 * is read, and a lock that was taken is released on every way out. Read-only there is no lock: read_only.ts.
 */

import { WeightedCache } from "../cache/weighted_cache.ts";
import type { JobSettings } from "../compaction/job_messages.ts";
import { JobThread } from "../compaction/job_thread.ts";
import { compressorFor } from "../compression/compressors.ts";
import { hasZstd, NO_ZSTD } from "../compression/zstd.ts";
import { LockedError, StoreError } from "../errors.ts";
import { isGoStore } from "../go/go_store.ts";
import { type Options, ownFields, type ResolvedOptions, resolveOptions } from "../options.ts";
import type { FileLock, FileSystem } from "../platform/file_system.ts";
import { requireSupportedRuntime } from "../platform/runtime.ts";
import type { Scheduler } from "../platform/scheduler.ts";
import { systemScheduler } from "../platform/system_scheduler.ts";
import { runTask, runTaskSync, type Task } from "../platform/task.ts";
import { BlockCache } from "../sstable/block_cache.ts";
import { HandlePool } from "../sstable/handle_pool.ts";
import { TableBufferPool } from "../sstable/table_buffers.ts";
import type { TableResources } from "../sstable/table_reader.ts";
import { fencedFileSystem } from "../version/fenced_file_system.ts";
import { Background } from "./background.ts";
import type { StoreParts } from "./closing.ts";
import { sharingFileSystem } from "./descriptor_sharing.ts";
import { lockedHere, openShared, openSharedSync, type SharedRequest } from "./open_shared.ts";
import { PinnedFiles } from "./pinned_files.ts";
import { ReadPath } from "./read_path.ts";
import { readStoreAsItIs } from "./read_only.ts";
import {
  createStore,
  isStore,
  notAStore,
  type RecoveredStore,
  recoverStore,
  type RecoveryOptions,
  refuseMissingStore,
  refuseRemains,
} from "./recovery.ts";
import { EmbeddedStore } from "./store.ts";
import { isDirectory, makeDirectory, syncParent } from "./store_directory.ts";
import { requirePath } from "./store_path.ts";
import { type StoreEntry, StorePlace } from "./store_registry.ts";
import { StoreState } from "./store_state.ts";
import { WritePath } from "./write_path.ts";

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
 * After a crash this recovers what the write-ahead logs hold. Only one handle at a time may write to a store, in
 * any process of any runtime; several modules of one process can have it with `shared: true`. With
 * `readOnly: true` any number of handles may read beside it: each sees the store as it was at some moment
 * of its `open`, with everything in it that was acknowledged before.
 *
 * The place is a path, relative to the working directory of the call, or a `file:` URL, also as text:
 * `"file:///srv/db"`. A directory whose name begins with "file:" is `"./file:..."`.
 *
 * @throws {TypeError | RangeError} an option or the path is not valid
 * @throws {LockedError} another handle has the store open; the error says so if it is in this process
 * @throws {StoreError} code `NOT_A_STORE` or `ALREADY_EXISTS`; code `SNAPSHOT_GONE`: read-only, a writer made
 * every try useless
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
 *
 * await using reading = await open(directory, { readOnly: true }); // beside the writer
 * console.log(await reading.get("name")); // Alice
 * ```
 *
 * @example One store for all modules of a process, and for those that are loaded again
 * ```ts
 * import { open } from "@tinykvs/core";
 *
 * const directory = await Deno.makeTempDir();
 * await using store = await open(directory, { shared: true });
 * await using same = await open(directory, { shared: true });
 * await store.put("name", "Alice");
 * console.log(await same.get("name")); // Alice
 * ```
 */
export async function open(path: string | URL, options?: Options): Promise<EmbeddedStore> {
  const request = checkRequest(path, options);
  const scheduler = systemScheduler;
  if (request.options.readOnly) {
    return new EmbeddedStore(await runTask(openReading(request, scheduler), scheduler, SLICE_MS));
  }
  const openParts = async (entry: StoreEntry): Promise<StoreParts> => {
    let lock: FileLock | undefined;
    try {
      lock = await takeLock(request, entry, scheduler);
      request.place.put(entry);
      return await runTask(openLocked(request, entry, lock, scheduler), scheduler, SLICE_MS);
    } catch (error) {
      throw givenUp(request, entry, lock, error);
    }
  };
  if (request.options.shared) return await openShared(request, openParts);
  return new EmbeddedStore(await openParts(unsharedEntry()));
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
export function openSync(path: string | URL, options?: Options): EmbeddedStore {
  const request = checkRequest(path, options);
  const scheduler = systemScheduler;
  if (request.options.readOnly) {
    return new EmbeddedStore(runTaskSync(openReading(request, scheduler)));
  }
  const openParts = (entry: StoreEntry): StoreParts => {
    let lock: FileLock | undefined;
    try {
      lock = takeLockSync(request, scheduler);
      request.place.put(entry);
      return runTaskSync(openLocked(request, entry, lock, scheduler));
    } catch (error) {
      throw givenUp(request, entry, lock, error);
    }
  };
  if (request.options.shared) return openSharedSync(request, openParts);
  return new EmbeddedStore(openParts(unsharedEntry()));
}

function checkRequest(path: string | URL, given: Options | undefined): SharedRequest {
  const checkedPath = requirePath(path, "open the store");
  requireSupportedRuntime();
  const options = resolveOptions(given);
  if (options.readOnly && options.shared) {
    throw new TypeError(
      'Cannot use the options: "readOnly" and "shared" exclude each other; read-only handles need not be shared',
    );
  }
  const { fileSystem } = options;
  const directory = fileSystem.resolvePath(checkedPath);
  if (options.compression === "zstd" && !hasZstd && !options.readOnly) {
    throw new StoreError(
      "UNSUPPORTED_FORMAT",
      `Cannot open "${directory}" for writing with compression "zstd": ${NO_ZSTD}; ` +
        `compression "snappy" and "none" need neither`,
    );
  }
  const status = fileSystem.statSync(directory);
  if (status === undefined) {
    if (options.readOnly || !options.createIfMissing) {
      throw notAStore(directory, "it does not exist");
    }
    makeDirectory(fileSystem, directory);
  } else if (!isDirectory(fileSystem, directory, status)) {
    throw notAStore(directory, `it is ${status.kind === "file" ? "a file" : "no directory"}`);
  } else if (!options.readOnly && !options.createIfMissing) {
    // Before the lock, which would leave its file in a directory that is none of our business.
    const names = fileSystem.listSync(directory);
    if (!isStore(names) && !isGoStore(names)) refuseToCreate(directory, options, names);
  }
  const isDisk = given === undefined || ownFields(given).fileSystem === undefined;
  return { directory, options, place: new StorePlace(fileSystem, isDisk, directory) };
}

/** What the registry knows of a store that is not shared: that it is open. */
function unsharedEntry(): StoreEntry {
  const refuse = (): never => {
    throw new TypeError("the store is not shared");
  };
  return {
    isShared: false,
    options: {},
    opening: undefined,
    closing: undefined,
    hasFailed: false,
    handle: refuse,
    giveUp: refuse,
    giveUpSync: refuse,
  };
}

/** Undoes what an open has done that failed, and returns what its caller is told. */
function givenUp(
  request: SharedRequest,
  entry: StoreEntry,
  lock: FileLock | undefined,
  error: unknown,
): unknown {
  if (lock === undefined) {
    return error instanceof LockedError ? lockedHere(error, request, entry) : error;
  }
  try {
    // Where the lock is lost that, and not what was read without it, is to blame.
    lock.verifySync();
    return error;
  } catch (lost) {
    return lost;
  } finally {
    request.place.remove(entry);
    lock.releaseSync();
  }
}

async function takeLock(
  request: SharedRequest,
  entry: StoreEntry,
  scheduler: Scheduler,
): Promise<FileLock> {
  const deadline = scheduler.nowMs() + request.options.lockTimeoutMs;
  for (;;) {
    try {
      const { fileSystem } = request.options;
      return await (fileSystem.lock?.(request.directory) ?? fileSystem.lockSync(request.directory));
    } catch (error) {
      if (!(error instanceof LockedError) || scheduler.nowMs() >= deadline) throw error;
      // Another one who waited was faster, and the store can be shared with him.
      if (entry.isShared && request.place.findOther(entry)?.isShared) throw error;
    }
    // Not by a timer: those of the scheduler let the process end, here before it has its store.
    for (let waitedMs = 0; waitedMs < LOCK_RETRY_MS; waitedMs += LOCK_NAP_MS) {
      await scheduler.yield();
      scheduler.sleepSync(LOCK_NAP_MS);
    }
  }
}

function takeLockSync(request: SharedRequest, scheduler: Scheduler): FileLock {
  const deadline = scheduler.nowMs() + request.options.lockTimeoutMs;
  for (;;) {
    try {
      return request.options.fileSystem.lockSync(request.directory);
    } catch (error) {
      if (!(error instanceof LockedError) || scheduler.nowMs() >= deadline) throw error;
    }
    scheduler.sleepSync(LOCK_RETRY_MS);
  }
}

function* openLocked(
  request: SharedRequest,
  entry: StoreEntry,
  lock: FileLock,
  scheduler: Scheduler,
): Task<StoreParts> {
  const { directory, place } = request;
  const { options, recovery } = prepare(request, request.options.fileSystem, scheduler, lock);
  const { fileSystem } = options;
  let recovered: RecoveredStore;
  const names = fileSystem.listSync(directory);
  if (isStore(names) || isGoStore(names)) {
    refuseExisting(request);
    recovered = yield* recoverStore(recovery, names);
  } else {
    refuseToCreate(directory, options, names);
    // Also where the directory was there: whoever made it may have been killed before the sync.
    syncParent(fileSystem, directory);
    recovered = createStore(recovery, names);
  }
  const { counter } = recovered.versions.fileNumbers;
  const jobThread = options.backgroundThread
    ? new JobThread(
      { ...jobSettings(directory, options), fileNumbers: counter, lock: lock.witness },
      fileSystem,
    )
    : undefined;
  const state = stateOf(options, recovery, recovered, jobThread);
  lock.onLost = (error) => void state.fail("holding the lock", error);
  const parts = partsOf(state, lock, () => place.remove(entry));
  parts.background.kick();
  return parts;
}

/** Opens a store to read it, without a lock (read_only.ts). */
function* openReading(request: SharedRequest, scheduler: Scheduler): Task<StoreParts> {
  const pins = new PinnedFiles(request.options.fileSystem);
  let isOpen = false;
  try {
    const { options, recovery, recovered } = yield* readStoreAsItIs(
      () => prepare(request, pins.fileSystem, scheduler),
      pins,
      scheduler,
    );
    refuseExisting(request);
    const parts = partsOf(
      stateOf(options, recovery, recovered, undefined, pins),
      undefined,
      () => pins.close(),
    );
    isOpen = true;
    return parts;
  } finally {
    if (!isOpen) pins.close();
  }
}

/** What is made for a store before anything is read of it. */
interface Prepared {
  readonly options: ResolvedOptions;
  readonly recovery: RecoveryOptions;
}

function prepare(
  { directory, options: given }: SharedRequest,
  below: FileSystem,
  scheduler: Scheduler,
  lock?: FileLock,
): Prepared {
  const handles = new HandlePool(below, MAX_OPEN_FILES);
  const sharing = sharingFileSystem(below, handles);
  const fileSystem = lock === undefined ? sharing : fencedFileSystem(sharing, directory, lock);
  const options = { ...given, fileSystem };
  const { readOnly, memtableSizeBytes } = options;
  const resources: TableResources = {
    handles,
    blocks: new BlockCache(options.blockCacheSizeBytes),
    metadata: new WeightedCache(
      Math.max(MIN_METADATA_CACHE_BYTES, options.blockCacheSizeBytes / 4),
    ),
    verifyChecksums: options.verifyChecksums,
  };
  const recovery: RecoveryOptions = {
    fileSystem,
    directory,
    resources,
    tableOutput: {
      fileSystem,
      directory,
      // A reader writes no table, and may be where there is no zstd.
      compressor: compressorFor(readOnly ? "none" : options.compression, options.compressionLevel),
      blockSizeBytes: options.blockSizeBytes,
      bloomFalsePositiveRate: options.bloomFalsePositiveRate,
      buffers: new TableBufferPool(),
    },
    memtableSizeBytes,
    readOnly,
    scheduler,
  };
  return { options, recovery };
}

function stateOf(
  options: ResolvedOptions,
  { directory, resources, tableOutput, scheduler }: RecoveryOptions,
  recovered: RecoveredStore,
  jobThread: JobThread | undefined,
  pins?: PinnedFiles,
): StoreState {
  return new StoreState({
    directory,
    options,
    scheduler,
    resources,
    tableOutput,
    jobThread,
    pins,
    ...recovered,
  });
}

function partsOf(
  state: StoreState,
  lock: FileLock | undefined,
  onClosed: () => void,
): StoreParts {
  const background = new Background(state);
  const writes = new WritePath(state, background);
  const reads = new ReadPath(state);
  state.onRest = () => {
    reads.rest();
    writes.rest();
  };
  return { state, background, writes, reads, lock, onClosed };
}

/** @throws {StoreError} a store is there, and a new one was asked for */
function refuseExisting({ directory, options }: SharedRequest): void {
  if (!options.errorIfExists) return;
  throw new StoreError("ALREADY_EXISTS", `Cannot create a store in "${directory}": one exists`);
}

function jobSettings(
  directory: string,
  options: ResolvedOptions,
): Omit<JobSettings, "fileNumbers" | "lock"> {
  const { compression, compressionLevel, blockSizeBytes, bloomFalsePositiveRate, fileMode } =
    options;
  return {
    directory,
    fileMode,
    compression,
    compressionLevel,
    blockSizeBytes,
    bloomFalsePositiveRate,
  };
}

/** A directory without CURRENT may be made a store, unless there was one. */
function refuseToCreate(
  directory: string,
  { fileSystem, createIfMissing }: ResolvedOptions,
  names: readonly string[],
): void {
  refuseRemains({ fileSystem, directory }, names);
  if (!createIfMissing) refuseMissingStore({ fileSystem, directory }, names);
}
