/**
 * A store, as everybody can implement it: over the embedded engine, a map, a database.
 *
 * To come, each with a switch of the contract suite: range deletes and expiry. Neither changes a
 * member that is here.
 */

import type { Reader, Snapshot } from "./reader.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "./sub/key_codec.ts";
import type { SubOptions } from "./sub/sub_options.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "./sub/value_codec.ts";
import type { Transaction, TransactionOptions } from "./transaction.ts";
import type { Key, Value } from "./value.ts";
import type { Watch, WatchOptions, WatchRange } from "./watch.ts";
import type { Batch, Writer } from "./writer.ts";

/** The state of a store. */
export type StoreStatus = "open" | "closing" | "closed";

/**
 * A sorted key-value store. Calls may overlap freely. Writes take effect in the order of the calls.
 *
 * Mistakes of the caller are a `TypeError` or a `RangeError`. Every other error is a `StoreError`
 * with a stable `code`, by which programs should distinguish them.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import type { Store } from "@tinykvs/core/contract";
 *
 * async function copy(from: Store, into: Store): Promise<void> {
 *   for await (const [key, value] of from.entries()) await into.put(key, value);
 * }
 *
 * await using a: Store = await open("/a", { fileSystem: memoryFileSystem() });
 * await using b: Store = await open("/b", { fileSystem: memoryFileSystem() });
 * await a.put("name", "Alice");
 * await copy(a, b);
 * console.log(await b.get("name")); // Alice
 * ```
 */
export interface Store<K = Key, V = Value, KeyOut = K, ValueIn = V>
  extends Reader<K, V, KeyOut>, Writer<K, V, ValueIn>, AsyncDisposable {
  /** Whether the store is open, being closed, or closed. */
  readonly status: StoreStatus;
  /**
   * Runs `body`, whose reads and writes by its {@linkcode Transaction} take effect as one, when
   * they are as durable as a write of this store. A body that throws, or rejects, leaves nothing.
   *
   * Transactions are serialisable: a commit succeeds only if nothing that the body has read was
   * written by another commit since the body began: neither the keys that it found, nor those that
   * it found missing, nor anything in the ranges that it scanned, up to where it stopped. If
   * something was, `body` runs again, after a pause, with a new transaction: what it does besides
   * must bear that. One that only reads never conflicts. Transactions may run side by side, and one
   * in the body of another is independent of it.
   *
   * @throws {ConflictError} something was written each time, or the transaction is larger than is
   * allowed
   * @throws {ClosedError} the store is closed, or was closed meanwhile
   */
  transaction<T>(
    body: (transaction: Transaction<K, V, KeyOut, ValueIn>) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /**
   * A read-only view of the store at this moment.
   *
   * @throws {ClosedError} the store is closed
   */
  snapshot(): Snapshot<K, V, KeyOut>;
  /**
   * A part of the store with keys and values of its own, and of the caller's types: see
   * {@linkcode Sub}. Nothing is written to make it.
   *
   * @throws {TypeError | RangeError} the path or an option is not valid
   */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): Sub<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /**
   * A part of the store whose values the caller claims to be of a type. The claim is not checked; a
   * schema is.
   *
   * @throws {TypeError | RangeError} the path is not valid
   */
  sub<V extends Value>(path: string | readonly string[]): Sub<Key, V>;
  /**
   * Shows every commit from now on that touches the range, in order and whole, when it is as
   * durable as a write of this store that has resolved. Ends when the store is closed.
   *
   * A reader that is too slow gets a {@linkcode LaggedError}, and has to read the range again. To
   * follow a range from its present state on: begin to watch, read the range, then apply the
   * commits to what was read.
   *
   * @throws {TypeError | RangeError} the range or an option is not valid
   * @throws {ClosedError} the store is closed
   */
  watch(range?: WatchRange<K>, options?: WatchOptions): Watch<KeyOut, V>;
  /**
   * Waits for writes under way and releases everything. Further use gets a ClosedError; a second
   * close does nothing.
   */
  close(): Promise<void>;
}

/**
 * A part of a store: a store of its own, whose keys are those of the store that begin with the
 * sub's prefix. Keys of two subs never meet, whatever their names; those of a sub's subs are not
 * among its own. To the store they are keys that begin with U+0000 (so its own keys had better
 * not), and its scans show them.
 *
 * Options of the two may differ from handle to handle; they are not stored.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * const users = store.sub("users", { value: "json" });
 * const byAge = store.sub(["index", "age"], { key: "tuple" });
 * const batch = store.batch();
 * users.in(batch).put("alice", { name: "Alice", age: 30 });
 * byAge.in(batch).put([30, "alice"], true);
 * await batch.write(); // both or none
 * console.log(await byAge.keys({ gte: [18] }).toArray()); // [ [ 30, "alice" ] ]
 * ```
 */
export interface Sub<K = Key, V = Value, KeyOut = K, ValueIn = V>
  extends Store<K, V, KeyOut, ValueIn> {
  /** The names that lead from the store to it. */
  readonly path: readonly string[];
  /**
   * The sub in a batch of its store, or of any sub of that store, whatever keys and values that
   * has: what is added is written with the rest of the batch.
   *
   * @throws {TypeError} it is no batch
   */
  // deno-lint-ignore no-explicit-any
  in(batch: Batch<any, any>): Batch<K, ValueIn>;
  /** The sub in a transaction of its store or of any sub of that, or in another store. */
  in(
    // deno-lint-ignore no-explicit-any
    target: Reader<any, any, any> & Writer<any, any, any>,
  ): Reader<K, V, KeyOut> & Writer<K, V, ValueIn>;
  /** The sub in a snapshot of its store, or of any sub of that. */
  // deno-lint-ignore no-explicit-any
  in(target: Reader<any, any, any>): Reader<K, V, KeyOut>;
  /**
   * Ends this handle, its cursors, snapshots and watches. The store stays open, as do other
   * handles, also of the same sub.
   */
  close(): Promise<void>;
}

/** A sub of any keys and values. */
// deno-lint-ignore no-explicit-any
export type AnySub = Sub<any, any, any, any>;
