/**
 * Lets the rest of a store have descriptors that its pool of table files has taken: a file or
 * directory that can't be opened because there are none left (EMFILE) is tried once more after
 * the pool has shrunk. Without it a store under a low `ulimit -n` could read every table, and then not
 * create its next log or table. Made by `open`.
 */

import type { FileSystem } from "../platform/file_system.ts";
import { type HandlePool, isOutOfDescriptors } from "../sstable/handle_pool.ts";

/** `inner`, with descriptors that `pool` gives back where they run out. */
export function sharingFileSystem(inner: FileSystem, pool: HandlePool): FileSystem {
  const tryTwice = <T>(attempt: () => T): T => {
    try {
      return attempt();
    } catch (error) {
      if (!isOutOfDescriptors(error) || !pool.shrink()) throw error;
      return attempt();
    }
  };
  return {
    name: inner.name,
    resolvePath: (path) => inner.resolvePath(path),
    joinPath: (directory, name) => inner.joinPath(directory, name),
    openReadSync: (path) => tryTwice(() => inner.openReadSync(path)),
    createSync: (path) => tryTwice(() => inner.createSync(path)),
    renameSync: (from, to) => inner.renameSync(from, to),
    removeSync: (path) => inner.removeSync(path),
    listSync: (directory) => tryTwice(() => inner.listSync(directory)),
    statSync: (path) => inner.statSync(path),
    makeDirectorySync: (path) => inner.makeDirectorySync(path),
    syncDirectorySync: (path) => tryTwice(() => inner.syncDirectorySync(path)),
    ...(inner.syncDirectory !== undefined && {
      async syncDirectory(path: string): Promise<void> {
        try {
          await inner.syncDirectory!(path);
        } catch (error) {
          // Nothing has been tried yet where there was no descriptor, so this is no second fsync.
          if (!isOutOfDescriptors(error) || !pool.shrink()) throw error;
          await inner.syncDirectory!(path);
        }
      },
    }),
    lockSync: (directory) => inner.lockSync(directory),
    ...(inner.lock !== undefined && { lock: (directory: string) => inner.lock!(directory) }),
  };
}
