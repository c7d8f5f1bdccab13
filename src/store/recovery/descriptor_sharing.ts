/**
 * Lets the rest of a store have descriptors that its pool of table files has taken, or that of
 * another store. If a file or directory can't be opened because there are none left (EMFILE), the
 * open is repeated after a pool has shrunk. Without this, a store under a low `ulimit -n` could
 * read every table, and then not create its next log or table. Made by `open`.
 */

import type { FileSystem } from "../../platform/file_system.ts";
import { type HandlePool, isOutOfDescriptors } from "../../sstable/handle_pool.ts";

/** `inner`, with descriptors from `pool` if they run out. */
export function sharingFileSystem(inner: FileSystem, pool: HandlePool): FileSystem {
  const tryTwice = <T>(attempt: () => T): T => {
    try {
      return attempt();
    } catch (error) {
      if (!isOutOfDescriptors(error) || !pool.freeDescriptors()) throw error;
      return attempt();
    }
  };
  return {
    name: inner.name,
    resolvePath: (path) => inner.resolvePath(path),
    ...(inner.realPathSync !== undefined && {
      realPathSync: (path: string) => inner.realPathSync!(path),
    }),
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
          // Without a descriptor nothing was tried yet, so this is not a second fsync.
          if (!isOutOfDescriptors(error) || !pool.freeDescriptors()) throw error;
          await inner.syncDirectory!(path);
        }
      },
    }),
    lockSync: (directory) => inner.lockSync(directory),
    ...(inner.lock !== undefined && { lock: (directory: string) => inner.lock!(directory) }),
  };
}
