/**
 * Every read, made from two: the typed ones (`getString` and so on), which are written here once
 * for all stores and snapshots, and those that an implementation may leave out.
 */

import { TypeMismatchError } from "../errors.ts";
import type { Cursor } from "./cursor.ts";
import { type KeyEncoding, type Range, requireKeyEncoding } from "./range.ts";
import type { Entry, EntryOptions, Reader } from "./reader.ts";
import { keyBytes } from "./rules.ts";
import { shownKey } from "./shown_key.ts";
import {
  describeValue,
  type Key,
  type RecordValue,
  type Value,
  type ValueTypeName,
  valueTypeName,
} from "./value.ts";

/**
 * A reader that is made from `getMany` and `entries`. An implementation overrides what it can do
 * better; one whose keys are neither text nor bytes overrides `getEntry`.
 */
export abstract class ReaderBase<K = Key, V = Value, KeyOut = K> implements Reader<K, V, KeyOut> {
  /** See {@linkcode Reader}. */
  abstract getMany(keys: readonly K[]): Promise<(V | undefined)[]>;
  /** See {@linkcode Reader}. */
  abstract entries(range?: Range<K>): Cursor<[KeyOut, V], K>;

  /** The key's value, or undefined if there is none. */
  async get(key: K): Promise<V | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  /** The key with everything that is stored for it, or undefined if there is nothing. */
  async getEntry(key: K, options?: EntryOptions): Promise<Entry<KeyOut, V> | undefined> {
    const bytes = keyBytes(key as Key) as K;
    const range = { gte: bytes, lte: bytes, ...entryOptions(options) } as Range<K>;
    const [entry] = await this.entries(range).toArray();
    return entry && { key: entry[0], value: entry[1] };
  }

  /** Whether the key has a value. */
  async has(key: K): Promise<boolean> {
    return await this.get(key) !== undefined;
  }

  /** Whether each of several keys has a value, as of one moment, in their order. */
  async hasMany(keys: readonly K[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined);
  }

  /** Iterates over keys. */
  keys(range?: Range<K>): Cursor<KeyOut, K> {
    return this.entries(range).map(([key]) => key);
  }

  /** Iterates over values, in the order of their keys. */
  values(range?: Range<K>): Cursor<V, K> {
    return this.entries(range).map(([, value]) => value);
  }

  /** The number of keys in a range. */
  async count(range?: Range<K>): Promise<number> {
    let count = 0;
    for await (const _ of this.keys(range)) count++;
    return count;
  }

  /** The key's string. @throws {TypeMismatchError} the value has another type */
  getString(key: K): Promise<string | undefined> {
    return this.getStored(key, "string") as Promise<string | undefined>;
  }

  /** The key's int64. @throws {TypeMismatchError} the value has another type */
  getInt64(key: K): Promise<bigint | undefined> {
    return this.getStored(key, "int64") as Promise<bigint | undefined>;
  }

  /** The key's float64. @throws {TypeMismatchError} the value has another type */
  getFloat64(key: K): Promise<number | undefined> {
    return this.getStored(key, "float64") as Promise<number | undefined>;
  }

  /** The key's boolean. @throws {TypeMismatchError} the value has another type */
  getBool(key: K): Promise<boolean | undefined> {
    return this.getStored(key, "bool") as Promise<boolean | undefined>;
  }

  /** A copy of the key's bytes. @throws {TypeMismatchError} the value has another type */
  getBytes(key: K): Promise<Uint8Array | undefined> {
    return this.getStored(key, "bytes") as Promise<Uint8Array | undefined>;
  }

  /**
   * The content of the key's JSON text. The type is the caller's claim; it is not checked.
   *
   * @throws {TypeMismatchError} the key's value is not a string
   * @throws {SyntaxError} the string is not JSON
   */
  async getJson<T = unknown>(key: K): Promise<T | undefined> {
    const text = await this.getString(key);
    return text === undefined ? undefined : JSON.parse(text) as T;
  }

  /** The key's record. @throws {TypeMismatchError} the value has another type */
  getMap<T extends RecordValue = RecordValue>(key: K): Promise<T | undefined> {
    return this.getStored(key, "record") as Promise<T | undefined>;
  }

  /**
   * The key's value, which must be stored as `type`; an int64 as a bigint. A store overrides it if
   * its `get` returns two types of values as one type of JavaScript.
   */
  protected async getStored(key: K, type: ValueTypeName): Promise<Value | undefined> {
    return ofType(await this.get(key) as Value | undefined, type, key);
  }
}

/** The value, if there is one. @throws {TypeMismatchError} it has another type */
export function ofType(
  value: Value | undefined,
  type: ValueTypeName,
  key: unknown,
): Value | undefined {
  if (value === undefined) return undefined;
  const found = valueTypeName(value);
  if (found === type) return value;
  throw new TypeMismatchError(found, type, undefined, shownKey(key));
}

/**
 * The options' own field, checked.
 *
 * @throws {TypeError} they are no object, have an unknown name, or the encoding is none
 */
export function entryOptions(options: EntryOptions | undefined): { keyEncoding?: KeyEncoding } {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot read the entry: found ${describeValue(options)}, expected options`);
  }
  for (const name of Object.keys(options)) {
    if (name !== "keyEncoding") {
      throw new TypeError(`Cannot read the entry: unknown name "${name}", expected "keyEncoding"`);
    }
  }
  const keyEncoding = Object.hasOwn(options, "keyEncoding") ? options.keyEncoding : undefined;
  if (keyEncoding === undefined) return {};
  requireKeyEncoding(keyEncoding, "read the entry");
  return { keyEncoding };
}
