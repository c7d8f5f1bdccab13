/** What the adapters for Keyv 6 and Keyv 5 share: keys in a namespace, and values that expire. */

import type { Store } from "../../contract/store.ts";
import type { PutTime } from "../../contract/writer.ts";
import { unwrap, wrap } from "../any_value.ts";
import { clearRange } from "../clear_range.ts";
import { type HandleOptions, StoreHandle } from "../store_handle.ts";

/**
 * Options of {@linkcode TinyKeyv} and {@linkcode TinyKeyv5}: the store's, and the adapter's own.
 */
export interface TinyKeyvOptions extends HandleOptions {
  /**
   * A prefix for all of the adapter's keys in the store, so that the store can have other keys,
   * too. End it with a separator: "a" is a prefix of "ab". Default "".
   */
  prefix?: string;
}

/** One entry to put. */
interface NewEntry {
  readonly key: string;
  readonly value: unknown;
  /** The time at which it expires, in milliseconds since 1970. */
  readonly expires: number | undefined;
}

/** The number of entries that an iterator reads at a time, in the order of their keys. */
const GROUP = 64;

/**
 * An adapter's keys in a store. The methods take full keys, which begin with the adapter's prefix.
 */
export class KeyvStore {
  readonly #handle: StoreHandle;

  /** Opens nothing yet. */
  constructor(place: string | URL | Store, options: HandleOptions) {
    this.#handle = new StoreHandle(place, options, "Keyv adapter");
  }

  /** The value of a key. */
  async get(key: string): Promise<unknown> {
    const store = await this.#handle.get();
    return unwrap(await store.get(key));
  }

  /** The values of several keys. */
  async getMany(keys: readonly string[]): Promise<unknown[]> {
    const store = await this.#handle.get();
    return (await store.getMany(keys)).map(unwrap);
  }

  /** Whether several keys have values. */
  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    const store = await this.#handle.get();
    return await store.hasMany(keys);
  }

  /** Puts entries, all of them or none. */
  async put(entries: readonly NewEntry[]): Promise<void> {
    const store = await this.#handle.get();
    const [first] = entries;
    if (entries.length === 1) {
      await store.put(first!.key, wrap(first!.value), timeOf(first!));
      return;
    }
    const batch = store.batch();
    for (const entry of entries) batch.put(entry.key, wrap(entry.value), timeOf(entry));
    await batch.write();
  }

  /** Removes keys. Resolves to whether each had a value. */
  async deleteMany(keys: readonly string[]): Promise<boolean[]> {
    const store = await this.#handle.get();
    return await Promise.all(keys.map((key) => store.deleteIfExists(key)));
  }

  /** Removes all keys that begin with a prefix. */
  async clear(prefix: string): Promise<void> {
    const store = await this.#handle.get();
    await clearRange(store, store, { prefix, keyEncoding: "bytes" }, undefined);
  }

  /** The keys that begin with a prefix, with their values. */
  async *entries(prefix: string): AsyncGenerator<[string, unknown], void> {
    const store = await this.#handle.get();
    await using cursor = store.entries({ prefix, keyEncoding: "utf8" });
    for (;;) {
      const group = await cursor.nextMany(GROUP);
      for (const [key, stored] of group) yield [key as string, unwrap(stored)];
      if (group.length < GROUP) return;
    }
  }

  /** Closes the store if this adapter has opened it. */
  close(): Promise<void> {
    return this.#handle.close();
  }
}

function timeOf({ expires }: NewEntry): PutTime | undefined {
  return expires === undefined ? undefined : { expiresAt: expires };
}
