/**
 * The file-handle abstraction: everything that the engine may ask of a file system.
 *
 * The adapters (node_, deno_, bun_, memory_file_system.ts) implement it; nothing above this folder
 * knows a runtime. Synchronous methods are required, because every target has them (OPFS included).
 * An asynchronous form may be absent; then the synchronous one is called in its place.
 *
 * Rules for every adapter (tests/contracts/file_system_contract.ts checks them):
 *
 * - failures are an IoError with the operation, the path and the operating system's code;
 * - reads and writes may be short: `readFully` and `writeFully` (transfer.ts) loop;
 * - a file is only ever created exclusively, with mode 0600, and a directory with mode 0700, unless
 *   the store's options say otherwise;
 * - symbolic links and special files are not opened: `openReadSync` refuses everything but regular
 *   files;
 * - a file that was removed or replaced can still be read through the handles that have it open;
 * - closing a handle with asynchronous calls in flight waits for them before it closes the
 *   descriptor.
 */

import type { LockLostError } from "../errors.ts";

/** An open file. Positions and lengths are byte counts, safe integers, at least 0. */
export interface FileHandle {
  /** The path that it was opened with. */
  readonly path: string;
  /** Set on a view of a file that is kept open: closing it releases nothing. */
  readonly staysOpen?: true;
  /**
   * Reads up to `length` bytes at `position` into `into[offset...]`. Returns the count read, which
   * may be less than `length`; 0 means the end of the file.
   */
  readSync(into: Uint8Array, offset: number, length: number, position: number): number;
  /** As `readSync`. Nobody else may touch `into` until the promise settles. */
  read?(into: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /**
   * Writes up to `length` bytes of `from[offset...]` at `position`. Returns the count written,
   * which may be short (that is how a full disk looks at first).
   */
  writeSync(from: Uint8Array, offset: number, length: number, position: number): number;
  /**
   * Makes the content and size of the file durable (fdatasync), not its name. If a `sync` under way
   * has failed and has not reported it yet, this call must not succeed.
   */
  syncSync(): void;
  /** As `syncSync`; covers what was written before the call. */
  sync?(): Promise<void>;
  /** The handle will not be used for a while: releases what can be had again. */
  rest?(): void;
  /** Size of the file in bytes. */
  sizeSync(): number;
  /**
   * Closes the handle. A second close does nothing; any other use after it is an IoError (EBADF).
   */
  closeSync(): void;
}

/** The result of `statSync`; symbolic links are not followed. */
export interface FileStatus {
  /** "other" is everything that is neither a regular file nor a directory: links, devices, ... */
  readonly kind: "file" | "directory" | "other";
  /** Size in bytes; 0 unless it is a regular file. */
  readonly sizeBytes: number;
}

/**
 * The place of the record of a held lock, as plain data: other threads of the holder check it, too.
 */
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
  /** For threads that write in the holder's name; undefined if there can be none. */
  readonly witness?: LockWitness | undefined;
  /** Called once, when the loss of the lock is noticed. */
  onLost?: ((error: LockLostError) => void) | undefined;
  /**
   * Checks by one system call that the lock still belongs to this holder. A lock may be lost
   * without a sign: its file is replaced, the directory is restored from a backup, or the lock call
   * of the file system does nothing. A new holder takes over before it reads anything in the
   * directory. So if something was durable before this call returned, every later holder sees it.
   * It does not check a released lock.
   *
   * `maxAgeMs` is the age up to which an earlier check is good enough: 0 by default.
   *
   * @throws {LockLostError} it does not, and never will again
   */
  verifySync(maxAgeMs?: number): void;
  /** Releases the lock; a lost one is left to its new holder. A second release does nothing. */
  releaseSync(): void;
}

/** A file system, or the part of one that a store needs. Paths are absolute. */
export interface FileSystem {
  /** Short name for messages and bench output: "node", "deno", "bun", "memory". */
  readonly name: string;
  /** Makes the path absolute and plain; accepts `file:` URLs. Does not touch the disk. */
  resolvePath(path: string | URL): string;
  /**
   * The one path of an existing directory that has several paths, by symbolic links for example.
   * Without this method, each path counts as a separate directory.
   */
  realPathSync?(path: string): string;
  /** Joins a directory and the plain name of a file in it. */
  joinPath(directory: string, name: string): string;
  /** Opens an existing regular file for reading. */
  openReadSync(path: string): FileHandle;
  /** Creates a file that must not exist yet (EEXIST otherwise), for reading and writing. */
  createSync(path: string): FileHandle;
  /** Renames a file, and atomically replaces `to` if it exists. */
  renameSync(from: string, to: string): void;
  /** Removes a file (ENOENT if there is none). */
  removeSync(path: string): void;
  /** The names in a directory, in no particular order. */
  listSync(directory: string): string[];
  /** The status of the path, or undefined if nothing is there. */
  statSync(path: string): FileStatus | undefined;
  /** Creates the directory and its missing parents; succeeds if it exists as a directory. */
  makeDirectorySync(path: string): void;
  /** Makes the names in a directory durable: creations, renames and removals before the call. */
  syncDirectorySync(path: string): void;
  /** As `syncDirectorySync`. */
  syncDirectory?(path: string): Promise<void>;
  /**
   * Locks the directory for this handle against every other one, in this process, another worker or
   * another process of any supported runtime. The lock ends with its process.
   *
   * @throws {LockedError} another holder has it; the error names it
   */
  lockSync(directory: string): FileLock;
  /** As `lockSync`; it may take some tenths of a second to find out whether a holder has died. */
  lock?(directory: string): Promise<FileLock>;
}
