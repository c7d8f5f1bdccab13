/**
 * Takes the items of an iterator from its cursor in groups.
 *
 * Level's `next` returns one entry at a time, and each call costs several promises. So an iterator
 * takes entries from its cursor in groups. The first group has one entry, because many callers need
 * only one, and each group is twice as large as the one before. Items that are in memory are shown
 * without Level's own `next` (level_iterators.ts).
 */

import type { AbstractSnapshot } from "abstract-level";
import type { Cursor } from "../../contract/cursor.ts";
import type { Range } from "../../contract/range.ts";
import { type Data, toStore } from "./formats.ts";
import { abortedBy } from "./level_errors.ts";
import { type LevelRange, storeRange } from "./level_range.ts";

/** The most entries that `next` reads ahead. Entries may be large. */
const MAX_GROUP = 64;

/** What an iterator shows: a key, a value, or a pair. */
export type Item = Data | [Data | undefined, Data | undefined];

/** Takes items from a cursor in groups, for one iterator of Level. */
export class Groups<T extends Item> {
  readonly #cursor: Cursor<unknown>;
  readonly #signal: AbortSignal | undefined;
  readonly #snapshot: AbstractSnapshot | undefined;
  readonly #convert: (item: never) => T;
  #items: T[] = [];
  #at = 0;
  #nextCount = 1;
  /** The number of items that may still be shown. */
  #left: number;
  #isOver = false;

  /** `open` opens the cursor on a range, which has no limit. */
  constructor(
    open: (range: Range) => Cursor<unknown>,
    convert: (item: never) => T,
    range: LevelRange,
  ) {
    this.#convert = convert;
    this.#signal = range.signal ?? undefined;
    this.#snapshot = range.snapshot as AbstractSnapshot | null ?? undefined;
    this.#left = range.limit !== undefined && range.limit >= 0 ? range.limit : Infinity;
    // The cursor would count what was read ahead of a seek, so the limit is counted here.
    const { limit: _, ...rest } = storeRange(range);
    this.#cursor = open(rest);
  }

  /**
   * The next item if it is in memory, and if nothing forbids to show it. Otherwise undefined, and
   * Level's own way finds it, or says why not.
   */
  peek(): T | undefined {
    if (this.#at === this.#items.length || this.#signal?.aborted === true) return undefined;
    if (this.#snapshot !== undefined) {
      try {
        this.#snapshot.ref();
        this.#snapshot.unref();
      } catch {
        return undefined;
      }
    }
    return this.#items[this.#at];
  }

  /** Goes on to the item after the one that `peek` has shown. */
  skip(): void {
    this.#at++;
    this.#left--;
  }

  /** The next item, or undefined at the end. */
  async next(): Promise<T | undefined> {
    if (this.#at === this.#items.length) {
      const count = Math.min(this.#nextCount, this.#left);
      if (this.#isOver || count === 0) return undefined;
      this.#items = await this.#take(count);
      this.#at = 0;
      this.#nextCount = Math.min(MAX_GROUP, this.#nextCount * 2);
      if (this.#items.length === 0) return undefined;
    }
    this.#left--;
    return this.#items[this.#at++];
  }

  /** The next items: as many, or all that are left. */
  async nextv(size: number): Promise<T[]> {
    const count = Math.min(size, this.#left);
    const items = this.#items.slice(this.#at, this.#at + count);
    this.#at += items.length;
    this.#left -= items.length;
    if (items.length === count || this.#isOver) return items;
    const more = await this.#take(count - items.length);
    this.#left -= more.length;
    return items.length === 0 ? more : items.concat(more);
  }

  /** Goes to the first item at or after a key, in the iterator's direction. */
  seek(target: Data): void {
    this.#forget();
    this.#nextCount = 1;
    this.#isOver = false;
    this.#cursor.seek(toStore(target));
  }

  /** Closes the cursor. */
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
