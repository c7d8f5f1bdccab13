/** The types that users see: a sub of the embedded store, and a sub in a transaction of it. */

import type { Reader, Snapshot } from "../../contract/reader.ts";
import type { Range } from "../../contract/range.ts";
import type { Sub } from "../../contract/store.ts";
import type { SubOptions } from "../../contract/sub/sub_options.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "../../contract/sub/key_codec.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "../../contract/sub/value_codec.ts";
import type { Transaction, TransactionOptions } from "../../contract/transaction.ts";
import type { Batch, Writer } from "../../contract/writer.ts";
import type { Key, Value } from "../../value/value.ts";
import type { EmbeddedCursor } from "../read/embedded_cursor.ts";
import type { EmbeddedReader } from "../read/reader.ts";
import type { SyncBatch } from "../write/sync_batch.ts";
import type { EmbeddedWriter } from "./embedded_writer.ts";

/**
 * A part of an {@linkcode EmbeddedStore} with its own keys and values: see {@linkcode Sub}. Made by
 * `store.sub(...)`.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, openSync } from "@tinykvs/core";
 *
 * const store = openSync("/db", { fileSystem: memoryFileSystem() });
 * const ages = store.sub("ages", { key: "utf8" });
 * ages.putSync("alice", 30);
 * for (const [name, age] of ages.entries()) console.log(name, age); // alice 30
 * store.closeSync();
 * ```
 */
export interface EmbeddedSub<K = Key, V = Value, KeyOut = K, ValueIn = V>
  extends Sub<K, V, KeyOut, ValueIn>, EmbeddedReader<K, V, KeyOut>, EmbeddedWriter<K, V, ValueIn> {
  /** Starts an empty batch. It also takes operations on other subs. */
  batch(): SyncBatch<K, ValueIn>;
  /** Iterates over keys and values, in the order of the keys. */
  entries(range?: Range<K>): EmbeddedCursor<[KeyOut, V], K>;
  /** Iterates over keys. */
  keys(range?: Range<K>): EmbeddedCursor<KeyOut, K>;
  /** Iterates over values, in the order of their keys. */
  values(range?: Range<K>): EmbeddedCursor<V, K>;
  /** Runs `body` in a transaction of the whole store, and gives it this part of the store. */
  transaction<T>(
    body: (transaction: EmbeddedTransactionSub<K, V, KeyOut, ValueIn>) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /**
   * As `transaction`, without interruption. Nobody else can write during the call, so the body runs
   * once.
   */
  transactionSync<T>(
    body: (transaction: EmbeddedTransactionSub<K, V, KeyOut, ValueIn>) => T,
    options?: TransactionOptions,
  ): T;
  /** As {@linkcode Sub}'s, with synchronous reads. */
  snapshot(): EmbeddedReader<K, V, KeyOut> & Snapshot<K, V, KeyOut>;
  /** The sub in a batch of its store, or of any sub of that store. */
  // deno-lint-ignore no-explicit-any
  in(batch: SyncBatch<any, any>): SyncBatch<K, ValueIn>;
  /** The sub in a batch of its store, or of any sub of that store. */
  // deno-lint-ignore no-explicit-any
  in(batch: Batch<any, any>): Batch<K, ValueIn>;
  /** The sub in a reader and writer of the embedded store, for example in a transaction. */
  in(
    // deno-lint-ignore no-explicit-any
    target: EmbeddedReader<any, any, any> & EmbeddedWriter<any, any, any>,
  ): EmbeddedReader<K, V, KeyOut> & EmbeddedWriter<K, V, ValueIn>;
  /** The sub in a snapshot of its store, or of any sub of that. */
  // deno-lint-ignore no-explicit-any
  in(target: EmbeddedReader<any, any, any>): EmbeddedReader<K, V, KeyOut>;
  /** The sub in another store. */
  in(
    // deno-lint-ignore no-explicit-any
    target: Reader<any, any, any> & Writer<any, any, any>,
  ): Reader<K, V, KeyOut> & Writer<K, V, ValueIn>;
  /** The sub in a snapshot of another store. */
  // deno-lint-ignore no-explicit-any
  in(target: Reader<any, any, any>): Reader<K, V, KeyOut>;
  /**
   * A part of the sub, whose keys are separate from the sub's own keys.
   *
   * @throws {TypeError | RangeError} the path or an option is not valid
   */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): EmbeddedSub<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** A part of the sub. The caller states the type of its values, and nobody checks it. */
  sub<V extends Value>(path: string | readonly string[]): EmbeddedSub<Key, V>;
}

/**
 * A part of what an {@linkcode EmbeddedTransaction} reads and writes, with its own keys and values.
 * Made by `transaction.sub(...)`. A sub's `transaction` passes one to its body.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * const jobs = store.sub("jobs", { key: "tuple", value: "json" });
 * await jobs.put(["waiting", 1], "a");
 * const taken = jobs.transactionSync((tx) => {
 *   for (const [key, job] of tx.entries({ prefix: ["waiting"], limit: 1 })) {
 *     tx.deleteSync(key);
 *     tx.putSync(["running", key[1]!], job);
 *     return job;
 *   }
 * });
 * console.log(taken, await jobs.keys().toArray()); // a [ [ "running", 1 ] ]
 * ```
 */
export interface EmbeddedTransactionSub<K = Key, V = Value, KeyOut = K, ValueIn = V>
  extends
    Transaction<K, V, KeyOut, ValueIn>,
    EmbeddedReader<K, V, KeyOut>,
    EmbeddedWriter<K, V, ValueIn> {
  /** Starts an empty batch. It also takes operations on other subs. */
  batch(): SyncBatch<K, ValueIn>;
  /** Iterates over keys and values, in the order of the keys. */
  entries(range?: Range<K>): EmbeddedCursor<[KeyOut, V], K>;
  /** Iterates over keys. */
  keys(range?: Range<K>): EmbeddedCursor<KeyOut, K>;
  /** Iterates over values, in the order of their keys. */
  values(range?: Range<K>): EmbeddedCursor<V, K>;
  /**
   * A part of the sub, whose keys are separate from the sub's own keys.
   *
   * @throws {TypeError | RangeError} the path or an option is not valid
   */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): EmbeddedTransactionSub<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** A part of the sub. The caller states the type of its values, and nobody checks it. */
  sub<V extends Value>(path: string | readonly string[]): EmbeddedTransactionSub<Key, V>;
}
