/** The writing half of a store. */

import type { Key, RecordValue, Value } from "./value.ts";

/**
 * What one write may be told. Anything else is a `TypeError`, and nothing is written.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open, type WriteOptions } from "@tinykvs/core";
 *
 * const durable: WriteOptions = { sync: true };
 * await using store = await open("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
 * await store.put("order:1", "paid", durable);
 * ```
 */
export interface WriteOptions {
  /** Whether the write is made durable before it resolves, whatever the store does otherwise. Default false. */
  sync?: boolean;
}

/** One operation of `store.write([...])`. */
export type Operation =
  | {
    /** Stores a value. */
    type: "put";
    /** The key. */
    key: Key;
    /** The value. */
    value: Value;
  }
  | {
    /** Removes a key. */
    type: "delete";
    /** The key. */
    key: Key;
  };

/**
 * Collects puts and deletes; `write` applies them in the order in which they were added, all of them or
 * none. What is added is checked and copied at once.
 */
export interface Batch {
  /** Number of operations so far. */
  readonly length: number;
  /**
   * Adds a put. Later operations on the same key win.
   *
   * @throws {TypeError | RangeError} the key or the value can't be stored; the batch is unchanged
   */
  put(key: Key, value: Value): this;
  /**
   * Adds a delete. Deleting a key that is not there is no error.
   *
   * @throws {TypeError | RangeError} the key can't be one; the batch is unchanged
   */
  delete(key: Key): this;
  /** Forgets every operation. */
  clear(): this;
  /**
   * Applies the operations as one. The batch can't be used afterwards.
   *
   * @throws {ClosedError} it was written already, or the store is closed
   */
  write(options?: WriteOptions): Promise<void>;
}

/** Writes of values that must have a certain type. {@linkcode StoreBase} has them. */
export interface TypedWrites {
  /** Stores a string. @throws {TypeError} it is none */
  putString(key: Key, value: string, options?: WriteOptions): Promise<void>;
  /** Stores an int64. @throws {TypeError} it is neither a bigint nor a safe integer */
  putInt64(key: Key, value: bigint | number, options?: WriteOptions): Promise<void>;
  /** Stores a float64. @throws {TypeError} it is no number */
  putFloat64(key: Key, value: number, options?: WriteOptions): Promise<void>;
  /** Stores a boolean. @throws {TypeError} it is none */
  putBool(key: Key, value: boolean, options?: WriteOptions): Promise<void>;
  /** Stores bytes. @throws {TypeError} it is no Uint8Array */
  putBytes(key: Key, value: Uint8Array, options?: WriteOptions): Promise<void>;
  /** Stores a value as JSON text, as `JSON.stringify` makes it. @throws {TypeError} it makes none */
  putJson(key: Key, value: unknown, options?: WriteOptions): Promise<void>;
  /** Stores a plain object or an array. @throws {TypeError} it is neither */
  putMap(key: Key, value: RecordValue, options?: WriteOptions): Promise<void>;
}

/**
 * Something to write to. A call that fails has changed nothing; keys and values are the caller's again
 * when the call returns, before its promise resolves. Every method that reads before it writes is atomic:
 * no other write comes in between.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import type { Writer } from "@tinykvs/core/contract";
 *
 * async function register(users: Writer, name: string): Promise<boolean> {
 *   const isNew = await users.putIfNotExists(`user:${name}`, { name });
 *   if (isNew) await users.increment("users");
 *   return isNew;
 * }
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * console.log(await register(store, "alice"), await register(store, "alice")); // true false
 * console.log(await store.get("users")); // 1n
 * ```
 */
export interface Writer extends TypedWrites {
  /** Stores a value, replacing the key's old one. @throws {TypeError | RangeError} it can't be stored */
  put(key: Key, value: Value, options?: WriteOptions): Promise<void>;
  /** Removes a key; that it is not there is no error. */
  delete(key: Key, options?: WriteOptions): Promise<void>;
  /** Removes a key; says whether it was there. */
  deleteIfExists(key: Key, options?: WriteOptions): Promise<boolean>;
  /**
   * Applies several puts and deletes as one: all of them or none.
   *
   * @throws {TypeError | RangeError} an operation is none, or its key or value can't be stored; then
   * nothing is applied
   */
  write(operations: readonly Operation[] | Batch, options?: WriteOptions): Promise<void>;
  /** Starts an empty batch, to be filled and written: `store.batch().put("a", 1).write()`. */
  batch(): Batch;
  /** Stores a value if the key has none; says whether it did. */
  putIfNotExists(key: Key, value: Value, options?: WriteOptions): Promise<boolean>;
  /**
   * Replaces the key's value if it equals `expected`; says whether it did. Equal are values of the same
   * stored type with the same bytes: 1 and 1n are not, NaN and NaN are, and in a record the order of the
   * properties counts.
   */
  putIfEquals(key: Key, value: Value, expected: Value, options?: WriteOptions): Promise<boolean>;
  /**
   * Adds `by`, 1 by default, to the int64 that the key has; a missing key counts as 0. Resolves to the sum.
   *
   * @throws {TypeMismatchError} the key's value is no int64
   * @throws {TypeError} `by` is neither a bigint nor a safe integer
   * @throws {RangeError} the sum is outside int64; nothing changes
   */
  increment(key: Key, by?: bigint | number, options?: WriteOptions): Promise<bigint>;
  /**
   * Stores what `change` makes of the key's value; undefined stands for no value, both ways. Resolves to
   * what was stored. `change` is not awaited, may be called several times, and must not write to the key.
   */
  update(
    key: Key,
    change: (old: Value | undefined) => Value | undefined,
    options?: WriteOptions,
  ): Promise<Value | undefined>;
}
