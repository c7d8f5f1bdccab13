/**
 * Keeps table files open, but only so many at a time: descriptors are scarce (`ulimit -n`), tables
 * are not. A file is opened when it is read and closed, least recently used first, when another one
 * needs its place. Where the system runs out of descriptors earlier, the pool shrinks to what it gets.
 */

import { ClosedError, IoError } from "../errors.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";

/** A file that the pool opens on demand. */
export class PooledFile {
  /** Path of the file. */
  readonly path: string;
  /** The open handle, if it is open just now. Internal. */
  handle: FileHandle | undefined;
  /** Whether it was used since the clock hand last passed. Internal. */
  used = false;

  /** Names a file; it is not opened yet. */
  constructor(path: string) {
    this.path = path;
  }
}

/** A bounded set of open files. */
export class HandlePool {
  readonly #fileSystem: FileSystem;
  #limit: number;
  readonly #open: PooledFile[] = [];
  #hand = 0;
  #isClosed = false;

  /** Makes a pool of at most `limit` open files, at least 4. */
  constructor(fileSystem: FileSystem, limit: number) {
    this.#fileSystem = fileSystem;
    this.#limit = Math.max(4, limit);
  }

  /** Number of files that are open just now. */
  get openCount(): number {
    return this.#open.length;
  }

  /**
   * The file's handle, opened if need be. It may be closed by the next `acquire` of another file;
   * asynchronous reads that were started on it are finished all the same (platform contract).
   *
   * @throws {IoError} the file can't be opened
   * @throws {ClosedError} the pool is closed
   */
  acquire(file: PooledFile): FileHandle {
    if (this.#isClosed) throw new ClosedError("store");
    file.used = true;
    if (file.handle !== undefined) return file.handle;
    while (this.#open.length >= this.#limit) this.#closeOne();
    try {
      file.handle = this.#fileSystem.openReadSync(file.path);
    } catch (error) {
      if (!isOutOfDescriptors(error) || this.#open.length === 0) throw error;
      // Half of them go, so that others in the process get some too.
      this.#limit = Math.max(4, this.#open.length >>> 1);
      for (let count = (this.#open.length + 1) >>> 1; count > 0; count--) this.#closeOne();
      file.handle = this.#fileSystem.openReadSync(file.path);
    }
    this.#open.push(file);
    return file.handle;
  }

  /** Closes the file if it is open. */
  release(file: PooledFile): void {
    const at = this.#open.indexOf(file);
    if (at >= 0) this.#open.splice(at, 1);
    closeFile(file);
  }

  /** Closes every file, for good. */
  close(): void {
    this.#isClosed = true;
    while (this.#open.length > 0) closeFile(this.#open.pop()!);
  }

  #closeOne(): void {
    const open = this.#open;
    for (;;) {
      if (this.#hand >= open.length) this.#hand = 0;
      const file = open[this.#hand]!;
      if (file.used) {
        file.used = false;
        this.#hand++;
        continue;
      }
      open.splice(this.#hand, 1);
      closeFile(file);
      return;
    }
  }
}

/** Closes a file; it counts as closed even if that fails. */
function closeFile(file: PooledFile): void {
  const handle = file.handle;
  file.handle = undefined;
  handle?.closeSync();
}

function isOutOfDescriptors(error: unknown): boolean {
  return error instanceof IoError && (error.osCode === "EMFILE" || error.osCode === "ENFILE");
}
