/**
 * A batch of a store, filled through a sub: the puts and deletes of several subs and of the store
 * are written as one.
 */

import type { Batch, WriteOptions } from "../writer.ts";
import type { Keyspace } from "./keyspace.ts";

/**
 * What a view of a sub is over, in whichever copy of the library it was made: a batch, a reader, a
 * writer of the store. So a sub in a batch, or a snapshot, of another sub is over that of the
 * store.
 */
export function subTargetOf(view: unknown): unknown {
  if (typeof view !== "object" || view === null) return undefined;
  return (view as { readonly subTarget?: unknown }).subTarget;
}

/** Adds operations on a sub's keys to a batch of the store. */
export class SubBatch<K, V, KeyOut, ValueIn> implements Batch<K, ValueIn> {
  /** The store's batch. */
  readonly subTarget: Batch;
  readonly #space: Keyspace<K, V, KeyOut, ValueIn>;
  readonly #requireOpen: () => void;

  /** Over a batch of the store; `requireOpen` throws if the sub that has started it was closed. */
  constructor(
    target: Batch,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen: () => void = () => {},
  ) {
    this.subTarget = target;
    this.#space = space;
    this.#requireOpen = requireOpen;
  }

  /** Number of operations of the store's batch. */
  get length(): number {
    return this.subTarget.length;
  }

  /** Adds a put. */
  put(key: K, value: ValueIn): this {
    // What comes after is for the store's batch to take or to refuse.
    const rest = Array.prototype.slice.call(arguments, 2) as [];
    this.subTarget.put(this.#space.key(key), this.#space.value(value), ...rest);
    return this;
  }

  /** Adds a delete. */
  delete(key: K): this {
    const rest = Array.prototype.slice.call(arguments, 1) as [];
    this.subTarget.delete(this.#space.key(key), ...rest);
    return this;
  }

  /** Forgets every operation of the store's batch. */
  clear(): this {
    this.subTarget.clear();
    return this;
  }

  /** Writes the store's batch. */
  async write(...rest: [options?: WriteOptions]): Promise<void> {
    this.#requireOpen();
    await this.subTarget.write(...rest);
  }
}
