/** The reading half of a store. */

import type { Cursor } from "./cursor.ts";
import type { Range } from "./range.ts";
import type { Key, RecordValue, Value } from "./value.ts";

/** A key with everything that is stored for it. */
export interface Entry {
  /** The key, in the form in which the store's cursors show keys. */
  readonly key: string | Uint8Array;
  /** The value. */
  readonly value: Value;
}

/** Reads of values that must have a certain type. {@linkcode ReaderBase} has them. */
export interface TypedReads {
  /** The key's string. @throws {TypeMismatchError} the value has another type */
  getString(key: Key): Promise<string | undefined>;
  /** The key's int64. @throws {TypeMismatchError} the value has another type */
  getInt64(key: Key): Promise<bigint | undefined>;
  /** The key's float64. @throws {TypeMismatchError} the value has another type */
  getFloat64(key: Key): Promise<number | undefined>;
  /** The key's boolean. @throws {TypeMismatchError} the value has another type */
  getBool(key: Key): Promise<boolean | undefined>;
  /** A copy of the key's bytes. @throws {TypeMismatchError} the value has another type */
  getBytes(key: Key): Promise<Uint8Array | undefined>;
  /**
   * The content of the key's JSON text. The type is the caller's claim; it is not checked.
   *
   * @throws {TypeMismatchError} the key's value is not a string
   * @throws {SyntaxError} the string is not JSON
   */
  getJson<T = unknown>(key: Key): Promise<T | undefined>;
  /** The key's record. @throws {TypeMismatchError} the value has another type */
  getMap<T extends RecordValue = RecordValue>(key: Key): Promise<T | undefined>;
}

/**
 * Reads keys and values: a store as it is at the moment of the call, or a {@linkcode Snapshot}.
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
export interface Reader extends TypedReads {
  /** The key's value, or undefined if there is none. */
  get(key: Key): Promise<Value | undefined>;
  /** The key with everything that is stored for it, or undefined if there is nothing. */
  getEntry(key: Key): Promise<Entry | undefined>;
  /** The values of several keys as of one moment, in their order; undefined for a missing key. */
  getMany(keys: readonly Key[]): Promise<(Value | undefined)[]>;
  /** Whether the key has a value. */
  has(key: Key): Promise<boolean>;
  /** Whether each of several keys has a value, as of one moment, in their order. */
  hasMany(keys: readonly Key[]): Promise<boolean[]>;
  /** Iterates over keys and values in the order of the keys' bytes. */
  entries(range?: Range): Cursor<[string | Uint8Array, Value]>;
  /** Iterates over keys. */
  keys(range?: Range): Cursor<string | Uint8Array>;
  /** Iterates over values, in the order of their keys. */
  values(range?: Range): Cursor<Value>;
  /** The number of keys in a range. */
  count(range?: Range): Promise<number>;
}

/**
 * A read-only view of the store at the moment of `snapshot()`. Close it when you no longer need it,
 * or let `using` do that.
 *
 * Closing the store ends its snapshots. Closing a snapshot does not end the cursors that it has
 * opened, or the reads that it has begun.
 */
export interface Snapshot extends Reader, Disposable {
  /**
   * Releases everything that the snapshot holds. Further use gets a ClosedError; a second close
   * does nothing.
   */
  close(): void;
}
