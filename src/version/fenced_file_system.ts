/**
 * The file system as the holder of a directory's lock may use it: nothing in the directory is made,
 * renamed or removed, and no sync is said to have succeeded, unless the lock is still held.
 *
 * Whoever takes a lost lock over does so before it reads the directory (FileLock.verifySync). So what
 * was synced before the lock was found to be held is seen by the next holder, and a file that is
 * removed after that is none that it needs.
 *
 * Of the writes to a file only the first one after a sync is bound to the lock: that is every record
 * of a manifest and every group of durable writes. A look costs as much as a small write does, and
 * nothing that was written counts before it is synced. So a log makes do with a look of late.
 */

import type { FileHandle, FileLock, FileSystem } from "../platform/file_system.ts";
import { parseFileName } from "./file_names.ts";

/** A write to a log that follows on a sync goes without a look at the lock: this long after one. */
const LOG_TRUST_MS = 0.2;

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
      const isLog = parseFileName(path.slice(start.length))?.kind === "log";
      return new FencedHandle(inner.createSync(path), lock, isLog ? LOG_TRUST_MS : 0);
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
  /** Whether the lock was held when the file was made, or at a write since the last sync. */
  #isVerified = true;

  readonly #trustMs: number;

  constructor(inner: FileHandle, lock: FileLock, trustMs: number) {
    this.path = inner.path;
    this.#inner = inner;
    this.#lock = lock;
    this.#trustMs = trustMs;
    if (inner.read !== undefined) this.read = inner.read.bind(inner);
    if (inner.sync !== undefined) {
      this.sync = async () => {
        await inner.sync!();
        this.#isVerified = false;
        lock.verifySync();
      };
    }
  }

  readSync(into: Uint8Array, offset: number, length: number, position: number): number {
    return this.#inner.readSync(into, offset, length, position);
  }

  writeSync(from: Uint8Array, offset: number, length: number, position: number): number {
    if (!this.#isVerified) {
      this.#lock.verifySync(this.#trustMs);
      this.#isVerified = true;
    }
    return this.#inner.writeSync(from, offset, length, position);
  }

  syncSync(): void {
    this.#inner.syncSync();
    this.#isVerified = false;
    this.#lock.verifySync();
  }

  sizeSync(): number {
    return this.#inner.sizeSync();
  }

  closeSync(): void {
    this.#inner.closeSync();
  }
}
