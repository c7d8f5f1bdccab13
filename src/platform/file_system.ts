/**
 * The file-handle abstraction: all that the engine may ask of a file system.
 *
 * The adapters (node_, deno_, bun_, memory_file_system.ts) implement it; nothing above this folder
 * knows a runtime. Synchronous methods are required, since every target has them (OPFS included);
 * an asynchronous twin may be absent, and then the synchronous one is called in its place.
 *
 * Rules that every adapter keeps (tests/contracts/file_system_contract.ts runs them):
 * - failures are an IoError with the operation, the path and the operating system's code;
 * - reads and writes may be short: `readFully` and `writeFully` (transfer.ts) loop;
 * - a file is only ever created exclusively, with mode 0600, and a directory with mode 0700;
 * - symbolic links and special files are not opened: `openReadSync` refuses what is not a regular file;
 * - closing a handle with asynchronous calls in flight waits for them before the descriptor goes.
 */

import type { LockLostError } from "../errors.ts";

/** An open file. Positions and lengths are byte counts, safe integers, at least 0. */
export interface FileHandle {
  /** The path that it was opened with. */
  readonly path: string;
  /**
   * Reads up to `length` bytes at `position` into `into[offset...]`. Returns the count read: less
   * than asked for is legal, 0 means the end of the file.
   */
  readSync(into: Uint8Array, offset: number, length: number, position: number): number;
  /** As `readSync`. `into` must stay untouched by others until the promise settles. */
  read?(into: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /**
   * Writes up to `length` bytes of `from[offset...]` at `position`. Returns the count written,
   * which may be short (a full disk looks like that at first).
   */
  writeSync(from: Uint8Array, offset: number, length: number, position: number): number;
  /**
   * Makes the content and size of the file durable (fdatasync), not its name. Beside a `sync` under
   * way it must not succeed where that one has failed and not yet said so.
   */
  syncSync(): void;
  /** As `syncSync`; covers what was written before the call. */
  sync?(): Promise<void>;
  /** Size of the file in bytes. */
  sizeSync(): number;
  /** Closes the handle. Closing twice is legal; any other use after it is an IoError (EBADF). */
  closeSync(): void;
}

/** What `statSync` tells; symbolic links are not followed. */
export interface FileStatus {
  /** "other" is everything that is neither a regular file nor a directory: links, devices, ... */
  readonly kind: "file" | "directory" | "other";
  /** Size in bytes; 0 for what is not a regular file. */
  readonly sizeBytes: number;
}

/** Where the record of a held lock stands, as plain data: other threads of the holder look there, too. */
export interface LockWitness {
  /** The locked directory. */
  readonly directory: string;
  /** Path of the record. */
  readonly path: string;
  /** Device of the record's file. */
  readonly dev: number;
  /** Inode of the record's file. */
  readonly ino: number;
}

/** A held lock. */
export interface FileLock {
  /** For threads that write in the holder's name; undefined where there can be none. */
  readonly witness?: LockWitness | undefined;
  /** Called once, when it is noticed that the lock is lost. */
  onLost?: ((error: LockLostError) => void) | undefined;
  /**
   * Looks whether the lock is still this holder's, by one system call. A lock may be lost without a
   * sign: its file is replaced, the directory is restored from a backup, or the lock call of the
   * file system is worth nothing. Whoever takes over does so before it reads anything in the
   * directory. So what was durable before this call returned is seen by everybody who comes later.
   * Of a lock that was given back it says nothing.
   *
   * `maxAgeMs` is how old a look may be that is as good: 0 if not given.
   *
   * @throws {LockLostError} it is not, and never will be again
   */
  verifySync(maxAgeMs?: number): void;
  /** Gives the lock back; one that is lost is left to its new holder. Releasing twice is legal. */
  releaseSync(): void;
}

/** A file system, or the part of one that a store needs. Paths are absolute. */
export interface FileSystem {
  /** Short name for messages and bench output: "node", "deno", "bun", "memory". */
  readonly name: string;
  /** Makes the path absolute and plain; accepts `file:` URLs. Does not touch the disk. */
  resolvePath(path: string | URL): string;
  /** Joins a directory and the plain name of a file in it. */
  joinPath(directory: string, name: string): string;
  /** Opens an existing regular file for reading. */
  openReadSync(path: string): FileHandle;
  /** Creates a file that must not exist yet (EEXIST otherwise), for reading and writing. */
  createSync(path: string): FileHandle;
  /** Renames a file, replacing `to` atomically where it exists. */
  renameSync(from: string, to: string): void;
  /** Removes a file (ENOENT when there is none). */
  removeSync(path: string): void;
  /** The names in a directory, in no particular order. */
  listSync(directory: string): string[];
  /** What is at the path, or undefined for nothing. */
  statSync(path: string): FileStatus | undefined;
  /** Creates the directory and its missing parents; succeeds where it exists as a directory. */
  makeDirectorySync(path: string): void;
  /** Makes the names in a directory durable: creations, renames and removals before the call. */
  syncDirectorySync(path: string): void;
  /** As `syncDirectorySync`. */
  syncDirectory?(path: string): Promise<void>;
  /**
   * Locks the directory for this handle against every other one, in this process, another worker
   * or another process of any supported runtime. The lock goes with the process that dies.
   *
   * @throws {LockedError} another holder has it; the error names it
   */
  lockSync(directory: string): FileLock;
  /** As `lockSync`; it may take some tenths of a second to find out whether a holder has died. */
  lock?(directory: string): Promise<FileLock>;
}
