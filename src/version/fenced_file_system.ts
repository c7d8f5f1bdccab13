/**
 * The file system as the holder of a directory's lock may use it. It makes, renames and removes
 * nothing in the directory, and reports no sync as successful, unless the lock is still held.
 *
 * A new holder takes over a lost lock before it reads the directory (FileLock.verifySync). So if
 * the lock was still held after a sync, the next holder sees what was synced, and a file that is
 * removed after that is one that the next holder does not need.
 *
 * Only the first write to a file after a sync checks the lock: that is every record of a manifest
 * and every group of durable writes. A check costs as much as a small write, and written bytes do
 * not count before they are synced. So a write to a log may rely on a recent check.
 */

import type { FileHandle, FileLock, FileSystem } from "../platform/file_system.ts";
import { parseFileName } from "./file_names.ts";

/** How long a write to a log after a sync may rely on the last check of the lock. */
const LOG_TRUST_MS = 0.2;

/** `inner`, with changes in `directory` bound to the lock. */
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
    openReadSync(path) {
      try {
        return inner.openReadSync(path);
      } catch (error) {
        // A file that is missing may have been removed by the one who took the lock over.
        verify(path);
        throw error;
      }
    },
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

  rest(): void {
    this.#inner.rest?.();
  }

  sizeSync(): number {
    return this.#inner.sizeSync();
  }

  closeSync(): void {
    this.#inner.closeSync();
  }
}
