/**
 * Finds out what a directory of the Go TinyKVS holds, v0.3 to v0.11, as a version state of ours,
 * for recovery (store/recovery/foreign_store.ts says what a take-over is). It reads only: tables
 * are taken over as they are.
 *
 *     NNNNNN.sst   tables; the level of each is in its own metadata
 *     wal.log      the log, go_log.ts; empty after a clean close
 *     MANIFEST     from v0.5 on, go_manifest.ts
 *     LOCK         from v0.5.2 on, empty; the same name and content as ours. Go holds a flock on it, which
 *                  we can't see: no runtime but Deno can ask, and closing a descriptor of LOCK would drop
 *                  our own lock (docs/decisions/0001). The Go program must not run at the same time
 *
 * If the manifest names a table, it alone says which tables there are and in which levels; if not,
 * all tables in the directory count. Go also opens a store without the tables that it can't read.
 * Here:
 * - A table that counts and is missing, not whole, or not as the manifest says, is damage. (A crash
 *   while Go v0.3 or v0.4 writes a table leaves a part of one. It can't be told from a damaged one;
 *   the error says what to do.)
 * - A table that the manifest does not name is left out, as Go does: it was deleted, or is an
 *   output of a compaction whose inputs still count, or was never finished. All but one kind: a
 *   whole level-0 table that the manifest never mentioned is a flush whose record was lost (a known
 *   defect of the Go program), or one that a later session left behind. It may be the only copy of
 *   what was written, or older than what was written since. That is an error.
 *
 * The log is newer than every table. There is one state in which that is not so: killed between the
 * end of a flush and the emptying of the log, Go leaves a table and a log of the same entries, and
 * the log may lack the last 32 KiB. Sequence numbers start again in each session, so nothing tells
 * this from a newer session's log; a key that was written twice then has its older version, here as
 * in Go.
 *
 * A log, a MANIFEST or tables that the Go program writes after the take-over are not merged:
 * nothing tells such a log from one that a crash has left behind.
 */

import {
  CorruptionError,
  corruptionFrom,
  DecodeError,
  IoError,
  StoreError,
  UnsupportedFormatError,
} from "../errors.ts";
import type { FileHandle } from "../platform/file_system.ts";
import type { Task } from "../platform/task.ts";
import { readFullySync, readWholeFileSync } from "../platform/transfer.ts";
import { decodeFooter, FOOTER_BYTES, GO_METADATA_BYTES } from "../sstable/table_format.ts";
import { TableReader } from "../sstable/table_reader.ts";
import type {
  ForeignDirectory,
  ForeignStore,
  ForeignStoreOptions,
} from "../store/recovery/foreign_store.ts";
import { CURRENT_NAME, MAX_FILE_NUMBER, parseFileName, tableName } from "../version/file_names.ts";
import { compareViews, tableMetadata } from "../version/table_metadata.ts";
import { LiveTable, Version } from "../version/version.ts";
import type { AddedTable } from "../version/version_edit.ts";
import { emptyVersionState, type VersionState } from "../version/version_state.ts";
import { arrangeGoTables } from "./go_levels.ts";
import { beginsAsGoLog, GO_LOG_NAME, readGoLog } from "./go_log.ts";
import {
  beginsAsGoManifest,
  decodeGoManifest,
  GO_MANIFEST_NAME,
  type GoManifest,
  type GoTableRecord,
} from "./go_manifest.ts";

/** Go keeps its whole manifest in memory, too. */
const MAX_MANIFEST_BYTES = 2 ** 28;
/** Free file numbers that a store must have to be taken over. */
const SPARE_FILE_NUMBERS = 2 ** 16;

/** Stores of the Go program, to take over. */
export const goStore: ForeignStore = {
  logName: GO_LOG_NAME,
  logTitle: "the Go log",
  isIn: isGoStore,
  read: readGoStore,
  hasLog: hasGoLog,
  readLog: readGoLog,
  isFileOf: isGoFile,
};

/**
 * Whether a directory without CURRENT holds a store of the Go program. Such a store always has its
 * log. A copy may lack it, and is recognised by tables without a trace of a store of ours.
 */
function isGoStore(names: readonly string[]): boolean {
  const kinds = new Set(names.map((name) => parseFileName(name)?.kind));
  if (kinds.has("log")) return false;
  return names.includes(GO_LOG_NAME) || (kinds.has("table") && !kinds.has("manifest"));
}

/**
 * Whether the Go log in the directory of a store of ours must be replayed. That is so until its
 * entries are in tables; the edit that says so also names a first log of ours.
 */
function hasGoLog(names: readonly string[], state: VersionState): boolean {
  return names.includes(GO_LOG_NAME) && !state.log.live && state.log.number === 0;
}

/**
 * Whether a file beside a store of ours was left by the Go program: an empty log or one that begins
 * with a record, or a manifest. Files of others may have these names.
 */
function isGoFile(
  { fileSystem, directory }: ForeignDirectory,
  name: string,
): boolean {
  if (name !== GO_LOG_NAME && name !== GO_MANIFEST_NAME) return false;
  const path = fileSystem.joinPath(directory, name);
  let handle: FileHandle | undefined;
  try {
    if (fileSystem.statSync(path)?.kind !== "file") return false;
    handle = fileSystem.openReadSync(path);
    return name === GO_LOG_NAME ? beginsAsGoLog(handle) : beginsAsGoManifest(handle);
  } catch (error) {
    // If it can't be read, nobody may delete it.
    if (error instanceof IoError) return false;
    throw error;
  } finally {
    handle?.closeSync();
  }
}

/**
 * A task that reads a Go store, checks its log, and returns the state of ours that its tables make.
 *
 * @throws {CorruptionError} a file is missing or damaged
 * @throws {UnsupportedFormatError} an unknown version wrote something in it
 */
function* readGoStore(
  options: ForeignStoreOptions,
  names: readonly string[],
): Task<VersionState> {
  let state: VersionState | undefined;
  try {
    state = yield* readState(options, names);
    return state;
  } finally {
    if (state === undefined) options.resources.handles.close();
  }
}

function* readState(options: ForeignStoreOptions, names: readonly string[]): Task<VersionState> {
  const manifest = readManifest(options, names);
  const isListed = manifest !== undefined && manifest.tables.size > 0;
  const found = new Map<number, LiveTable>();
  const tables: AddedTable[] = [];
  for (const number of tableNumbers(options, names, isListed ? manifest : undefined)) {
    const { live, level } = openTable(options, number, manifest?.tables.get(number));
    found.set(number, live);
    tables.push({ level, table: live.metadata });
    yield undefined;
  }
  if (names.includes(GO_LOG_NAME)) yield* checkLog(options, tables.length > 0 || isListed);
  const added = arrangeGoTables(tables);
  if (added === undefined) {
    throw new UnsupportedFormatError(
      options.directory,
      "a Go store whose tables overlap in more than six levels",
      "six levels below level 0",
    );
  }
  return {
    ...emptyVersionState(),
    version: Version.empty().apply({ removed: [], added }, ({ number }) => found.get(number)!),
    nextFileNumber: (sortedTableNumbers(names).at(-1) ?? 0) + 1,
  };
}

function readManifest(
  options: ForeignStoreOptions,
  names: readonly string[],
): GoManifest | undefined {
  if (!names.includes(GO_MANIFEST_NAME)) return undefined;
  const path = options.fileSystem.joinPath(options.directory, GO_MANIFEST_NAME);
  try {
    const manifest = decodeGoManifest(
      readWholeFileSync(options.fileSystem, path, MAX_MANIFEST_BYTES),
    );
    if (manifest.otherVersion !== undefined) {
      throw new UnsupportedFormatError(
        path,
        `Go manifest version ${manifest.otherVersion}`,
        "Go manifest version 1",
      );
    }
    return manifest;
  } catch (error) {
    throw corruptionFrom(error, "the Go manifest", path, 0);
  }
}

/** The numbers of the tables that count. */
function tableNumbers(
  options: ForeignStoreOptions,
  names: readonly string[],
  manifest: GoManifest | undefined,
): number[] {
  const { fileSystem, directory } = options;
  const odd = names.find((name) => /^\d+\.sst$/.test(name) && parseFileName(name) === undefined);
  const present = sortedTableNumbers(names);
  const largest = present.at(-1) ?? 0;
  if (odd !== undefined || largest > MAX_FILE_NUMBER - SPARE_FILE_NUMBERS) {
    const name = odd ?? tableName(largest);
    throw new UnsupportedFormatError(
      fileSystem.joinPath(directory, name),
      `a table named "${name}"`,
      `names of six or more digits up to "${tableName(MAX_FILE_NUMBER - SPARE_FILE_NUMBERS)}"`,
    );
  }
  if (manifest === undefined) return present;
  const there = new Set(present);
  for (const number of manifest.tables.keys()) {
    if (there.has(number)) continue;
    const path = fileSystem.joinPath(directory, tableName(number));
    throw new CorruptionError(
      `Cannot open "${directory}": table "${tableName(number)}" is missing, which ` +
        `"${GO_MANIFEST_NAME}" names`,
      path,
      0,
    );
  }
  for (const number of present) {
    if (!manifest.mentioned.has(number)) requireNoLostFlush(options, number);
  }
  return [...manifest.tables.keys()];
}

function sortedTableNumbers(names: readonly string[]): number[] {
  return names.map(parseFileName).filter((file) => file?.kind === "table")
    .map((file) => file!.number).sort((a, b) => a - b);
}

/**
 * @throws {CorruptionError} the table, which the manifest never mentioned, is a whole one of level
 *   0
 */
function requireNoLostFlush(options: ForeignStoreOptions, number: number): void {
  let level: number;
  try {
    level = openTable(options, number, undefined).level;
  } catch (error) {
    // Never finished, or not readable: it is not the only copy of anything that was acknowledged.
    if (error instanceof StoreError && error.code !== "IO") return;
    throw error;
  }
  if (level > 0) return;
  const path = options.fileSystem.joinPath(options.directory, tableName(number));
  throw new CorruptionError(
    `Cannot open "${options.directory}": "${GO_MANIFEST_NAME}" does not name the table ` +
      `"${tableName(number)}", which may hold entries that no other file has`,
    path,
    0,
  );
}

/** Opens a table and checks it as far as possible without reading all of its blocks. */
function openTable(
  options: ForeignStoreOptions,
  number: number,
  record: GoTableRecord | undefined,
): { live: LiveTable; level: number } {
  const { fileSystem, directory, resources } = options;
  const path = fileSystem.joinPath(directory, tableName(number));
  const sizeBytes = requireGoTable(options, path);
  const reader = new TableReader(path, { number, sizeBytes, checksum: undefined }, resources);
  const index = reader.sections.loadIndexSync();
  // The index has no checksum; loading checks that these blocks begin and end with its outermost
  // keys.
  reader.loadBlockSync(index, 0);
  if (index.blockCount > 1) reader.loadBlockSync(index, index.blockCount - 1);
  const { footer, properties } = reader.sections.tail!;
  const metadata = tableMetadata({
    number,
    sizeBytes,
    entryCount: footer.entryCount,
    tombstoneCount: properties.tombstoneCount,
    checksum: undefined,
    smallest: index.bytes.slice(index.smallestStart, index.smallestEnd),
    largest: index.bytes.slice(index.largestStart, index.largestEnd),
  });
  const fail = (what: string): never => {
    throw new CorruptionError(`Cannot read table "${path}": ${what}`, path, footer.metadataOffset);
  };
  if (properties.tombstoneCount > footer.entryCount) {
    fail(`${properties.tombstoneCount} of its ${footer.entryCount} entries are tombstones`);
  }
  if (footer.entryCount < footer.blockCount) {
    fail(`it has ${footer.entryCount} entries in ${footer.blockCount} blocks`);
  }
  if (compareKeys(metadata.smallest, metadata.largest) > 0) {
    fail("its smallest key comes after its largest");
  }
  if (record !== undefined) {
    const isSame = record.sizeBytes === sizeBytes && record.entryCount === footer.entryCount &&
      record.indexOffset === footer.indexOffset && record.indexSize === footer.indexSize &&
      record.filterOffset === footer.filterOffset && record.filterSize === footer.filterSize &&
      compareKeys(record.smallest, metadata.smallest) === 0 &&
      compareKeys(record.largest, metadata.largest) === 0;
    if (!isSame) fail(`it is not the table that "${GO_MANIFEST_NAME}" describes`);
  }
  return { live: new LiveTable(metadata, reader), level: record?.level ?? properties.level };
}

/** Returns the size of a file that ends as a table of the Go program does. */
function requireGoTable(options: ForeignStoreOptions, path: string): number {
  const { fileSystem, directory } = options;
  const handle = fileSystem.openReadSync(path);
  try {
    const sizeBytes = handle.sizeSync();
    if (sizeBytes < FOOTER_BYTES) {
      throw new DecodeError(`it has ${sizeBytes} bytes, a footer alone has ${FOOTER_BYTES}`, 0);
    }
    const footer = new Uint8Array(FOOTER_BYTES);
    readFullySync(handle, footer, 0, FOOTER_BYTES, sizeBytes - FOOTER_BYTES);
    const { metadataSize } = decodeFooter(new DataView(footer.buffer), 0, sizeBytes);
    if (metadataSize !== GO_METADATA_BYTES) {
      throw new CorruptionError(
        `Cannot open "${directory}": "${path}" is not a table of the Go program, but file ` +
          `"${CURRENT_NAME}" is missing`,
        fileSystem.joinPath(directory, CURRENT_NAME),
        0,
      );
    }
    return sizeBytes;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new CorruptionError(
      `Cannot take over "${directory}": "${path}" is not a whole table: ${error.message}. If the Go ` +
        "program was killed while it wrote this file, move the file away; if not, restore it",
      path,
      error.offset,
      { cause: error },
    );
  } finally {
    handle.closeSync();
  }
}

/**
 * Reads the log to its end. If the store has nothing else, the log must have at least one entry.
 */
function* checkLog(options: ForeignStoreOptions, hasTables: boolean): Task<void> {
  const path = options.fileSystem.joinPath(options.directory, GO_LOG_NAME);
  const handle = options.fileSystem.openReadSync(path);
  try {
    const { sizeBytes, endOffset } = yield* readGoLog(handle, () => {});
    if (!hasTables && sizeBytes > 0 && endOffset === 0) {
      throw new DecodeError("there is no record of the Go program in it, nor a table beside it", 0);
    }
  } catch (error) {
    throw corruptionFrom(error, "the Go log", path, 0);
  } finally {
    handle.closeSync();
  }
}

function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return compareViews(viewOf(a), viewOf(b));
}

function viewOf(key: Uint8Array): DataView {
  return new DataView(key.buffer, key.byteOffset, key.byteLength);
}
