/**
 * Brings a directory back to the state that its files prove. It reads CURRENT and the manifest,
 * replays the logs that no table has yet, and writes their entries to level-0 tables.
 *
 * The result is always the state after some prefix of the history of writes, and that prefix
 * contains everything that was acknowledged as durable. If the files can't be that, open fails and
 * nothing is changed: a missing table or log, damage in the middle of a log, a log that ends early
 * although a later one shows that it was durable.
 *
 * Everything recovered is made durable in tables before the store answers, so that a later power
 * loss can't take back what a reader has seen. Logs found on disk are never appended to. Only after
 * that are files deleted that nothing refers to.
 */

import {
  CorruptionError,
  corruptionFrom,
  IoError,
  StoreError,
  UnsupportedFormatError,
} from "../../errors.ts";
import type { Memtable } from "../../memtable/memtable.ts";
import type { Scheduler } from "../../platform/scheduler.ts";
import type { Task } from "../../platform/task.ts";
import { readWholeFileSync } from "../../platform/transfer.ts";
import { TableReader, type TableResources } from "../../sstable/table_reader.ts";
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
  isSyncName,
  logName,
  manifestName,
  nameOfValues,
  namesWithinReach,
  type NumberedFile,
  parseFileName,
  tableName,
} from "../../version/file_names.ts";
import {
  type Current,
  decodeCurrent,
  decodeManifest,
  isCurrentOfLevelDb,
  MAX_CURRENT_BYTES,
  NEWEST_MANIFEST_VERSION,
  otherCurrentVersion,
} from "../../version/manifest_format.ts";
import type { TableMetadata } from "../../version/table_metadata.ts";
import { LiveTable } from "../../version/version.ts";
import { MAX_NUMBERS_AHEAD, VersionSet } from "../../version/version_set.ts";
import { emptyVersionState, stateAfter, type VersionState } from "../../version/version_state.ts";
import { type ForeignDirectory, type ForeignStore, foreignStoreIn } from "./foreign_store.ts";
import { Replay, type ReplayOptions } from "./replay.ts";

/** A manifest larger than this is not read into memory. */
const MAX_MANIFEST_BYTES = 2 ** 30;

/** What recovery needs to know. */
export interface RecoveryOptions extends ReplayOptions {
  /** Caches and open files of the store. */
  readonly resources: TableResources;
  /** The source of a new store's id. */
  readonly scheduler: Scheduler;
  /** Stores of other programs that are taken over. */
  readonly foreign: readonly ForeignStore[];
}

/** A recovered store. */
export interface RecoveredStore {
  /** Its versions. */
  readonly versions: VersionSet;
  /** Sequence number of the newest entry. */
  readonly lastSequence: number;
  /** The entries of the logs, if they may not be written to tables (read_only.ts). */
  readonly memtable: Memtable | undefined;
  /** Whether entries of logs were written to tables. */
  readonly hasNewTables: boolean;
}

/** Whether the directory holds a store of ours. */
export function isStore(names: readonly string[]): boolean {
  return names.includes(CURRENT_NAME);
}

/** Names of files that show that there was a store which has lost its CURRENT. */
export function remainsOfStore(names: readonly string[]): string[] {
  return names.filter((name) => {
    const kind = parseFileName(name)?.kind;
    return kind === "log" || kind === "table";
  });
}

/** @throws {StoreError} always: the directory holds no store, or only the remains of one */
export function refuseMissingStore(
  { fileSystem, directory }: ForeignDirectory,
  names: readonly string[],
): never {
  refuseRemains({ fileSystem, directory }, names);
  throw notAStore(directory, `there is no file "${CURRENT_NAME}" in it`);
}

/** @throws {CorruptionError} the directory has lost the CURRENT of its store */
export function refuseRemains(
  { fileSystem, directory }: ForeignDirectory,
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
  // A crash during an earlier creation may have left a manifest: its number stays used.
  for (const { number } of numberedFiles(names)) versions.reserveFileNumber(number);
  // Logs from 1 on: a `wal.log` that appears later does not belong to this store (go/go_store.ts).
  versions.applySync({ log: { number: 1, live: false }, removed: [], added: [] });
  removeOrphans(options, versions, names);
  return { versions, lastSequence: 0, memtable: undefined, hasNewTables: false };
}

/** A number that no other store is likely to have. */
export function newStoreId(scheduler: Scheduler): number {
  return Number.parseInt(scheduler.randomHex(4), 16);
}

/** The store that a directory holds. */
interface FoundStore {
  readonly storeId: number;
  readonly state: VersionState;
  /** The manifest in force; undefined for a store of another program. */
  readonly manifestNumber: number | undefined;
}

/** A task that recovers an existing store, one of ours or of another program. */
export function* recoverStore(
  options: RecoveryOptions,
  listed: readonly string[],
): Task<RecoveredStore> {
  const { fileSystem, directory, resources } = options;
  const taken = isStore(listed) ? undefined : foreignStoreIn(options.foreign, listed)!;
  const found: FoundStore = taken === undefined ? readStore(options, listed) : {
    storeId: newStoreId(options.scheduler),
    state: yield* taken.read(options, listed),
    manifestNumber: undefined,
  };
  const { storeId, state, manifestNumber } = found;
  const names = namesWithinReach(
    taken === undefined ? listed : markForeignStore(options, taken, listed),
    state.nextFileNumber,
  );
  const foreignLog = foreignLogOf(options, state, names);
  const versions = new VersionSet(
    fileSystem,
    directory,
    resources,
    storeId,
    state,
    manifestNumber,
  );
  for (const { number } of numberedFiles(names)) versions.reserveFileNumber(number);
  // A power loss may have taken the newest log's name and left its records on the disk. If a log of
  // the same number got these blocks, and did not overwrite them, it would show them as its own.
  if (state.log.live) versions.reserveFileNumber(state.nextFileNumber + MAX_NUMBERS_AHEAD);
  const logNumbers = neededLogs(options, state, names);
  const replay = new Replay(options, versions, state.lastSequence);
  let isReplayed = false;
  let isRecovered = false;
  try {
    if (taken !== undefined) yield* versions.apply({ removed: [], added: [] });
    if (foreignLog !== undefined) yield* replay.runForeignLog(foreignLog);
    yield* replay.run(logNumbers);
    yield* replay.flush();
    isReplayed = true;
    if (logNumbers.length > 0 || state.log.live || foreignLog !== undefined) {
      yield* replay.commit();
    } else if (taken === undefined && orphansOf(options, names, versions).length > 0) {
      // Files are removed after their replacement is durable. These exist, so the last session may
      // have been killed before that. What we have read is made durable before anybody relies on
      // it.
      yield* versions.apply({ removed: [], added: [] });
    }
    removeOrphans(options, versions, names);
    isRecovered = true;
  } finally {
    if (!isReplayed) replay.abandon();
    if (!isRecovered) versions.close();
  }
  return {
    versions,
    lastSequence: replay.lastSequence,
    memtable: undefined,
    // Foreign tables are taken over as they are.
    hasNewTables: taken === undefined && replay.lastSequence > state.lastSequence,
  };
}

/**
 * The numbers of the logs that a state needs, in their order.
 *
 * @throws {CorruptionError} the first one, which the manifest names, is missing
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

/** The foreign store whose log must still be replayed, if there is one. */
export function foreignLogOf(
  { foreign }: RecoveryOptions,
  state: VersionState,
  names: readonly string[],
): ForeignStore | undefined {
  return foreign.find((store) => store.hasLog(names, state));
}

/**
 * The names in the directory of a foreign store that is about to become ours, with its log, which
 * is made if it is missing. The log distinguishes a crash before CURRENT exists from the loss of a
 * CURRENT.
 */
function markForeignStore(
  { fileSystem, directory, resources }: RecoveryOptions,
  { logName }: ForeignStore,
  names: readonly string[],
): readonly string[] {
  if (names.includes(logName)) return names;
  try {
    fileSystem.createSync(fileSystem.joinPath(directory, logName)).closeSync();
    fileSystem.syncDirectorySync(directory);
  } catch (error) {
    // The tables are open, and no version set has them yet to close them.
    resources.handles.close();
    throw error;
  }
  return [...names, logName];
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
    refuseLevelDb(options, bytes);
    return decodeCurrent(bytes);
  } catch (error) {
    throw corruptionFrom(error, "the name of the manifest", path, 0);
  }
}

/** @throws {StoreError} the directory is that of another database, with the same names of files */
function refuseLevelDb({ fileSystem, directory }: RecoveryOptions, current: Uint8Array): void {
  if (!isCurrentOfLevelDb(current)) return;
  const isRocksDb = fileSystem.listSync(directory)
    .some((name) => name === "IDENTITY" || name.startsWith("OPTIONS-"));
  const found = isRocksDb
    ? "it holds a RocksDB database; read it with RocksDB and write its entries to a new directory"
    : "it holds a LevelDB database; this command copies it to a new store: " +
      `npx @tinykvs/cli ./new-store import "${directory}"`;
  throw notAStore(directory, found);
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
        `manifest versions up to ${NEWEST_MANIFEST_VERSION}`,
      );
    }
    return stateAfter(edits, live);
  } catch (error) {
    throw corruptionFrom(error, "the manifest", path, 0);
  }
}

/**
 * @throws {CorruptionError} a table, or a file with large values of a table, is not among the
 *   names, or a table's number can't be the store's
 */
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
    for (const { kind, number } of metadata.valueUses) {
      const values = nameOfValues(kind, number);
      if (!present.has(values)) throw missingFile(options, values);
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

/**
 * Deletes files of ours that nothing refers to: unfinished ones of a crash, and those that were not
 * deleted yet.
 */
function removeOrphans(
  options: RecoveryOptions,
  versions: VersionSet,
  names: readonly string[],
): void {
  const { fileSystem, directory } = options;
  for (const name of orphansOf(options, names, versions)) {
    try {
      const path = fileSystem.joinPath(directory, name);
      // The recovery edit may have removed it already, or put it in force as the manifest.
      if (fileSystem.statSync(path)?.kind === "file") fileSystem.removeSync(path);
    } catch (error) {
      // It does no harm; the next open tries again.
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
  const isUnused = (number: number): boolean => !versions.values.isUsed(number);
  return names.filter((name) => {
    const file = parseFileName(name);
    return name === CURRENT_TEMPORARY_NAME || isSyncName(name) ||
      options.foreign.some((store) => store.isFileOf(options, name)) ||
      (file?.kind === "table" && !tables.has(file.number)) ||
      (file?.kind === "log" && file.number < versions.log.number && isUnused(file.number)) ||
      (file?.kind === "values" && isUnused(file.number)) ||
      (file?.kind === "manifest" && file.number !== versions.manifestNumber);
  });
}
