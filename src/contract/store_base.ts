/** A store, made of a few members: what is left when reads and writes are written once for all stores. */

import { markClass } from "../class_marks.ts";
import type { Snapshot } from "./reader.ts";
import type { Store, StoreStatus } from "./store.ts";
import type { Transaction, TransactionOptions } from "./transaction.ts";
import type { Watch, WatchOptions, WatchRange } from "./watch.ts";
import { WriterBase } from "./writer_base.ts";

/**
 * A store that is made of two reads, `write`, `update`, `transaction`, `watch` and its life. An implementation
 * overrides what it can do better.
 *
 * @example
 * ```ts
 * import { open, memoryFileSystem } from "@tinykvs/core";
 * import { type Key, StoreBase, type Value } from "@tinykvs/core/contract";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * console.log(store instanceof StoreBase); // true
 * ```
 */
export abstract class StoreBase extends WriterBase implements Store {
  /** See {@linkcode Store}. */
  abstract readonly status: StoreStatus;
  /** See {@linkcode Store}. */
  abstract transaction<T>(
    body: (transaction: Transaction) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  /** See {@linkcode Store}. */
  abstract snapshot(): Snapshot;
  /** See {@linkcode Store}. */
  abstract watch(range?: WatchRange, options?: WatchOptions): Watch;
  /** See {@linkcode Store}. */
  abstract close(): Promise<void>;

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

markClass(StoreBase, Symbol.for("@tinykvs/core store"), true);
