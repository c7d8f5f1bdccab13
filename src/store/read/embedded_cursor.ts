/**
 * Cursors that can also be read synchronously: what the embedded store's cursors share with cursors
 * that derive from them.
 */

import type { Cursor } from "../../contract/cursor.ts";
import {
  CursorBase,
  dropping,
  filtering,
  inOrder,
  mapping,
  nextThrough,
  requireCount,
  SKIP,
  type Stage,
  taking,
} from "../../contract/cursor_base.ts";
import type { Key } from "../../value/value.ts";

/**
 * A cursor of the embedded store: as the contract's, and synchronous as well. It works in
 * `for...of` and in spreads, and if the runtime has iterator helpers, `Iterator.from(cursor)` has
 * them. A `for...of` loop that ends, or is left, closes it.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("user:1", "Alice");
 * for await (const [key, value] of store.entries({ prefix: "user:" })) console.log(key, value);
 * for (const key of store.keys({ reverse: true, limit: 10 })) console.log(key);
 * console.log([...store.values().map((value) => typeof value)]); // [ "string" ]
 * ```
 */
export interface EmbeddedCursor<T, K = Key> extends Cursor<T, K>, Iterable<T> {
  /** As `next`; blocks are read synchronously if they are not in memory. */
  nextSync(): IteratorResult<T, undefined>;
  /** As `nextMany`. */
  nextManySync(count: number): T[];
  /** As `close`. */
  closeSync(): void;
  /** Iterates synchronously. */
  [Symbol.iterator](): IterableIterator<T>;
  /** As {@linkcode Cursor.map}. */
  map<U>(change: (item: T, index: number) => U): EmbeddedCursor<U, K>;
  /** As {@linkcode Cursor.filter}. */
  filter(wanted: (item: T, index: number) => boolean): EmbeddedCursor<T, K>;
  /** As {@linkcode Cursor.take}. */
  take(count: number): EmbeddedCursor<T, K>;
  /** As {@linkcode Cursor.drop}. */
  drop(count: number): EmbeddedCursor<T, K>;
}

/** The parts that are the same for all. */
export abstract class EmbeddedCursorBase<T, K = Key> extends CursorBase<T, K>
  implements EmbeddedCursor<T, K> {
  /** As `next`, synchronously. */
  abstract nextSync(): IteratorResult<T, undefined>;
  /** As `close`, synchronously. */
  abstract closeSync(): void;
  /** As `return`, synchronously: a loop has ended or was left. */
  abstract returnSync(): void;

  override return(_value?: unknown): Promise<IteratorResult<T, undefined>> {
    this.returnSync();
    return Promise.resolve({ done: true, value: undefined });
  }

  override throw(error?: unknown): Promise<IteratorResult<T, undefined>> {
    this.returnSync();
    return Promise.reject(error);
  }

  override close(): Promise<void> {
    this.closeSync();
    return Promise.resolve();
  }

  nextManySync(count: number): T[] {
    requireCount(count, 1);
    const items: T[] = [];
    while (items.length < count) {
      const step = this.nextSync();
      if (step.done) break;
      items.push(step.value);
    }
    return items;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return new Loop(this);
  }

  override map<U>(change: (item: T, index: number) => U): EmbeddedCursor<U, K> {
    return new DerivedEmbeddedCursor(this, mapping(change));
  }

  override filter(wanted: (item: T, index: number) => boolean): EmbeddedCursor<T, K> {
    return new DerivedEmbeddedCursor(this, filtering(wanted));
  }

  override take(count: number): EmbeddedCursor<T, K> {
    return new DerivedEmbeddedCursor(this, taking(count));
  }

  override drop(count: number): EmbeddedCursor<T, K> {
    return new DerivedEmbeddedCursor(this, dropping(count));
  }
}

/** The iterator of a `for...of` loop. */
class Loop<T> implements IterableIterator<T> {
  readonly #cursor: Pick<EmbeddedCursorBase<T>, "nextSync" | "returnSync">;

  constructor(cursor: Pick<EmbeddedCursorBase<T>, "nextSync" | "returnSync">) {
    this.#cursor = cursor;
  }

  next(): IteratorResult<T, undefined> {
    const step = this.#cursor.nextSync();
    if (step.done) this.#cursor.returnSync();
    return step;
  }

  return(): IteratorResult<T, undefined> {
    this.#cursor.returnSync();
    return { done: true, value: undefined };
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this;
  }
}

// The helpers of iterators, on runtimes that have them. `extends Iterator` would not load on
// others.
Object.setPrototypeOf(
  Loop.prototype,
  Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())),
);

/** A cursor that derives its items from another one, which it owns. */
class DerivedEmbeddedCursor<S, T, K> extends EmbeddedCursorBase<T, K> {
  readonly #source: EmbeddedCursorBase<S, K>;
  readonly #stage: Stage<S, T>;
  readonly #next: () => Promise<IteratorResult<T, undefined>>;

  constructor(source: EmbeddedCursorBase<S, K>, stage: Stage<S, T>) {
    super();
    this.#source = source;
    this.#stage = stage;
    this.#next = inOrder(() => nextThrough(source, stage));
  }

  override next(): Promise<IteratorResult<T, undefined>> {
    return this.#next();
  }

  override nextSync(): IteratorResult<T, undefined> {
    const stage = this.#stage;
    while (!stage.isOver()) {
      const step = this.#source.nextSync();
      if (step.done) break;
      let item: T | typeof SKIP;
      try {
        item = stage.apply(step.value);
      } catch (error) {
        this.returnSync();
        throw error;
      }
      if (item !== SKIP) return { done: false, value: item };
    }
    return { done: true, value: undefined };
  }

  override seek(key: K): void {
    this.#source.seek(key);
  }

  override closeSync(): void {
    this.#source.closeSync();
  }

  override returnSync(): void {
    this.#source.returnSync();
  }
}
