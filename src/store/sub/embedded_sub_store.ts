/**
 * A sub of the embedded store: the calls that every sub has, and the synchronous calls of the
 * engine. The class only combines calls of the store with the contract's `Keyspace`.
 */

import type { Reader, Snapshot } from "../../contract/reader.ts";
import type { Range } from "../../contract/range.ts";
import type { AnySub, Store, StoreStatus } from "../../contract/store.ts";
import type { SubOptions } from "../../contract/sub/sub_options.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "../../contract/sub/key_codec.ts";
import { Keyspace } from "../../contract/sub/keyspace.ts";
import { subTargetOf } from "../../contract/sub/sub_batch.ts";
import { nestedPath } from "../../contract/sub/sub_path.ts";
import { inTarget } from "../../contract/sub/sub_store.ts";
import { SubWatches } from "../../contract/sub/sub_watches.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "../../contract/sub/value_codec.ts";
import { requireBody, type TransactionOptions } from "../../contract/transaction.ts";
import type { Key, Value } from "../../contract/value.ts";
import type { Watch, WatchOptions, WatchRange } from "../../contract/watch.ts";
import type { Batch, Writer } from "../../contract/writer.ts";
import { ClosedError } from "../../errors.ts";
import type { EmbeddedCursor } from "../read/embedded_cursor.ts";
import type { EmbeddedReader } from "../read/reader.ts";
import type { EmbeddedSub, EmbeddedTransactionSub } from "./embedded_sub.ts";
import { EmbeddedSubBatch } from "./embedded_sub_batch.ts";
import { EmbeddedSubReader, EmbeddedSubSnapshot } from "./embedded_sub_reader.ts";
import { EmbeddedSubTransaction, type ParentTransaction } from "./embedded_sub_transaction.ts";
import { EmbeddedSubWriter } from "./embedded_sub_writer.ts";
import type { SyncBatch } from "../write/sync_batch.ts";
import type { EmbeddedWriter } from "./embedded_writer.ts";

/** The store that a sub is part of. */
export interface EmbeddedParent extends Store, EmbeddedReader, EmbeddedWriter {
  batch(): SyncBatch;
  snapshot(): EmbeddedReader & Snapshot;
  entries(range?: Range): EmbeddedCursor<[string | Uint8Array, Value]>;
  keys(range?: Range): EmbeddedCursor<string | Uint8Array>;
  values(range?: Range): EmbeddedCursor<Value>;
  transaction<T>(
    body: (transaction: ParentTransaction) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>;
  transactionSync<T>(
    body: (transaction: ParentTransaction) => T,
    options?: TransactionOptions,
  ): T;
}

/**
 * A part of the embedded store. The interface belongs to the API, this class does not. An object
 * keeps nothing except its watches.
 */
export class EmbeddedSubStore<K, V, KeyOut, ValueIn>
  extends EmbeddedSubWriter<K, V, KeyOut, ValueIn>
  implements EmbeddedSub<K, V, KeyOut, ValueIn> {
  readonly #store: EmbeddedParent;
  readonly #watches: SubWatches<K, V, KeyOut, ValueIn>;
  #isClosed = false;

  /** Made by `store.sub(...)`. */
  constructor(store: EmbeddedParent, space: Keyspace<K, V, KeyOut, ValueIn>) {
    super(store, space);
    this.#store = store;
    this.#watches = new SubWatches(store, space);
  }

  /** See {@linkcode Sub.path}. */
  get path(): readonly string[] {
    return this.space.path;
  }

  /** See {@linkcode Store.status}. */
  get status(): StoreStatus {
    return this.#isClosed ? "closed" : this.#store.status;
  }

  override requireOpen(): void {
    if (this.#isClosed) throw new ClosedError(`sub ${this.space.shown}`);
  }

  /**
   * See {@linkcode Store.transaction}. Runs a transaction of the whole store, and gives `body` this
   * part of the store.
   */
  async transaction<T>(
    body: (transaction: EmbeddedTransactionSub<K, V, KeyOut, ValueIn>) => T | Promise<T>,
    ...rest: [options?: TransactionOptions]
  ): Promise<T> {
    requireBody(body);
    this.requireOpen();
    return await this.#store.transaction(async (transaction) => {
      const result = await body(this.#inTransaction(transaction));
      this.requireOpen();
      return result;
    }, ...rest);
  }

  /** As `transaction`, without interruption. */
  transactionSync<T>(
    body: (transaction: EmbeddedTransactionSub<K, V, KeyOut, ValueIn>) => T,
    ...rest: [options?: TransactionOptions]
  ): T {
    requireBody(body);
    this.requireOpen();
    return this.#store.transactionSync((transaction) => {
      const result = body(this.#inTransaction(transaction));
      this.requireOpen();
      return result;
    }, ...rest);
  }

  /** See {@linkcode Store.snapshot}. */
  snapshot(): EmbeddedSubSnapshot<K, V, KeyOut, ValueIn> {
    this.requireOpen();
    const snapshot = this.#store.snapshot();
    return new EmbeddedSubSnapshot(snapshot, this.space, () => this.requireOpen());
  }

  /** See {@linkcode Store.watch}. */
  watch(
    range?: WatchRange<K>,
    ...rest: [options?: WatchOptions]
  ): Watch<KeyOut, V> {
    this.requireOpen();
    return this.#watches.open(range, ...rest);
  }

  /** See {@linkcode Sub.in}. */
  // deno-lint-ignore no-explicit-any
  in(batch: SyncBatch<any, any>): SyncBatch<K, ValueIn>;
  /** See {@linkcode Sub.in}. */
  // deno-lint-ignore no-explicit-any
  in(batch: Batch<any, any>): Batch<K, ValueIn>;
  /** See {@linkcode Sub.in}. */
  in(
    // deno-lint-ignore no-explicit-any
    target: EmbeddedReader<any, any, any> & EmbeddedWriter<any, any, any>,
  ): EmbeddedReader<K, V, KeyOut> & EmbeddedWriter<K, V, ValueIn>;
  /** See {@linkcode Sub.in}. */
  // deno-lint-ignore no-explicit-any
  in(target: EmbeddedReader<any, any, any>): EmbeddedReader<K, V, KeyOut>;
  /** See {@linkcode Sub.in}. */
  in(
    // deno-lint-ignore no-explicit-any
    target: Reader<any, any, any> & Writer<any, any, any>,
  ): Reader<K, V, KeyOut> & Writer<K, V, ValueIn>;
  /** See {@linkcode Sub.in}. */
  // deno-lint-ignore no-explicit-any
  in(target: Reader<any, any, any>): Reader<K, V, KeyOut>;
  // deno-lint-ignore no-explicit-any
  in(given: Reader<any, any, any> | Batch<any, any>): any {
    const own = subTargetOf(given) ?? given;
    const { getSync, putSync, writeSync, length } = (own ?? {}) as
      & Partial<EmbeddedReader & EmbeddedWriter>
      & { readonly length?: unknown };
    if (typeof getSync !== "function") {
      return typeof writeSync === "function" && typeof length === "number"
        ? new EmbeddedSubBatch(own as SyncBatch, this.space)
        : inTarget(this.space, given);
    }
    return typeof putSync === "function"
      ? new EmbeddedSubWriter(own as EmbeddedReader & EmbeddedWriter, this.space)
      : new EmbeddedSubReader(own as EmbeddedReader, this.space, () => {});
  }

  /** See {@linkcode Store.sub}. */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): EmbeddedSub<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** See {@linkcode Store.sub}. */
  sub<V extends Value>(path: string | readonly string[]): EmbeddedSub<Key, V>;
  // deno-lint-ignore no-explicit-any
  sub(path: string | readonly string[], options?: SubOptions): any {
    return embeddedSubOf(this.#store, nestedPath(this.path, path), options);
  }

  /** See {@linkcode Sub.close}. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#watches.close();
    return Promise.resolve();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #inTransaction(
    transaction: ParentTransaction,
  ): EmbeddedSubTransaction<K, V, KeyOut, ValueIn> {
    return new EmbeddedSubTransaction(transaction, this.space, () => this.requireOpen());
  }
}

/**
 * Opens a sub of the embedded store.
 *
 * @throws {TypeError | RangeError} the path or an option is not valid
 */
export function embeddedSubOf(
  store: EmbeddedParent,
  path: string | readonly string[],
  options?: SubOptions,
): AnySub {
  return new EmbeddedSubStore(store, new Keyspace(path, options));
}
