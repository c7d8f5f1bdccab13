/**
 * A disk of a given size: a write that does not fit is cut short first, and refused with ENOSPC
 * then.
 */

import { IoError } from "../../src/errors.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { interceptingFileSystem } from "./intercepting_file_system.ts";

/** A file system with a quota. */
export interface QuotaFileSystem extends FileSystem {
  /** Bytes that fit; may be changed at any time. */
  quotaBytes: number;
  /** Bytes in files that exist. */
  readonly usedBytes: number;
}

/** Wraps an empty file system. Names cost nothing; removing a file gives its bytes back at once. */
export function quotaFileSystem(inner: FileSystem, quotaBytes: number): QuotaFileSystem {
  const sizes = new Map<string, number>();
  let used = 0;
  const setSize = (path: string, size: number): void => {
    used += size - (sizes.get(path) ?? 0);
    if (size === 0) sizes.delete(path);
    else sizes.set(path, size);
  };
  const wrapped = interceptingFileSystem(inner, {
    allowWrite(path, length, position): number {
      const size = sizes.get(path) ?? 0;
      const growth = Math.max(0, position + length - size);
      const excess = Math.max(0, growth - (made.quotaBytes - used));
      const allowed = length - excess;
      if (allowed < 1) throw new IoError("write", path, "no space left (ENOSPC)", "ENOSPC");
      setSize(path, Math.max(size, position + allowed));
      return allowed;
    },
  });
  const made = {
    ...wrapped,
    name: `quota ${inner.name}`,
    quotaBytes,
    get usedBytes(): number {
      return used;
    },
    removeSync(path: string): void {
      wrapped.removeSync(path);
      setSize(path, 0);
    },
    renameSync(from: string, to: string): void {
      wrapped.renameSync(from, to);
      setSize(to, sizes.get(from) ?? 0);
      setSize(from, 0);
    },
  };
  return made;
}
