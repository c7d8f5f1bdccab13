/**
 * The storage adapter for Keyv 5, which adds the namespace to keys itself, and passes times to
 * live.
 */

import type { Store } from "../../contract/store.ts";
import { wallClockMs } from "../../platform/wall_clock.ts";
import { KeyvStore, type TinyKeyvOptions } from "./keyv_store.ts";

/**
 * A storage adapter for Keyv 5 on a store: {@linkcode TinyKeyv} with the calls of Keyv 5.
 *
 * @example
 * ```ts ignore
 * import Keyv from "keyv";
 * import { TinyKeyv5 } from "@tinykvs/core/keyv";
 *
 * const cache = new Keyv({ store: new TinyKeyv5("./cache"), ttl: 60_000 });
 * await cache.set("page", "<html>");
 * console.log(await cache.get("page")); // <html>
 * await cache.disconnect();
 * ```
 */
export class TinyKeyv5 {
  /** Set by Keyv: `clear` removes the keys that begin with it. */
  namespace: string | undefined;
  /** Keyv 5 offers `iterator` only if the adapter's options name a dialect that it knows. */
  // deno-lint-ignore no-explicit-any
  opts: any = { dialect: "sqlite", url: "" };
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
    return this.#store.get(this.#prefix + key);
  }

  /** The values of several keys. Undefined stands for a missing key. */
  // deno-lint-ignore no-explicit-any
  getMany(keys: string[]): Promise<any[]> {
    return this.#store.getMany(keys.map((key) => this.#prefix + key));
  }

  /** Whether a key has a value. */
  async has(key: string): Promise<boolean> {
    return (await this.hasMany([key]))[0]!;
  }

  /** Whether several keys have values. */
  hasMany(keys: string[]): Promise<boolean[]> {
    return this.#store.hasMany(keys.map((key) => this.#prefix + key));
  }

  /** Stores a value, for `ttl` milliseconds or for ever. */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    await this.#store.put([{
      key: this.#prefix + key,
      value,
      expires: endOf(ttl),
    }]);
    return true;
  }

  /** Stores several values, all of them or none. */
  async setMany(
    entries: { key: string; value: unknown; ttl?: number | undefined }[],
  ): Promise<void> {
    await this.#store.put(
      entries.map(({ key, value, ttl }) => ({
        key: this.#prefix + key,
        value,
        expires: endOf(ttl),
      })),
    );
  }

  /** Removes a key. Resolves to whether it had a value. */
  async delete(key: string): Promise<boolean> {
    return await this.deleteMany([key]);
  }

  /** Removes several keys. Resolves to whether any of them had a value. */
  async deleteMany(keys: string[]): Promise<boolean> {
    const removed = await this.#store.deleteMany(
      keys.map((key) => this.#prefix + key),
    );
    return removed.includes(true);
  }

  /** Removes all keys of the namespace. Without a namespace, removes all keys of the adapter. */
  clear(): Promise<void> {
    return this.#store.clear(this.#begin(this.namespace));
  }

  /** The keys of a namespace, including its name, and their values, in the order of the keys. */
  // deno-lint-ignore no-explicit-any
  async *iterator(namespace?: string): AsyncGenerator<[string, any], void> {
    for await (
      const [key, value] of this.#store.entries(this.#begin(namespace))
    ) {
      yield [key.slice(this.#prefix.length), value];
    }
  }

  /** Closes the store if nobody else shares it. The adapter cannot be used afterwards. */
  disconnect(): Promise<void> {
    return this.#store.close();
  }

  #begin(namespace: string | undefined): string {
    return namespace === undefined ? this.#prefix : `${this.#prefix}${namespace}:`;
  }
}

/**
 * The time at which a value stored now expires. As in Keyv, it never expires without a time to
 * live.
 */
function endOf(ttl: number | undefined): number | undefined {
  return typeof ttl === "number" && ttl > 0 ? wallClockMs() + ttl : undefined;
}
