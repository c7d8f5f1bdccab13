/** Picks the disk adapter of the runtime at hand; `options.fileSystem` defaults to it. */

import { bunFileSystem } from "./bun_file_system.ts";
import { denoFileSystem } from "./deno_file_system.ts";
import type { FileSystem } from "./file_system.ts";
import { runtimeName } from "./natives.ts";
import { nodeFileSystem } from "./node_file_system.ts";
import type { FileModes } from "./posix_modes.ts";

/** The disk, as the runtime at hand reaches it best; what is made there gets the modes. */
export function defaultFileSystem(modes?: FileModes): FileSystem {
  switch (runtimeName) {
    case "node":
      return nodeFileSystem(modes);
    case "deno":
      return denoFileSystem(modes);
    case "bun":
      return bunFileSystem(modes);
  }
}
