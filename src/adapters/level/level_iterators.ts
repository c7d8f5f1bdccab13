/** The iterators of a Level database, which read cursors of the store in groups. */

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
import { type LevelRange, storeRange } from "./level_range.ts";

type Database = AbstractLevel<Data, unknown, unknown>;

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
