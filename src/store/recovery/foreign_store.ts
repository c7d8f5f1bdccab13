/**
 * A store of another program that can be taken over in its directory. Recovery knows such stores
 * only by this interface; `open` lists them (today that of the Go TinyKVS, go/go_store.ts).
 *
 * A take-over reads the foreign files as a version state of ours and makes a manifest that names
 * the foreign tables. The first CURRENT, renamed into place when that manifest is durable, makes
 * the store ours. From then on the foreign log is one of the logs of our store, older than all
 * others, until its entries are in tables.
 */

import type { FileHandle, FileSystem } from "../../platform/file_system.ts";
import type { Task } from "../../platform/task.ts";
import type { TableResources } from "../../sstable/table_reader.ts";
import type { VersionState } from "../../version/version_state.ts";

/** Where a foreign store is. */
export interface ForeignDirectory {
  /** The file system. */
  readonly fileSystem: FileSystem;
  /** The store's directory. */
  readonly directory: string;
}

/** What is needed to read a foreign store. */
export interface ForeignStoreOptions extends ForeignDirectory {
  /** Caches and open files of the store. */
  readonly resources: TableResources;
}

/**
 * Takes an entry of a foreign log: key and value in the form of a memtable's entry, from `start` to
 * `end`.
 */
export type OnForeignEntry = (
  bytes: Uint8Array,
  view: DataView,
  start: number,
  keyEnd: number,
  end: number,
) => void;

/** How the store of another program is read. */
export interface ForeignStore {
  /** Name of its log. */
  readonly logName: string;
  /** The log in words, for errors: "the Go log". */
  readonly logTitle: string;
  /** Whether a directory without CURRENT holds such a store. */
  isIn(names: readonly string[]): boolean;
  /**
   * A task that reads the store, checks its log, and returns the state of ours that its tables
   * make.
   *
   * @throws {CorruptionError} a file is missing or damaged
   * @throws {UnsupportedFormatError} an unknown version wrote something in it
   */
  read(options: ForeignStoreOptions, names: readonly string[]): Task<VersionState>;
  /** Whether the log in the directory of a store of ours must still be replayed. */
  hasLog(names: readonly string[], state: VersionState): boolean;
  /** A task that reads the log to its end. */
  readLog(handle: FileHandle, onEntry: OnForeignEntry): Task<unknown>;
  /** Whether a file beside a store of ours was left by the program, so that it may be removed. */
  isFileOf(where: ForeignDirectory, name: string): boolean;
}

/** The foreign store that a directory without CURRENT holds, if it does. */
export function foreignStoreIn(
  stores: readonly ForeignStore[],
  names: readonly string[],
): ForeignStore | undefined {
  return stores.find((store) => store.isIn(names));
}
