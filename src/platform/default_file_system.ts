/** Picks the disk adapter of the runtime at hand; `options.fileSystem` defaults to it. */

import { bunFileSystem } from "./bun_file_system.ts";
import { denoFileSystem } from "./deno_file_system.ts";
import type { FileSystem } from "./file_system.ts";
import { nodeFileSystem } from "./node_file_system.ts";
import { noDisk, runtimeName } from "./runtime.ts";

/**
 * The disk, as the runtime at hand reaches it best.
 *
 * @throws {StoreError} code `UNSUPPORTED_RUNTIME`: there is none
 */
export function defaultFileSystem(): FileSystem {
  switch (runtimeName) {
    case "node":
      return nodeFileSystem();
    case "deno":
      return denoFileSystem();
    case "bun":
      return bunFileSystem();
    case "other":
      throw noDisk();
  }
}
