/**
 * The file system as the holder of a directory's lock may use it: nothing in the directory is made,
 * renamed or removed, no record is appended to a manifest, and no sync is said to have succeeded,
 * unless the lock is still held.
 *
 * Whoever takes a lost lock over does so before it reads the directory (FileLock.verifySync). So what
 * was synced before the lock was found to be held is seen by the next holder, and a file that is
 * removed after that is none that it needs. Writes to a log are not looked at one by one: before they
 * count as durable there is a sync.
 */

import type { FileHandle, FileLock, FileSystem } from "../platform/file_system.ts";
import { parseFileName } from "./file_names.ts";

/** `inner`, with what is done in `directory` bound to the lock. */
export function fencedFileSystem(
  inner: FileSystem,
  directory: string,
  lock: FileLock,
): FileSystem {
  const start = inner.joinPath(directory, "x").slice(0, -1);
  const verify = (path: string): void => {
    if (path.startsWith(start)) lock.verifySync();
  };
  return {
    name: inner.name,
    resolvePath: (path) => inner.resolvePath(path),
    joinPath: (parent, name) => inner.joinPath(parent, name),
    openReadSync: (path) => inner.openReadSync(path),
    createSync(path) {
      if (!path.startsWith(start)) return inner.createSync(path);
      lock.verifySync();
      const kind = parseFileName(path.slice(start.length))?.kind;
      return new FencedHandle(inner.createSync(path), lock, kind === "manifest");
    },
    renameSync(from, to) {
      verify(to);
      inner.renameSync(from, to);
    },
    removeSync(path) {
      verify(path);
      inner.removeSync(path);
    },
    listSync: (path) => inner.listSync(path),
    statSync: (path) => inner.statSync(path),
    makeDirectorySync: (path) => inner.makeDirectorySync(path),
    syncDirectorySync: (path) => inner.syncDirectorySync(path),
    ...(inner.syncDirectory !== undefined && {
      syncDirectory: (path: string) => inner.syncDirectory!(path),
    }),
    lockSync: (path) => inner.lockSync(path),
    ...(inner.lock !== undefined && { lock: (path: string) => inner.lock!(path) }),
  };
}

/** A file of the holder. */
class FencedHandle implements FileHandle {
  readonly path: string;
  readonly read?: NonNullable<FileHandle["read"]>;
  readonly sync?: NonNullable<FileHandle["sync"]>;
  readonly #inner: FileHandle;
  readonly #lock: FileLock;
  readonly #verifiesWrites: boolean;

  constructor(inner: FileHandle, lock: FileLock, verifiesWrites: boolean) {
    this.path = inner.path;
    this.#inner = inner;
    this.#lock = lock;
    this.#verifiesWrites = verifiesWrites;
    if (inner.read !== undefined) this.read = inner.read.bind(inner);
    if (inner.sync !== undefined) {
      this.sync = async () => {
        await inner.sync!();
        lock.verifySync();
      };
    }
  }

  readSync(into: Uint8Array, offset: number, length: number, position: number): number {
    return this.#inner.readSync(into, offset, length, position);
  }

  writeSync(from: Uint8Array, offset: number, length: number, position: number): number {
    if (this.#verifiesWrites) this.#lock.verifySync();
    return this.#inner.writeSync(from, offset, length, position);
  }

  syncSync(): void {
    this.#inner.syncSync();
    this.#lock.verifySync();
  }

  sizeSync(): number {
    return this.#inner.sizeSync();
  }

  closeSync(): void {
    this.#inner.closeSync();
  }
}
