/**
 * The disk under Deno, with no permission beyond read and write of the store's directory.
 *
 * It uses Deno's `node:fs` and not `Deno.FsFile`, which has no positional reads or writes: a seek
 * and a read are two calls, and others can come between them. It corrects one difference: Deno's
 * `unlink` removes an empty directory, where POSIX says EISDIR.
 */

import { IoError } from "../errors.ts";
import type { FileSystem } from "./file_system.ts";
import { PosixFileSystem } from "./posix_file_system.ts";
import type { FileModes } from "./posix_modes.ts";

class DenoFileSystem extends PosixFileSystem {
  constructor(modes: FileModes | undefined) {
    // Deno starts a call of its pool when the event loop turns. A program that never lets it turn
    // would run out of descriptors, and of space.
    super("deno", false, modes);
  }

  override removeSync(path: string): void {
    if (this.statSync(path)?.kind === "directory") {
      throw new IoError("remove", path, "it is a directory (EISDIR)", "EISDIR");
    }
    super.removeSync(path);
  }
}

/** The disk, as Deno reaches it. */
export function denoFileSystem(modes?: FileModes): FileSystem {
  return new DenoFileSystem(modes);
}
