/**
 * The iterators of a Level database, which read cursors of the store in groups.
 *
 * Level's `next` returns one entry at a time, and each call costs several promises. So an iterator
 * takes entries from its cursor in groups. The first group has one entry, because many callers need
 * only one, and each group is twice as large as the one before.
 */

import {
  AbstractIterator,
  AbstractKeyIterator,
  type AbstractLevel,
  AbstractValueIterator,
} from "abstract-level";
import type { Cursor } from "../../contract/cursor.ts";
import type { Range } from "../../contract/range.ts";
import type { Reader } from "../../contract/reader.ts";
import type { Value } from "../../value/value.ts";
import { abortedBy } from "./level_errors.ts";
import { type Data, type Format, keyIn, toStore, valueIn } from "./formats.ts";

/** The most entries that `next` reads ahead. Entries may be large. */
const MAX_GROUP = 64;

/**
 * A range in Level's form: bounds and encodings are formats, and a `limit` of -1 means no limit.
 */
export interface LevelRange {
  gt?: Data;
  gte?: Data;
  lt?: Data;
  lte?: Data;
  reverse?: boolean;
  limit?: number;
  keyEncoding?: string;
  valueEncoding?: string;
  keys?: boolean;
  values?: boolean;
  signal?: AbortSignal | null;
  snapshot?: unknown;
}

type Database = AbstractLevel<Data, unknown, unknown>;
type Item = Data | [Data | undefined, Data | undefined];

/** Converts a range of Level to a range of the store. */
export function storeRange(range: LevelRange): Range {
  const result: Range = { keyEncoding: "bytes" };
  // As in Level, the inclusive bound takes precedence over the exclusive one.
  if (range.gte !== undefined) result.gte = toStore(range.gte);
  else if (range.gt !== undefined) result.gt = toStore(range.gt);
  if (range.lte !== undefined) result.lte = toStore(range.lte);
  else if (range.lt !== undefined) result.lt = toStore(range.lt);
  if (range.reverse === true) result.reverse = true;
  if (range.limit !== undefined && range.limit >= 0) result.limit = range.limit;
  if (range.signal !== undefined && range.signal !== null) {
    result.signal = range.signal;
  }
  return result;
}

/** Takes items from a cursor in groups, for one iterator of Level. */
class Groups<T extends Item> {
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

/** Groups of pairs, without the half that the caller does not need. */
function pairGroups(
  reader: Reader,
  range: LevelRange,
): Groups<[Data | undefined, Data | undefined]> {
  const keys = range.keyEncoding as Format;
  const values = range.valueEncoding as Format;
  if (range.values === false) {
    const convert = (
      key: Data,
    ): [Data, undefined] => [keyIn(keys, key), undefined];
    return new Groups(reader.keys(storeRange(range)), convert, range);
  }
  if (range.keys === false) {
    const convert = (
      value: Value,
    ): [undefined, Data] => [undefined, valueIn(values, value)];
    return new Groups(reader.values(storeRange(range)), convert, range);
  }
  // The pair is new, and nobody else uses it.
  const convert = (pair: [Data, Value]): [Data, Data] => {
    pair[0] = keyIn(keys, pair[0]);
    pair[1] = valueIn(values, pair[1]);
    return pair as [Data, Data];
  };
  return new Groups(reader.entries(storeRange(range)), convert, range);
}

/** The result of `db.iterator()`. */
export class LevelIterator extends AbstractIterator<Database, unknown, unknown> {
  readonly #groups: Groups<[Data | undefined, Data | undefined]>;

  /** Opens a cursor on the reader's present state. */
  constructor(db: Database, reader: Reader, range: LevelRange) {
    // Do this before `super`: Level closes every iterator that it knows, even one without a cursor.
    const groups = pairGroups(reader, range);
    super(db, range as never);
    this.#groups = groups;
  }

  /** The next entry, for Level. */
  _next(): Promise<[Data | undefined, Data | undefined] | undefined> {
    return this.#groups.next();
  }

  /** The next entries, for Level. */
  _nextv(size: number): Promise<[Data | undefined, Data | undefined][]> {
    return this.#groups.nextv(size);
  }

  /** Goes to a key, for Level. */
  _seek(target: Data): void {
    this.#groups.seek(target);
  }

  /** Closes the cursor, for Level. */
  _close(): Promise<void> {
    return this.#groups.close();
  }
}

/** The result of `db.keys()`. */
export class LevelKeyIterator extends AbstractKeyIterator<Database, unknown> {
  readonly #groups: Groups<Data>;

  /** Opens a cursor on the reader's present state. */
  constructor(db: Database, reader: Reader, range: LevelRange) {
    const format = range.keyEncoding as Format;
    const convert = (key: Data): Data => keyIn(format, key);
    const groups = new Groups<Data>(
      reader.keys(storeRange(range)),
      convert,
      range,
    );
    super(db, range as never);
    this.#groups = groups;
  }

  /** The next key, for Level. */
  _next(): Promise<Data | undefined> {
    return this.#groups.next();
  }

  /** The next keys, for Level. */
  _nextv(size: number): Promise<Data[]> {
    return this.#groups.nextv(size);
  }

  /** Goes to a key, for Level. */
  _seek(target: Data): void {
    this.#groups.seek(target);
  }

  /** Closes the cursor, for Level. */
  _close(): Promise<void> {
    return this.#groups.close();
  }
}

/** The result of `db.values()`. */
export class LevelValueIterator extends AbstractValueIterator<Database, unknown, unknown> {
  readonly #groups: Groups<Data>;

  /** Opens a cursor on the reader's present state. */
  constructor(db: Database, reader: Reader, range: LevelRange) {
    const format = range.valueEncoding as Format;
    const convert = (value: Value): Data => valueIn(format, value);
    const groups = new Groups<Data>(
      reader.values(storeRange(range)),
      convert,
      range,
    );
    super(db, range as never);
    this.#groups = groups;
  }

  /** The next value, for Level. */
  _next(): Promise<Data | undefined> {
    return this.#groups.next();
  }

  /** The next values, for Level. */
  _nextv(size: number): Promise<Data[]> {
    return this.#groups.nextv(size);
  }

  /** Goes to a key, for Level. */
  _seek(target: Data): void {
    this.#groups.seek(target);
  }

  /** Closes the cursor, for Level. */
  _close(): Promise<void> {
    return this.#groups.close();
  }
}
