/**
 * TinyKVS: a sorted, compressed, crash-safe key-value store, embedded in Deno, Bun and Node without
 * native code.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("user:1", { name: "Alice", age: 30 });
 * for await (const [key, value] of store.entries({ prefix: "user:" })) console.log(key, value);
 * ```
 *
 * @module
 */

export { open, openSync } from "./src/store/open.ts";
export { type CompactRange, Store } from "./src/store/store.ts";
export type { CheckpointFormat, CheckpointOptions } from "./src/store/checkpoint.ts";
export type { StoreStatus } from "./src/store/store_state.ts";
export { Batch, type Operation, type WriteOptions } from "./src/store/batch.ts";
export { Cursor } from "./src/store/cursor.ts";
export type { Reader } from "./src/store/reader.ts";
export { Snapshot } from "./src/store/snapshot.ts";
export type { Range } from "./src/store/range.ts";
export type { LevelStats, Stats } from "./src/store/stats.ts";
export {
  defaultOptions,
  highPerformanceOptions,
  lowMemoryOptions,
  type Options,
  type Preset,
  type WalSync,
} from "./src/options.ts";
export type { CompressionLevel, CompressionName } from "./src/compression/compressor.ts";
export type {
  FileHandle,
  FileLock,
  FileStatus,
  FileSystem,
  LockWitness,
} from "./src/platform/file_system.ts";
export { Extension } from "./src/value/extension.ts";
export { memoryFileSystem } from "./src/platform/memory_file_system.ts";
export {
  type Key,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  type RecordItem,
  type RecordValue,
  type Value,
  type ValueTypeName,
} from "./src/value/value.ts";
export {
  BackgroundError,
  ClosedError,
  CorruptionError,
  IoError,
  LockedError,
  LockLostError,
  StoreError,
  type StoreErrorCode,
  TypeMismatchError,
  UnsupportedFormatError,
} from "./src/errors.ts";
