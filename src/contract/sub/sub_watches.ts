/** The watches of a sub: watches of its store that show the sub's keys and values. */

import type { Store } from "../store.ts";
import {
  type Commit,
  type Watch,
  type WatchOptions,
  type WatchRange,
  watchRange,
} from "../watch.ts";
import type { Operation } from "../writer.ts";
import type { Keyspace } from "./keyspace.ts";

/** The open watches of one handle of a sub. */
export class SubWatches<K, V, KeyOut, ValueIn> {
  readonly #store: Pick<Store, "watch">;
  readonly #space: Keyspace<K, V, KeyOut, ValueIn>;
  readonly #open = new Set<SubWatch<KeyOut, V>>();

  /** Starts without watches. */
  constructor(store: Pick<Store, "watch">, space: Keyspace<K, V, KeyOut, ValueIn>) {
    this.#store = store;
    this.#space = space;
  }

  /** Starts a watch. @throws {TypeError | RangeError} the range or an option is not valid */
  open(range: WatchRange<K> | undefined, ...rest: [options?: WatchOptions]): Watch<KeyOut, V> {
    const space = this.#space;
    const own = space.range(watchRange(range));
    const watch: SubWatch<KeyOut, V> = new SubWatch(
      this.#store.watch(own, ...rest),
      (operation) => {
        if (operation.type === "deleteRange") {
          return { type: "deleteRange", range: space.deletedRangeOf(operation.range) };
        }
        const key = space.keyOf(operation.key as string | Uint8Array);
        return operation.type === "put"
          ? { ...operation, key, value: space.valueOf(operation.value, operation.key) }
          : { type: "delete", key };
      },
      () => this.#open.delete(watch),
    );
    this.#open.add(watch);
    return watch;
  }

  /** Ends the watches after the commits that were made before this call. */
  close(): void {
    for (const watch of [...this.#open]) watch.close();
  }
}

/** Takes its commits from a watch of the store, which it owns. */
class SubWatch<K, V> implements Watch<K, V> {
  readonly #watch: Watch;
  readonly #show: (operation: Operation) => Operation<K, V>;
  readonly #onEnd: () => void;
  /** Whether a commit could not be decoded. The watch shows nothing after it. */
  #hasFailed = false;

  constructor(
    watch: Watch,
    show: (operation: Operation) => Operation<K, V>,
    onEnd: () => void,
  ) {
    this.#watch = watch;
    this.#show = show;
    this.#onEnd = onEnd;
  }

  async next(): Promise<IteratorResult<Commit<K, V>, undefined>> {
    let step: IteratorResult<Commit, undefined>;
    try {
      step = await this.#watch.next();
      if (step.done || this.#hasFailed) {
        this.#onEnd();
        return { done: true, value: undefined };
      }
    } catch (error) {
      this.#onEnd();
      throw error;
    }
    try {
      return { done: false, value: { operations: step.value.operations.map(this.#show) } };
    } catch (error) {
      this.#hasFailed = true;
      await this.return();
      throw error;
    }
  }

  async return(_value?: unknown): Promise<IteratorResult<Commit<K, V>, undefined>> {
    this.#onEnd();
    await this.#watch.return();
    return { done: true, value: undefined };
  }

  async throw(error?: unknown): Promise<IteratorResult<Commit<K, V>, undefined>> {
    await this.return();
    throw error;
  }

  close(): void {
    this.#watch.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
