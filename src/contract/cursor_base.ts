/**
 * What every cursor has, made from `next`, `seek` and `close`: groups of items, and cursors that
 * derive their items from another one.
 */

import type { Cursor } from "./cursor.ts";
import type { Key } from "./value.ts";

/** The result for an item that is left out. */
export const SKIP: unique symbol = Symbol("skip");

/** What a derived cursor does with the items of its source. */
export interface Stage<S, T> {
  /** Whether no further item is needed. */
  isOver(): boolean;
  /** The result for an item. */
  apply(item: S): T | typeof SKIP;
}

/**
 * The parts that are the same for all cursors. An implementation extends it by the other three.
 *
 * @example
 * ```ts
 * import { CursorBase } from "@tinykvs/core/contract";
 *
 * class Numbers extends CursorBase<number> {
 *   at = 0;
 *   override next(): Promise<IteratorResult<number, undefined>> {
 *     return Promise.resolve({ done: false, value: this.at++ });
 *   }
 *   override seek(key: string | Uint8Array): void {
 *     this.at = Number(key);
 *   }
 *   override close(): Promise<void> {
 *     return Promise.resolve();
 *   }
 * }
 * console.log(await new Numbers().filter((n) => n % 2 === 1).take(3).toArray()); // [ 1, 3, 5 ]
 * ```
 */
export abstract class CursorBase<T, K = Key> implements Cursor<T, K> {
  /** The next item, or the end. Calls that overlap are answered in their order. */
  abstract next(): Promise<IteratorResult<T, undefined>>;
  /** See {@linkcode Cursor}. */
  abstract seek(key: K): void;
  /** See {@linkcode Cursor}. */
  abstract close(): Promise<void>;

  /** See {@linkcode Cursor}. */
  async return(_value?: unknown): Promise<IteratorResult<T, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /** See {@linkcode Cursor}. */
  async throw(error?: unknown): Promise<IteratorResult<T, undefined>> {
    await this.close();
    throw error;
  }

  /** See {@linkcode Cursor}. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    const loop: AsyncIterableIterator<T> = {
      next: async () => {
        const step = await this.next();
        if (step.done) await this.close();
        return step;
      },
      return: (value) => this.return(value),
      throw: (error) => this.throw(error),
      [Symbol.asyncIterator]: () => loop,
    };
    return loop;
  }

  /** See {@linkcode Cursor}. */
  async nextMany(count: number): Promise<T[]> {
    requireCount(count, 1);
    const items: T[] = [];
    while (items.length < count) {
      const step = await this.next();
      if (step.done) break;
      items.push(step.value);
    }
    return items;
  }

  /** See {@linkcode Cursor}. */
  async toArray(): Promise<T[]> {
    try {
      const items: T[] = [];
      for (let step = await this.next(); !step.done; step = await this.next()) {
        items.push(step.value);
      }
      return items;
    } finally {
      await this.close();
    }
  }

  /** See {@linkcode Cursor}. */
  map<U>(change: (item: T, index: number) => U): Cursor<U, K> {
    return new DerivedCursor(this, mapping(change));
  }

  /** See {@linkcode Cursor}. */
  filter(wanted: (item: T, index: number) => boolean): Cursor<T, K> {
    return new DerivedCursor(this, filtering(wanted));
  }

  /** See {@linkcode Cursor}. */
  take(count: number): Cursor<T, K> {
    return new DerivedCursor(this, taking(count));
  }

  /** See {@linkcode Cursor}. */
  drop(count: number): Cursor<T, K> {
    return new DerivedCursor(this, dropping(count));
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A cursor that derives its items from another one, which it owns. */
class DerivedCursor<S, T, K> extends CursorBase<T, K> {
  readonly #source: Cursor<S, K>;
  readonly #next: () => Promise<IteratorResult<T, undefined>>;

  constructor(source: Cursor<S, K>, stage: Stage<S, T>) {
    super();
    this.#source = source;
    this.#next = inOrder(() => nextThrough(source, stage));
  }

  override next(): Promise<IteratorResult<T, undefined>> {
    return this.#next();
  }

  override seek(key: K): void {
    this.#source.seek(key);
  }

  override close(): Promise<void> {
    return this.#source.close();
  }
}

/** The next item of `source` that `stage` does not skip. A stage that fails closes the source. */
export async function nextThrough<S, T>(
  source: Pick<Cursor<S>, "next" | "close">,
  stage: Stage<S, T>,
): Promise<IteratorResult<T, undefined>> {
  while (!stage.isOver()) {
    const step = await source.next();
    if (step.done) break;
    let item: T | typeof SKIP;
    try {
      item = stage.apply(step.value);
    } catch (error) {
      await source.close();
      throw error;
    }
    if (item !== SKIP) return { done: false, value: item };
  }
  return { done: true, value: undefined };
}

/**
 * `step`, of which each call waits until the previous one has settled: a stage may take several
 * items.
 */
export function inOrder<T>(step: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> | undefined;
  return () => {
    const result = last === undefined ? step() : last.then(step, step);
    const settled = (): void => {
      if (last === own) last = undefined;
    };
    const own = result.then(settled, settled);
    last = own;
    return result;
  };
}

/** The stage of `map`. */
export function mapping<T, U>(change: (item: T, index: number) => U): Stage<T, U> {
  requireFunction(change, "map");
  let index = 0;
  return { isOver: () => false, apply: (item) => change(item, index++) };
}

/** The stage of `filter`. */
export function filtering<T>(wanted: (item: T, index: number) => boolean): Stage<T, T> {
  requireFunction(wanted, "filter");
  let index = 0;
  return { isOver: () => false, apply: (item) => wanted(item, index++) ? item : SKIP };
}

/** The stage of `take`. @throws {RangeError} `count` is not an integer from 0 */
export function taking<T>(count: number): Stage<T, T> {
  requireCount(count, 0);
  let left = count;
  return {
    isOver: () => left === 0,
    apply(item) {
      left--;
      return item;
    },
  };
}

/** The stage of `drop`. @throws {RangeError} `count` is not an integer from 0 */
export function dropping<T>(count: number): Stage<T, T> {
  requireCount(count, 0);
  let left = count;
  return {
    isOver: () => false,
    apply(item) {
      if (left === 0) return item;
      left--;
      return SKIP;
    },
  };
}

/** @throws {RangeError} `count` is not an integer from `least` */
export function requireCount(count: number, least: number): void {
  if (Number.isSafeInteger(count) && count >= least) return;
  throw new RangeError(
    `Cannot read items: the count is ${String(count)}, expected an integer from ${least}`,
  );
}

function requireFunction(given: unknown, method: string): void {
  if (typeof given === "function") return;
  throw new TypeError(`Cannot ${method} a cursor: found ${typeof given}, expected a function`);
}
