/** The write calls that the embedded store and its subs share. */

import type { Beginning } from "../../contract/range.ts";
import type { DeletedRange } from "../../contract/range.ts";
import type { Batch, Operation, PutOptions, WriteOptions, Writer } from "../../contract/writer.ts";
import type { TypedWritesSync } from "../state/typed_calls.ts";
import type { SyncBatch } from "../write/sync_batch.ts";
import type { Key, Value } from "../../value/value.ts";

/**
 * Writes to an {@linkcode EmbeddedStore} or an {@linkcode EmbeddedSub}, also synchronously.
 *
 * @example
 * ```ts
 * import { type EmbeddedWriter, memoryFileSystem, open } from "@tinykvs/core";
 *
 * function nextId(counters: EmbeddedWriter, name: string): bigint {
 *   return counters.incrementSync(name);
 * }
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * console.log(nextId(store, "id"), nextId(store.sub("counters"), "id")); // 1n 1n
 * ```
 */
export interface EmbeddedWriter<K = Key, V = Value, ValueIn = V>
  extends Writer<K, V, ValueIn>, TypedWritesSync<K> {
  /** As `put`. Returns when the write is durable, and may help with background work. */
  putSync(key: K, value: ValueIn, options?: PutOptions): void;
  /** As `delete`. */
  deleteSync(key: K, options?: WriteOptions): void;
  /** As `deleteRange`. */
  deleteRangeSync(range: DeletedRange<K>, options?: WriteOptions): void;
  /** As `deletePrefix`. */
  deletePrefixSync(prefix: Beginning<K>, options?: WriteOptions): void;
  /** As `clear`. */
  clearSync(options?: WriteOptions): void;
  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: K, options?: WriteOptions): boolean;
  /** As `write`. */
  writeSync(
    operations: readonly Operation<K, ValueIn>[] | Batch<K, ValueIn>,
    options?: WriteOptions,
  ): void;
  /** See {@linkcode Writer.batch}. */
  batch(): SyncBatch<K, ValueIn>;
  /** As `putIfNotExists`. */
  putIfNotExistsSync(key: K, value: ValueIn, options?: PutOptions): boolean;
  /** As `putIfEquals`. */
  putIfEqualsSync(key: K, value: ValueIn, expected: ValueIn, options?: PutOptions): boolean;
  /** As `increment`. */
  incrementSync(key: K, by?: bigint | number, options?: PutOptions): bigint;
  /** As `update`. */
  updateSync(
    key: K,
    change: (old: V | undefined) => ValueIn | undefined,
    options?: PutOptions,
  ): V | ValueIn | undefined;
}
