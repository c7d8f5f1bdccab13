/** A file system that counts its calls, and that can be slow or out of descriptors. */

import { IoError } from "../../src/errors.ts";
import type { FileHandle, FileSystem } from "../../src/platform/file_system.ts";

/** What was counted. */
export interface FileCounts {
  /** Reads, of either kind. */
  reads: number;
  /** Bytes that were read. */
  readBytes: number;
  /** Files that were opened for reading. */
  opens: number;
  /** Handles that are open just now. */
  openHandles: number;
}

/** How the wrapped file system differs from the inner one. */
export interface CountingOptions {
  /** Gives handles an asynchronous `read` that ends in a later turn. */
  readonly isAsync?: boolean;
  /** More open handles than this are refused with EMFILE. */
  readonly maxHandles?: number;
}

/** Wraps `inner`; the counts are live. */
export function countingFileSystem(
  inner: FileSystem,
  options: CountingOptions = {},
): FileSystem & { readonly counts: FileCounts } {
  const counts: FileCounts = { reads: 0, readBytes: 0, opens: 0, openHandles: 0 };
  const openReadSync = (path: string): FileHandle => {
    if (counts.openHandles >= (options.maxHandles ?? Infinity)) {
      throw new IoError("open", path, "too many open files (EMFILE)", "EMFILE");
    }
    const handle = inner.openReadSync(path);
    counts.opens++;
    counts.openHandles++;
    return countingHandle(handle, counts, options.isAsync === true);
  };
  return {
    name: `counting ${inner.name}`,
    counts,
    openReadSync,
    resolvePath: (path) => inner.resolvePath(path),
    joinPath: (directory, name) => inner.joinPath(directory, name),
    createSync: (path) => inner.createSync(path),
    renameSync: (from, to) => inner.renameSync(from, to),
    removeSync: (path) => inner.removeSync(path),
    listSync: (directory) => inner.listSync(directory),
    statSync: (path) => inner.statSync(path),
    makeDirectorySync: (path) => inner.makeDirectorySync(path),
    syncDirectorySync: (path) => inner.syncDirectorySync(path),
    lockSync: (directory) => inner.lockSync(directory),
  };
}

function countingHandle(inner: FileHandle, counts: FileCounts, isAsync: boolean): FileHandle {
  let isOpen = true;
  const readSync: FileHandle["readSync"] = (into, offset, length, position) => {
    counts.reads++;
    const count = inner.readSync(into, offset, length, position);
    counts.readBytes += count;
    return count;
  };
  return {
    path: inner.path,
    readSync,
    ...(isAsync && {
      read: async (into: Uint8Array, offset: number, length: number, position: number) => {
        await Promise.resolve();
        return readSync(into, offset, length, position);
      },
    }),
    writeSync: (from, offset, length, position) => inner.writeSync(from, offset, length, position),
    syncSync: () => inner.syncSync(),
    sizeSync: () => inner.sizeSync(),
    closeSync: () => {
      if (isOpen) counts.openHandles--;
      isOpen = false;
      inner.closeSync();
    },
  };
}
