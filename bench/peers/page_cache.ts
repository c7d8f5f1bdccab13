/**
 * Makes the operating system forget the contents of files, so that the next reads come from the
 * disk.
 *
 * `dd` of GNU coreutils asks for it (posix_fadvise with POSIX_FADV_DONTNEED); no runtime has a call
 * for it, and anyone who can read a file may do so. Pages that a process has mapped into its memory
 * stay.
 */

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import * as path from "node:path";

/**
 * What `dd` said instead, or undefined if every file of the directory was dropped from the page
 * cache.
 */
export function dropFromPageCache(directory: string): string | undefined {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(directory, entry.name);
    const { status, stderr, error } = spawnSync(
      "dd",
      [`if=${file}`, "iflag=nocache", "count=0", "status=none"],
      { encoding: "utf8" },
    );
    if (status !== 0) return `cannot empty the page cache: ${error?.message ?? stderr.trim()}`;
  }
  return undefined;
}
