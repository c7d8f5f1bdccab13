/**
 * The contract of a TinyKVS store: interfaces that anybody can implement, free of engine, runtime and
 * disk, and small helpers for those who do.
 *
 * An implementation extends {@linkcode StoreBase} and {@linkcode CursorBase}, or writes all of it, and
 * runs the suite of `@tinykvs/core/contract-suite`.
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
export type { Range } from "./src/contract/range.ts";
export type { Entry, Reader, Snapshot, TypedReads } from "./src/contract/reader.ts";
export type { Store, StoreStatus } from "./src/contract/store.ts";
export { ReaderBase } from "./src/contract/reader_base.ts";
export { StoreBase } from "./src/contract/store_base.ts";
export { OperationBatch } from "./src/contract/operation_batch.ts";
export type { Batch, Operation, TypedWrites, WriteOptions, Writer } from "./src/contract/writer.ts";
export {
  type Bounds,
  boundsOf,
  compareKeys,
  copyValue,
  isInBounds,
  isSameValue,
  keyBytes,
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
  CorruptionError,
  IoError,
  LockedError,
  StoreError,
  type StoreErrorCode,
  TypeMismatchError,
  UnsupportedFormatError,
} from "./src/errors.ts";
