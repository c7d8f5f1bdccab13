/** What a store and a snapshot have in common for those who read them. */

import type { Key, Value } from "../value/value.ts";
import type { Cursor } from "./cursor.ts";
import type { Range } from "./range.ts";

/**
 * Something to read keys and values from: a {@linkcode Store} as it is at the moment of the call, or a
 * {@linkcode Snapshot}.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open, type Reader } from "@tinykvs/core";
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
export interface Reader {
  /**
   * The key's value, or undefined where there is none.
   *
   * @throws {CorruptionError} what is stored can't be read
   */
  get(key: Key): Promise<Value | undefined>;
  /** As `get`; reads synchronously what is not in memory. */
  getSync(key: Key): Value | undefined;
  /** The values of several keys as of one moment, in their order, undefined for those that are missing. */
  getMany(keys: readonly Key[]): Promise<(Value | undefined)[]>;
  /** Whether the key has a value. */
  has(key: Key): Promise<boolean>;
  /** As `has`. */
  hasSync(key: Key): boolean;
  /** Iterates over keys and values in the order of the keys' bytes. */
  entries(range?: Range): Cursor<[string | Uint8Array, Value]>;
  /** Iterates over keys. */
  keys(range?: Range): Cursor<string | Uint8Array>;
  /** Iterates over values, in the order of their keys. */
  values(range?: Range): Cursor<Value>;
  /** The number of keys in a range. Reads them all. */
  count(range?: Range): Promise<number>;
}
