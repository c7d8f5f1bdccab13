/**
 * Storage adapters for Keyv on a store: `TinyKeyv` for Keyv 6, `TinyKeyv5` for Keyv 5. The package `keyv` has to
 * be installed beside this one.
 *
 * @example
 * ```ts
 * import { memoryFileSystem } from "@tinykvs/core";
 * import { TinyKeyv } from "@tinykvs/core/keyv";
 *
 * // new Keyv({ store: adapter })
 * const adapter = new TinyKeyv("/cache", { fileSystem: memoryFileSystem() });
 * await adapter.set("page", "<html>", Date.now() + 60_000);
 * console.log(await adapter.get("page")); // <html>
 * await adapter.disconnect();
 * ```
 *
 * @module
 */

export { TinyKeyv, type TinyKeyvCapabilities } from "./src/adapters/keyv/tiny_keyv.ts";
export { TinyKeyv5 } from "./src/adapters/keyv/tiny_keyv5.ts";
export type { TinyKeyvOptions } from "./src/adapters/keyv/keyv_store.ts";
export type { HandleOptions } from "./src/adapters/store_handle.ts";
