/**
 * A cursor over a part of the embedded store. It shows the sub's own keys and values, and supports
 * both kinds of loops.
 */

import type { SubCursorSource } from "../../contract/sub/sub_cursor.ts";
import { EmbeddedCursorBase } from "../read/embedded_cursor.ts";

/** Takes its items from a cursor of the store, which it owns. */
export class EmbeddedSubCursor<S, T, K> extends EmbeddedCursorBase<T, K> {
  readonly #cursor: EmbeddedCursorBase<S>;
  readonly #source: SubCursorSource<S, T, K>;

  /** Over a cursor of the store. */
  constructor(cursor: EmbeddedCursorBase<S>, source: SubCursorSource<S, T, K>) {
    super();
    this.#cursor = cursor;
    this.#source = source;
  }

  override async next(): Promise<IteratorResult<T, undefined>> {
    this.#source.requireOpen();
    return this.#taken(await this.#cursor.next());
  }

  override nextSync(): IteratorResult<T, undefined> {
    this.#source.requireOpen();
    return this.#taken(this.#cursor.nextSync());
  }

  override async nextMany(count: number): Promise<T[]> {
    this.#source.requireOpen();
    return this.#takenAll(await this.#cursor.nextMany(count));
  }

  override async toArray(): Promise<T[]> {
    this.#source.requireOpen();
    return this.#takenAll(await this.#cursor.toArray());
  }

  /** As the store's cursor: from this call on, the end of the iteration closes that cursor. */
  override [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    this.#cursor[Symbol.asyncIterator]();
    return this;
  }

  override seek(key: K): void {
    this.#source.requireOpen();
    this.#cursor.seek(this.#source.key(key));
  }

  override closeSync(): void {
    this.#cursor.closeSync();
  }

  override returnSync(): void {
    this.#cursor.returnSync();
  }

  #taken(step: IteratorResult<S, undefined>): IteratorResult<T, undefined> {
    return step.done ? step : { done: false, value: this.#take(step.value) };
  }

  #takenAll(items: S[]): T[] {
    return items.map((item) => this.#take(item));
  }

  /**
   * Converts an item. Closes the cursor if the item cannot be read, as a cursor of the store does.
   */
  #take(item: S): T {
    try {
      return this.#source.take(item);
    } catch (error) {
      this.#cursor.returnSync();
      throw error;
    }
  }
}
