/** The reads and writes of a sub, on a store or a transaction. */

import type { Cursor } from "../cursor.ts";
import { type Beginning, prefixRange, type Range } from "../range.ts";
import type { Entry, EntryOptions, Reader } from "../reader.ts";
import { describeValue, type Value, type ValueTypeName } from "../value.ts";
import type { DeletedRange } from "../range.ts";
import type { Batch, Operation, PutOptions, WriteOptions, Writer } from "../writer.ts";
import { WriterBase } from "../writer_base.ts";
import type { Keyspace } from "./keyspace.ts";
import { SubBatch, subTargetOf } from "./sub_batch.ts";
import { SubReads } from "./sub_reader.ts";
import { isPromiseLike } from "./value_codec.ts";

/** A sub that can be read and written. It passes options of writes on to the store unchanged. */
export class SubWriter<K, V, KeyOut, ValueIn> extends WriterBase<K, V, KeyOut, ValueIn> {
  /** The store or transaction that it works on. */
  readonly subTarget: Reader & Writer;
  /** Its keys and values. */
  readonly space: Keyspace<K, V, KeyOut, ValueIn>;
  readonly #reads: SubReads<K, V, KeyOut, ValueIn>;

  /** Over a store or a transaction. */
  constructor(target: Reader & Writer, space: Keyspace<K, V, KeyOut, ValueIn>) {
    super();
    this.subTarget = target;
    this.space = space;
    this.#reads = new SubReads(target, space, () => this.requireOpen());
  }

  /** Throws if the sub was closed. */
  requireOpen(): void {}

  override get(key: K): Promise<V | undefined> {
    return this.#reads.get(key);
  }

  override getEntry(key: K, options?: EntryOptions): Promise<Entry<KeyOut, V> | undefined> {
    return this.#reads.getEntry(key, options);
  }

  override getMany(keys: readonly K[]): Promise<(V | undefined)[]> {
    return this.#reads.getMany(keys);
  }

  override has(key: K): Promise<boolean> {
    return this.#reads.has(key);
  }

  override hasMany(keys: readonly K[]): Promise<boolean[]> {
    return this.#reads.hasMany(keys);
  }

  override entries(range?: Range<K>): Cursor<[KeyOut, V], K> {
    return this.#reads.entries(range);
  }

  override keys(range?: Range<K>): Cursor<KeyOut, K> {
    return this.#reads.keys(range);
  }

  override values(range?: Range<K>): Cursor<V, K> {
    return this.#reads.values(range);
  }

  override count(range?: Range<K>): Promise<number> {
    return this.#reads.count(range);
  }

  override async put(key: K, value: ValueIn, ...rest: [options?: PutOptions]): Promise<void> {
    this.requireOpen();
    await this.subTarget.put(this.space.key(key), this.space.value(value), ...rest);
  }

  override async delete(key: K, ...rest: [options?: WriteOptions]): Promise<void> {
    this.requireOpen();
    await this.subTarget.delete(this.space.key(key), ...rest);
  }

  override async deleteRange(
    range: DeletedRange<K>,
    ...rest: [options?: WriteOptions]
  ): Promise<void> {
    this.requireOpen();
    await this.subTarget.deleteRange(this.space.deletedRange(range), ...rest);
  }

  override async deletePrefix(
    prefix: Beginning<K>,
    ...rest: [options?: WriteOptions]
  ): Promise<void> {
    await this.deleteRange(prefixRange(prefix), ...rest);
  }

  override clear(...rest: [options?: WriteOptions]): Promise<void> {
    return this.deleteRange({}, ...rest);
  }

  override async deleteIfExists(key: K, ...rest: [options?: WriteOptions]): Promise<boolean> {
    this.requireOpen();
    return await this.subTarget.deleteIfExists(this.space.key(key), ...rest);
  }

  override async write(
    operations: readonly Operation<K, ValueIn>[] | Batch<K, ValueIn>,
    ...rest: [options?: WriteOptions]
  ): Promise<void> {
    this.requireOpen();
    await this.subTarget.write(this.operationsOf(operations), ...rest);
  }

  override batch(...rest: []): Batch<K, ValueIn> {
    return new SubBatch(this.subTarget.batch(...rest), this.space, () => this.requireOpen());
  }

  override async putIfNotExists(
    key: K,
    value: ValueIn,
    ...rest: [options?: PutOptions]
  ): Promise<boolean> {
    this.requireOpen();
    return await this.subTarget.putIfNotExists(
      this.space.key(key),
      this.space.value(value),
      ...rest,
    );
  }

  /** Compares the stored forms of the two values. */
  override async putIfEquals(
    key: K,
    value: ValueIn,
    expected: ValueIn,
    ...rest: [options?: PutOptions]
  ): Promise<boolean> {
    this.requireOpen();
    const { space } = this;
    return await this.subTarget.putIfEquals(
      space.key(key),
      space.value(value),
      space.value(expected),
      ...rest,
    );
  }

  override async increment(
    key: K,
    by?: bigint | number,
    ...rest: [options?: PutOptions]
  ): Promise<bigint> {
    this.requireOpen();
    // With its own kind of values, the sum must be one of those values.
    if (!this.space.hasStoreValues) return await super.increment(key, by, ...rest);
    return await this.subTarget.increment(this.space.key(key), by, ...rest);
  }

  override async update(
    key: K,
    change: (old: V | undefined) => ValueIn | undefined,
    ...rest: [options?: PutOptions]
  ): Promise<V | undefined> {
    this.requireOpen();
    const own = this.space.key(key);
    const stored = await this.subTarget.update(own, this.changeOf(change, own), ...rest);
    return this.space.valueIfAny(stored, own);
  }

  /**
   * Converts operations of the sub to operations of the store.
   *
   * @throws {TypeError} they are neither an array nor a batch
   */
  protected operationsOf(
    operations: readonly Operation<K, ValueIn>[] | Batch<K, ValueIn>,
  ): readonly Operation[] | Batch {
    const batch = subTargetOf(operations);
    if (batch !== undefined) return batch as Batch;
    if (Array.isArray(operations)) {
      return Array.from(
        operations as readonly Operation<K, ValueIn>[],
        (operation) => this.space.operation(operation),
      );
    }
    throw new TypeError(
      `Cannot write: found ${
        describeValue(operations)
      }, expected an array of operations or a batch of sub ${this.space.shown}`,
    );
  }

  /** Converts a change of the sub's value to a change of the store's value. */
  protected changeOf(
    change: (old: V | undefined) => ValueIn | undefined,
    key: string | Uint8Array,
  ): (old: Value | undefined) => Value | undefined {
    if (typeof change !== "function") {
      throw new TypeError(
        `Cannot update the key: found ${describeValue(change)}, expected a function`,
      );
    }
    const { space } = this;
    return (old) => {
      const value = change(space.valueIfAny(old, key));
      if (value === undefined) return undefined;
      if (isPromiseLike(value)) {
        throw new TypeError("Cannot update the key: found a promise, expected a value");
      }
      return space.value(value);
    };
  }

  protected override getStored(key: K, type: ValueTypeName): Promise<Value | undefined> {
    return this.space.hasStoreValues ? this.#reads.stored(key, type) : super.getStored(key, type);
  }
}
