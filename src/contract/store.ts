/**
 * A store, as everybody can implement it: over the embedded engine, a map, a database.
 *
 * To come, each with a switch of the contract suite: transactions, range deletes, expiry, `watch`
 * and typed sub-stores. None of them changes a member that is here; a transaction and a sub-store
 * are a {@linkcode Reader} and a {@linkcode Writer} as well.
 */

import type { Reader, Snapshot } from "./reader.ts";
import type { Writer } from "./writer.ts";

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
export interface Store extends Reader, Writer, AsyncDisposable {
  /** Whether the store is open, being closed, or closed. */
  readonly status: StoreStatus;
  /**
   * A read-only view of the store at this moment.
   *
   * @throws {ClosedError} the store is closed
   */
  snapshot(): Snapshot;
  /**
   * Waits for writes under way and releases everything. Further use gets a ClosedError; a second
   * close does nothing.
   */
  close(): Promise<void>;
}
