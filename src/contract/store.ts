/**
 * A store, as everybody can implement it: over the embedded engine, a map, a database.
 *
 * To come, each with a switch of the contract suite: range deletes, expiry and typed sub-stores. None of them
 * changes a member that is here; a sub-store is a {@linkcode Reader} and a {@linkcode Writer} as well.
 */

import type { Reader, Snapshot } from "./reader.ts";
import type { Transaction, TransactionOptions } from "./transaction.ts";
import type { Watch, WatchOptions, WatchRange } from "./watch.ts";
import type { Writer } from "./writer.ts";

/** What a store is at the moment. */
export type StoreStatus = "open" | "closing" | "closed";

/**
 * A sorted key-value store. Calls may overlap freely. Writes take effect in the order of the calls.
 *
 * Mistakes of the caller are a `TypeError` or a `RangeError`. Every other error is a `StoreError` with a
 * stable `code`, by which programs should tell them apart.
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
export interface Store extends Reader, Writer, AsyncDisposable {
  /** Whether the store is open, being closed, or closed. */
  readonly status: StoreStatus;
  /**
   * Runs `body`, whose reads and writes by its {@linkcode Transaction} take effect as one, when they are
   * as durable as a write of this store. A body that throws, or rejects, leaves nothing.
   *
   * Transactions are serialisable: a commit succeeds only if nothing that the body has read was written by
   * another commit since the body began: neither the keys that it found, nor those that it found missing,
   * nor anything in the ranges that it scanned, up to where it stopped. If something was, `body` runs again,
   * after a pause, with a new transaction: what it does besides must bear that. One that only reads never
   * conflicts. Transactions may run side by side, and one in the body of another is independent of it.
   *
   * @throws {ConflictError} something was written each time, or the transaction is larger than is allowed
   * @throws {ClosedError} the store is closed, or was closed meanwhile
   */
  transaction<T>(
    body: (transaction: Transaction) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /**
   * The store as it is now, to read from whatever is written later.
   *
   * @throws {ClosedError} the store is closed
   */
  snapshot(): Snapshot;
  /**
   * Shows every commit from now on that touches the range, in order and whole, when it is as durable as a
   * write of this store that has resolved. Ends when the store is closed.
   *
   * A reader that is too slow gets a {@linkcode LaggedError}, and has to read the range again. To follow a
   * range from its present state on: begin to watch, read the range, then apply the commits to what was read.
   *
   * @throws {TypeError | RangeError} the range or an option is not valid
   * @throws {ClosedError} the store is closed
   */
  watch(range?: WatchRange, options?: WatchOptions): Watch;
  /**
   * Waits for writes under way and releases everything. Further use gets a ClosedError; closing again is
   * legal.
   */
  close(): Promise<void>;
}
