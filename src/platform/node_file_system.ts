/**
 * The disk under Node. `PosixFileSystem` is written in Node's own calls, so nothing differs;
 * callback `fs.read` is the fastest asynchronous read here. Only if Node's permission model refuses
 * to sync a descriptor, another way is used.
 */

import type { FileSystem } from "./file_system.ts";
import { PosixFileSystem } from "./posix_file_system.ts";
import type { FileModes } from "./posix_modes.ts";
import { isSyncRefused, restrictedFileSystem } from "./restricted_file_system.ts";

/** The disk, as Node reaches it. */
export function nodeFileSystem(modes?: FileModes): FileSystem {
  return isSyncRefused() ? restrictedFileSystem(modes) : new PosixFileSystem("node", true, modes);
}
