/**
 * Brings a directory back to the state that its files prove: reads CURRENT and the manifest, replays
 * the logs that no table has yet, and writes what they hold to level-0 tables.
 *
 * The result is always the state after some prefix of the history of writes, and that prefix contains
 * everything that was acknowledged as durable. Where the files can't be that, open fails and nothing
 * is changed: a missing table or log, damage in the middle of a log, a log that ends early although a
 * later one shows that it was durable.
 *
 * Everything recovered is made durable in tables before the store is served, so that nothing a reader
 * has seen can be taken back by a later power loss. Logs found on disk are never appended to. Only
 * then are files deleted that nothing refers to.
 */

import {
  CorruptionError,
  corruptionFrom,
  IoError,
  StoreError,
  UnsupportedFormatError,
} from "../errors.ts";
import { hasGoLog, isGoFile, readGoStore } from "../go/go_store.ts";
import type { Memtable } from "../memtable/memtable.ts";
import type { Scheduler } from "../platform/scheduler.ts";
import type { Task } from "../platform/task.ts";
import { readWholeFileSync } from "../platform/transfer.ts";
import { TableReader, type TableResources } from "../sstable/table_reader.ts";
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  GO_LOG_NAME,
  isSyncName,
  logName,
  manifestName,
  namesWithinReach,
  type NumberedFile,
  parseFileName,
  tableName,
} from "../version/file_names.ts";
import {
  type Current,
  decodeCurrent,
  decodeManifest,
  MAX_CURRENT_BYTES,
  otherCurrentVersion,
} from "../version/manifest_format.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import { LiveTable } from "../version/version.ts";
import {
  emptyVersionState,
  MAX_NUMBERS_AHEAD,
  stateAfter,
  VersionSet,
  type VersionState,
} from "../version/version_set.ts";
import { Replay, type ReplayOptions } from "./replay.ts";

/** A manifest larger than this is not read into memory. */
const MAX_MANIFEST_BYTES = 2 ** 30;

/** What recovery needs to know. */
export interface RecoveryOptions extends ReplayOptions {
  /** Caches and open files of the store. */
  readonly resources: TableResources;
  /** Where a new store's id comes from. */
  readonly scheduler: Scheduler;
}

/** A recovered store. */
export interface RecoveredStore {
  /** Its versions. */
  readonly versions: VersionSet;
  /** Sequence number of the newest entry. */
  readonly lastSequence: number;
  /** What the logs hold, where it may not be written to tables (read_only.ts). */
  readonly memtable: Memtable | undefined;
}

/** Whether the directory holds a store of ours. */
export function isStore(names: readonly string[]): boolean {
  return names.includes(CURRENT_NAME);
}

/** Names of files that show that a store was here whose CURRENT is lost. */
export function remainsOfStore(names: readonly string[]): string[] {
  return names.filter((name) => {
    const kind = parseFileName(name)?.kind;
    return kind === "log" || kind === "table";
  });
}

/** @throws {StoreError} always: the directory holds no store, or what is left of one */
export function refuseMissingStore(
  { fileSystem, directory }: Pick<RecoveryOptions, "fileSystem" | "directory">,
  names: readonly string[],
): never {
  refuseRemains({ fileSystem, directory }, names);
  throw notAStore(directory, `there is no file "${CURRENT_NAME}" in it`);
}

/** @throws {CorruptionError} the directory has lost the CURRENT of the store that was in it */
export function refuseRemains(
  { fileSystem, directory }: Pick<RecoveryOptions, "fileSystem" | "directory">,
  names: readonly string[],
): void {
  const [remains] = remainsOfStore(names);
  if (remains === undefined) return;
  throw new CorruptionError(
    `Cannot open "${directory}": it holds "${remains}", but file "${CURRENT_NAME}" is missing`,
    fileSystem.joinPath(directory, CURRENT_NAME),
    0,
  );
}

/** The error for a directory that holds no store. */
export function notAStore(directory: string, found: string): StoreError {
  return new StoreError("NOT_A_STORE", `Cannot open the store "${directory}": ${found}`);
}

/** Makes the versions of a new store and puts its first manifest in force. */
export function createStore(options: RecoveryOptions, listed: readonly string[]): RecoveredStore {
  const { fileSystem, directory, resources } = options;
  const versions = new VersionSet(
    fileSystem,
    directory,
    resources,
    newStoreId(options.scheduler),
    emptyVersionState(),
    undefined,
  );
  const names = namesWithinReach(listed, emptyVersionState().nextFileNumber);
  // A crash during an earlier creation may have left a manifest behind: its number stays taken.
  for (const { number } of numberedFiles(names)) versions.reserveFileNumber(number);
  // Logs from 1 on: a `wal.log` that turns up later is none of this store's (go/go_store.ts).
  versions.applySync({ log: { number: 1, live: false }, removed: [], added: [] });
  removeOrphans(options, versions, names);
  return { versions, lastSequence: 0, memtable: undefined };
}

/** A number that no other store is likely to have. */
export function newStoreId(scheduler: Scheduler): number {
  return Number.parseInt(scheduler.randomHex(4), 16);
}

/** What a directory says of the store in it. */
interface FoundStore {
  readonly storeId: number;
  readonly state: VersionState;
  /** The manifest in force; undefined for a store that the Go program wrote. */
  readonly manifestNumber: number | undefined;
}

/** A task that recovers an existing store, be it ours or one that the Go program wrote. */
export function* recoverStore(
  options: RecoveryOptions,
  listed: readonly string[],
): Task<RecoveredStore> {
  const { fileSystem, directory, resources } = options;
  const found: FoundStore = isStore(listed) ? readStore(options, listed) : {
    storeId: newStoreId(options.scheduler),
    state: yield* readGoStore(options, listed),
    manifestNumber: undefined,
  };
  const { storeId, state, manifestNumber } = found;
  const isTakeOver = manifestNumber === undefined;
  const names = namesWithinReach(
    isTakeOver ? markGoStore(options, listed) : listed,
    state.nextFileNumber,
  );
  const versions = new VersionSet(
    fileSystem,
    directory,
    resources,
    storeId,
    state,
    manifestNumber,
  );
  for (const { number } of numberedFiles(names)) versions.reserveFileNumber(number);
  // A power loss may have taken the newest log's name and left its records on the disk. A log of the same
  // number that got these blocks, and did not come to overwrite them, would show them as its own.
  if (state.log.live) versions.reserveFileNumber(state.nextFileNumber + MAX_NUMBERS_AHEAD);
  const logNumbers = neededLogs(options, state, names);
  const replay = new Replay(options, versions, state.lastSequence);
  let isReplayed = false;
  let isRecovered = false;
  try {
    if (isTakeOver) yield* versions.apply({ removed: [], added: [] });
    if (hasGoLog(names, state)) yield* replay.runGoLog();
    yield* replay.run(logNumbers);
    yield* replay.flush();
    isReplayed = true;
    if (logNumbers.length > 0 || state.log.live || hasGoLog(names, state)) {
      yield* replay.commit();
    } else if (!isTakeOver && orphansOf(options, names, versions).length > 0) {
      // Files are removed when what replaces them is durable. These are there, so the last session may
      // have been killed before that: what we have read is made durable before anybody relies on it.
      yield* versions.apply({ removed: [], added: [] });
    }
    removeOrphans(options, versions, names);
    isRecovered = true;
  } finally {
    if (!isReplayed) replay.abandon();
    if (!isRecovered) versions.close();
  }
  return { versions, lastSequence: replay.lastSequence, memtable: undefined };
}

/**
 * The numbers of the logs that a state needs, in their order.
 *
 * @throws {CorruptionError} the first one is missing, which the manifest says is there
 */
export function neededLogs(
  options: RecoveryOptions,
  { log }: VersionState,
  names: readonly string[],
): number[] {
  const numbers = numberedFiles(names)
    .filter(({ kind, number }) => kind === "log" && number >= log.number)
    .map(({ number }) => number).sort((a, b) => a - b);
  if (log.live && numbers[0] !== log.number) throw missingFile(options, logName(log.number));
  return numbers;
}

function readStore(options: RecoveryOptions, names: readonly string[]): FoundStore {
  const { storeId, manifestNumber } = readCurrent(options);
  const state = readManifest(options, storeId, manifestNumber);
  requireTables(options, state, names);
  return { storeId, state, manifestNumber };
}

/**
 * The names in a directory of the Go program that is about to become one of ours, which takes a manifest
 * that names its tables and the CURRENT that names the manifest. Its log is replayed next, as a log of ours.
 */
function markGoStore(options: RecoveryOptions, names: readonly string[]): readonly string[] {
  if (names.includes(GO_LOG_NAME)) return names;
  const { fileSystem, directory } = options;
  // The log is what tells a crash before CURRENT is there from the loss of a CURRENT.
  try {
    fileSystem.createSync(fileSystem.joinPath(directory, GO_LOG_NAME)).closeSync();
    fileSystem.syncDirectorySync(directory);
  } catch (error) {
    // The tables are open, and no version set has them yet that would close them.
    options.resources.handles.close();
    throw error;
  }
  return [...names, GO_LOG_NAME];
}

/** Reads CURRENT. */
export function readCurrent(options: RecoveryOptions): Current {
  const { fileSystem, directory } = options;
  const path = fileSystem.joinPath(directory, CURRENT_NAME);
  try {
    const bytes = readWholeFileSync(fileSystem, path, MAX_CURRENT_BYTES);
    const version = otherCurrentVersion(bytes);
    if (version !== undefined) {
      throw new UnsupportedFormatError(path, `store version ${version}`, "store version 1");
    }
    return decodeCurrent(bytes);
  } catch (error) {
    throw corruptionFrom(error, "the name of the manifest", path, 0);
  }
}

/** Reads a manifest: the state that it describes, whose tables are not opened yet. */
export function readManifest(
  options: RecoveryOptions,
  storeId: number,
  number: number,
): VersionState {
  const { fileSystem, directory, resources } = options;
  const name = manifestName(number);
  const path = fileSystem.joinPath(directory, name);
  if (fileSystem.statSync(path) === undefined) throw missingFile(options, name);
  const live = (table: TableMetadata): LiveTable =>
    new LiveTable(
      table,
      new TableReader(fileSystem.joinPath(directory, tableName(table.number)), table, resources),
    );
  try {
    const bytes = readWholeFileSync(fileSystem, path, MAX_MANIFEST_BYTES);
    const { newerVersion, edits } = decodeManifest(bytes, storeId, number);
    if (newerVersion !== undefined) {
      throw new UnsupportedFormatError(
        path,
        `manifest version ${newerVersion}`,
        "manifest version 1",
      );
    }
    return stateAfter(edits, live);
  } catch (error) {
    throw corruptionFrom(error, "the manifest", path, 0);
  }
}

/** @throws {CorruptionError} a table is not among the names, or its number is none of the store's */
export function requireTables(
  options: RecoveryOptions,
  state: VersionState,
  names: readonly string[],
): void {
  const present = new Set(names);
  for (const { metadata } of state.version.levels.flat()) {
    const name = tableName(metadata.number);
    if (!present.has(name)) throw missingFile(options, name);
    if (metadata.number >= state.nextFileNumber) {
      const path = options.fileSystem.joinPath(options.directory, name);
      throw new CorruptionError(
        `Cannot open "${path}": its number is not below the next one, ${state.nextFileNumber}`,
        path,
        0,
      );
    }
  }
}

/** The error for a file that the store must have. */
export function missingFile(options: RecoveryOptions, name: string): CorruptionError {
  const path = options.fileSystem.joinPath(options.directory, name);
  return new CorruptionError(
    `Cannot open "${options.directory}": file "${name}" is missing`,
    path,
    0,
  );
}

function numberedFiles(names: readonly string[]): NumberedFile[] {
  return names.map(parseFileName).filter((file) => file !== undefined);
}

/** Deletes files of ours that nothing refers to: what a crash left in the making or not yet deleted. */
function removeOrphans(
  options: RecoveryOptions,
  versions: VersionSet,
  names: readonly string[],
): void {
  const { fileSystem, directory } = options;
  for (const name of orphansOf(options, names, versions)) {
    try {
      const path = fileSystem.joinPath(directory, name);
      // The recovery edit may have removed it already, or made it the manifest in force.
      if (fileSystem.statSync(path)?.kind === "file") fileSystem.removeSync(path);
    } catch (error) {
      // It is in nobody's way; the next open tries again.
      if (!(error instanceof IoError)) throw error;
    }
  }
}

/** The names of files of ours that nothing refers to. */
function orphansOf(
  options: RecoveryOptions,
  names: readonly string[],
  versions: VersionSet,
): string[] {
  const tables = new Set(versions.current.levels.flat().map(({ metadata }) => metadata.number));
  return names.filter((name) => {
    const file = parseFileName(name);
    return name === CURRENT_TEMPORARY_NAME || isSyncName(name) || isGoFile(options, name) ||
      (file?.kind === "table" && !tables.has(file.number)) ||
      (file?.kind === "log" && file.number < versions.log.number) ||
      (file?.kind === "manifest" && file.number !== versions.manifestNumber);
  });
}
