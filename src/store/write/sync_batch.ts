/** The synchronous side of batches, which the embedded store and its subs share. */

import type { Batch, WriteOptions } from "../../contract/writer.ts";
import type { Key, Value } from "../../value/value.ts";

/**
 * A {@linkcode Batch} of the embedded store, of a sub of it, or of a transaction: it can also be
 * written synchronously.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * const users = store.sub("users", { key: "tuple", value: "json" });
 * users.batch().put(["alice"], { age: 30 }).put(["bob"], null).writeSync();
 * console.log(users.countSync()); // 2
 * ```
 */
export interface SyncBatch<K = Key, V = Value> extends Batch<K, V> {
  /** As `write`. */
  writeSync(options?: WriteOptions): void;
}
