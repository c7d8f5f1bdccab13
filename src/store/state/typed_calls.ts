/**
 * The synchronous forms of the typed calls, as the embedded store, its snapshots, transactions and
 * subs have them.
 */

import type { PutOptions } from "../../contract/writer.ts";
import type { Key, RecordValue } from "../../value/value.ts";

/**
 * Synchronous reads of values that must have a certain type.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open, type TypedReadsSync } from "@tinykvs/core";
 *
 * function ageOf(users: TypedReadsSync, name: string): number {
 *   return users.getMapSync<{ age: number }>(name)?.age ?? 0;
 * }
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * store.putMapSync("alice", { age: 30 });
 * console.log(ageOf(store, "alice"), ageOf(store.snapshot(), "bob")); // 30 0
 * ```
 */
export interface TypedReadsSync<K = Key> {
  /** The key's string. @throws {TypeMismatchError} the value has another type */
  getStringSync(key: K): string | undefined;
  /** The key's int64. @throws {TypeMismatchError} the value has another type */
  getInt64Sync(key: K): bigint | undefined;
  /** The key's float64. @throws {TypeMismatchError} the value has another type */
  getFloat64Sync(key: K): number | undefined;
  /** The key's boolean. @throws {TypeMismatchError} the value has another type */
  getBoolSync(key: K): boolean | undefined;
  /** A copy of the key's bytes. @throws {TypeMismatchError} the value has another type */
  getBytesSync(key: K): Uint8Array | undefined;
  /**
   * The content of the key's JSON text. The type is the caller's claim; it is not checked.
   *
   * @throws {TypeMismatchError} the key's value is not a string
   * @throws {SyntaxError} the string is not JSON
   */
  getJsonSync<T = unknown>(key: K): T | undefined;
  /** The key's record. @throws {TypeMismatchError} the value has another type */
  getMapSync<T extends RecordValue = RecordValue>(key: K): T | undefined;
}

/**
 * Synchronous writes of values that must have a certain type.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open, type TypedWritesSync } from "@tinykvs/core";
 *
 * function remember(settings: TypedWritesSync, name: string, isOn: boolean): void {
 *   settings.putBoolSync(name, isOn, { ttlMs: 60_000 });
 * }
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * remember(store, "dark", true);
 * console.log(store.getBoolSync("dark")); // true
 * ```
 */
export interface TypedWritesSync<K = Key> {
  /** Stores a string. @throws {TypeError} the value is not a string */
  putStringSync(key: K, value: string, options?: PutOptions): void;
  /** Stores an int64. @throws {TypeError} the value is neither a bigint nor a safe integer */
  putInt64Sync(key: K, value: bigint | number, options?: PutOptions): void;
  /** Stores a float64. @throws {TypeError} the value is not a number */
  putFloat64Sync(key: K, value: number, options?: PutOptions): void;
  /** Stores a boolean. @throws {TypeError} the value is not a boolean */
  putBoolSync(key: K, value: boolean, options?: PutOptions): void;
  /** Stores bytes. @throws {TypeError} the value is not a Uint8Array */
  putBytesSync(key: K, value: Uint8Array, options?: PutOptions): void;
  /**
   * Stores a value as JSON text, as `JSON.stringify` makes it.
   *
   * @throws {TypeError} JSON cannot express something in it; the text names the place
   */
  putJsonSync(key: K, value: unknown, options?: PutOptions): void;
  /** Stores a plain object or an array. @throws {TypeError} the value is neither */
  putMapSync(key: K, value: RecordValue, options?: PutOptions): void;
}

/** The content of a JSON text, if there is one. @throws {SyntaxError} it is not JSON */
export function parsedJson<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : JSON.parse(text) as T;
}
