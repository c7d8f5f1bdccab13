/** The driver for unstorage on a store. */

// unstorage does not restrict the type of values.
// deno-lint-ignore-file no-explicit-any

import type { Range } from "../../contract/range.ts";
import type { Store } from "../../contract/store.ts";
import type { PutTime } from "../../contract/writer.ts";
import { isBytes } from "../../bytes/is_bytes.ts";
import { wallClockMs } from "../../platform/wall_clock.ts";
import { unwrap, wrap } from "../any_value.ts";
import { clearKeys, clearRange } from "../clear_range.ts";
import { type HandleOptions, StoreHandle } from "../store_handle.ts";
import { ItemWatches } from "./item_watches.ts";

/** Options of {@linkcode tinykvsDriver}: the store's, and the driver's own. */
export interface TinykvsDriverOptions extends HandleOptions {
  /**
   * The directory of the store. All drivers of the process that have the same directory share one
   * store.
   */
  path?: string | URL;
  /** An open store, in place of a path. It stays the caller's. */
  store?: Store;
  /**
   * A prefix for all of the driver's keys in the store, so that the store can have other keys, too.
   * A colon follows it. Default "": no prefix.
   */
  base?: string;
  /**
   * The number of seconds after which an item expires if its own `ttl` is not set. Default: never.
   */
  ttl?: number;
}

/** Options of a single call. `ttl` is in seconds. */
export interface TinykvsItemOptions {
  /** The number of seconds after which the item expires. */
  ttl?: number | undefined;
}

/**
 * Facts about an item. A type and not an interface: an interface can't be assigned to unstorage's
 * `StorageMeta`, which has other names as well.
 */
export type TinykvsItemMeta = {
  /** The length of its text or of its bytes. */
  size?: number;
  /** The number of seconds until the item expires, if it does. */
  ttl?: number;
};

/** A driver for unstorage. */
export interface TinykvsDriver {
  /** "tinykvs". */
  readonly name: string;
  /** The driver supports items that expire. */
  readonly flags: { readonly ttl: true };
  /** The options that were given. */
  readonly options: TinykvsDriverOptions;
  /** Returns the store, and opens it first if necessary. */
  getInstance(): Store | Promise<Store>;
  /** Whether there is an item. */
  hasItem(key: string): Promise<boolean>;
  /** The item, or null. */
  getItem(key: string): Promise<any>;
  /** Several items, in the order of their keys. Null stands for a missing item. */
  getItems(items: { key: string }[]): Promise<{ key: string; value: any }[]>;
  /** The item as it was set, or null. Bytes are a Uint8Array. */
  getItemRaw(key: string): Promise<any>;
  /** Sets an item. */
  setItem(
    key: string,
    value: string,
    options?: TinykvsItemOptions,
  ): Promise<void>;
  /** Sets several items, all of them or none. */
  setItems(
    items: { key: string; value: string; options?: TinykvsItemOptions }[],
    options?: TinykvsItemOptions,
  ): Promise<void>;
  /** Sets an item to any value that a store can hold, or to an ArrayBuffer. */
  setItemRaw(
    key: string,
    value: any,
    options?: TinykvsItemOptions,
  ): Promise<void>;
  /** Removes an item. */
  removeItem(key: string): Promise<void>;
  /** Facts about an item, or null. */
  getMeta(key: string): Promise<TinykvsItemMeta | null>;
  /** The keys that begin with `base`, in order. */
  getKeys(base?: string): Promise<string[]>;
  /** Removes all items whose keys begin with `base`. */
  clear(base?: string): Promise<void>;
  /**
   * Reports each change of an item soon after any code of this process has made it. Resolves to a
   * function that ends the reports. If other code deletes a range of the store, no report follows,
   * because such a deletion does not name its items.
   */
  watch(
    callback: (event: "update" | "remove", key: string) => unknown,
  ): Promise<() => Promise<void>>;
  /** Closes the store if nobody else shares it. */
  dispose(): Promise<void>;
}

/** The number of entries that are read at a time. */
const GROUP = 64;

/**
 * Makes a driver on a store for `createStorage` of unstorage and Nitro.
 *
 * Items expire in the store, which also frees their space. `watch` sees changes of items by anybody
 * who has the store in this process. It does not see that an item expires.
 *
 * @throws {TypeError} neither a path nor a store is given, or both
 *
 * @example
 * ```ts ignore
 * import { createStorage } from "unstorage";
 * import { tinykvsDriver } from "@tinykvs/core/unstorage";
 *
 * const storage = createStorage({ driver: tinykvsDriver({ path: "./data" }) });
 * await storage.setItem("user:alice", { age: 30 }, { ttl: 60 });
 * console.log(await storage.getItem("user:alice")); // { age: 30 }
 * await storage.dispose();
 * ```
 */
export function tinykvsDriver(options: TinykvsDriverOptions): TinykvsDriver {
  const { path, store: given, base: stated = "", ttl: defaultTtl, ...rest } = options ?? {};
  const base = stated === "" || stated.endsWith(":") ? stated : `${stated}:`;
  const place = given ?? path;
  if (place === undefined || (given !== undefined && path !== undefined)) {
    throw new TypeError(
      'Cannot make the driver: expected either a "path" or a "store"',
    );
  }
  const handle = new StoreHandle(place, rest, "unstorage driver");
  const watches = new ItemWatches(base);
  const whole = (key: string): string => base + key;
  const timeOf = (
    own?: TinykvsItemOptions,
    common?: TinykvsItemOptions,
  ): PutTime | undefined => {
    const ttl = own?.ttl ?? common?.ttl ?? defaultTtl;
    // In the past: as a driver that works out the end itself.
    return ttl === undefined ? undefined : { expiresAt: wallClockMs() + ttl * 1000 };
  };
  const getItem = async (key: string): Promise<any> => {
    const store = await handle.get();
    return unwrap(await store.get(whole(key))) ?? null;
  };
  const set = async (
    key: string,
    value: unknown,
    own?: TinykvsItemOptions,
  ): Promise<void> => {
    const store = await handle.get();
    await store.put(whole(key), wrap(value), timeOf(own));
  };
  return {
    name: "tinykvs",
    flags: { ttl: true },
    options,
    getInstance: () => handle.get(),
    async hasItem(key) {
      const store = await handle.get();
      return await store.has(whole(key));
    },
    getItem,
    getItemRaw: getItem,
    async getItems(items) {
      const store = await handle.get();
      const stored = await store.getMany(items.map(({ key }) => whole(key)));
      return items.map(({ key }, at) => ({ key, value: unwrap(stored[at]) ?? null }));
    },
    setItem: set,
    setItemRaw: (key, value, own) => set(key, bytesOf(value), own),
    async setItems(items, common) {
      const store = await handle.get();
      const batch = store.batch();
      for (const { key, value, options: own } of items) {
        batch.put(whole(key), wrap(value), timeOf(own, common));
      }
      await batch.write();
    },
    async removeItem(key) {
      const store = await handle.get();
      await store.delete(whole(key));
    },
    async getMeta(key) {
      const store = await handle.get();
      const entry = await store.getEntry(whole(key));
      if (entry === undefined) return null;
      const value = unwrap(entry.value);
      const { expiresAt } = entry;
      return {
        ...(typeof value === "string" || isBytes(value) ? { size: value.length } : {}),
        ...(expiresAt === undefined ? {} : { ttl: (expiresAt - wallClockMs()) / 1000 }),
      };
    },
    async getKeys(under = "") {
      const store = await handle.get();
      const range: Range = { prefix: whole(under), keyEncoding: "utf8" };
      const keys: string[] = [];
      await using cursor = store.keys(range);
      for (;;) {
        const group = await cursor.nextMany(GROUP);
        for (const key of group) keys.push((key as string).slice(base.length));
        if (group.length < GROUP) return keys;
      }
    },
    async clear(under = "") {
      const store = await handle.get();
      const range: Range = { prefix: whole(under), keyEncoding: "bytes" };
      // A deleted range does not name its items. If somebody watches, each item is deleted alone.
      if (watches.isEmpty) await clearRange(store, store, range, undefined);
      else await clearKeys(store, store, range, undefined);
    },
    async watch(callback) {
      return watches.start(await handle.get(), callback);
    },
    async dispose() {
      await watches.endAll();
      await handle.close();
    },
  };
}

/** Converts a value that the caller means as bytes to bytes. */
function bytesOf(value: any): any {
  return Object.prototype.toString.call(value) === "[object ArrayBuffer]"
    ? new Uint8Array(value as ArrayBuffer)
    : value;
}
