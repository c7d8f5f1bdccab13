/**
 * A batch of a store, filled through a sub. One write of it can hold puts and deletes of several
 * subs and of the store.
 */

import type { DeletedRange } from "../range.ts";
import type { Batch, PutTime, WriteOptions } from "../writer.ts";
import type { Keyspace } from "./keyspace.ts";

/**
 * What a view of a sub works on: a batch, a reader or a writer of the store. The view may come from
 * another copy of the library. If the view itself is given as the target of another sub, that sub
 * works on the store's object, too.
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
  /** Throws if the sub that started the batch was closed. */
  protected readonly requireOpen: () => void;

  /**
   * Over a batch of the store. `requireOpen` throws if the sub that started the batch was closed.
   */
  constructor(
    target: Batch,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen: () => void = () => {},
  ) {
    this.subTarget = target;
    this.#space = space;
    this.requireOpen = requireOpen;
  }

  /** The number of operations in the store's batch. */
  get length(): number {
    return this.subTarget.length;
  }

  /** Adds a put. */
  put(key: K, value: ValueIn, ...rest: [time?: PutTime]): this {
    // The store's batch accepts or refuses further arguments.
    this.subTarget.put(this.#space.key(key), this.#space.value(value), ...rest);
    return this;
  }

  /** Adds a delete. */
  delete(key: K): this {
    const rest = Array.prototype.slice.call(arguments, 1) as [];
    this.subTarget.delete(this.#space.key(key), ...rest);
    return this;
  }

  /** Adds the deletion of a range of the sub's keys. */
  deleteRange(range: DeletedRange<K>): this {
    const rest = Array.prototype.slice.call(arguments, 1) as [];
    this.subTarget.deleteRange(this.#space.deletedRange(range), ...rest);
    return this;
  }

  /** Removes every operation from the store's batch. */
  clear(): this {
    this.subTarget.clear();
    return this;
  }

  /** Writes the store's batch. */
  async write(...rest: [options?: WriteOptions]): Promise<void> {
    this.requireOpen();
    await this.subTarget.write(...rest);
  }
}
