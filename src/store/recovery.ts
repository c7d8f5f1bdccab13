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

import { flushJob } from "../compaction/flush_job.ts";
import type { TableOutputOptions } from "../compaction/table_output.ts";
import { CorruptionError, corruptionFrom, IoError, UnsupportedFormatError } from "../errors.ts";
import { Memtable } from "../memtable/memtable.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Scheduler } from "../platform/scheduler.ts";
import type { Task } from "../platform/task.ts";
import { readWholeFileSync } from "../platform/transfer.ts";
import { TableReader, type TableResources } from "../sstable/table_reader.ts";
import {
  CURRENT_NAME,
  CURRENT_TEMPORARY_NAME,
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
  applyEdit,
  emptyVersionState,
  VersionSet,
  type VersionState,
} from "../version/version_set.ts";
import type { AddedTable } from "../version/version_edit.ts";
import { LOG_VERSION } from "../wal/log_format.ts";
import { type LogSummary, readLog } from "../wal/log_reader.ts";

/** A manifest larger than this is not read into memory. */
const MAX_MANIFEST_BYTES = 2 ** 30;

/** What recovery needs to know. */
export interface RecoveryOptions {
  /** The file system. */
  readonly fileSystem: FileSystem;
  /** The store's directory. */
  readonly directory: string;
  /** Caches and open files of the store. */
  readonly resources: TableResources;
  /** How recovered tables are written. */
  readonly tableOutput: TableOutputOptions;
  /** Size at which a memtable is flushed. */
  readonly memtableSizeBytes: number;
  /** Whether nothing on disk may be changed. */
  readonly readOnly: boolean;
  /** Where a new store's id comes from. */
  readonly scheduler: Scheduler;
}

/** A recovered store. */
export interface RecoveredStore {
  /** Its versions. */
  readonly versions: VersionSet;
  /** Sequence number of the newest entry. */
  readonly lastSequence: number;
  /** What the logs hold, where it may not be written to tables. */
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
  versions.applySync({ removed: [], added: [] });
  removeOrphans(options, versions, names);
  return { versions, lastSequence: 0, memtable: undefined };
}

/** A number that no other store is likely to have. */
function newStoreId(scheduler: Scheduler): number {
  return Number.parseInt(scheduler.randomHex(4), 16);
}

/** A task that recovers an existing store. */
export function* recoverStore(
  options: RecoveryOptions,
  listed: readonly string[],
): Task<RecoveredStore> {
  const { fileSystem, directory, resources } = options;
  const { storeId, manifestNumber } = readCurrent(options);
  const state = readManifest(options, storeId, manifestNumber);
  requireTables(options, state, listed);
  const names = namesWithinReach(listed, state.nextFileNumber);
  const versions = new VersionSet(
    fileSystem,
    directory,
    resources,
    storeId,
    state,
    manifestNumber,
  );
  const files = numberedFiles(names);
  for (const { number } of files) versions.reserveFileNumber(number);

  const logNumbers = files.filter(({ kind, number }) =>
    kind === "log" && number >= state.log.number
  )
    .map(({ number }) => number).sort((a, b) => a - b);
  if (state.log.live && logNumbers[0] !== state.log.number) {
    throw missingFile(options, logName(state.log.number));
  }
  const replay = new Replay(options, versions, state.lastSequence);
  let isReplayed = false;
  try {
    yield* replay.run(logNumbers);
    if (!options.readOnly) yield* replay.flush();
    isReplayed = true;
  } finally {
    if (!isReplayed) replay.abandon();
  }
  if (!options.readOnly) {
    if (logNumbers.length > 0 || state.log.live) {
      yield* replay.commit();
    } else if (orphansOf(names, versions).length > 0) {
      // Files are removed when what replaces them is durable. These are there, so the last session may
      // have been killed before that: what we have read is made durable before anybody relies on it.
      yield* versions.apply({ removed: [], added: [] });
    }
    removeOrphans(options, versions, names);
  }
  return {
    versions,
    lastSequence: replay.lastSequence,
    memtable: options.readOnly ? replay.memtable : undefined,
  };
}

/** Replays logs into memtables, and those into tables. */
class Replay {
  readonly #options: RecoveryOptions;
  readonly #versions: VersionSet;
  readonly #tables: AddedTable[] = [];
  lastSequence: number;
  memtable: Memtable;

  constructor(options: RecoveryOptions, versions: VersionSet, lastSequence: number) {
    this.#options = options;
    this.#versions = versions;
    this.lastSequence = lastSequence;
    this.memtable = this.#newMemtable();
  }

  /** Replays logs with ascending numbers, as far as they form one history. */
  *run(logNumbers: readonly number[]): Task<void> {
    let previous: { name: string; summary: LogSummary } | undefined;
    for (const [at, number] of logNumbers.entries()) {
      const expected = this.lastSequence + 1;
      const summary = yield* this.#read(number, expected);
      if (summary.header?.firstSequence !== expected) {
        // Only a power loss may leave that: older entries lost that were never durable. Then nothing
        // of this log, nor of later ones, was durable either, and the history ends here.
        yield* this.#requireUnsynced(logNumbers.slice(at), previous, expected);
        return;
      }
      previous = { name: logName(number), summary };
    }
  }

  /** Writes what is left to a table. */
  *flush(): Task<void> {
    const table = yield* flushJob(
      this.memtable,
      this.#options.tableOutput,
      () => this.#versions.newFileNumber(),
    );
    if (table !== undefined) this.#tables.push({ level: 0, table });
    this.memtable = this.#newMemtable();
  }

  /** Removes the tables again: nothing refers to them yet, and every attempt would leave more. */
  abandon(): void {
    const { fileSystem, directory } = this.#options;
    for (const { table } of this.#tables) {
      try {
        fileSystem.removeSync(fileSystem.joinPath(directory, tableName(table.number)));
      } catch (error) {
        // The failure that led here is what the caller has to hear of.
        if (!(error instanceof IoError)) throw error;
      }
    }
  }

  /** Puts the recovered tables in force, instead of the logs. */
  *commit(): Task<void> {
    yield* this.#versions.apply({
      lastSequence: this.lastSequence,
      log: { number: this.#versions.newFileNumber(), live: false },
      removed: [],
      added: this.#tables,
    });
  }

  /** Reads a log, and applies its entries if the first has the expected sequence number. */
  *#read(number: number, expected: number | undefined): Task<LogSummary> {
    const { fileSystem, directory, memtableSizeBytes, readOnly } = this.#options;
    const path = fileSystem.joinPath(directory, logName(number));
    let next: number | undefined;
    let isFirst = true;
    const handle = fileSystem.openReadSync(path);
    try {
      const reading = readLog(
        handle,
        this.#versions.storeId,
        number,
        (sequence, bytes, view, start, keyEnd, end) => {
          if (isFirst && sequence === expected) next = sequence;
          isFirst = false;
          if (sequence !== next) return;
          next++;
          this.memtable.insert(sequence, bytes, view, start, keyEnd, end);
          this.lastSequence = sequence;
        },
      );
      let step = reading.next();
      while (!step.done) {
        if (!readOnly && this.memtable.sizeBytes >= memtableSizeBytes) yield* this.flush();
        yield undefined;
        step = reading.next();
      }
      if ("version" in step.value) {
        throw new UnsupportedFormatError(
          path,
          `log version ${step.value.version}`,
          `log version ${LOG_VERSION}`,
        );
      }
      return step.value;
    } catch (error) {
      throw corruptionFrom(error, "the write-ahead log", path, 0);
    } finally {
      handle.closeSync();
    }
  }

  *#requireUnsynced(
    logNumbers: readonly number[],
    previous: { name: string; summary: LogSummary } | undefined,
    expected: number,
  ): Task<void> {
    const { fileSystem, directory } = this.#options;
    for (const number of logNumbers) {
      const summary = yield* this.#read(number, undefined);
      const { header, durableOffset } = summary;
      if (header === undefined) {
        // Its very header was never durable: the history ends there at the latest.
        previous = { name: logName(number), summary };
        continue;
      }
      const isProof = durableOffset > 0 || previous === undefined ||
        previous.summary.end === "closed";
      if (!isProof) continue;
      const name = previous?.name ?? logName(number);
      const offset = previous?.summary.endOffset ?? 0;
      const path = fileSystem.joinPath(directory, name);
      throw new CorruptionError(
        `Cannot recover from "${path}": the history of writes ends at offset ${offset} with ` +
          `sequence ${expected - 1}, but "${logName(number)}" goes on with ${header.firstSequence}`,
        path,
        offset,
      );
    }
  }

  #newMemtable(): Memtable {
    return new Memtable(this.lastSequence + 1, Math.min(this.#options.memtableSizeBytes, 2 ** 20));
  }
}

function readCurrent(options: RecoveryOptions): Current {
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

function readManifest(options: RecoveryOptions, storeId: number, number: number): VersionState {
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
    let state = emptyVersionState();
    for (const edit of edits) state = applyEdit(state, edit, live);
    return state;
  } catch (error) {
    throw corruptionFrom(error, "the manifest", path, 0);
  }
}

function requireTables(
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

function missingFile(options: RecoveryOptions, name: string): CorruptionError {
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
  for (const name of orphansOf(names, versions)) {
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
function orphansOf(names: readonly string[], versions: VersionSet): string[] {
  const tables = new Set(versions.current.levels.flat().map(({ metadata }) => metadata.number));
  return names.filter((name) => {
    const file = parseFileName(name);
    return name === CURRENT_TEMPORARY_NAME ||
      (file?.kind === "table" && !tables.has(file.number)) ||
      (file?.kind === "log" && file.number < versions.log.number) ||
      (file?.kind === "manifest" && file.number !== versions.manifestNumber);
  });
}
