/**
 * The storage adapter for Keyv 6, which passes the namespace to adapters, and times as points in
 * time.
 */

import type { Store } from "../../contract/store.ts";
import { KeyvStore, type TinyKeyvOptions } from "./keyv_store.ts";

/** What Keyv 6 needs to know about an adapter's methods. */
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

/** The abilities of an adapter, in the form of Keyv 6. */
export interface TinyKeyvCapabilities {
  /** The object is a storage adapter. */
  readonly compatible: true;
  /** The kind of adapter. */
  readonly store: "keyvStorage";
  /** The adapter receives the time at which a value expires, and hides the value after it. */
  readonly expires: true;
  /** The adapter's methods. */
  readonly methods: Readonly<
    Record<string, { readonly exists: true; readonly methodType: "async" }>
  >;
}

/**
 * A storage adapter for Keyv 6 on a store.
 *
 * The location is the directory of a store, or an open store. All adapters of the process that have
 * the same directory share one store. An open store stays the caller's. Values expire in the store,
 * which also frees their space. If Keyv does not serialize values, a store must be able to hold
 * them.
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
  /** Set by Keyv: separates the keys of one Keyv from those of others. */
  namespace: string | undefined;
  /** The abilities that Keyv asks for. */
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
   * Opens nothing yet. The first call opens the store.
   *
   * @throws {TypeError} the value cannot be a location
   */
  constructor(place: string | URL | Store, options: TinyKeyvOptions = {}) {
    const { prefix = "", ...rest } = options;
    this.#prefix = prefix;
    this.#store = new KeyvStore(place, rest);
  }

  /** The adapter emits no errors itself: its calls reject, and Keyv emits the errors. */
  on(_event: string, _listener: (...parts: unknown[]) => void): this {
    return this;
  }

  /** The key's value. */
  // deno-lint-ignore no-explicit-any
  get(key: string): Promise<any> {
    return this.#store.get(this.#whole(key));
  }

  /** The values of several keys. Undefined stands for a missing key. */
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

  /** Stores a value that expires at a time, in milliseconds since 1970, or never. */
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

  /** Removes a key. Resolves to whether it had a value. */
  async delete(key: string): Promise<boolean> {
    return (await this.deleteMany([key]))[0]!;
  }

  /** Removes several keys. Resolves to whether each had a value. */
  deleteMany(keys: string[]): Promise<boolean[]> {
    return this.#store.deleteMany(keys.map((key) => this.#whole(key)));
  }

  /** Removes all keys of the namespace. Without a namespace, removes all keys of the adapter. */
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

  /** Closes the store if nobody else shares it. The adapter cannot be used afterwards. */
  disconnect(): Promise<void> {
    return this.#store.close();
  }

  /** The key's name in the store. Keyv itself puts two colons after a namespace, too. */
  #whole(key: string): string {
    const { namespace } = this;
    return namespace === undefined
      ? `${this.#prefix}${key}`
      : `${this.#prefix}${namespace}::${key}`;
  }
}
