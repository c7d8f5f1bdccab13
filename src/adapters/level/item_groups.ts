/**
 * Takes the items of an iterator from its cursor in groups.
 *
 * Level's `next` returns one entry at a time, and each call costs several promises. So an iterator
 * takes entries from its cursor in groups. The first group has one entry, because many callers need
 * only one, and each group is twice as large as the one before.
 */

import type { Cursor } from "../../contract/cursor.ts";
import { type Data, toStore } from "./formats.ts";
import { abortedBy } from "./level_errors.ts";
import type { LevelRange } from "./level_range.ts";

/** The most entries that `next` reads ahead. Entries may be large. */
const MAX_GROUP = 64;

/** What an iterator shows: a key, a value, or a pair. */
export type Item = Data | [Data | undefined, Data | undefined];

/** Takes items from a cursor in groups, for one iterator of Level. */
export class Groups<T extends Item> {
  readonly #cursor: Cursor<unknown>;
  readonly #signal: AbortSignal | undefined;
  readonly #convert: (item: never) => T;
  #items: T[] = [];
  #at = 0;
  #nextCount = 1;
  #isOver = false;

  constructor(
    cursor: Cursor<unknown>,
    convert: (item: never) => T,
    range: LevelRange,
  ) {
    this.#cursor = cursor;
    this.#convert = convert;
    this.#signal = range.signal ?? undefined;
  }

  async next(): Promise<T | undefined> {
    if (this.#at === this.#items.length) {
      if (this.#isOver) return undefined;
      this.#items = await this.#take(this.#nextCount);
      this.#at = 0;
      this.#nextCount = Math.min(MAX_GROUP, this.#nextCount * 2);
    }
    return this.#items[this.#at++];
  }

  async nextv(size: number): Promise<T[]> {
    const items = this.#items.slice(this.#at, this.#at + size);
    this.#at += items.length;
    if (items.length === size || this.#isOver) return items;
    const more = await this.#take(size - items.length);
    return items.length === 0 ? more : items.concat(more);
  }

  seek(target: Data): void {
    this.#forget();
    this.#nextCount = 1;
    this.#isOver = false;
    this.#cursor.seek(toStore(target));
  }

  async close(): Promise<void> {
    this.#forget();
    await this.#cursor.close();
  }

  async #take(count: number): Promise<T[]> {
    let items: unknown[];
    try {
      items = await this.#cursor.nextMany(count);
      // Entries in memory were read during the call, so the signal may have been aborted since.
      this.#signal?.throwIfAborted();
    } catch (error) {
      throw abortedBy(this.#signal, error);
    }
    if (items.length < count) this.#isOver = true;
    const convert = this.#convert as (item: unknown) => T;
    for (let i = 0; i < items.length; i++) items[i] = convert(items[i]);
    return items as T[];
  }

  #forget(): void {
    this.#items = [];
    this.#at = 0;
  }
}
