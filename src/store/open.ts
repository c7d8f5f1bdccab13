/**
 * Opening: from a path and options to an open store, or to an error that leaves everything as it
 * was.
 *
 * The order matters: options are checked before the disk is touched, the lock is taken before
 * anything is read, and a lock that was taken is released on every way out. Read-only opens take no
 * lock: read_only.ts.
 */

import type { KeyEncoding } from "../contract/range.ts";
import { WeightedCache } from "../cache/weighted_cache.ts";
import { OPENING_SLICE_MS } from "../platform/pacing.ts";
import type { JobSettings } from "../worker/job_messages.ts";
import { JobThread } from "../worker/job_thread.ts";
import { compressorFor } from "../compression/compressors.ts";
import { hasZstd, NO_ZSTD } from "../compression/zstd.ts";
import { IoError, LockedError, StoreError } from "../errors.ts";
import { goStore } from "../go/go_store.ts";
import {
  type KeyShownBy,
  leastLargeBytes,
  type Options,
  ownFields,
  type ResolvedOptions,
  resolveOptions,
  type TypedOptions,
  type ValueShownBy,
} from "../options.ts";
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
import { Background } from "./background/background.ts";
import type { StoreParts } from "./closing.ts";
import { sharingFileSystem } from "./recovery/descriptor_sharing.ts";
import { type ForeignStore, foreignStoreIn } from "./recovery/foreign_store.ts";
import { lockedHere, openShared, openSharedSync, type SharedRequest } from "./open_shared.ts";
import { PinnedFiles } from "./state/pinned_files.ts";
import { ReadPath } from "./read/read_path.ts";
import { readStoreAsItIs } from "./recovery/read_only.ts";
import {
  createStore,
  isStore,
  notAStore,
  type RecoveredStore,
  recoverStore,
  type RecoveryOptions,
  refuseMissingStore,
  refuseRemains,
} from "./recovery/recovery.ts";
import { EmbeddedStore } from "./store.ts";
import { isDirectory, makeDirectory, syncParent } from "./recovery/store_directory.ts";
import { requirePath } from "./recovery/store_path.ts";
import { type StoreEntry, StorePlace } from "./store_registry.ts";
import { StoreState } from "./state/store_state.ts";
import { tidyUp } from "./background/tidying.ts";
import { WritePath } from "./write/write_path.ts";

/** Table files that may be open at once; fewer if the system gives fewer. */
const MAX_OPEN_FILES = 128;
/** Indexes and filters may take a quarter of the block cache's budget, and at least this much. */
const MIN_METADATA_CACHE_BYTES = 16 * 1024 * 1024;
const LOCK_RETRY_MS = 20;
/** How long one step of a wait for the lock holds the event loop. */
const LOCK_NAP_MS = 2;
/** Stores of other programs that `open` takes over. */
const FOREIGN_STORES: readonly ForeignStore[] = [goStore];

/**
 * Opens the store in a directory, and creates it if there is none.
 *
 * After a crash this recovers the entries of the write-ahead logs. Only one handle at a time may
 * write to a store, in any process of any runtime; with `shared: true` several modules of one
 * process can have it. With `readOnly: true` any number of handles may read beside it: each sees
 * the store as it was at some moment of its `open`, including everything that was acknowledged
 * before.
 *
 * The place is a path, relative to the working directory of the call, or a `file:` URL, also as
 * text: `"file:///srv/db"`. A directory whose name begins with "file:" is `"./file:..."`.
 *
 * @throws {TypeError | RangeError} an option or the path is not valid
 * @throws {LockedError} another handle has the store open; the error says so if it is in this
 *   process
 * @throws {StoreError} code `NOT_A_STORE` or `ALREADY_EXISTS`; code `SNAPSHOT_GONE`: a writer
 *   changed the store during every try of a read-only open
 * @throws {CorruptionError} a file of the store is missing or damaged; nothing is changed
 * @throws {UnsupportedFormatError} the store was written by a newer version
 * @throws {IoError} the file system refused
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
export async function open<
  K extends KeyEncoding = "utf8",
  I extends "bigint" | "number" = "bigint",
>(
  path: string | URL,
  options?: TypedOptions<K, I>,
): Promise<EmbeddedStore<KeyShownBy<K>, ValueShownBy<I>>> {
  const request = checkRequest(path, options);
  const scheduler = systemScheduler;
  if (request.options.readOnly) {
    const parts = await runTask(openReading(request, scheduler), scheduler, OPENING_SLICE_MS);
    return new EmbeddedStore<KeyShownBy<K>, ValueShownBy<I>>(parts);
  }
  const openParts = async (entry: StoreEntry): Promise<StoreParts> => {
    let lock: FileLock | undefined;
    try {
      lock = await takeLock(request, entry, scheduler);
      request.place.put(entry);
      return await runTask(
        openLocked(request, entry, lock, scheduler),
        scheduler,
        OPENING_SLICE_MS,
      );
    } catch (error) {
      throw givenUp(request, entry, lock, error);
    }
  };
  if (request.options.shared) {
    return await openShared(request, openParts) as EmbeddedStore<KeyShownBy<K>, ValueShownBy<I>>;
  }
  return new EmbeddedStore<KeyShownBy<K>, ValueShownBy<I>>(await openParts(unsharedEntry()));
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
export function openSync<K extends KeyEncoding = "utf8", I extends "bigint" | "number" = "bigint">(
  path: string | URL,
  options?: TypedOptions<K, I>,
): EmbeddedStore<KeyShownBy<K>, ValueShownBy<I>> {
  const request = checkRequest(path, options);
  const scheduler = systemScheduler;
  if (request.options.readOnly) {
    return new EmbeddedStore<KeyShownBy<K>, ValueShownBy<I>>(
      runTaskSync(openReading(request, scheduler)),
    );
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
  if (request.options.shared) {
    return openSharedSync(request, openParts) as EmbeddedStore<KeyShownBy<K>, ValueShownBy<I>>;
  }
  return new EmbeddedStore<KeyShownBy<K>, ValueShownBy<I>>(openParts(unsharedEntry()));
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
    throw notAStore(directory, `it is ${status.kind === "file" ? "a file" : "not a directory"}`);
  } else if (!options.readOnly && !options.createIfMissing) {
    // Before the lock, which would leave its file in a directory that we must not touch.
    const names = fileSystem.listSync(directory);
    if (!holdsStore(names)) refuseToCreate(directory, options, names);
  }
  const isDisk = given === undefined || ownFields(given).fileSystem === undefined;
  return { directory, options, place: new StorePlace(fileSystem, isDisk, directory) };
}

/** The registry's entry for a store that is not shared: it is open. */
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

/** Undoes what a failed open has done, and returns the error for its caller. */
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
    // If the lock was lost, that is the cause, and not what was read without it.
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
      // Another caller who waited was faster, and the store can be shared with it.
      if (entry.isShared && request.place.findOther(entry)?.isShared) throw error;
    }
    // Not by a timer: the scheduler's timers let the process end, here before it has its store.
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
  if (holdsStore(names)) {
    refuseExisting(request);
    recovered = yield* recoverStore(recovery, names);
  } else {
    refuseToCreate(directory, options, names);
    // Even if the directory exists: the process that made it may have been killed before the sync.
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
  if (recovered.hasNewTables) {
    try {
      yield* tidyUp(state);
    } catch (error) {
      if (error instanceof IoError) {
        // As recovery fails that cannot write. All is durable, so the next open does not need this.
        abandon(state);
        throw error;
      }
      // As if the background had done it: the store can be read.
      state.fail("a compaction", error);
    }
  }
  const parts = partsOf(state, lock, () => place.remove(entry));
  parts.background.kick();
  return parts;
}

/** Lets go of everything that a store has which is not opened after all, but for its lock. */
function abandon(state: StoreState): void {
  state.logs.close();
  state.versions.close();
  state.release();
  state.status = "closed";
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

/** The parts of a store that are made before anything of it is read. */
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
      // A reader writes no table, and there may be no zstd.
      compressor: compressorFor(readOnly ? "none" : options.compression, options.compressionLevel),
      blockSizeBytes: options.blockSizeBytes,
      bloomFalsePositiveRate: options.bloomFalsePositiveRate,
      buffers: new TableBufferPool(),
    },
    memtableSizeBytes,
    readOnly,
    largeValueBytes: leastLargeBytes(options),
    scheduler,
    foreign: FOREIGN_STORES,
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

/** @throws {StoreError} there is a store, and the caller asked for a new one */
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

/** Whether the directory holds a store that can be opened, one of ours or one to take over. */
function holdsStore(names: readonly string[]): boolean {
  return isStore(names) || foreignStoreIn(FOREIGN_STORES, names) !== undefined;
}

/** A directory without CURRENT may become a store, unless it was one. */
function refuseToCreate(
  directory: string,
  { fileSystem, createIfMissing }: ResolvedOptions,
  names: readonly string[],
): void {
  refuseRemains({ fileSystem, directory }, names);
  if (!createIfMissing) refuseMissingStore({ fileSystem, directory }, names);
}
