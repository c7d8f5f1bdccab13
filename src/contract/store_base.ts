/**
 * Every write, made of two: the typed ones (`putString` and so on), which are written here once for all
 * stores, and those that others can do without.
 */

import { markClass } from "../class_marks.ts";
import { TypeMismatchError } from "../errors.ts";
import { OperationBatch } from "./operation_batch.ts";
import type { Snapshot } from "./reader.ts";
import { ReaderBase } from "./reader_base.ts";
import { copyValue, isSameValue } from "./rules.ts";
import type { Store, StoreStatus } from "./store.ts";
import { describeValue, type Key, type RecordValue, type Value, valueTypeName } from "./value.ts";
import { surplusArgument } from "./write_options.ts";
import type { Batch, Operation, WriteOptions } from "./writer.ts";

/**
 * A store that is made of two reads, `write`, `update` and its life. An implementation overrides what it
 * can do better.
 *
 * @example
 * ```ts
 * import { open, memoryFileSystem } from "@tinykvs/core";
 * import { type Key, StoreBase, type Value } from "@tinykvs/core/contract";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * console.log(store instanceof StoreBase); // true
 * ```
 */
export abstract class StoreBase extends ReaderBase implements Store {
  /** See {@linkcode Store}. */
  abstract readonly status: StoreStatus;
  /** See {@linkcode Store}. */
  abstract write(operations: readonly Operation[] | Batch, options?: WriteOptions): Promise<void>;
  /** See {@linkcode Store}. */
  abstract update(
    key: Key,
    change: (old: Value | undefined) => Value | undefined,
    options?: WriteOptions,
  ): Promise<Value | undefined>;
  /** See {@linkcode Store}. */
  abstract snapshot(): Snapshot;
  /** See {@linkcode Store}. */
  abstract close(): Promise<void>;

  /** Stores a value, replacing the key's old one. */
  put(key: Key, value: Value, options?: WriteOptions): Promise<void> {
    return this.write([{ type: "put", key, value }], options);
  }

  /** Removes a key; that it is not there is no error. */
  delete(key: Key, options?: WriteOptions): Promise<void> {
    return this.write([{ type: "delete", key }], options);
  }

  /** Starts an empty batch, to be filled and written. */
  batch(): Batch {
    return new OperationBatch((operations, options) => this.write(operations, options));
  }

  /** Removes a key; says whether it was there. */
  async deleteIfExists(key: Key, options?: WriteOptions): Promise<boolean> {
    let isThere = false;
    await this.update(key, (old) => {
      isThere = old !== undefined;
      return undefined;
    }, options);
    return isThere;
  }

  /** Stores a value if the key has none; says whether it did. */
  async putIfNotExists(key: Key, value: Value, options?: WriteOptions): Promise<boolean> {
    const own = copyValue(value);
    let isFree = false;
    await this.update(key, (old) => {
      isFree = old === undefined;
      return isFree ? own : old;
    }, options);
    return isFree;
  }

  /** Replaces the key's value if it equals `expected`; says whether it did. */
  async putIfEquals(
    key: Key,
    value: Value,
    expected: Value,
    options?: WriteOptions,
  ): Promise<boolean> {
    const own = copyValue(value);
    const wanted = copyValue(expected);
    let isEqual = false;
    await this.update(key, (old) => {
      isEqual = old !== undefined && isSameValue(old, wanted);
      return isEqual ? own : old;
    }, options);
    return isEqual;
  }

  /** Adds to the int64 that the key has; a missing key counts as 0. Resolves to the sum. */
  async increment(key: Key, by: bigint | number = 1n, options?: WriteOptions): Promise<bigint> {
    const added = int64Of(by);
    return await this.update(key, (old = 0n) => {
      if (typeof old !== "bigint") throw new TypeMismatchError(valueTypeName(old), "int64");
      return addInt64(old, added);
    }, options) as bigint;
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Stores a string. @throws {TypeError} it is none */
  async putString(key: Key, value: string, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putString", arguments[3], 3);
    requireType(typeof value === "string", value, "a string");
    await this.put(key, value, options);
  }

  /** Stores an int64. @throws {TypeError} it is neither a bigint nor a safe integer */
  async putInt64(key: Key, value: bigint | number, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putInt64", arguments[3], 3);
    await this.put(key, int64Of(value), options);
  }

  /** Stores a float64. @throws {TypeError} it is no number */
  async putFloat64(key: Key, value: number, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putFloat64", arguments[3], 3);
    requireType(typeof value === "number", value, "a number");
    await this.put(key, value, options);
  }

  /** Stores a boolean. @throws {TypeError} it is none */
  async putBool(key: Key, value: boolean, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putBool", arguments[3], 3);
    requireType(typeof value === "boolean", value, "a boolean");
    await this.put(key, value, options);
  }

  /** Stores bytes. @throws {TypeError} it is no Uint8Array */
  async putBytes(key: Key, value: Uint8Array, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putBytes", arguments[3], 3);
    // Views of other kinds are refused by `put`.
    requireType(ArrayBuffer.isView(value), value, "a Uint8Array");
    await this.put(key, value, options);
  }

  /** Stores a value as JSON text, as `JSON.stringify` makes it. @throws {TypeError} it makes none */
  async putJson(key: Key, value: unknown, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putJson", arguments[3], 3);
    const text: string | undefined = JSON.stringify(value);
    requireType(text !== undefined, value, "a value that JSON can express");
    await this.put(key, text, options);
  }

  /** Stores a plain object or an array. @throws {TypeError} it is neither */
  async putMap(key: Key, value: RecordValue, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putMap", arguments[3], 3);
    const isRecord = typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
    requireType(isRecord, value, "an object");
    await this.put(key, value, options);
  }
}

/**
 * The bigint that an integer is.
 *
 * @throws {TypeError} it is neither a bigint nor a safe integer
 */
export function int64Of(value: bigint | number): bigint {
  const isInteger = typeof value === "bigint" || Number.isSafeInteger(value);
  requireType(isInteger, value, "a bigint or a safe integer");
  return BigInt(value);
}

/** The sum. @throws {RangeError} it is outside int64 */
export function addInt64(a: bigint, b: bigint): bigint {
  const sum = a + b;
  if (BigInt.asIntN(64, sum) === sum) return sum;
  throw new RangeError(`Cannot increment the key: ${sum} is outside -2^63 to 2^63 - 1`);
}

function requireType(isRight: boolean, value: unknown, expected: string): void {
  if (isRight) return;
  throw new TypeError(
    `Cannot store the value: found ${describeValue(value)}, expected ${expected}`,
  );
}

markClass(StoreBase, Symbol.for("@tinykvs/core store"), true);
