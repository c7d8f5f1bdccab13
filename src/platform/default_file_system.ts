/** Picks the disk adapter of the current runtime; `options.fileSystem` defaults to it. */

import { bunFileSystem } from "./bun_file_system.ts";
import { denoFileSystem } from "./deno_file_system.ts";
import type { FileSystem } from "./file_system.ts";
import { nodeFileSystem } from "./node_file_system.ts";
import type { FileModes } from "./posix_modes.ts";
import { noDisk, runtimeName } from "./runtime.ts";

/**
 * The disk, by the best calls of the current runtime; new files and directories get the modes.
 *
 * @throws {StoreError} code `UNSUPPORTED_RUNTIME`: there is no disk
 */
export function defaultFileSystem(modes?: FileModes): FileSystem {
  switch (runtimeName) {
    case "node":
      return nodeFileSystem(modes);
    case "deno":
      return denoFileSystem(modes);
    case "bun":
      return bunFileSystem(modes);
    case "other":
      throw noDisk();
  }
}
