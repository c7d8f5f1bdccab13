/**
 * The disk under Bun. Bun's `node:fs` makes the same system calls as Node's. `Bun.file` is left
 * alone: its slices give a fresh buffer a read (three times the cost at 64 in flight), and its
 * writer reported a full disk outside the awaited call.
 */

import type { FileSystem } from "./file_system.ts";
import { PosixFileSystem } from "./posix_file_system.ts";
import type { FileModes } from "./posix_modes.ts";

/** The disk, as Bun reaches it. */
export function bunFileSystem(modes?: FileModes): FileSystem {
  return new PosixFileSystem("bun", true, modes);
}
