/**
 * The contract of a TinyKVS store: interfaces that anybody can implement, without engine, runtime
 * and disk, and small helpers for implementations.
 *
 * An implementation extends {@linkcode StoreBase} and {@linkcode CursorBase}, or writes all of it,
 * and runs the suite of `@tinykvs/core/contract-suite`.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import type { Store } from "@tinykvs/core/contract";
 *
 * async function visit(store: Store, page: string): Promise<bigint> {
 *   return await store.increment(`visits:${page}`);
 * }
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * console.log(await visit(store, "home"), await visit(store, "home")); // 1n 2n
 * ```
 *
 * @module
 */

export type { Cursor } from "./src/contract/cursor.ts";
export { CursorBase } from "./src/contract/cursor_base.ts";
export type { Beginning, KeyEncoding, Range } from "./src/contract/range.ts";
export type { Entry, EntryOptions, Reader, Snapshot, TypedReads } from "./src/contract/reader.ts";
export type { AnySub, Store, StoreStatus, Sub } from "./src/contract/store.ts";
export type { SubOptions } from "./src/contract/sub/sub_options.ts";
export { ReaderBase } from "./src/contract/reader_base.ts";
export { StoreBase } from "./src/contract/store_base.ts";
export {
  type AnyTransaction,
  type CheckedTransactionOptions,
  requireBody,
  type Transaction,
  type TransactionOptions,
  transactionOptions,
} from "./src/contract/transaction.ts";
export { TransactionBase } from "./src/contract/transaction_base.ts";
export { CommitFeed } from "./src/contract/commit_feed.ts";
export {
  type Commit,
  type Watch,
  type WatchOptions,
  type WatchRange,
  watchRange,
} from "./src/contract/watch.ts";
export { WatchQueue, type WatchSource } from "./src/contract/watch_queue.ts";
export { WriterBase } from "./src/contract/writer_base.ts";
export { subOf } from "./src/contract/sub/sub_store.ts";
export { transactionSubOf } from "./src/contract/sub/sub_transaction.ts";
export {
  type KeyChoice,
  type KeyCodec,
  type KeyGiven,
  type KeyShown,
  tuple,
} from "./src/contract/sub/key_codec.ts";
export {
  json,
  type JsonValue,
  type ValueChoice,
  type ValueCodec,
  type ValueGiven,
  type ValueShown,
} from "./src/contract/sub/value_codec.ts";
export type { SchemaResult, StandardSchema } from "./src/contract/sub/standard_schema.ts";
export { decodeTuple, encodeTuple, type Tuple, type TuplePart } from "./src/contract/sub/tuple.ts";
export { OperationBatch } from "./src/contract/operation_batch.ts";
export type { DeletedRange } from "./src/contract/range.ts";
export {
  type CheckedPutOptions,
  finiteTime,
  MAX_EXPIRES_AT,
  OVER,
  putOptions,
} from "./src/contract/put_options.ts";
export type {
  Batch,
  Operation,
  PutOptions,
  PutTime,
  TypedWrites,
  WriteOptions,
  Writer,
} from "./src/contract/writer.ts";
export {
  type Bounds,
  boundsOf,
  compareKeys,
  copyValue,
  isInBounds,
  isSameValue,
  keyBytes,
  keyList,
} from "./src/contract/rules.ts";
export { wantsSync } from "./src/contract/write_options.ts";
export {
  type ExtensionItem,
  type Key,
  MAX_KEY_BYTES,
  MAX_RECORD_DEPTH,
  MAX_VALUE_BYTES,
  type RecordItem,
  type RecordValue,
  type Value,
  type ValueTypeName,
} from "./src/contract/value.ts";
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
  StoreError,
  type StoreErrorCode,
  TypeMismatchError,
  UnsupportedFormatError,
  ValidationError,
  type ValidationIssue,
} from "./src/errors.ts";
