/** The options of `new TinyLevel()`: Level's options, and the store's under their own names. */

import type { AbstractDatabaseOptions } from "abstract-level";
import { describeValue } from "../../contract/value.ts";
import { isOptionName, type Options, type WalSync } from "../../options.ts";

/** Names of store options that mean something else in Level, or nothing. */
const LEVELS_OWN: ReadonlySet<string> = new Set<keyof Options>([
  "keyEncoding",
  "int64",
  "createIfMissing",
  "errorIfExists",
]);

/**
 * Options of {@linkcode TinyLevel}: those of every Level database, and those of a store, such as
 * `compression`, `walSync` and `fileSystem`.
 */
export interface TinyLevelOptions<K, V> extends
  AbstractDatabaseOptions<K, V>,
  Omit<
    Options,
    | "keyEncoding"
    | "int64"
    | "createIfMissing"
    | "errorIfExists"
    | "walSync"
    | "flushOnClose"
  > {
  /**
   * When a write is acknowledged. Default "interval": as in Level, when the system has the write,
   * so it survives the end of the process. A power loss takes at most the writes of the last
   * `walSyncIntervalMs` (100). A write with `{ sync: true }` is durable when it resolves.
   */
  walSync?: WalSync;
  /**
   * Whether `close` writes the data in memory to a table. Default false: as in LevelDB, `close`
   * leaves the log to the next `open`, which reads it. It also makes the log durable.
   */
  flushOnClose?: boolean;
}

/** Options of classic-level that have another name here, or that are not needed. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  cacheSize: '"blockCacheSizeBytes"',
  writeBufferSize: '"memtableSizeBytes"',
  blockSize: '"blockSizeBytes"',
  maxFileSize: 'no such option, or "memtableSizeBytes": tables are half as large',
  maxOpenFiles: "no such option: the store keeps few files open by itself",
  blockRestartInterval: "no such option: blocks have no restart points",
  multithreading: "no such option: one thread has the store, and workers ask it",
};

/** The options of the store, and the options of the database. */
interface SplitOptions {
  /** The options of the store. */
  readonly store: Options;
  /** The options of Level, and all others, which hooks may use. */
  readonly level: Record<string, unknown>;
}

/**
 * Separates the store's options from Level's. If both have a name, it is Level's.
 *
 * @throws {TypeError} an option of classic-level has another name here
 */
export function splitOptions(given: object | undefined): SplitOptions {
  const store: Record<string, unknown> = {};
  const level: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given ?? {})) {
    const other = OTHER_NAMES[name];
    if (other !== undefined) {
      throw new TypeError(
        `Cannot use the options: "${name}" is one of classic-level, expected ${other}`,
      );
    }
    if (LEVELS_OWN.has(name) || !isOptionName(name)) level[name] = value;
    else if (name === "compression" && typeof value === "boolean") {
      store[name] = value ? "zstd" : "none";
    } else if (value !== undefined) store[name] = value;
  }
  return { store: store as Options, level };
}

/** @throws {TypeError} it cannot be the location of a database */
export function requireLocation(location: unknown): void {
  if (typeof location === "string" && location !== "") return;
  if (typeof location === "object" && location !== null) return;
  const found = location === "" ? "an empty string" : describeValue(location);
  throw new TypeError(
    `Cannot make the database: the location is ${found}, expected a path, a file: URL or a store`,
  );
}
