/** The writing half of a store. */

import type { Beginning, DeletedRange } from "./range.ts";
import type { Key, RecordValue, Value } from "./value.ts";

/**
 * The options of one write. Anything else is a `TypeError`, and nothing is written.
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
  /**
   * Whether the write is durable before it resolves, even if the store's options ask for less.
   * Default false.
   */
  sync?: boolean;
}

/**
 * When a value expires: after a time to live, or at a point in time. From then on its key has no
 * value, by the clock of the program. Both together are a `TypeError`, and a time that is none a
 * `RangeError`; a fraction of a millisecond is rounded up. If the time has come already, the value
 * is deleted at once.
 */
export interface PutTime {
  /**
   * The number of milliseconds from this call on, from 0. Infinity means that the value does not
   * expire.
   */
  ttlMs?: number;
  /**
   * The point in time, in milliseconds since 1970 or as a `Date`. Infinity means that the value
   * does not expire.
   */
  expiresAt?: number | Date;
}

/**
 * The options of a put. A put without a time removes an old one.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("session:1", "Alice", { ttlMs: 60_000 });
 * await store.put("offer", "half price", { expiresAt: new Date("2020-01-01") });
 * console.log(await store.has("session:1"), await store.has("offer")); // true false
 * const entry = await store.getEntry("session:1");
 * console.log(entry!.expiresAt! > Date.now()); // true
 * ```
 */
export interface PutOptions extends WriteOptions, PutTime {}

/** One operation of `store.write([...])`. */
export type Operation<K = Key, V = Value> =
  | {
    /** Stores a value. */
    type: "put";
    /** The key. */
    key: K;
    /** The value. */
    value: V;
    /** The number of milliseconds after which the value expires. */
    ttlMs?: number;
    /** The time at which the value expires. A watch shows it as a number. */
    expiresAt?: number | Date;
  }
  | {
    /** Removes a key. */
    type: "delete";
    /** The key. */
    key: K;
  }
  | {
    /** Removes all keys of a range. */
    type: "deleteRange";
    /** The range. */
    range: DeletedRange<K>;
  };

/**
 * Collects puts, deletes and deletions of ranges; `write` applies them in the order in which they
 * were added, all of them or none. Each is checked and copied at once.
 */
export interface Batch<K = Key, V = Value> {
  /** Number of operations so far. */
  readonly length: number;
  /**
   * Adds a put. Later operations on the same key win. A `ttlMs` counts from this call.
   *
   * @throws {TypeError | RangeError} the key or the value can't be stored, or the time is not
   *   valid; the batch is unchanged
   */
  put(key: K, value: V, time?: PutTime): this;
  /**
   * Adds a delete. Deleting a missing key is not an error.
   *
   * @throws {TypeError | RangeError} the key can't be a key; the batch is unchanged
   */
  delete(key: K): this;
  /**
   * Adds the deletion of all keys of a range. Puts that are added later stay.
   *
   * @throws {TypeError | RangeError} it can't be such a range; the batch is unchanged
   */
  deleteRange(range: DeletedRange<K>): this;
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
export interface TypedWrites<K = Key> {
  /** Stores a string. @throws {TypeError} the value is not a string */
  putString(key: K, value: string, options?: PutOptions): Promise<void>;
  /** Stores an int64. @throws {TypeError} the value is neither a bigint nor a safe integer */
  putInt64(key: K, value: bigint | number, options?: PutOptions): Promise<void>;
  /** Stores a float64. @throws {TypeError} the value is not a number */
  putFloat64(key: K, value: number, options?: PutOptions): Promise<void>;
  /** Stores a boolean. @throws {TypeError} the value is not a boolean */
  putBool(key: K, value: boolean, options?: PutOptions): Promise<void>;
  /** Stores bytes. @throws {TypeError} the value is not a Uint8Array */
  putBytes(key: K, value: Uint8Array, options?: PutOptions): Promise<void>;
  /**
   * Stores a value as JSON text, as `JSON.stringify` makes it.
   *
   * @throws {TypeError} JSON cannot express something in it, such as NaN, a bigint, a function or a
   *   Map; the text names the place
   */
  putJson(key: K, value: unknown, options?: PutOptions): Promise<void>;
  /** Stores a plain object or an array. @throws {TypeError} the value is neither */
  putMap(key: K, value: RecordValue, options?: PutOptions): Promise<void>;
}

/**
 * Writes keys and values. A call that fails has changed nothing. The caller may reuse keys and
 * values when the call returns, before its promise resolves. Every method that reads before it
 * writes is atomic: no other write comes in between. Values are given as `ValueIn` and read as `V`.
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
export interface Writer<K = Key, V = Value, ValueIn = V> extends TypedWrites<K> {
  /**
   * Stores a value, replacing the key's old one and its time. @throws {TypeError | RangeError} it
   * can't be stored
   */
  put(key: K, value: ValueIn, options?: PutOptions): Promise<void>;
  /** Removes a key. A missing key is not an error. */
  delete(key: K, options?: WriteOptions): Promise<void>;
  /**
   * Removes all keys of a range, as one write. The call reads nothing, so it takes as long for ten
   * million keys as for ten if the store can do that. An empty range, `{}`, is all keys.
   *
   * @throws {TypeError} it is not a range, or has a limit: a deletion does not count keys
   */
  deleteRange(range: DeletedRange<K>, options?: WriteOptions): Promise<void>;
  /** Removes all keys that start with the prefix, as `deleteRange` does. */
  deletePrefix(prefix: Beginning<K>, options?: WriteOptions): Promise<void>;
  /** Removes all keys, as `deleteRange` does. */
  clear(options?: WriteOptions): Promise<void>;
  /** Removes a key; resolves to whether it was there. */
  deleteIfExists(key: K, options?: WriteOptions): Promise<boolean>;
  /**
   * Applies several puts and deletes as one: all of them or none.
   *
   * @throws {TypeError | RangeError} an element is not an operation, or its key or value can't be
   *   stored; then nothing is applied
   */
  write(
    operations: readonly Operation<K, ValueIn>[] | Batch<K, ValueIn>,
    options?: WriteOptions,
  ): Promise<void>;
  /** Starts an empty batch, to fill and write: `store.batch().put("a", 1).write()`. */
  batch(): Batch<K, ValueIn>;
  /** Stores a value if the key has none; resolves to whether it did. */
  putIfNotExists(key: K, value: ValueIn, options?: PutOptions): Promise<boolean>;
  /**
   * Replaces the key's value if it equals `expected`; resolves to whether it did. Values are equal
   * if they are stored with the same type and the same bytes: 1 and 1n are not, NaN and NaN are,
   * and in a record the order of the properties counts.
   */
  putIfEquals(
    key: K,
    value: ValueIn,
    expected: ValueIn,
    options?: PutOptions,
  ): Promise<boolean>;
  /**
   * Adds `by`, 1 by default, to the key's int64; a missing key counts as 0. Resolves to the sum.
   * The key keeps its time, unless the options have another one.
   *
   * @throws {TypeMismatchError} the key's value is not an int64
   * @throws {TypeError} `by` is neither a bigint nor a safe integer
   * @throws {RangeError} the sum is outside int64; nothing changes
   */
  increment(key: K, by?: bigint | number, options?: PutOptions): Promise<bigint>;
  /**
   * Stores the result of `change` for the key's value. For both of them undefined means "no value".
   * Resolves to the stored value. The key keeps its time, unless the options have another one.
   * `change` is not awaited, may be called several times, and must not write to the key.
   */
  update(
    key: K,
    change: (old: V | undefined) => ValueIn | undefined,
    options?: PutOptions,
  ): Promise<V | ValueIn | undefined>;
}
