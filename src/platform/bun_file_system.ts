/**
 * The disk under Bun. Bun's `node:fs` makes the same system calls as Node's. This file does not use
 * `Bun.file`: its slices allocate a new buffer for each read, which costs three times as much, and
 * its writer reported a full disk outside the awaited call.
 */

import type { FileSystem } from "./file_system.ts";
import { PosixFileSystem } from "./posix_file_system.ts";
import type { FileModes } from "./posix_modes.ts";

/** The disk, as Bun reaches it. */
export function bunFileSystem(modes?: FileModes): FileSystem {
  return new PosixFileSystem("bun", true, modes);
}
