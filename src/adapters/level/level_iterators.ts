/**
 * The iterators of a Level database, which read cursors of the store in groups.
 *
 * Each call of Level's own `next` waits for several promises. So `next` here returns an item that
 * is in memory by itself, and leaves all else to Level: reading the next group, the end, and every
 * error.
 */

import {
  AbstractIterator,
  AbstractKeyIterator,
  type AbstractLevel,
  AbstractValueIterator,
} from "abstract-level";
import type { Reader } from "../../contract/reader.ts";
import type { Value } from "../../value/value.ts";
import { type Data, type Format, keyIn, valueIn } from "./formats.ts";
import { Groups } from "./item_groups.ts";
import type { LevelRange } from "./level_range.ts";

type Database = AbstractLevel<Data, unknown, unknown>;
type Decode = (data: Data) => unknown;

/** The symbols under which Level passes the encodings of an iterator. Its types lack them. */
const symbols = AbstractIterator as unknown as {
  readonly keyEncoding: symbol;
  readonly valueEncoding: symbol;
};

/** The function that makes what the user sees from what is stored. */
function decoderOf(range: LevelRange, symbol: symbol): Decode {
  const encoding = (range as Record<symbol, { decode: Decode }>)[symbol]!;
  return (data) => encoding.decode(data);
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
    return new Groups((range) => reader.keys(range), convert, range);
  }
  if (range.keys === false) {
    const convert = (
      value: Value,
    ): [undefined, Data] => [undefined, valueIn(values, value)];
    return new Groups((range) => reader.values(range), convert, range);
  }
  // The pair is new, and nobody else uses it.
  const convert = (pair: [Data, Value]): [Data, Data] => {
    pair[0] = keyIn(keys, pair[0]);
    pair[1] = valueIn(values, pair[1]);
    return pair as [Data, Data];
  };
  return new Groups((range) => reader.entries(range), convert, range);
}

/** The result of `db.iterator()`. */
export class LevelIterator extends AbstractIterator<Database, unknown, unknown> {
  readonly #groups: Groups<[Data | undefined, Data | undefined]>;
  readonly #decodeKey: Decode;
  readonly #decodeValue: Decode;
  /** The number of items that Level has not seen. */
  #shown = 0;

  /** Opens a cursor on the reader's present state. */
  constructor(db: Database, reader: Reader, range: LevelRange) {
    // Do this before `super`: Level closes every iterator that it knows, even one without a cursor.
    const groups = pairGroups(reader, range);
    super(db, range as never);
    this.#groups = groups;
    this.#decodeKey = decoderOf(range, symbols.keyEncoding);
    this.#decodeValue = decoderOf(range, symbols.valueEncoding);
  }

  /** The number of entries that were shown. */
  override get count(): number {
    return super.count + this.#shown;
  }

  /** The next entry, or undefined at the end. */
  override next(): Promise<[unknown, unknown] | undefined> {
    const pair = this.#groups.peek();
    if (pair === undefined) return super.next();
    const [key, value] = pair;
    const result = pair as [unknown, unknown];
    try {
      const shown = key === undefined ? undefined : this.#decodeKey(key);
      if (value !== undefined) result[1] = this.#decodeValue(value);
      result[0] = shown;
    } catch {
      return super.next();
    }
    this.#groups.skip();
    this.#shown++;
    return Promise.resolve(result);
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
  readonly #decode: Decode;
  /** The number of items that Level has not seen. */
  #shown = 0;

  /** Opens a cursor on the reader's present state. */
  constructor(db: Database, reader: Reader, range: LevelRange) {
    const format = range.keyEncoding as Format;
    const convert = (key: Data): Data => keyIn(format, key);
    const groups = new Groups<Data>(
      (range) => reader.keys(range),
      convert,
      range,
    );
    super(db, range as never);
    this.#groups = groups;
    this.#decode = decoderOf(range, symbols.keyEncoding);
  }

  /** The number of keys that were shown. */
  override get count(): number {
    return super.count + this.#shown;
  }

  /** The next key, or undefined at the end. */
  override next(): Promise<unknown> {
    const data = this.#groups.peek();
    if (data === undefined) return super.next();
    let result: unknown;
    try {
      result = this.#decode(data);
    } catch {
      return super.next();
    }
    this.#groups.skip();
    this.#shown++;
    return Promise.resolve(result);
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
  readonly #decode: Decode;
  /** The number of items that Level has not seen. */
  #shown = 0;

  /** Opens a cursor on the reader's present state. */
  constructor(db: Database, reader: Reader, range: LevelRange) {
    const format = range.valueEncoding as Format;
    const convert = (value: Value): Data => valueIn(format, value);
    const groups = new Groups<Data>(
      (range) => reader.values(range),
      convert,
      range,
    );
    super(db, range as never);
    this.#groups = groups;
    this.#decode = decoderOf(range, symbols.valueEncoding);
  }

  /** The number of values that were shown. */
  override get count(): number {
    return super.count + this.#shown;
  }

  /** The next value, or undefined at the end. */
  override next(): Promise<unknown> {
    const data = this.#groups.peek();
    if (data === undefined) return super.next();
    let result: unknown;
    try {
      result = this.#decode(data);
    } catch {
      return super.next();
    }
    this.#groups.skip();
    this.#shown++;
    return Promise.resolve(result);
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
