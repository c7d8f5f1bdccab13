/**
 * The options of a store: their types, defaults and presets, and the checks that `open` makes.
 *
 * Only `open` sees all options; lower layers get small option types. Unknown names and values out
 * of range are refused before anything is touched.
 */

import type { KeyEncoding } from "./contract/range.ts";
import type { Value } from "./contract/value.ts";
import type { CompressionLevel, CompressionName } from "./compression/compressor.ts";
import { defaultFileSystem } from "./platform/default_file_system.ts";
import type { FileSystem } from "./platform/file_system.ts";
import type { CompactionOptions } from "./compaction/compaction.ts";

/** Name of a set of option values. */
export type Preset = "default" | "low-memory" | "high-performance";

/** When a write is acknowledged: see docs/DURABILITY.md. */
export type WalSync = "none" | "interval" | "batch" | "write";

/**
 * The options of `open`. Every field is optional. The defaults differ from those of the Go TinyKVS
 * in block size, compression level and `walSync` (docs/FROM_GO.md).
 */
export interface Options {
  /** Values to start from; single fields override them. Default "default". */
  preset?: Preset;
  /** Whether a missing store is created. Default true. */
  createIfMissing?: boolean;
  /** Whether an existing store is refused. Default false. */
  errorIfExists?: boolean;
  /**
   * Whether the store is opened for reading only: as it is at some moment of the call, beside a
   * writer and other readers, without a lock. Nothing on disk is changed, and later writes are not
   * seen. Default false.
   */
  readOnly?: boolean;
  /**
   * Whether several handles share one store in this process (thread). Every `open` of the directory
   * with this option gives a handle, from any copy of the library, and the store closes with the
   * last of them. So a module that is loaded again (`bun --hot`, Vite, Next) can continue. All
   * handles must ask for the same options. Default false.
   */
  shared?: boolean;
  /** How long to wait for another holder's lock, in milliseconds from 0. Default 0. */
  lockTimeoutMs?: number;
  /** Where the files are. Default: the file system of the runtime. */
  fileSystem?: FileSystem;
  /**
   * Permission bits of new files: who may read and write the store. The system removes the bits of
   * the process's umask, as for any file: if a group shall write, set the umask to 0o007. Existing
   * files keep their bits. From 0o600 to 0o777, with read and write for the owner; only with the
   * runtime's own file system. Default 0o600: the owner alone, under any umask.
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
   * As `fileMode`, for the store's directory and for directories above it that `open` makes. From
   * 0o700 to 0o777. Default 0o700.
   */
  directoryMode?: number;
  /** What reads return for keys: text, or bytes. Default "utf8". */
  keyEncoding?: "utf8" | "bytes";
  /** What reads return for int64 values; "number" throws beyond 2^53 - 1. Default "bigint". */
  int64?: "bigint" | "number";
  /**
   * Size in bytes at which a memtable is frozen and flushed, from 4 KiB to 1 GiB. Larger means
   * fewer, larger tables and less compaction, more memory and a longer recovery. Default 4 MiB.
   */
  memtableSizeBytes?: number;
  /**
   * Size in bytes of the cache of decoded blocks, from 0 for none. If blocks do not fit, a quarter
   * of it keeps single entries. Default 64 MiB.
   */
  blockCacheSizeBytes?: number;
  /**
   * Uncompressed size in bytes at which a data block is closed, from 256 to 64 MiB. Larger blocks
   * compress better and make single reads slower. Default 8 KiB, 4 KiB with `compression: "none"`
   * (docs/decisions/0010-block-size.md).
   */
  blockSizeBytes?: number;
  /** Codec of new blocks; stores may mix all of them. Default "zstd". */
  compression?: CompressionName;
  /**
   * zstd level: -1 (fastest), or 1 to 4 (smallest). At 1, tables are a tenth to a third smaller
   * than at -1, but their blocks take 1.5 to 3 times as long to decompress. Default -1
   * (docs/decisions/0014-compression-level.md).
   */
  compressionLevel?: CompressionLevel;
  /**
   * Rate of false positives of the Bloom filters, between 0 and 1; false for none. Default 0.01.
   */
  bloomFalsePositiveRate?: number | false;
  /** When a write is acknowledged. Default "batch": when it is durable. */
  walSync?: WalSync;
  /** Longest time in milliseconds between syncs with `walSync: "interval"`, from 1. Default 100. */
  walSyncIntervalMs?: number;
  /** Whether reads check block checksums; compaction always does. Default true. */
  verifyChecksums?: boolean;
  /**
   * Number of level-0 tables that starts a compaction, 2 to 1000. At three times this number
   * writers slow down, and at five times they wait. Default 4.
   */
  l0CompactionTrigger?: number;
  /** How many times larger each level may be than the one above, 2 to 100. Default 10. */
  levelSizeMultiplier?: number;
  /** Number of levels, level 0 included, 2 to 7. Default 7. */
  maxLevels?: number;
  /**
   * Whether flushes and compactions of 1 MiB and more run in a worker thread. With false, or if the
   * runtime has no threads, they alternate with the caller's code. A store with a custom
   * `fileSystem` never uses the thread. It takes 20 to 30 MB while there is work. Default true.
   */
  backgroundThread?: boolean;
  /**
   * Values of this encoded size and more are kept apart from keys: they are written once, to the
   * log, and memtables and tables only refer to them, so compactions do not rewrite them. From 64
   * to 1 GiB, or false for none. Default 8 KiB (docs/decisions/0037-large-values.md).
   */
  largeValueBytes?: number | false;
  /**
   * Whether `close` writes what is in memory to a table, so that the next `open` has nothing to do.
   * With false it makes the write-ahead log durable and leaves it, as a crash would: closing takes
   * one sync, and the next `open` for writing reads the log and writes the table. Default true.
   */
  flushOnClose?: boolean;
}

/**
 * Options whose choice of keys and int64 values the compiler knows: they give a store its types.
 */
export type TypedOptions<K extends KeyEncoding, I extends "bigint" | "number"> = Options & {
  keyEncoding?: K;
  int64?: I;
};

/** The type of keys that a store shows with that `keyEncoding`. */
export type KeyShownBy<K extends KeyEncoding> = K extends "bytes" ? Uint8Array : string;

/** The type of values that a store shows with that `int64`. */
export type ValueShownBy<I extends "bigint" | "number"> = I extends "number"
  ? Exclude<Value, bigint>
  : Value;

/** Options with every value filled in. */
export type ResolvedOptions =
  & Required<Omit<Options, "preset" | "fileMode" | "directoryMode">>
  & Pick<Options, "fileMode" | "directoryMode">;

const MIB = 1024 * 1024;
/** Chosen by measurement (decision 37). */
const DEFAULT_LARGE_VALUE_BYTES = 8 * 1024;

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
    largeValueBytes: DEFAULT_LARGE_VALUE_BYTES,
    flushOnClose: true,
  };
}

/**
 * Options for billions of records in little memory: no block cache, no filters, no worker thread
 * (which takes 20 to 30 MB), and blocks of 16 KiB, which halve the indexes.
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
 * Options for throughput if there is enough memory: larger memtables, cache and blocks.
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

/** Without compression, smaller blocks cost only an index of twice the size. */
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

/** Permission bits, which must include those of the owner that a store needs. */
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

function isLargeSize(value: unknown): string | undefined {
  if (value === false) return undefined;
  const expected = integer(64, 1024 * MIB)(value);
  return expected === undefined ? undefined : `${expected}, or false`;
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
  largeValueBytes: isLargeSize,
  flushOnClose: isBoolean,
};

/** Whether a store has an option of that name. */
export function isOptionName(name: string): name is keyof Options {
  return Object.hasOwn(CHECKS, name);
}

/**
 * Checks the options and fills in the missing ones. Only own fields count; `undefined` means "not
 * given".
 *
 * @throws {TypeError} `options` is not an object or has an unknown name
 * @throws {RangeError} a value is not one of the allowed ones
 */
export function resolveOptions(options: Options | undefined): ResolvedOptions {
  const given = Object.create(null) as Options;
  if (options !== undefined) {
    if (typeof options !== "object" || options === null) {
      const found = options === null ? "null" : typeof options;
      throw new TypeError(`Cannot use the options: found ${found}, expected an object`);
    }
    for (const name of Object.keys(options) as (keyof Options)[]) {
      if (!isOptionName(name)) {
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
    // Another thread can reach only the runtime's own file system, not an object of this thread.
    backgroundThread: resolved.backgroundThread === true && given.fileSystem === undefined,
  } as ResolvedOptions;
}

/**
 * A copy of the caller's object in which nothing is inherited, from a polluted prototype for
 * example.
 */
export function ownFields<T extends object>(given: T): T {
  return Object.assign(Object.create(null) as T, given);
}

/** The encoded size from which on values are kept apart from keys; Infinity for none. */
export function leastLargeBytes({ largeValueBytes }: Pick<Options, "largeValueBytes">): number {
  return largeValueBytes === false ? Infinity : largeValueBytes ?? DEFAULT_LARGE_VALUE_BYTES;
}

/** The options that compaction needs. */
export function compactionOptions(options: ResolvedOptions): CompactionOptions {
  const { l0CompactionTrigger, levelSizeMultiplier, maxLevels, memtableSizeBytes } = options;
  return {
    l0CompactionTrigger,
    levelSizeMultiplier,
    maxLevels,
    // Level 1 is as large as the output of one compaction of level 0, which about halves the work.
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
