/**
 * The storage adapter for Keyv 6, which gives adapters the namespace, and times as points of time.
 */

import type { Store } from "../../contract/store.ts";
import { KeyvStore, type TinyKeyvOptions } from "./keyv_store.ts";

/** What Keyv 6 asks of an adapter's methods. */
const METHODS = [
  "get",
  "getMany",
  "has",
  "hasMany",
  "set",
  "setMany",
  "delete",
  "deleteMany",
  "clear",
  "disconnect",
  "iterator",
];

/** What an adapter can do, in the words of Keyv 6. */
export interface TinyKeyvCapabilities {
  /** It is an adapter. */
  readonly compatible: true;
  /** Of which kind. */
  readonly store: "keyvStorage";
  /** It takes the time at which a value ends, and keeps to it. */
  readonly expires: true;
  /** Its methods. */
  readonly methods: Readonly<
    Record<string, { readonly exists: true; readonly methodType: "async" }>
  >;
}

/**
 * A storage adapter for Keyv 6 on a store.
 *
 * The place is that of a store, which all adapters of the process share that are given the same
 * one, or a store that is open, which stays the caller's. A value that has ended is not shown, and
 * its space is given back when somebody reads it, or clears the adapter. Values that Keyv does not
 * serialize must be ones that a store can hold.
 *
 * @example
 * ```ts ignore
 * import Keyv from "keyv";
 * import { TinyKeyv } from "@tinykvs/core/keyv";
 *
 * const sessions = new Keyv({ store: new TinyKeyv("./cache"), namespace: "sessions" });
 * await sessions.set("alice", { cart: ["book"] }, 60_000);
 * console.log(await sessions.get("alice")); // { cart: [ "book" ] }
 * await sessions.disconnect();
 * ```
 */
export class TinyKeyv {
  /** Set by Keyv: what keys are apart from those of others by. */
  namespace: string | undefined;
  /** What Keyv is told of the adapter. */
  readonly capabilities: TinyKeyvCapabilities = {
    compatible: true,
    store: "keyvStorage",
    expires: true,
    methods: Object.fromEntries(
      METHODS.map((name) => [name, { exists: true, methodType: "async" }] as const),
    ),
  };
  readonly #store: KeyvStore;
  readonly #prefix: string;

  /**
   * Opens nothing yet: the first call does.
   *
   * @throws {TypeError} the place can't be one
   */
  constructor(place: string | URL | Store, options: TinyKeyvOptions = {}) {
    const { prefix = "", ...rest } = options;
    this.#prefix = prefix;
    this.#store = new KeyvStore(place, rest);
  }

  /** Nothing is emitted: what fails rejects, and Keyv emits it. */
  on(_event: string, _listener: (...parts: unknown[]) => void): this {
    return this;
  }

  /** The key's value. */
  // deno-lint-ignore no-explicit-any
  get(key: string): Promise<any> {
    return this.#store.get(this.#whole(key));
  }

  /** The values of several keys, undefined for those that are missing. */
  // deno-lint-ignore no-explicit-any
  getMany(keys: string[]): Promise<any[]> {
    return this.#store.getMany(keys.map((key) => this.#whole(key)));
  }

  /** Whether a key has a value. */
  async has(key: string): Promise<boolean> {
    return (await this.hasMany([key]))[0]!;
  }

  /** Whether several keys have values. */
  hasMany(keys: string[]): Promise<boolean[]> {
    return this.#store.hasMany(keys.map((key) => this.#whole(key)));
  }

  /** Stores a value that ends at a time, in milliseconds since 1970, or never. */
  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    await this.#store.put([{ key: this.#whole(key), value, expires }]);
    return true;
  }

  /** Stores several values, all of them or none. */
  async setMany(
    entries: { key: string; value: unknown; expires?: number | undefined }[],
  ): Promise<boolean[]> {
    await this.#store.put(
      entries.map(({ key, value, expires }) => ({
        key: this.#whole(key),
        value,
        expires,
      })),
    );
    return entries.map(() => true);
  }

  /** Removes a key; whether it had a value. */
  async delete(key: string): Promise<boolean> {
    return (await this.deleteMany([key]))[0]!;
  }

  /** Removes several keys; whether they had values. */
  deleteMany(keys: string[]): Promise<boolean[]> {
    return this.#store.deleteMany(keys.map((key) => this.#whole(key)));
  }

  /** Removes all keys of the namespace, or, without one, all keys of the adapter. */
  clear(): Promise<void> {
    return this.#store.clear(this.#whole(""));
  }

  /** The keys of the namespace and their values, in the order of the keys. */
  // deno-lint-ignore no-explicit-any
  async *iterator(): AsyncGenerator<[string, any], void> {
    const prefix = this.#whole("");
    for await (const [key, value] of this.#store.entries(prefix)) {
      yield [key.slice(prefix.length), value];
    }
  }

  /** Closes the store if nobody else shares it. The adapter can't be used any more. */
  disconnect(): Promise<void> {
    return this.#store.close();
  }

  /** The key in the store. */
  #whole(key: string): string {
    const { namespace } = this;
    return namespace === undefined ? `${this.#prefix}${key}` : `${this.#prefix}${namespace}:${key}`;
  }
}
