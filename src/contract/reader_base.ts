/**
 * Every read, made from two: the typed ones (`getString` and so on), which are written here once
 * for all stores and snapshots, and those that an implementation may leave out.
 */

import { TypeMismatchError } from "../errors.ts";
import type { Cursor } from "./cursor.ts";
import type { Range } from "./range.ts";
import type { Entry, Reader } from "./reader.ts";
import { keyBytes } from "./rules.ts";
import {
  type Key,
  type RecordValue,
  type Value,
  type ValueTypeName,
  valueTypeName,
} from "./value.ts";

/**
 * A reader that is made from `getMany` and `entries`. An implementation overrides what it can do
 * better.
 */
export abstract class ReaderBase implements Reader {
  /** See {@linkcode Reader}. */
  abstract getMany(keys: readonly Key[]): Promise<(Value | undefined)[]>;
  /** See {@linkcode Reader}. */
  abstract entries(range?: Range): Cursor<[string | Uint8Array, Value]>;

  /** The key's value, or undefined if there is none. */
  async get(key: Key): Promise<Value | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  /** The key with everything that is stored for it, or undefined if there is nothing. */
  async getEntry(key: Key): Promise<Entry | undefined> {
    const bytes = keyBytes(key);
    const [entry] = await this.entries({ gte: bytes, lte: bytes }).toArray();
    return entry && { key: entry[0], value: entry[1] };
  }

  /** Whether the key has a value. */
  async has(key: Key): Promise<boolean> {
    return await this.get(key) !== undefined;
  }

  /** Whether each of several keys has a value, as of one moment, in their order. */
  async hasMany(keys: readonly Key[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined);
  }

  /** Iterates over keys. */
  keys(range?: Range): Cursor<string | Uint8Array> {
    return this.entries(range).map(([key]) => key);
  }

  /** Iterates over values, in the order of their keys. */
  values(range?: Range): Cursor<Value> {
    return this.entries(range).map(([, value]) => value);
  }

  /** The number of keys in a range. */
  async count(range?: Range): Promise<number> {
    let count = 0;
    for await (const _ of this.keys(range)) count++;
    return count;
  }

  /** The key's string. @throws {TypeMismatchError} the value has another type */
  getString(key: Key): Promise<string | undefined> {
    return this.getStored(key, "string") as Promise<string | undefined>;
  }

  /** The key's int64. @throws {TypeMismatchError} the value has another type */
  getInt64(key: Key): Promise<bigint | undefined> {
    return this.getStored(key, "int64") as Promise<bigint | undefined>;
  }

  /** The key's float64. @throws {TypeMismatchError} the value has another type */
  getFloat64(key: Key): Promise<number | undefined> {
    return this.getStored(key, "float64") as Promise<number | undefined>;
  }

  /** The key's boolean. @throws {TypeMismatchError} the value has another type */
  getBool(key: Key): Promise<boolean | undefined> {
    return this.getStored(key, "bool") as Promise<boolean | undefined>;
  }

  /** A copy of the key's bytes. @throws {TypeMismatchError} the value has another type */
  getBytes(key: Key): Promise<Uint8Array | undefined> {
    return this.getStored(key, "bytes") as Promise<Uint8Array | undefined>;
  }

  /**
   * The content of the key's JSON text. The type is the caller's claim; it is not checked.
   *
   * @throws {TypeMismatchError} the key's value is not a string
   * @throws {SyntaxError} the string is not JSON
   */
  async getJson<T = unknown>(key: Key): Promise<T | undefined> {
    const text = await this.getString(key);
    return text === undefined ? undefined : JSON.parse(text) as T;
  }

  /** The key's record. @throws {TypeMismatchError} the value has another type */
  getMap<T extends RecordValue = RecordValue>(key: Key): Promise<T | undefined> {
    return this.getStored(key, "record") as Promise<T | undefined>;
  }

  /**
   * The key's value, which must be stored as `type`; an int64 as a bigint. A store overrides it if
   * its `get` returns two types of values as one type of JavaScript.
   */
  protected async getStored(key: Key, type: ValueTypeName): Promise<Value | undefined> {
    const value = await this.get(key);
    if (value === undefined) return undefined;
    const found = valueTypeName(value);
    if (found !== type) throw new TypeMismatchError(found, type);
    return value;
  }
}
