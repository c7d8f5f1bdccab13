/** A cursor over a part of a store, which shows the sub's own keys and values. */

import type { Cursor } from "../cursor.ts";
import { CursorBase } from "../cursor_base.ts";
import type { Key } from "../value.ts";

/** What a cursor of a sub needs in addition to the store's cursor. */
export interface SubCursorSource<S, T, K> {
  /** The store's key. */
  key(key: K): Key;
  /** Converts an item of the store's cursor. */
  take(item: S): T;
  /** @throws {ClosedError} the sub was closed */
  requireOpen(): void;
}

/** Takes its items from a cursor of the store, which it owns. */
export class SubCursor<S, T, K> extends CursorBase<T, K> {
  readonly #cursor: Cursor<S>;
  readonly #source: SubCursorSource<S, T, K>;

  /** Over a cursor of the store. */
  constructor(cursor: Cursor<S>, source: SubCursorSource<S, T, K>) {
    super();
    this.#cursor = cursor;
    this.#source = source;
  }

  override async next(): Promise<IteratorResult<T, undefined>> {
    this.#source.requireOpen();
    const step = await this.#cursor.next();
    if (step.done) return step;
    try {
      return { done: false, value: this.#source.take(step.value) };
    } catch (error) {
      await this.#cursor.close();
      throw error;
    }
  }

  override async nextMany(count: number): Promise<T[]> {
    this.#source.requireOpen();
    return await this.#taken(await this.#cursor.nextMany(count));
  }

  override async toArray(): Promise<T[]> {
    try {
      this.#source.requireOpen();
      return await this.#taken(await this.#cursor.toArray());
    } finally {
      await this.close();
    }
  }

  override seek(key: K): void {
    this.#source.requireOpen();
    this.#cursor.seek(this.#source.key(key));
  }

  override close(): Promise<void> {
    return this.#cursor.close();
  }

  /** Converts items. Closes the cursor if an item cannot be read, as a cursor of a store does. */
  async #taken(items: S[]): Promise<T[]> {
    try {
      return items.map((item) => this.#source.take(item));
    } catch (error) {
      await this.#cursor.close();
      throw error;
    }
  }
}
