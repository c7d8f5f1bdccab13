/**
 * Keeps table files open, but only a limited number at a time: descriptors are scarce
 * (`ulimit -n`), tables are not. A file is opened when it is read. It is closed, least recently
 * used first, when another one needs its place. If the system runs out of descriptors earlier, the
 * pool shrinks to what it gets.
 *
 * A handle that is closed with reads in flight keeps its descriptor until they end, so those are
 * bounded, too: with as many in flight as files may be open, the next asynchronous read waits.
 */

import { ClosedError, IoError } from "../errors.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { systemScheduler } from "../platform/system_scheduler.ts";
import { readFullyFrom } from "../platform/transfer.ts";
import { LoadQueue } from "./load_queue.ts";

/** A file that the pool opens on demand. */
export class PooledFile {
  /** Path of the file. */
  readonly path: string;
  /** The open handle, if it is open. Internal. */
  handle: FileHandle | undefined;
  /** Whether it was used since the clock hand last passed. Internal. */
  used = false;

  /** Names a file; it is not opened yet. */
  constructor(path: string) {
    this.path = path;
  }
}

/** Smallest useful pool. */
const MIN_LIMIT = 4;

/** The pools of this realm that have files open. */
const poolsInUse = new Set<HandlePool>();

/** A bounded set of open files. */
export class HandlePool {
  /** Awaited loads from the files. */
  readonly loads: LoadQueue = new LoadQueue(systemScheduler);
  readonly #fileSystem: FileSystem;
  #limit: number;
  readonly #open: PooledFile[] = [];
  #hand = 0;
  #isClosed = false;
  /** Asynchronous reads that have begun and not ended, including those that wait. */
  #reading = 0;
  /** Wakes a read that waits until another one ends. */
  readonly #waiting: (() => void)[] = [];
  /** Called when a file is opened. */
  onOpened: () => void = () => {};

  /** Makes a pool of at most `limit` open files, at least 4. */
  constructor(fileSystem: FileSystem, limit: number) {
    this.#fileSystem = fileSystem;
    this.#limit = Math.max(MIN_LIMIT, limit);
  }

  /** Number of open files. */
  get openCount(): number {
    return this.#open.length;
  }

  /**
   * The file's handle; the file is opened if necessary. The next `acquire` of another file may
   * close it; asynchronous reads that were started on it still finish (platform contract).
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
      if (!isOutOfDescriptors(error) || !this.freeDescriptors()) throw error;
      file.handle = this.#fileSystem.openReadSync(file.path);
    }
    if (file.handle.staysOpen) return file.handle;
    this.#open.push(file);
    poolsInUse.add(this);
    this.onOpened();
    return file.handle;
  }

  /**
   * Reads exactly `length` bytes at `position` of the file into `into[offset...]`. Waits for other
   * reads if their descriptors are needed.
   *
   * @throws {IoError} the file can't be opened or read, or ends before
   * @throws {ClosedError} the pool was closed
   */
  async read(
    file: PooledFile,
    into: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<void> {
    this.#reading++;
    try {
      if (this.#reading - this.#waiting.length > this.#limit) await this.#readEnds();
      for (;;) {
        try {
          // One read is nearly always enough: then no promise of a loop over parts is made.
          const handle = this.acquire(file);
          let done = 0;
          if (handle.read !== undefined) {
            done = await handle.read(into, offset, length, position);
            if (done === length) return;
          }
          await readFullyFrom(
            () => this.acquire(file),
            into,
            offset + done,
            length - done,
            position + done,
          );
          return;
        } catch (error) {
          const isAlone = this.#reading - this.#waiting.length <= 1;
          if (isAlone || !isOutOfDescriptors(error)) throw error;
        }
        await this.#readEnds();
      }
    } finally {
      this.#reading--;
      this.#waiting.shift()?.();
    }
  }

  /**
   * Makes this pool, or the one with the most open files, free descriptors, because somebody got
   * none. Returns whether there were any.
   */
  freeDescriptors(): boolean {
    if (this.shrink()) return true;
    let largest: HandlePool | undefined;
    for (const pool of poolsInUse) {
      if (pool.openCount > (largest?.openCount ?? 0)) largest = pool;
    }
    return largest?.shrink() ?? false;
  }

  /** Closes every file until it is read again: nobody has read any for a while. */
  rest(): void {
    if (this.#reading > 0) return;
    while (this.#open.length > 0) closeFile(this.#open.pop()!);
    poolsInUse.delete(this);
  }

  /**
   * Frees descriptors, because somebody got none: the pool closes most of its files and stays at
   * fewer from now on. Returns whether it had any.
   */
  shrink(): boolean {
    const count = this.#open.length;
    if (count === 0) return false;
    // A quarter may stay open, and as many may be in flight: half of what the system gives is for
    // others.
    this.#limit = Math.min(this.#limit, Math.max(MIN_LIMIT, count >>> 2));
    const kept = Math.min(count - 1, this.#limit - 1);
    while (this.#open.length > kept) this.#closeOne();
    return true;
  }

  /** Closes the file if it is open. */
  release(file: PooledFile): void {
    const at = this.#open.indexOf(file);
    if (at >= 0) this.#open.splice(at, 1);
    closeFile(file);
  }

  /** Closes every file, and opens none any more. */
  close(): void {
    this.#isClosed = true;
    this.onOpened = () => {};
    while (this.#open.length > 0) closeFile(this.#open.pop()!);
    poolsInUse.delete(this);
  }

  #readEnds(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
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

/** Whether the system had no descriptor left for a file. */
export function isOutOfDescriptors(error: unknown): boolean {
  return error instanceof IoError && (error.osCode === "EMFILE" || error.osCode === "ENFILE");
}
