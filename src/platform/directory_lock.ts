/**
 * The lock of a store's directory: an exclusive SQLite transaction on the empty database `LOCK`.
 *
 * No runtime's `node:fs` has a lock call, but all three carry SQLite, whose locks are those of the
 * operating system: Node, Deno and Bun exclude one another, and the kernel frees the lock with the
 * process. So no lock is ever stale and nothing is taken over (docs/decisions/0001).
 *
 * Files, both of mode 0600 unless the store's options say otherwise:
 * - `LOCK` stays empty and stays in place. Nobody may open it but SQLite: POSIX drops a process's
 *   locks on a file when the process closes any descriptor of it.
 * - `LOCK.holder`, JSON of at most 4 KiB, tells others who holds the lock: runtime, version, pid,
 *   token, since. It is a hint for messages and nothing is decided by it; after a kill it names
 *   the dead holder until the next one replaces it.
 *
 * SQLite's transaction alone would do within one process, too (it keeps one table of locks for all
 * workers); the map of held locks answers sooner and can say "this process".
 */

import * as fs from "node:fs";
import * as nodePath from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { IoError, LockedError } from "../errors.ts";
import type { FileLock } from "./file_system.ts";
import { process, runtimeName, runtimeVersion } from "./natives.ts";
import { DescriptorHandle, ioErrorFrom, osCodeOf } from "./posix_handles.ts";
import { createWithMode } from "./posix_modes.ts";
import { lstat, requireRegularFile } from "./posix_status.ts";
import { systemScheduler } from "./system_scheduler.ts";
import { writeFullySync } from "./transfer.ts";

const LOCK_NAME = "LOCK";
const HOLDER_NAME = "LOCK.holder";
const HOLDER_MAX_BYTES = 4096;

const SQLITE_BUSY = 5;
/**
 * Two that begin in the same instant can both be refused: each sees the other's first step. With
 * one try nobody won 17 % of 3,000 such rounds, with four tries and pauses of a random length none
 * of 5,500. A holder that is there to stay costs the loser about 2 ms.
 */
const BEGIN_TRIES = 6;
const BEGIN_PAUSE_MS = 0.5;
/** How often a LOCK file may vanish under us (somebody destroys the store) before we give up. */
const REPLACED_TRIES = 4;

/**
 * Locks of this realm, by the real path of the directory. It also keeps their databases reachable:
 * a collected one is closed, and the lock of a caller who dropped its FileLock would go silently
 * (Bun did so within a second).
 */
const heldHere = new Map<string, { readonly holder: Holder; readonly database: DatabaseSync }>();

interface Holder {
  readonly runtime: string;
  readonly version: string;
  readonly pid: number;
  readonly token: string;
  readonly since: string;
}

/**
 * Locks an existing directory against every other handle, in this process or another one.
 *
 * @throws {LockedError} another holder has it; the error names it as far as is known
 * @throws {IoError} the directory is missing, `LOCK` is no regular file or cannot be opened, or
 * the runtime has no SQLite
 */
export function lockDirectorySync(directory: string, fileMode?: number): FileLock {
  const key = realDirectory(directory);
  const lockHere = heldHere.get(key);
  if (lockHere !== undefined) {
    throw new LockedError(directory, describe("this process", lockHere.holder));
  }
  const database = acquire(directory, fileMode);
  const holder: Holder = {
    runtime: runtimeName,
    version: runtimeVersion,
    pid: process.pid,
    token: systemScheduler.randomHex(16),
    since: new Date().toISOString(),
  };
  heldHere.set(key, { holder, database });
  try {
    writeHolder(directory, holder, fileMode);
  } catch (error) {
    heldHere.delete(key);
    database.close();
    throw ioErrorFrom("lock", directory, error);
  }
  let released = false;
  return {
    releaseSync(): void {
      if (released) return;
      released = true;
      heldHere.delete(key);
      try {
        // While the lock is still held: a moment later the file may be the next holder's.
        removeIfThere(nodePath.join(directory, HOLDER_NAME));
      } catch (error) {
        throw ioErrorFrom("unlock", directory, error);
      } finally {
        database.close();
      }
    },
  };
}

function realDirectory(directory: string): string {
  try {
    return fs.realpathSync(directory);
  } catch (error) {
    // Deno may refuse to resolve a link whose target is outside of what is allowed; SQLite still
    // tells two names of one LOCK file to be the same.
    if (error instanceof Error && error.name === "NotCapable") return directory;
    throw ioErrorFrom("lock", directory, error);
  }
}

/** An open transaction on the file that is LOCK, both before and after it was locked. */
function acquire(directory: string, fileMode: number | undefined): DatabaseSync {
  const path = nodePath.join(directory, LOCK_NAME);
  const { DatabaseSync } = sqlite(directory);
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
    if (!locked) {
      database.close();
      throw new LockedError(directory, readHolder(directory));
    }
    const after = lstat("lock", path);
    if (after !== undefined && after.ino === before.ino && after.dev === before.dev) {
      return database;
    }
    database.close();
  }
  throw new IoError("lock", path, "it was replaced again and again while it was locked", undefined);
}

/**
 * Begins the transaction; false means that somebody else has one. The journal is kept in memory, so
 * nothing but LOCK itself is created. `locking_mode=EXCLUSIVE` would be wrong here: a loser then
 * keeps its shared lock until it closes, and of several that start together mostly nobody wins (96
 * of 100 rounds).
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

/** Node and Bun tell the number of SQLite's error; Deno tells only its text. */
function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("errcode" in error && typeof error.errcode === "number") {
    return (error.errcode & 0xff) === SQLITE_BUSY;
  }
  return error.message === "database is locked";
}

/** Loaded with the first lock only: reading a store in memory should not load SQLite. */
function sqlite(directory: string): typeof import("node:sqlite") {
  const module = process.getBuiltinModule?.("node:sqlite");
  if (module === undefined) {
    throw new IoError(
      "lock",
      directory,
      `${runtimeName} ${runtimeVersion} has no "node:sqlite", expected Node 22.13 or later, ` +
        `Deno 2.2 or later, or a Bun that has it`,
      undefined,
    );
  }
  return module;
}

/**
 * Makes the empty LOCK file; one that another contender made meanwhile is as good.
 *
 * It gets its name only after its descriptor is closed. Created under its name, it could be locked
 * by another worker of this process before the close, which would drop that worker's lock.
 */
function createLockFile(path: string, fileMode: number | undefined): void {
  const temporary = `${path}.${systemScheduler.randomHex(8)}.tmp`;
  try {
    fs.closeSync(createWithMode(temporary, fileMode));
    try {
      fs.linkSync(temporary, path);
    } finally {
      fs.unlinkSync(temporary);
    }
  } catch (error) {
    if (osCodeOf(error) !== "EEXIST") throw ioErrorFrom("lock", path, error);
  }
}

/** Replaces the holder's file; one writer at a time, since the lock is held. */
function writeHolder(directory: string, holder: Holder, fileMode: number | undefined): void {
  const path = nodePath.join(directory, HOLDER_NAME);
  const temporary = `${path}.tmp`;
  // One that a killed holder left behind.
  removeIfThere(temporary);
  const handle = new DescriptorHandle(createWithMode(temporary, fileMode), temporary);
  try {
    const text = new TextEncoder().encode(JSON.stringify(holder) + "\n");
    writeFullySync(handle, text, 0, text.length, 0);
  } finally {
    handle.closeSync();
  }
  fs.renameSync(temporary, path);
}

function removeIfThere(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (osCodeOf(error) !== "ENOENT") throw error;
  }
}

/** Who holds the lock, for a message: whatever is wrong with the file, it is "unknown". */
function readHolder(directory: string): string {
  let text: string;
  try {
    text = readHolderText(nodePath.join(directory, HOLDER_NAME));
    const found: unknown = JSON.parse(text);
    if (isHolder(found)) return describe("another handle", found);
  } catch {
    return "another handle (unknown)";
  }
  return "another handle (unknown)";
}

function readHolderText(path: string): string {
  requireRegularFile("read", path);
  const descriptor = fs.openSync(path, "r");
  try {
    const bytes = new Uint8Array(HOLDER_MAX_BYTES);
    const count = fs.readSync(descriptor, bytes, 0, HOLDER_MAX_BYTES, 0);
    return new TextDecoder().decode(bytes.subarray(0, count));
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The patterns keep control characters of a hostile file out of messages and terminals. */
function isHolder(value: unknown): value is Holder {
  if (typeof value !== "object" || value === null) return false;
  const { runtime, version, pid, token, since } = value as Record<string, unknown>;
  return matches(runtime, /^[a-z]{1,16}$/) && matches(version, /^[\w.+-]{1,40}$/) &&
    Number.isSafeInteger(pid) && matches(token, /^[0-9a-f]{1,64}$/) &&
    matches(since, /^[0-9TZ:.-]{1,30}$/);
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === "string" && pattern.test(value);
}

function describe(who: string, { runtime, version, pid, since }: Holder): string {
  return `${who} (${runtime} ${version}, pid ${pid}, since ${since})`;
}
