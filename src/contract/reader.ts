/** The reading half of a store. */

import type { Cursor } from "./cursor.ts";
import type { KeyEncoding, Range } from "./range.ts";
import type { Key, RecordValue, Value } from "./value.ts";

/** A key with everything that is stored for it. */
export interface Entry<K = Key, V = Value> {
  /** The key, in the form in which the store's cursors show keys. */
  readonly key: K;
  /** The value. */
  readonly value: V;
  /** The time at which it expires, in milliseconds since 1970. Missing if it does not. */
  readonly expiresAt?: number;
}

/** What a read of one entry may be told. */
export interface EntryOptions {
  /** What the key is shown as. Default: as the store was opened. */
  keyEncoding?: KeyEncoding;
}

/** Reads of values that must have a certain type. {@linkcode ReaderBase} has them. */
export interface TypedReads<K = Key> {
  /** The key's string. @throws {TypeMismatchError} the value has another type */
  getString(key: K): Promise<string | undefined>;
  /** The key's int64. @throws {TypeMismatchError} the value has another type */
  getInt64(key: K): Promise<bigint | undefined>;
  /** The key's float64. @throws {TypeMismatchError} the value has another type */
  getFloat64(key: K): Promise<number | undefined>;
  /** The key's boolean. @throws {TypeMismatchError} the value has another type */
  getBool(key: K): Promise<boolean | undefined>;
  /** A copy of the key's bytes. @throws {TypeMismatchError} the value has another type */
  getBytes(key: K): Promise<Uint8Array | undefined>;
  /**
   * The content of the key's JSON text. The type is the caller's claim; it is not checked.
   *
   * @throws {TypeMismatchError} the key's value is not a string
   * @throws {SyntaxError} the string is not JSON
   */
  getJson<T = unknown>(key: K): Promise<T | undefined>;
  /** The key's record. @throws {TypeMismatchError} the value has another type */
  getMap<T extends RecordValue = RecordValue>(key: K): Promise<T | undefined>;
}

/**
 * Reads keys and values: a store as it is at the moment of the call, or a {@linkcode Snapshot}.
 * Keys are given as `K` and shown as `KeyOut`; values are of type `V`. Those of a store are the
 * defaults; a {@linkcode Sub} has its own.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import type { Reader } from "@tinykvs/core/contract";
 *
 * async function admins(reader: Reader): Promise<number> {
 *   return await reader.count({ prefix: "admin:" });
 * }
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("admin:1", "Alice");
 * using snapshot = store.snapshot();
 * console.log(await admins(store), await admins(snapshot)); // 1 1
 * ```
 */
export interface Reader<K = Key, V = Value, KeyOut = K> extends TypedReads<K> {
  /** The key's value, or undefined if there is none. */
  get(key: K): Promise<V | undefined>;
  /** The key with everything that is stored for it, or undefined if there is nothing. */
  getEntry(key: K, options?: EntryOptions): Promise<Entry<KeyOut, V> | undefined>;
  /** The values of several keys as of one moment, in their order; undefined for a missing key. */
  getMany(keys: readonly K[]): Promise<(V | undefined)[]>;
  /** Whether the key has a value. */
  has(key: K): Promise<boolean>;
  /** Whether each of several keys has a value, as of one moment, in their order. */
  hasMany(keys: readonly K[]): Promise<boolean[]>;
  /** Iterates over keys and values in the order of the keys' bytes. */
  entries(range?: Range<K>): Cursor<[KeyOut, V], K>;
  /** Iterates over keys. */
  keys(range?: Range<K>): Cursor<KeyOut, K>;
  /** Iterates over values, in the order of their keys. */
  values(range?: Range<K>): Cursor<V, K>;
  /** The number of keys in a range. */
  count(range?: Range<K>): Promise<number>;
}

/**
 * A read-only view of the store at the moment of `snapshot()`. Close it when you no longer need it,
 * or let `using` do that.
 *
 * Closing the store ends its snapshots. Closing a snapshot does not end the cursors that it has
 * opened, or the reads that it has begun.
 */
export interface Snapshot<K = Key, V = Value, KeyOut = K> extends Reader<K, V, KeyOut>, Disposable {
  /**
   * Releases everything that the snapshot holds. Further use gets a ClosedError; a second close
   * does nothing.
   */
  close(): void;
}
