/**
 * An exclusive SQLite transaction on the empty database `LOCK`, as a lock between processes.
 *
 * No runtime's `node:fs` has a lock call, but all three contain SQLite, whose locks are those of
 * the operating system: Node, Deno and Bun exclude one another, and the kernel frees the lock with
 * the process. Within one process SQLite keeps a table of locks for all threads.
 *
 * It is only a mutex. POSIX drops a process's locks on a file when the process closes any
 * descriptor of that file, so a live holder may lose the lock without a sign. The record
 * (lock_record.ts) stays; directory_lock.ts combines the two
 * (docs/decisions/0001-lock-through-sqlite.md).
 *
 * `LOCK` stays empty, in place, and of mode 0600.
 */

import type { Stats } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { IoError, isErrorLike } from "../errors.ts";
import { builtinModule, nodeModule, runtimeName, runtimeVersion } from "./runtime.ts";
import { TextEncoder } from "./natives.ts";
import { ioErrorFrom, osCodeOf } from "./posix_handles.ts";
import { lstat, requireRegularFile } from "./posix_status.ts";
import { systemScheduler } from "./system_scheduler.ts";

const fs = nodeModule("node:fs");

const SQLITE_BUSY = 5;
/**
 * Two that begin in the same instant can both be refused, because each sees the other's first step.
 * With one try, nobody wins many of such rounds; with four tries and random pauses, somebody always
 * wins (docs/measurements/0001-lock-through-sqlite.md). A settled holder costs the loser about 2
 * ms.
 */
const BEGIN_TRIES = 6;
const BEGIN_PAUSE_MS = 0.5;
/** How often a LOCK file may vanish (somebody destroys the store) before we give up. */
const REPLACED_TRIES = 4;
/** SQLite's limit for a path is 512 bytes, with "-journal" and a zero byte at its end. */
const MAX_PATH_BYTES = 512 - "-journal".length;

/** Whether SQLite can open the file of that real path. */
export function fitsSqlite(realPath: string): boolean {
  return new TextEncoder().encode(realPath).length <= MAX_PATH_BYTES;
}

/** An open transaction. Its holder keeps it reachable, because a collected database is closed. */
export class SqliteMutex {
  readonly #database: DatabaseSync;
  readonly #dev: number;
  readonly #ino: number;

  private constructor(database: DatabaseSync, { dev, ino }: Stats) {
    this.#database = database;
    this.#dev = dev;
    this.#ino = ino;
  }

  /**
   * Takes the mutex of the `LOCK` file at `path`, which is made if there is none. Undefined means
   * that somebody else has it.
   *
   * @throws {IoError} it is not a regular file or cannot be opened, or the runtime has no SQLite
   */
  static take(path: string, fileMode: number): SqliteMutex | undefined {
    const { DatabaseSync } = sqlite(path);
    for (let round = 0; round < REPLACED_TRIES; round++) {
      if (lstat("lock", path) === undefined) createLockFile(path, fileMode);
      const before = requireRegularFile("lock", path);
      let database: DatabaseSync | undefined;
      let locked: boolean;
      try {
        database = new DatabaseSync(path);
        locked = begin(database);
      } catch (error) {
        database?.close();
        throw ioErrorFrom("lock", path, error);
      }
      const mutex = new SqliteMutex(database, before);
      if (locked && mutex.isAt(path)) return mutex;
      mutex.give();
      if (!locked) return undefined;
    }
    const reason = "it was replaced again and again while it was locked";
    throw new IoError("lock", path, reason, undefined);
  }

  /** Identity of the file, among existing ones. */
  get identity(): string {
    return `${this.#dev}:${this.#ino}`;
  }

  /**
   * Whether the file at the path is the locked one. That one is open, so no other file gets its
   * inode.
   */
  isAt(path: string): boolean {
    const found = lstat("lock", path);
    return found?.ino === this.#ino && found.dev === this.#dev;
  }

  /** Releases the mutex. */
  give(): void {
    this.#database.close();
  }
}

/**
 * Begins the transaction; false means that somebody else has one. The journal is kept in memory, so
 * only LOCK itself is created. `locking_mode=EXCLUSIVE` would be wrong here: a loser then keeps its
 * shared lock until it closes, and of several that start together mostly nobody wins.
 */
function begin(database: DatabaseSync): boolean {
  database.exec("PRAGMA busy_timeout = 0");
  for (let tries = 1;; tries++) {
    try {
      database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
      return true;
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (tries === BEGIN_TRIES) return false;
      systemScheduler.sleepSync(Math.random() * BEGIN_PAUSE_MS);
    }
  }
}

/** Node and Bun give the number of SQLite's error; Deno gives only its text. */
function isBusy(error: unknown): boolean {
  if (!isErrorLike(error)) return false;
  if ("errcode" in error && typeof error.errcode === "number") {
    return (error.errcode & 0xff) === SQLITE_BUSY;
  }
  return error.message === "database is locked";
}

/** Loaded with the first lock only: reading a store in memory should not load SQLite. */
function sqlite(path: string): typeof import("node:sqlite") {
  const module = builtinModule("node:sqlite");
  if (module === undefined) {
    throw new IoError(
      "lock",
      path,
      `${runtimeName} ${runtimeVersion} has no "node:sqlite", expected Node 22.13 or later, ` +
        `Deno 2.2 or later, or a Bun that has it`,
      undefined,
    );
  }
  return module;
}

/**
 * Makes the empty LOCK file; one that another contender has made meanwhile is equally good.
 *
 * It gets its name only after its descriptor is closed. If it had its name earlier, another worker
 * of this process could lock it before the close, and the close would drop that worker's lock.
 */
function createLockFile(path: string, fileMode: number): void {
  const temporary = `${path}.${systemScheduler.randomHex(8)}.tmp`;
  try {
    fs.closeSync(fs.openSync(temporary, "wx", fileMode));
    try {
      fs.linkSync(temporary, path);
    } finally {
      fs.unlinkSync(temporary);
    }
  } catch (error) {
    if (osCodeOf(error) !== "EEXIST") throw ioErrorFrom("lock", path, error);
  }
}
