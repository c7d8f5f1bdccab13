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
export { EmbeddedStore } from "./src/store/store.ts";
export type { CompactRange } from "./src/store/background/compact_range.ts";
export { EmbeddedBatch } from "./src/store/write/batch.ts";
export type { EmbeddedCursor } from "./src/store/read/embedded_cursor.ts";
export type { EmbeddedReader } from "./src/store/read/reader.ts";
export type { EmbeddedSub, EmbeddedTransactionSub } from "./src/store/sub/embedded_sub.ts";
export type { EmbeddedWriter } from "./src/store/sub/embedded_writer.ts";
export type { SyncBatch } from "./src/store/write/sync_batch.ts";
export { EmbeddedSnapshot } from "./src/store/read/snapshot.ts";
export { EmbeddedTransaction } from "./src/store/transaction/transaction.ts";
export type {
  Batch,
  Beginning,
  Commit,
  Cursor,
  DeletedRange,
  Entry,
  EntryOptions,
  JsonValue,
  KeyChoice,
  KeyCodec,
  KeyGiven,
  KeyShown,
  Operation,
  PutOptions,
  PutTime,
  Range,
  Reader,
  SchemaResult,
  Snapshot,
  StandardSchema,
  Store,
  StoreStatus,
  Sub,
  SubOptions,
  Transaction,
  TransactionOptions,
  Tuple,
  TuplePart,
  TypedReads,
  TypedWrites,
  ValueChoice,
  ValueCodec,
  ValueGiven,
  ValueShown,
  Watch,
  WatchOptions,
  WatchRange,
  WriteOptions,
  Writer,
} from "./contract.ts";
export { decodeTuple, encodeTuple, json, tuple } from "./contract.ts";
export type { CheckpointFormat, CheckpointOptions } from "./src/store/copy/checkpoint.ts";
export type { KeyEncoding, ScanOptions } from "./src/contract/range.ts";
export type { LevelStats, Stats } from "./src/store/stats.ts";
export { repair, type RepairOptions, repairSync } from "./src/store/upkeep/repair.ts";
export type { RepairAction, RepairedFile, RepairReport } from "./src/store/upkeep/repair_report.ts";
export {
  verifyStore,
  type VerifyStoreOptions,
  verifyStoreSync,
} from "./src/store/upkeep/verify_store.ts";
export { destroy, type DestroyOptions, destroySync } from "./src/store/upkeep/destroy.ts";
export type {
  CompactionDetail,
  ErrorDetail,
  FlushDetail,
  StallDetail,
  StoreEventListener,
  StoreEventMap,
  StoreListenerOptions,
} from "./src/store/state/store_events.ts";
export type { WritableOptions } from "./src/store/write/writable.ts";
export type { KeyPlace, MemtablePlace, TableInfo, TablePlace } from "./src/store/upkeep/locate.ts";
export type { ApproximateSize } from "./src/store/upkeep/approximate_size.ts";
export type {
  VerifyOptions,
  VerifyProblem,
  VerifyProgress,
  VerifyReport,
} from "./src/store/upkeep/verify_report.ts";
export {
  defaultOptions,
  highPerformanceOptions,
  type KeyShownBy,
  lowMemoryOptions,
  type Options,
  type Preset,
  type TypedOptions,
  type ValueShownBy,
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
export type { TypedReadsSync, TypedWritesSync } from "./src/store/state/typed_calls.ts";
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
  type ConflictCause,
  ConflictError,
  CorruptionError,
  IoError,
  type KeyStretch,
  LaggedError,
  LockedError,
  LockLostError,
  StoreError,
  type StoreErrorCode,
  TypeMismatchError,
  UnsupportedFormatError,
  ValidationError,
  type ValidationIssue,
} from "./src/errors.ts";
