/** What the embedded store and its snapshots share for readers. */

import type { Entry, EntryOptions, Reader } from "../../contract/reader.ts";
import type { Key, Value } from "../../value/value.ts";
import type { EmbeddedCursor } from "./embedded_cursor.ts";
import type { Range } from "../state/range.ts";
import type { TypedReadsSync } from "../state/typed_calls.ts";

/**
 * Reads keys and values, also synchronously: an {@linkcode EmbeddedStore} as it is at the moment of
 * the call, or an {@linkcode EmbeddedSnapshot}.
 *
 * @example
 * ```ts
 * import { type EmbeddedReader, memoryFileSystem, open } from "@tinykvs/core";
 *
 * function admins(reader: EmbeddedReader): string[] {
 *   return reader.keys({ prefix: "admin:" }).nextManySync(10).map(String);
 * }
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("admin:1", "Alice");
 * using snapshot = store.snapshot();
 * console.log(admins(store), admins(snapshot)); // [ "admin:1" ] [ "admin:1" ]
 * ```
 */
export interface EmbeddedReader<K = Key, V = Value, KeyOut = K>
  extends Reader<K, V, KeyOut>, TypedReadsSync<K> {
  /** As `get`; reads synchronously if a piece is not in memory. */
  getSync(key: K): V | undefined;
  /** As `getEntry`. */
  getEntrySync(key: K, options?: EntryOptions): Entry<KeyOut, V> | undefined;
  /** As `getMany`. */
  getManySync(keys: readonly K[]): (V | undefined)[];
  /** As `has`. */
  hasSync(key: K): boolean;
  /** As `hasMany`. */
  hasManySync(keys: readonly K[]): boolean[];
  /** Iterates over keys and values in the order of the keys' bytes. */
  entries(range?: Range<K>): EmbeddedCursor<[KeyOut, V], K>;
  /** Iterates over keys. */
  keys(range?: Range<K>): EmbeddedCursor<KeyOut, K>;
  /** Iterates over values, in the order of their keys. */
  values(range?: Range<K>): EmbeddedCursor<V, K>;
  /** As `count`. */
  countSync(range?: Range<K>): number;
}
