/** The parts that a store is made of, and the file system under them. open.ts orders them. */

import { WeightedCache } from "../cache/weighted_cache.ts";
import { compressorFor } from "../compression/compressors.ts";
import { leastLargeBytes, type ResolvedOptions } from "../options.ts";
import type { FileLock, FileSystem } from "../platform/file_system.ts";
import type { Scheduler } from "../platform/scheduler.ts";
import { BlockCache } from "../sstable/block_cache.ts";
import { HandlePool } from "../sstable/handle_pool.ts";
import { TableBufferPool } from "../sstable/table_buffers.ts";
import type { TableResources } from "../sstable/table_reader.ts";
import { fencedFileSystem } from "../version/fenced_file_system.ts";
import type { JobSettings } from "../worker/job_messages.ts";
import type { JobThread } from "../worker/job_thread.ts";
import { Background } from "./background/background.ts";
import type { StoreParts } from "./closing.ts";
import type { SharedRequest } from "./open_shared.ts";
import { ReadPath } from "./read/read_path.ts";
import { sharingFileSystem } from "./recovery/descriptor_sharing.ts";
import type { ForeignStore } from "./recovery/foreign_store.ts";
import type { RecoveredStore, RecoveryOptions } from "./recovery/recovery.ts";
import type { PinnedFiles } from "./state/pinned_files.ts";
import { StoreState } from "./state/store_state.ts";
import { WritePath } from "./write/write_path.ts";

/** Table files that may be open at once; fewer if the system gives fewer. */
const MAX_OPEN_FILES = 128;
/** Indexes and filters may take a quarter of the block cache's budget, and at least this much. */
const MIN_METADATA_CACHE_BYTES = 16 * 1024 * 1024;

/** The parts of a store that are made before anything of it is read. */
export interface Prepared {
  readonly options: ResolvedOptions;
  readonly recovery: RecoveryOptions;
}

/** Makes them. `foreign` are the stores of other programs that may be taken over. */
export function prepare(
  { directory, options: given }: SharedRequest,
  below: FileSystem,
  scheduler: Scheduler,
  foreign: readonly ForeignStore[],
  lock?: FileLock,
): Prepared {
  const handles = new HandlePool(below, MAX_OPEN_FILES);
  const sharing = sharingFileSystem(below, handles);
  const fileSystem = lock === undefined ? sharing : fencedFileSystem(sharing, directory, lock);
  const options = { ...given, fileSystem };
  const { readOnly, memtableSizeBytes } = options;
  const blocks = new BlockCache(options.blockCacheSizeBytes);
  const resources: TableResources = {
    handles,
    blocks,
    metadata: new WeightedCache(
      Math.max(MIN_METADATA_CACHE_BYTES, options.blockCacheSizeBytes / 4),
      undefined,
      (bytes) => blocks.lend(bytes),
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
    foreign,
  };
  return { options, recovery };
}

/** The state of a store that was recovered or created. */
export function stateOf(
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

/** The paths of a store over its state. */
export function partsOf(
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

/** What the job thread has to know of a store. */
export function jobSettings(
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

/** Lets go of everything that a store has which is not opened after all, but for its lock. */
export function abandon(state: StoreState): void {
  state.logs.close();
  state.versions.close();
  state.release();
  state.status = "closed";
}
