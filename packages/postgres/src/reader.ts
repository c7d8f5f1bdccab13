/** Reads of the table: of one moment, or of now. */

import {
  type Bounds,
  boundsOf,
  ClosedError,
  type Cursor,
  type Entry,
  type EntryOptions,
  type Key,
  keyBytes,
  type KeyEncoding,
  keyList,
  type Range,
  ReaderBase,
  type Snapshot,
  type Value,
} from "@tinykvs/core/contract";
import { type Backend, storedOf } from "./backend.ts";
import { PageCursor, throwIfAborted, unlessAborted } from "./cursor.ts";
import type { Row } from "./driver.ts";
import type { Stored } from "./lane.ts";
import type { Moment } from "./moment.ts";
import { checkedKey, idOf, isEmpty, shownKey } from "./operations.ts";
import { shownKeyOf, shownValueOf } from "./page_row.ts";
import { decodeValue } from "./value_codec.ts";
import { keyParameters } from "./write_request.ts";

/** The bytes of a key that can be stored. @throws {TypeError | RangeError} it is no such key */
export function storableKey(key: Key): Uint8Array {
  return checkedKey(keyBytes(key));
}

/**
 * The encoding that the options of `getEntry` ask for.
 *
 * @throws {TypeError} they are not valid
 */
export function entryEncoding(
  options: EntryOptions | undefined,
): KeyEncoding | undefined {
  if (options === undefined) return undefined;
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot read the entry: found ${String(options)}, expected options`,
    );
  }
  for (const name of Object.keys(options)) {
    if (name !== "keyEncoding") {
      throw new TypeError(
        `Cannot read the entry: unknown name "${name}", expected "keyEncoding"`,
      );
    }
  }
  return boundsOf({ ...options }).keyEncoding;
}

/** An entry as it is shown. */
export function entryOf(
  key: Uint8Array,
  { value, expiresAt }: Pick<Stored, "value" | "expiresAt">,
  encoding: KeyEncoding,
): Entry {
  const entry = { key: shownKey(key, encoding), value: decodeValue(value) };
  return expiresAt === Infinity ? entry : { ...entry, expiresAt };
}

/** Parameters of the statements for a range. */
export function rangeParameters(
  { lower, upper }: Pick<Bounds, "lower" | "upper">,
  time: number,
): [Uint8Array, Uint8Array | null, string] {
  return [lower ?? new Uint8Array(), upper ?? null, String(time)];
}

/** A snapshot. */
export class PostgresSnapshot extends ReaderBase implements Snapshot {
  readonly #backend: Backend;
  readonly #moment: Moment;
  /** The time by which it judges what has expired. Others who share the moment have their own. */
  readonly #time: number;
  readonly #requireStore: () => void;
  readonly #encoding: KeyEncoding;
  #isClosed = false;

  /** The snapshot keeps the moment until it is closed. */
  constructor(
    backend: Backend,
    moment: Moment,
    encoding: KeyEncoding,
    requireStore: () => void,
  ) {
    super();
    this.#backend = backend;
    this.#time = backend.now();
    moment.retain();
    this.#moment = moment;
    this.#encoding = encoding;
    this.#requireStore = requireStore;
  }

  override async getMany(keys: readonly Key[]): Promise<(Value | undefined)[]> {
    this.#requireOpen();
    const bytes = keyList(keys).map(storableKey);
    const found = await this.#stored(bytes);
    return bytes.map((key) => {
      const stored = found.get(idOf(key));
      return stored && decodeValue(stored.value);
    });
  }

  override async getEntry(
    key: Key,
    options?: EntryOptions,
  ): Promise<Entry | undefined> {
    this.#requireOpen();
    const encoding = entryEncoding(options) ?? this.#encoding;
    const bytes = storableKey(key);
    const stored = (await this.#stored([bytes])).get(idOf(bytes));
    return stored && entryOf(bytes, stored, encoding);
  }

  override entries(range?: Range): Cursor<[Key, Value]> {
    this.#requireOpen();
    return cursorAt(
      this.#backend,
      this.#moment,
      this.#time,
      range,
      this.#encoding,
      this.#requireStore,
    );
  }

  override keys(range?: Range): Cursor<Key> {
    this.#requireOpen();
    return keysAt(
      this.#backend,
      this.#moment,
      this.#time,
      range,
      this.#encoding,
      this.#requireStore,
    );
  }

  /** Iterates over entries with their times of expiry. */
  timedEntries(range?: Range): Cursor<Entry> {
    this.#requireOpen();
    const bounds = boundsOf(range);
    const shown = bounds.keyEncoding ?? this.#encoding;
    return scanAt(
      this.#backend,
      this.#moment,
      this.#time,
      bounds,
      true,
      this.#requireStore,
      (row) => {
        const [key, value, , expiresAt] = row;
        const stored = {
          value: value as Uint8Array,
          expiresAt: Number(expiresAt ?? Infinity),
        };
        return entryOf(key as Uint8Array, stored, shown);
      },
      false,
    );
  }

  override async count(range?: Range): Promise<number> {
    this.#requireOpen();
    const bounds = boundsOf(range);
    const { statements } = this.#backend;
    return await countBy(
      bounds,
      statements,
      this.#time,
      (statement, parameters) => this.#moment.read("count", statement, parameters),
    );
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#moment.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #stored(keys: readonly Uint8Array[]): Promise<Map<string, Stored>> {
    if (keys.length === 0) return new Map();
    const found = await storedAt(this.#backend, this.#moment, keys);
    for (const [id, { expiresAt }] of found) {
      if (expiresAt <= this.#time) found.delete(id);
    }
    return found;
  }

  #requireOpen(): void {
    this.#requireStore();
    if (this.#isClosed) throw new ClosedError("snapshot");
  }
}

/** What a moment has for keys, entries that have expired included. */
export async function storedAt(
  { statements }: Backend,
  moment: Moment,
  keys: readonly Uint8Array[],
): Promise<Map<string, Stored>> {
  const rows = await moment.read(
    "read",
    statements.getMany,
    keyParameters(keys),
  );
  return storedOf(keys, rows);
}

/** A cursor over entries at a moment, which it keeps until it is closed. */
export function cursorAt(
  backend: Backend,
  moment: Moment,
  time: number,
  range: Range | undefined,
  encoding: KeyEncoding,
  requireOpen: () => void,
): Cursor<[Key, Value]> {
  const bounds = boundsOf(range);
  const shown = bounds.keyEncoding ?? encoding;
  return scanAt(backend, moment, time, bounds, true, requireOpen, (row) => [
    shownKeyOf(row, shown),
    shownValueOf(row),
  ]);
}

/** As `cursorAt`, without values. */
export function keysAt(
  backend: Backend,
  moment: Moment,
  time: number,
  range: Range | undefined,
  encoding: KeyEncoding,
  requireOpen: () => void,
): Cursor<Key> {
  const bounds = boundsOf(range);
  const shown = bounds.keyEncoding ?? encoding;
  return scanAt(
    backend,
    moment,
    time,
    bounds,
    false,
    requireOpen,
    (row) => shownKeyOf(row, shown),
  );
}

function scanAt<T>(
  { statements }: Backend,
  moment: Moment,
  time: number,
  bounds: Bounds,
  withValues: boolean,
  requireOpen: () => void,
  show: (row: Row) => T,
  isPlain = true,
): Cursor<T> {
  moment.retain();
  let isHeld = true;
  const release = (): void => {
    if (isHeld) moment.release();
    isHeld = false;
  };
  return new PageCursor<T>({
    statements,
    withValues,
    isPlain,
    time,
    read: (statement, parameters) => moment.read("scan", statement, parameters),
    readFirst: (statement, parameters) => moment.readDirectly("scan", statement, parameters),
    onWhole: release,
    show,
    requireOpen,
    onClose: release,
  }, bounds);
}

/** The number of keys in bounds. */
export async function countBy(
  bounds: Bounds,
  statements: Backend["statements"],
  time: number,
  read: (
    statement: Backend["statements"]["count"],
    parameters: readonly (Uint8Array | string | null)[],
  ) => Promise<readonly Row[]>,
): Promise<number> {
  throwIfAborted(bounds.signal);
  if (isEmpty(bounds) || bounds.limit === 0) return 0;
  const isBounded = bounds.limit !== Infinity;
  const parameters = rangeParameters(bounds, time);
  const result = isBounded
    ? read(statements.countUpTo, [...parameters, String(bounds.limit)])
    : read(statements.count, parameters);
  const [row] = await unlessAborted(result, bounds.signal);
  return Number(row![0]);
}
