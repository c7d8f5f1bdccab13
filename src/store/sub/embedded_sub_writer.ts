/**
 * The synchronous calls of a sub, on the embedded store or on a transaction of it, and cursors for
 * both kinds of loops.
 */

import type { Entry, EntryOptions } from "../../contract/reader.ts";
import { type Beginning, prefixRange, type Range } from "../../contract/range.ts";
import type { Keyspace } from "../../contract/sub/keyspace.ts";
import { SubWriter } from "../../contract/sub/sub_writer.ts";
import { shownKey } from "../../contract/shown_key.ts";
import {
  boolOf,
  bytesOf,
  float64Of,
  int64Of,
  jsonOf,
  recordOf,
  stringOf,
} from "../../contract/typed_values.ts";
import { type RecordValue, type Value, valueTypeName } from "../../contract/value.ts";
import type { DeletedRange } from "../../contract/range.ts";
import type { Batch, Operation, PutOptions, WriteOptions } from "../../contract/writer.ts";
import { addInt64 } from "../../contract/writer_base.ts";
import { TypeMismatchError } from "../../errors.ts";
import type { EmbeddedCursor } from "../read/embedded_cursor.ts";
import type { EmbeddedReader } from "../read/reader.ts";
import { parsedJson } from "../state/typed_calls.ts";
import { EmbeddedSubReads } from "./embedded_sub_reader.ts";
import type { SyncBatch } from "../write/sync_batch.ts";
import { EmbeddedSubBatch } from "./embedded_sub_batch.ts";
import type { EmbeddedWriter } from "./embedded_writer.ts";

/** A sub that reads from and writes to a store or a transaction. */
export class EmbeddedSubWriter<K, V, KeyOut, ValueIn> extends SubWriter<K, V, KeyOut, ValueIn>
  implements EmbeddedReader<K, V, KeyOut>, EmbeddedWriter<K, V, ValueIn> {
  readonly #target: EmbeddedReader & EmbeddedWriter;
  readonly #reads: EmbeddedSubReads<K, V, KeyOut, ValueIn>;

  /** Over a store or a transaction. */
  constructor(
    target: EmbeddedReader & EmbeddedWriter,
    space: Keyspace<K, V, KeyOut, ValueIn>,
  ) {
    super(target, space);
    this.#target = target;
    this.#reads = new EmbeddedSubReads(target, space, () => this.requireOpen());
  }

  /** As `get`. Blocks on the disk if the value is not in memory. */
  getSync(key: K): V | undefined {
    return this.#reads.get(key);
  }

  /** As `getEntry`. */
  getEntrySync(key: K, options?: EntryOptions): Entry<KeyOut, V> | undefined {
    return this.#reads.getEntry(key, options);
  }

  /** As `getMany`. */
  getManySync(keys: readonly K[]): (V | undefined)[] {
    return this.#reads.getMany(keys);
  }

  /** As `has`. */
  hasSync(key: K): boolean {
    return this.#reads.has(key);
  }

  /** As `hasMany`. */
  hasManySync(keys: readonly K[]): boolean[] {
    return this.#reads.hasMany(keys);
  }

  /** As `count`. */
  countSync(range?: Range<K>): number {
    return this.#reads.count(range);
  }

  /** As `getString`. */
  getStringSync(key: K): string | undefined {
    return this.#reads.stored(key, "string") as string | undefined;
  }

  /** As `getInt64`. */
  getInt64Sync(key: K): bigint | undefined {
    return this.#reads.stored(key, "int64") as bigint | undefined;
  }

  /** As `getFloat64`. */
  getFloat64Sync(key: K): number | undefined {
    return this.#reads.stored(key, "float64") as number | undefined;
  }

  /** As `getBool`. */
  getBoolSync(key: K): boolean | undefined {
    return this.#reads.stored(key, "bool") as boolean | undefined;
  }

  /** As `getBytes`. */
  getBytesSync(key: K): Uint8Array | undefined {
    return this.#reads.stored(key, "bytes") as Uint8Array | undefined;
  }

  /** As `getJson`. */
  getJsonSync<T = unknown>(key: K): T | undefined {
    return parsedJson<T>(this.getStringSync(key));
  }

  /** As `getMap`. */
  getMapSync<T extends RecordValue = RecordValue>(key: K): T | undefined {
    return this.#reads.stored(key, "record") as T | undefined;
  }

  /** Starts an empty batch. It also takes operations on other subs. */
  override batch(...rest: []): SyncBatch<K, ValueIn> {
    const batch = this.#target.batch(...rest);
    return new EmbeddedSubBatch(batch, this.space, () => this.requireOpen());
  }

  /** Iterates over keys and values, in the order of the keys. */
  override entries(range?: Range<K>): EmbeddedCursor<[KeyOut, V], K> {
    return this.#reads.entries(range);
  }

  /** Iterates over keys. */
  override keys(range?: Range<K>): EmbeddedCursor<KeyOut, K> {
    return this.#reads.keys(range);
  }

  /** Iterates over values, in the order of their keys. */
  override values(range?: Range<K>): EmbeddedCursor<V, K> {
    return this.#reads.values(range);
  }

  /** As `put`. Returns when the write is durable, and may help with background work. */
  putSync(key: K, value: ValueIn, ...rest: [options?: PutOptions]): void {
    this.requireOpen();
    this.#target.putSync(this.space.key(key), this.space.value(value), ...rest);
  }

  /** As `delete`. */
  deleteSync(key: K, ...rest: [options?: WriteOptions]): void {
    this.requireOpen();
    this.#target.deleteSync(this.space.key(key), ...rest);
  }

  /** As `deleteRange`. */
  deleteRangeSync(range: DeletedRange<K>, ...rest: [options?: WriteOptions]): void {
    this.requireOpen();
    this.#target.deleteRangeSync(this.space.deletedRange(range), ...rest);
  }

  /** As `deletePrefix`. */
  deletePrefixSync(prefix: Beginning<K>, ...rest: [options?: WriteOptions]): void {
    this.deleteRangeSync(prefixRange(prefix), ...rest);
  }

  /** As `clear`. */
  clearSync(...rest: [options?: WriteOptions]): void {
    this.deleteRangeSync({}, ...rest);
  }

  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: K, ...rest: [options?: WriteOptions]): boolean {
    this.requireOpen();
    return this.#target.deleteIfExistsSync(this.space.key(key), ...rest);
  }

  /** As `write`. */
  writeSync(
    operations: readonly Operation<K, ValueIn>[] | Batch<K, ValueIn>,
    ...rest: [options?: WriteOptions]
  ): void {
    this.requireOpen();
    this.#target.writeSync(this.operationsOf(operations), ...rest);
  }

  /** As `putIfNotExists`. */
  putIfNotExistsSync(key: K, value: ValueIn, ...rest: [options?: PutOptions]): boolean {
    this.requireOpen();
    return this.#target.putIfNotExistsSync(
      this.space.key(key),
      this.space.value(value),
      ...rest,
    );
  }

  /** As `putIfEquals`. */
  putIfEqualsSync(
    key: K,
    value: ValueIn,
    expected: ValueIn,
    ...rest: [options?: PutOptions]
  ): boolean {
    this.requireOpen();
    const { space } = this;
    return this.#target.putIfEqualsSync(
      space.key(key),
      space.value(value),
      space.value(expected),
      ...rest,
    );
  }

  /** As `increment`. */
  incrementSync(key: K, by: bigint | number = 1n, ...rest: [options?: PutOptions]): bigint {
    this.requireOpen();
    if (this.space.hasStoreValues) {
      return this.#target.incrementSync(this.space.key(key), by, ...rest);
    }
    const added = int64Of(by);
    return this.updateSync(key, (found) => {
      const old = found as Value | undefined ?? 0n;
      if (typeof old !== "bigint") {
        throw new TypeMismatchError(valueTypeName(old), "int64", undefined, shownKey(key));
      }
      return addInt64(old, added) as ValueIn;
    }, ...rest) as bigint;
  }

  /** As `update`. */
  updateSync(
    key: K,
    change: (old: V | undefined) => ValueIn | undefined,
    ...rest: [options?: PutOptions]
  ): V | undefined {
    this.requireOpen();
    const own = this.space.key(key);
    const stored = this.#target.updateSync(own, this.changeOf(change, own), ...rest);
    return this.space.valueIfAny(stored, own);
  }

  /** As `putString`. */
  putStringSync(key: K, value: string, ...rest: [options?: PutOptions]): void {
    this.putSync(key, stringOf(value) as ValueIn, ...rest);
  }

  /** As `putInt64`. */
  putInt64Sync(key: K, value: bigint | number, ...rest: [options?: PutOptions]): void {
    this.putSync(key, int64Of(value) as ValueIn, ...rest);
  }

  /** As `putFloat64`. */
  putFloat64Sync(key: K, value: number, ...rest: [options?: PutOptions]): void {
    this.putSync(key, float64Of(value) as ValueIn, ...rest);
  }

  /** As `putBool`. */
  putBoolSync(key: K, value: boolean, ...rest: [options?: PutOptions]): void {
    this.putSync(key, boolOf(value) as ValueIn, ...rest);
  }

  /** As `putBytes`. */
  putBytesSync(key: K, value: Uint8Array, ...rest: [options?: PutOptions]): void {
    this.putSync(key, bytesOf(value) as ValueIn, ...rest);
  }

  /** As `putJson`. */
  putJsonSync(key: K, value: unknown, ...rest: [options?: PutOptions]): void {
    this.putSync(key, jsonOf(value) as ValueIn, ...rest);
  }

  /** As `putMap`. */
  putMapSync(key: K, value: RecordValue, ...rest: [options?: PutOptions]): void {
    this.putSync(key, recordOf(value) as ValueIn, ...rest);
  }
}
