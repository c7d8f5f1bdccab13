/**
 * Store directories for tests, made file by file, so that a test decides what exactly is on disk.
 */

import type { Options } from "../../src/options.ts";
import { encodeDelete, encodePut } from "../../src/store/write/operation_encoding.ts";
import { openSync } from "../../src/store/open.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import { logName } from "../../src/version/file_names.ts";
import type { LogState } from "../../src/version/version_edit.ts";
import { VersionSet } from "../../src/version/version_set.ts";
import { emptyVersionState } from "../../src/version/version_state.ts";
import { LogWriter } from "../../src/wal/log_writer.ts";
import { CloneableFileSystem } from "./cloneable_file_system.ts";
import { TEST_STORE_ID } from "./logs.ts";
import { outputOptions, resourcesOf, type TestEntry, writeTable } from "./store_tables.ts";

/** Where the stores are. */
export const DIRECTORY = "/db";

/** What a table of a made-up store holds. */
export interface TableContent {
  readonly level: number;
  readonly number: number;
  readonly entries: readonly TestEntry[];
}

/** Makes a directory with tables and a manifest that names them. */
export function makeStoreFiles(
  content: {
    readonly tables?: readonly TableContent[];
    readonly lastSequence?: number;
    readonly log?: LogState;
    /**
     * Whether the log took over from another one, so that nothing says that its header was durable.
     */
    readonly isSecondLog?: boolean;
    readonly table?: Parameters<typeof outputOptions>[2];
  } = {},
): CloneableFileSystem {
  const fileSystem = new CloneableFileSystem();
  fileSystem.makeDirectorySync(DIRECTORY);
  const versions = new VersionSet(
    fileSystem,
    DIRECTORY,
    resourcesOf(fileSystem),
    TEST_STORE_ID,
    emptyVersionState(),
    undefined,
  );
  const options = outputOptions(fileSystem, DIRECTORY, content.table);
  const added = (content.tables ?? []).map(({ level, number, entries }) => {
    versions.reserveFileNumber(number);
    return { level, table: writeTable(options, number, level, entries) };
  });
  if (content.log !== undefined) versions.reserveFileNumber(content.log.number);
  versions.applySync({
    lastSequence: content.lastSequence ?? 0,
    ...(content.log === undefined ? {} : { log: content.log }),
    removed: [],
    added,
  });
  if (content.isSecondLog) versions.applySync({ log: content.log!, removed: [], added: [] });
  versions.close();
  return fileSystem;
}

/** A record of a log: its entries, and whether a sync followed it. */
export interface LogRecord {
  readonly entries: readonly TestEntry[];
  readonly synced?: boolean;
}

/** Adds a log to a directory. Returns the offsets after its header and after each record. */
export function makeLog(
  fileSystem: CloneableFileSystem,
  number: number,
  firstSequence: number,
  records: readonly LogRecord[],
  options: { readonly end?: boolean; readonly headerSynced?: boolean } = {},
): number[] {
  const log = new LogWriter(
    fileSystem,
    fileSystem.joinPath(DIRECTORY, logName(number)),
    TEST_STORE_ID,
    number,
    firstSequence,
  );
  log.writeOutSync();
  if (options.headerSynced) log.markDurable(log.writtenBytes);
  const offsets = [log.writtenBytes];
  let sequence = firstSequence;
  for (const { entries, synced } of records) {
    log.beginRecord();
    for (const [key, value] of entries) {
      if (value === undefined) encodeDelete(log.buffer, key);
      else encodePut(log.buffer, key, value);
    }
    log.endRecord(sequence, entries.length);
    sequence += entries.length;
    log.writeOutSync();
    if (synced) log.markDurable(log.writtenBytes);
    offsets.push(log.writtenBytes);
  }
  if (options.end) {
    log.appendEnd(sequence);
    log.writeOutSync();
    offsets.push(log.writtenBytes);
  }
  log.handle.closeSync();
  return offsets;
}

/** Records of one put each, `count` of them, all synced or none. */
export function putRecords(prefix: string, count: number, synced: boolean): LogRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    entries: [[`${prefix}${index}`, `value ${index} of ${prefix}`]],
    synced,
  }));
}

/** Opens the store with small memory and nothing compressed. */
export function openFiles(fileSystem: CloneableFileSystem, options: Options = {}): EmbeddedStore {
  return openSync(DIRECTORY, {
    fileSystem,
    compression: "none",
    memtableSizeBytes: 4096,
    blockCacheSizeBytes: 0,
    ...options,
  });
}

/** Everything in a store. */
export function contentOf(store: EmbeddedStore): Record<string, unknown> {
  return Object.fromEntries(store.entries() as Iterable<[string, unknown]>);
}

/** What the store in the directory holds; it is opened and closed. */
export function recoveredContent(
  fileSystem: CloneableFileSystem,
  options: Options = {},
): Record<string, unknown> {
  const store = openFiles(fileSystem, options);
  const content = contentOf(store);
  store.closeSync();
  return content;
}
