/**
 * The options of a store: their types, defaults, presets, and the checks that `open` makes.
 *
 * Only `open` sees the whole; lower layers get small option types of their own. Unknown names and
 * values out of range are refused before anything is touched.
 */

import type { CompressionLevel, CompressionName } from "./compression/compressor.ts";
import { defaultFileSystem } from "./platform/default_file_system.ts";
import type { FileSystem } from "./platform/file_system.ts";
import type { CompactionOptions } from "./compaction/compaction.ts";

/** Name of a set of option values. */
export type Preset = "default" | "low-memory" | "high-performance";

/** When a write is acknowledged: see docs/DURABILITY.md. */
export type WalSync = "none" | "interval" | "batch" | "write";

/** What `open` may be told. Every field is optional; the defaults are those of the Go TinyKVS. */
export interface Options {
  /** Values to start from; single fields override it. Default "default". */
  preset?: Preset;
  /** Whether a missing store is created. Default true. */
  createIfMissing?: boolean;
  /** Whether an existing store is refused. Default false. */
  errorIfExists?: boolean;
  /**
   * Whether the store is opened for reading only: as it is at some moment of the call, beside a writer and other
   * readers, without a lock; nothing on disk is changed, and what is written later is not seen. Default false.
   */
  readOnly?: boolean;
  /**
   * Whether the handle is one of several on the same store in this process (thread): every `open` of the
   * directory with this option gives one, whichever copy of the library it comes from, and the last one that is
   * closed closes the store. So a module that is loaded again (`bun --hot`, Vite, Next) goes on. All have to
   * ask for the same options. Default false.
   */
  shared?: boolean;
  /** How long to wait for another holder's lock, in milliseconds from 0. Default 0. */
  lockTimeoutMs?: number;
  /** Where the files are. Default: the file system of the runtime. */
  fileSystem?: FileSystem;
  /**
   * Permission bits of the files that are made: who may read and write the store. The system takes off what
   * the process's umask says, as from any file: for a group that writes, set the umask to 0o007. Files that
   * exist keep theirs. From 0o600 to 0o777, with read and write for the owner; only with the runtime's own
   * file system. Default 0o600: the owner alone, whatever the umask is.
   *
   * @example
   * ```ts
   * import { open } from "@tinykvs/core";
   *
   * // The group may read, and make backups.
   * const directory = `${await Deno.makeTempDir()}/db`;
   * await using store = await open(directory, { fileMode: 0o640, directoryMode: 0o750 });
   * await store.put("name", "Alice");
   * ```
   */
  fileMode?: number;
  /**
   * As `fileMode`, for the store's directory and those above it that are made for it. From 0o700 to 0o777.
   * Default 0o700.
   */
  directoryMode?: number;
  /** What reads return for keys: text, or bytes. Default "utf8". */
  keyEncoding?: "utf8" | "bytes";
  /** What reads return for int64 values; "number" throws beyond 2^53 - 1. Default "bigint". */
  int64?: "bigint" | "number";
  /**
   * Size in bytes at which a memtable is frozen and flushed, from 4 KiB to 1 GiB. Larger means fewer,
   * larger tables and less compaction, more memory and a longer recovery. Default 4 MiB.
   */
  memtableSizeBytes?: number;
  /** Size in bytes of the cache of decoded blocks, from 0 for none. Default 64 MiB. */
  blockCacheSizeBytes?: number;
  /**
   * Uncompressed size in bytes at which a data block is closed, from 256 to 64 MiB. Larger compresses
   * better and makes single reads dearer. Default 8 KiB, 4 KiB with `compression: "none"` (docs/decisions/0010-block-size.md).
   */
  blockSizeBytes?: number;
  /** Codec of new blocks; stores may mix all of them. Default "zstd". */
  compression?: CompressionName;
  /**
   * zstd level: -1 (fastest), or 1 to 4 (smallest). Tables take a tenth to a third less at 1 than at -1, and
   * their blocks 1.5 to 3 times as long to decompress, 1.3 to 1.8 times to compress. Default -1 (docs/decisions/0014-compression-level.md).
   */
  compressionLevel?: CompressionLevel;
  /** Rate of false positives of the Bloom filters, between 0 and 1; false for none. Default 0.01. */
  bloomFalsePositiveRate?: number | false;
  /** When a write is acknowledged. Default "batch": when it is durable. */
  walSync?: WalSync;
  /** Longest time in milliseconds between syncs with `walSync: "interval"`, from 1. Default 100. */
  walSyncIntervalMs?: number;
  /** Whether reads check block checksums; compaction always does. Default true. */
  verifyChecksums?: boolean;
  /**
   * Number of level-0 tables at which they are compacted, 2 to 1000; at three times as many writers slow down, at
   * five times as many they wait. Default 4.
   */
  l0CompactionTrigger?: number;
  /** How many times larger each level may be than the one above, 2 to 100. Default 10. */
  levelSizeMultiplier?: number;
  /** Number of levels, level 0 included, 2 to 7. Default 7. */
  maxLevels?: number;
  /**
   * Whether flushes and compactions of 1 MiB and more run in a worker thread, where the runtime gives one;
   * with false, or where it does not, they take turns with the caller's code. A store with a `fileSystem`
   * of its own never has the thread. It takes 20 to 30 MB while there is work. Default true.
   */
  backgroundThread?: boolean;
}

/** Options with every value filled in. */
export type ResolvedOptions =
  & Required<Omit<Options, "preset" | "fileMode" | "directoryMode">>
  & Pick<Options, "fileMode" | "directoryMode">;

const MIB = 1024 * 1024;

/**
 * The default options, to spread and change.
 *
 * @example
 * ```ts
 * import { defaultOptions } from "@tinykvs/core";
 *
 * console.log(defaultOptions().memtableSizeBytes); // 4194304
 * ```
 */
export function defaultOptions(): Options {
  return {
    createIfMissing: true,
    errorIfExists: false,
    readOnly: false,
    shared: false,
    lockTimeoutMs: 0,
    keyEncoding: "utf8",
    int64: "bigint",
    memtableSizeBytes: 4 * MIB,
    blockCacheSizeBytes: 64 * MIB,
    blockSizeBytes: 8 * 1024,
    compression: "zstd",
    compressionLevel: -1,
    bloomFalsePositiveRate: 0.01,
    walSync: "batch",
    walSyncIntervalMs: 100,
    verifyChecksums: true,
    l0CompactionTrigger: 4,
    levelSizeMultiplier: 10,
    maxLevels: 7,
    backgroundThread: true,
  };
}

/**
 * Options for billions of records in little memory: no block cache, no filters, no worker thread, which
 * takes 20 to 30 MB, and blocks of 16 KiB, which halve the indexes.
 *
 * @example
 * ```ts
 * import { lowMemoryOptions, memoryFileSystem, openSync } from "@tinykvs/core";
 *
 * const store = openSync("/db", { ...lowMemoryOptions(), fileSystem: memoryFileSystem() });
 * store.closeSync();
 * ```
 */
export function lowMemoryOptions(): Options {
  return {
    ...defaultOptions(),
    blockCacheSizeBytes: 0,
    blockSizeBytes: 16 * 1024,
    bloomFalsePositiveRate: false,
    backgroundThread: false,
  };
}

/**
 * Options for throughput where there is memory: larger memtables, cache and blocks.
 *
 * @example
 * ```ts
 * import { highPerformanceOptions } from "@tinykvs/core";
 *
 * console.log(highPerformanceOptions().memtableSizeBytes); // 67108864
 * ```
 */
export function highPerformanceOptions(): Options {
  return {
    ...defaultOptions(),
    memtableSizeBytes: 64 * MIB,
    blockCacheSizeBytes: 256 * MIB,
    blockSizeBytes: 32 * 1024,
  };
}

/** Where blocks are not compressed, smaller ones cost nothing but an index of twice the size. */
const UNCOMPRESSED_BLOCK_SIZE_BYTES = 4 * 1024;

type Check = (value: unknown) => string | undefined;

const isBoolean: Check = (value) => typeof value === "boolean" ? undefined : "true or false";

function oneOf(...words: readonly (string | number)[]): Check {
  const expected = `one of ${words.map((word) => JSON.stringify(word)).join(", ")}`;
  return (value) => words.includes(value as string) ? undefined : expected;
}

function integer(from: number, to: number): Check {
  return (value) =>
    Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to
      ? undefined
      : `an integer from ${from} to ${to}`;
}

/** Permission bits with the owner's that a store can't do without. */
function mode(owner: number, example: string): Check {
  return (value) =>
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= 0o777 &&
      ((value as number) & owner) === owner
      ? undefined
      : `permission bits from 0o${owner.toString(8)} to 0o777 with all that the owner needs, ` +
        `such as ${example}`;
}

function isFileSystem(value: unknown): string | undefined {
  const candidate = value as FileSystem | null;
  return typeof candidate === "object" && candidate !== null &&
      typeof candidate.openReadSync === "function" && typeof candidate.lockSync === "function"
    ? undefined
    : "a FileSystem";
}

function isRate(value: unknown): string | undefined {
  if (value === false) return undefined;
  return typeof value === "number" && value > 0 && value < 1
    ? undefined
    : "a number between 0 and 1, or false";
}

const CHECKS: Readonly<Record<keyof Options, Check>> = {
  preset: oneOf("default", "low-memory", "high-performance"),
  createIfMissing: isBoolean,
  errorIfExists: isBoolean,
  readOnly: isBoolean,
  shared: isBoolean,
  lockTimeoutMs: integer(0, 2 ** 31 - 1),
  fileSystem: isFileSystem,
  fileMode: mode(0o600, "0o640"),
  directoryMode: mode(0o700, "0o750"),
  keyEncoding: oneOf("utf8", "bytes"),
  int64: oneOf("bigint", "number"),
  memtableSizeBytes: integer(4096, 1024 * MIB),
  blockCacheSizeBytes: integer(0, Number.MAX_SAFE_INTEGER),
  blockSizeBytes: integer(256, 64 * MIB),
  compression: oneOf("zstd", "snappy", "none"),
  compressionLevel: oneOf(-1, 1, 2, 3, 4),
  bloomFalsePositiveRate: isRate,
  walSync: oneOf("none", "interval", "batch", "write"),
  walSyncIntervalMs: integer(1, 2 ** 31 - 1),
  verifyChecksums: isBoolean,
  l0CompactionTrigger: integer(2, 1000),
  levelSizeMultiplier: integer(2, 100),
  maxLevels: integer(2, 7),
  backgroundThread: isBoolean,
};

/**
 * Checks the options and fills in what is missing. Only own fields count; `undefined` is "not given".
 *
 * @throws {TypeError} `options` is no object or has an unknown name
 * @throws {RangeError} a value is not one of those that are allowed
 */
export function resolveOptions(options: Options | undefined): ResolvedOptions {
  const given = Object.create(null) as Options;
  if (options !== undefined) {
    if (typeof options !== "object" || options === null) {
      const found = options === null ? "null" : typeof options;
      throw new TypeError(`Cannot use the options: found ${found}, expected an object`);
    }
    for (const name of Object.keys(options) as (keyof Options)[]) {
      if (!Object.hasOwn(CHECKS, name)) {
        throw new TypeError(`Cannot use the options: "${name}" is not one of them`);
      }
      const value: unknown = options[name];
      if (value === undefined) continue;
      const expected = CHECKS[name](value);
      if (expected !== undefined) {
        throw new RangeError(
          `Cannot use the option "${name}": it is ${describe(value)}, expected ${expected}`,
        );
      }
      Object.defineProperty(given, name, { value, enumerable: true });
    }
  }
  const { fileMode, directoryMode } = given;
  if (given.fileSystem !== undefined && (fileMode ?? directoryMode) !== undefined) {
    throw new TypeError(
      'Cannot use the options: "fileMode" and "directoryMode" are for the file system of the ' +
        'runtime, found a "fileSystem" beside them',
    );
  }
  const preset = given.preset === "low-memory"
    ? lowMemoryOptions()
    : given.preset === "high-performance"
    ? highPerformanceOptions()
    : defaultOptions();
  const isDefault = given.preset === undefined || given.preset === "default";
  if (isDefault && given.compression === "none") {
    preset.blockSizeBytes = UNCOMPRESSED_BLOCK_SIZE_BYTES;
  }
  const { preset: _, ...resolved } = { ...preset, ...given };
  return {
    ...resolved,
    fileSystem: given.fileSystem ?? defaultFileSystem({ fileMode, directoryMode }),
    // Another thread can reach the runtime's own file system only, not an object of this one.
    backgroundThread: resolved.backgroundThread === true && given.fileSystem === undefined,
  } as ResolvedOptions;
}

/** A copy of the caller's object in which nothing is inherited, from a polluted prototype for example. */
export function ownFields<T extends object>(given: T): T {
  return Object.assign(Object.create(null) as T, given);
}

/** What compaction has to know of the options. */
export function compactionOptions(options: ResolvedOptions): CompactionOptions {
  const { l0CompactionTrigger, levelSizeMultiplier, maxLevels, memtableSizeBytes } = options;
  return {
    l0CompactionTrigger,
    levelSizeMultiplier,
    maxLevels,
    // Level 1 is as large as what one compaction of level 0 brings: then its work is about halved.
    baseLevelSizeBytes: memtableSizeBytes * l0CompactionTrigger,
    baseFileSizeBytes: Math.max(4096, memtableSizeBytes >>> 1),
  };
}

function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.slice(0, 64));
    case "bigint":
      return "a bigint";
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : "an object";
    default:
      return String(value);
  }
}
