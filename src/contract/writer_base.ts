/**
 * Every write call, made from `write` and `update`. The typed calls (`putString` and so on) are the
 * same for all stores. An implementation may override the others.
 */

import { TypeMismatchError } from "../errors.ts";
import { type Beginning, prefixRange } from "./range.ts";
import { OperationBatch } from "./operation_batch.ts";
import { nowMs } from "./clock.ts";
import { asPut, finiteTime, putOptions } from "./put_options.ts";
import { ReaderBase } from "./reader_base.ts";
import { copyValue, isSameValue } from "./rules.ts";
import { shownKey } from "./shown_key.ts";
import { boolOf, bytesOf, float64Of, int64Of, jsonOf, recordOf, stringOf } from "./typed_values.ts";
import { type Key, type RecordValue, type Value, valueTypeName } from "./value.ts";
import { surplusArgument } from "./write_options.ts";
import type { DeletedRange } from "./range.ts";
import type { Batch, Operation, PutOptions, WriteOptions, Writer } from "./writer.ts";

/**
 * A reader and writer made from two reads, `write` and `update`: a store without open and close, or
 * a transaction. An implementation overrides what it can do better. If its keys are neither text
 * nor bytes, or its values have other types than a store's, it must override all calls except the
 * typed ones.
 *
 * @example
 * ```ts
 * import { StoreBase, WriterBase } from "@tinykvs/core/contract";
 *
 * console.log(StoreBase.prototype instanceof WriterBase); // true
 * ```
 */
export abstract class WriterBase<K = Key, V = Value, KeyOut = K, ValueIn = V>
  extends ReaderBase<K, V, KeyOut>
  implements Writer<K, V, ValueIn> {
  /** See {@linkcode Writer}. */
  abstract write(
    operations: readonly Operation<K, ValueIn>[] | Batch<K, ValueIn>,
    options?: WriteOptions,
  ): Promise<void>;
  /** See {@linkcode Writer}. */
  abstract update(
    key: K,
    change: (old: V | undefined) => ValueIn | undefined,
    options?: PutOptions,
  ): Promise<V | ValueIn | undefined>;

  /** Stores a value in place of the key's old one. */
  async put(key: K, value: ValueIn, options?: PutOptions): Promise<void> {
    if (options === undefined) return await this.write([{ type: "put", key, value }]);
    const { sync, expiresAt } = putOptions(options, nowMs);
    const time = finiteTime(expiresAt);
    const put = { type: "put", key, value } as const;
    const timed = time === undefined ? put : { ...put, expiresAt: time };
    await this.write([timed], sync ? { sync } : undefined);
  }

  /** Removes a key. A missing key is not an error. */
  delete(key: K, options?: WriteOptions): Promise<void> {
    return this.write([{ type: "delete", key }], options);
  }

  /** Starts an empty batch. */
  batch(): Batch<K, ValueIn> {
    const batch = new OperationBatch((operations, options) =>
      this.write(operations as readonly Operation<K, ValueIn>[], options)
    );
    return batch as unknown as Batch<K, ValueIn>;
  }

  /** Removes all keys of a range. */
  deleteRange(range: DeletedRange<K>, options?: WriteOptions): Promise<void> {
    return this.write([{ type: "deleteRange", range }], options);
  }

  /** Removes all keys that start with the prefix. */
  async deletePrefix(prefix: Beginning<K>, options?: WriteOptions): Promise<void> {
    await this.deleteRange(prefixRange(prefix), options);
  }

  /** Removes all keys. */
  clear(options?: WriteOptions): Promise<void> {
    return this.deleteRange({}, options);
  }

  /** Removes a key. Resolves to whether the key had a value. */
  async deleteIfExists(key: K, options?: WriteOptions): Promise<boolean> {
    let isThere = false;
    await this.update(key, (old) => {
      isThere = old !== undefined;
      return undefined;
    }, options);
    return isThere;
  }

  /** Stores a value if the key has none. Resolves to whether it has stored the value. */
  async putIfNotExists(key: K, value: ValueIn, options?: PutOptions): Promise<boolean> {
    const own = copyValue(value as Value) as ValueIn;
    return await isChanged<V, ValueIn>((change) => this.update(key, change, options), (old) => {
      if (old !== undefined) throw UNCHANGED;
      return own;
    });
  }

  /**
   * Replaces the key's value if it equals `expected`. Resolves to whether it has replaced the
   * value.
   */
  async putIfEquals(
    key: K,
    value: ValueIn,
    expected: ValueIn,
    options?: PutOptions,
  ): Promise<boolean> {
    const own = copyValue(value as Value) as ValueIn;
    const wanted = copyValue(expected as Value);
    return await isChanged<V, ValueIn>(
      (change) => this.update(key, change, asPut(options)),
      (old) => {
        if (old === undefined || !isSameValue(old as Value, wanted)) throw UNCHANGED;
        return own;
      },
    );
  }

  /** Adds to the int64 value of the key. A missing key counts as 0. Resolves to the sum. */
  async increment(key: K, by: bigint | number = 1n, options?: PutOptions): Promise<bigint> {
    const added = int64Of(by);
    const sum = await this.update(key, (found) => {
      const old = found as Value | undefined ?? 0n;
      if (typeof old !== "bigint") {
        throw new TypeMismatchError(valueTypeName(old), "int64", undefined, shownKey(key));
      }
      return addInt64(old, added) as ValueIn;
    }, options);
    return sum as bigint;
  }

  /** Stores a string. @throws {TypeError} the value is not a string */
  async putString(key: K, value: string, options?: PutOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putString", arguments[3], 3);
    await this.put(key, stringOf(value) as ValueIn, options);
  }

  /** Stores an int64. @throws {TypeError} the value is neither a bigint nor a safe integer */
  async putInt64(key: K, value: bigint | number, options?: PutOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putInt64", arguments[3], 3);
    await this.put(key, int64Of(value) as ValueIn, options);
  }

  /** Stores a float64. @throws {TypeError} the value is not a number */
  async putFloat64(key: K, value: number, options?: PutOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putFloat64", arguments[3], 3);
    await this.put(key, float64Of(value) as ValueIn, options);
  }

  /** Stores a boolean. @throws {TypeError} the value is not a boolean */
  async putBool(key: K, value: boolean, options?: PutOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putBool", arguments[3], 3);
    await this.put(key, boolOf(value) as ValueIn, options);
  }

  /** Stores bytes. @throws {TypeError} the value is not a Uint8Array */
  async putBytes(key: K, value: Uint8Array, options?: PutOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putBytes", arguments[3], 3);
    await this.put(key, bytesOf(value) as ValueIn, options);
  }

  /**
   * Stores a value as JSON text, made by `JSON.stringify`.
   *
   * @throws {TypeError} JSON cannot express something in it
   */
  async putJson(key: K, value: unknown, options?: PutOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putJson", arguments[3], 3);
    await this.put(key, jsonOf(value) as ValueIn, options);
  }

  /** Stores a plain object or an array. @throws {TypeError} the value is neither */
  async putMap(key: K, value: RecordValue, options?: PutOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putMap", arguments[3], 3);
    await this.put(key, recordOf(value) as ValueIn, options);
  }
}

/** What a change throws to leave the key, and its time, as they are. */
const UNCHANGED = new Error("the key stays as it is");

/** Runs an update. Resolves to false if `change` has thrown `UNCHANGED`. */
async function isChanged<V, ValueIn>(
  update: (change: (old: V | undefined) => ValueIn) => Promise<unknown>,
  change: (old: V | undefined) => ValueIn,
): Promise<boolean> {
  try {
    await update(change);
    return true;
  } catch (error) {
    if (error === UNCHANGED) return false;
    throw error;
  }
}

/** Adds two integers. @throws {RangeError} the sum is outside int64 */
export function addInt64(a: bigint, b: bigint): bigint {
  const sum = a + b;
  if (BigInt.asIntN(64, sum) === sum) return sum;
  throw new RangeError(`Cannot increment the key: ${sum} is outside -2^63 to 2^63 - 1`);
}
