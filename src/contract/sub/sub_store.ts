/** A sub as a complete store, with snapshots, subs and `close`. */

import { ClosedError } from "../../errors.ts";
import type { Reader, Snapshot } from "../reader.ts";
import type { AnySub, Store, StoreStatus, Sub } from "../store.ts";
import { requireBody, type Transaction, type TransactionOptions } from "../transaction.ts";
import { describeValue, type Key, type Value } from "../value.ts";
import type { Watch, WatchOptions, WatchRange } from "../watch.ts";
import type { Batch, Writer } from "../writer.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "./key_codec.ts";
import { Keyspace } from "./keyspace.ts";
import { SubBatch, subTargetOf } from "./sub_batch.ts";
import type { SubOptions } from "./sub_options.ts";
import { nestedPath } from "./sub_path.ts";
import { SubReader, SubSnapshot } from "./sub_reader.ts";
import { SubTransaction } from "./sub_transaction.ts";
import { SubWatches } from "./sub_watches.ts";
import { SubWriter } from "./sub_writer.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "./value_codec.ts";

/** A part of a store. It keeps nothing except its watches. To close it ends this handle only. */
export class SubStore<K, V, KeyOut, ValueIn> extends SubWriter<K, V, KeyOut, ValueIn>
  implements Sub<K, V, KeyOut, ValueIn> {
  readonly #store: Store;
  readonly #watches: SubWatches<K, V, KeyOut, ValueIn>;
  #isClosed = false;

  /** Made by `sub`. */
  constructor(store: Store, space: Keyspace<K, V, KeyOut, ValueIn>) {
    super(store, space);
    this.#store = store;
    this.#watches = new SubWatches(store, space);
  }

  /** See {@linkcode Sub}. */
  get path(): readonly string[] {
    return this.space.path;
  }

  /** See {@linkcode Store}. */
  get status(): StoreStatus {
    return this.#isClosed ? "closed" : this.#store.status;
  }

  override requireOpen(): void {
    if (this.#isClosed) throw new ClosedError(`sub ${this.space.shown}`);
  }

  /** See {@linkcode Store}. */
  async transaction<T>(
    body: (transaction: Transaction<K, V, KeyOut, ValueIn>) => T | Promise<T>,
    ...rest: [options?: TransactionOptions]
  ): Promise<T> {
    requireBody(body);
    const requireOpen = (): void => this.requireOpen();
    requireOpen();
    return await this.#store.transaction(async (transaction) => {
      const result = await body(new SubTransaction(transaction, this.space, requireOpen));
      requireOpen();
      return result;
    }, ...rest);
  }

  /** See {@linkcode Store}. */
  snapshot(): Snapshot<K, V, KeyOut> {
    this.requireOpen();
    return new SubSnapshot(this.#store.snapshot(), this.space, () => this.requireOpen());
  }

  /** See {@linkcode Store}. */
  watch(
    range?: WatchRange<K>,
    ...rest: [options?: WatchOptions]
  ): Watch<KeyOut, V> {
    this.requireOpen();
    return this.#watches.open(range, ...rest);
  }

  /** See {@linkcode Sub}. */
  // deno-lint-ignore no-explicit-any
  in(batch: Batch<any, any>): Batch<K, ValueIn>;
  /** See {@linkcode Sub}. */
  in(
    // deno-lint-ignore no-explicit-any
    target: Reader<any, any, any> & Writer<any, any, any>,
  ): Reader<K, V, KeyOut> & Writer<K, V, ValueIn>;
  /** See {@linkcode Sub}. */
  // deno-lint-ignore no-explicit-any
  in(target: Reader<any, any, any>): Reader<K, V, KeyOut>;
  // deno-lint-ignore no-explicit-any
  in(target: Reader<any, any, any> | Batch<any, any>): unknown {
    return inTarget(this.space, target);
  }

  /** See {@linkcode Store}. */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): Sub<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** See {@linkcode Store}. */
  sub<V extends Value>(path: string | readonly string[]): Sub<Key, V>;
  sub(path: string | readonly string[], options?: SubOptions): AnySub {
    return subOf(this.#store, nestedPath(this.path, path), options);
  }

  /** See {@linkcode Sub}. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#watches.close();
    return Promise.resolve();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Opens a sub of a store. For implementations of {@linkcode Store} that do not extend `StoreBase`.
 *
 * @throws {TypeError | RangeError} the path or an option is not valid
 */
export function subOf(
  store: Store,
  path: string | readonly string[],
  options?: SubOptions,
): AnySub {
  return new SubStore(store, new Keyspace(path, options));
}

/**
 * Applies a sub's keys and values to another object of its store.
 *
 * @throws {TypeError} it is neither a batch nor a reader
 */
export function inTarget<K, V, KeyOut, ValueIn>(
  space: Keyspace<K, V, KeyOut, ValueIn>,
  given: Reader | Batch,
): SubBatch<K, V, KeyOut, ValueIn> | Reader<K, V, KeyOut> {
  // If it is a view of another sub of the store, use the object that the view works on.
  const own = subTargetOf(given) ?? given;
  const { getMany, write, length } = (own ?? {}) as Partial<Reader & Writer & Batch>;
  if (typeof getMany === "function") {
    return typeof write === "function"
      ? new SubWriter(own as Reader & Writer, space)
      : new SubReader(own as Reader, space);
  }
  if (typeof write === "function" && typeof length === "number") {
    return new SubBatch(own as Batch, space);
  }
  throw new TypeError(
    `Cannot use sub ${space.shown} there: found ${describeValue(given)}, ` +
      "expected a batch, a snapshot, a transaction or a store",
  );
}
