/**
 * A driver of unstorage, and so of Nitro and Nuxt, on a store. The package `unstorage` has to be installed beside
 * this one.
 *
 * @example
 * ```ts
 * import { memoryFileSystem } from "@tinykvs/core";
 * import { tinykvsDriver } from "@tinykvs/core/unstorage";
 *
 * // createStorage({ driver })
 * const driver = tinykvsDriver({ path: "/data", fileSystem: memoryFileSystem() });
 * await driver.setItem("user:alice", "30", { ttl: 60 });
 * console.log(await driver.getKeys("user:")); // [ "user:alice" ]
 * await driver.dispose();
 * ```
 *
 * @module
 */

export {
  type TinykvsDriver,
  tinykvsDriver,
  tinykvsDriver as default,
  type TinykvsDriverOptions,
  type TinykvsItemMeta,
  type TinykvsItemOptions,
} from "./src/adapters/unstorage/driver.ts";
export type { HandleOptions } from "./src/adapters/store_handle.ts";
