/**
 * A database of the Level ecosystem on a store: `TinyLevel`, an abstract-level 3 database. The package
 * `abstract-level` has to be installed beside this one.
 *
 * @example
 * ```ts
 * import { memoryFileSystem } from "@tinykvs/core";
 * import { TinyLevel } from "@tinykvs/core/level";
 *
 * await using db = new TinyLevel("/db", { fileSystem: memoryFileSystem() });
 * await db.batch([{ type: "put", key: "a", value: "1" }, { type: "put", key: "b", value: "2" }]);
 * console.log(await db.keys().all()); // [ "a", "b" ]
 * ```
 *
 * @module
 */

export { TinyLevel } from "./src/adapters/level/tiny_level.ts";
export type { TinyLevelOptions } from "./src/adapters/level/level_options.ts";
