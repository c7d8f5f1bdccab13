/**
 * How the lock of a store's directory is taken (docs/decisions/0001-lock-through-sqlite.md);
 * held_lock.ts keeps it. It has two parts:
 *
 * - **The mutex** (sqlite_mutex.ts), a lock of the operating system on `LOCK`. It is exact as long
 *   as it exists, and ends with its process. But the system may drop it while its holder lives.
 * - **The record** (lock_record.ts), the file `LOCK.holder`. It stays whatever happens to the
 *   mutex.
 *
 * A contender that gets the mutex and finds the record of another holder must find out whether that
 * holder lives. It looks at the process that the record names (process_liveness.ts). If that tells
 * nothing, it asks: it sets a mark in the record. The holder removes the mark, and takes the mutex
 * again. If the mark stays for half a second, nobody is there.
 *
 * Nobody can be certain, because a holder may be suspended. So there is a fence, too. A new holder
 * puts its own record in place before it reads anything else. A holder checks that its own record
 * is still there (`verifySync`) after everything that must be durable and before it acknowledges.
 *
 * If a path is too long for SQLite, there is no mutex, and the record alone is the lock. It is made
 * by linking, in which only one of several can succeed. If several replace a dead one, the last one
 * has the lock.
 */

import type { Stats } from "node:fs";
import { IoError, isErrorLike, LockedError } from "../errors.ts";
import type { FileLock } from "./file_system.ts";
import { HeldLock, LOOK_MS, type Place, registry } from "./held_lock.ts";
import {
  describeHolder,
  type FoundRecord,
  type Holder,
  isSameRecord,
  readRecord,
  RECORD_NAME,
  type RecordStatus,
  recordStatus,
  recordText,
  removeIfThere,
  setMark,
  writeRecord,
} from "./lock_record.ts";
import { nodeModule, process, runtimeName, runtimeVersion } from "./runtime.ts";
import { ioErrorFrom, osCodeOf } from "./posix_handles.ts";
import { DEFAULT_FILE_MODE } from "./posix_modes.ts";
import { type Liveness, livenessOf, surroundings, systemProcesses } from "./process_liveness.ts";
import { fitsSqlite, SqliteMutex } from "./sqlite_mutex.ts";
import { dateText, systemScheduler } from "./system_scheduler.ts";

const fs = nodeModule("node:fs");
const nodePath = nodeModule("node:path");

const LOCK_NAME = "LOCK";
/** Unfinished files that a killed process may have left. */
const TEMPORARY_NAME = /^LOCK\.(?:holder\.|[0-9a-f]{16}\.|holder\.[0-9a-f]{16}\.)tmp$/;

/** How long one sleep of a wait is. The sleeps are counted, because a clock may stand still. */
const NAP_MS = 2;
/** How long a mark waits for its answer: several times as long, for a holder that is busy. */
const ANSWER_MS = 600;
/** How long others may take to replace the record of a dead holder, if there is no mutex. */
const SETTLE_MS = 20;
/**
 * How often the record may be replaced while we look at it before we conclude that somebody else
 * has the directory.
 */
const ROUNDS = 4;

/**
 * Locks an existing directory against every other handle, in this process or another one.
 *
 * @throws {LockedError} another holder has it; the error names it as far as is known
 * @throws {IoError} the directory is missing, `LOCK` is not a regular file or cannot be opened, or
 *   the runtime has no SQLite
 */
export function lockDirectorySync(
  directory: string,
  fileMode: number = DEFAULT_FILE_MODE,
): FileLock {
  const steps = takeLock(directory, fileMode);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    systemScheduler.sleepSync(NAP_MS);
  }
}

/** As `lockDirectorySync`; the event loop turns while it waits. */
export async function lockDirectory(
  directory: string,
  fileMode: number = DEFAULT_FILE_MODE,
): Promise<FileLock> {
  const steps = takeLock(directory, fileMode);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    // Not by a timer: the scheduler's timers let the process end, here before it has its store.
    await systemScheduler.yield();
    systemScheduler.sleepSync(NAP_MS);
  }
}

/** The steps of taking a lock; each pause is a sleep. */
function* takeLock(
  directory: string,
  fileMode: number,
): Generator<undefined, FileLock> {
  const place = placeOf(directory, fileMode);
  const other = registry.get(place.identity);
  if (other !== undefined) {
    throw new LockedError(directory, describeHolder("this process", other.holder));
  }
  let lock: HeldLock | undefined;
  let mutex: SqliteMutex | undefined;
  const holder = holderOf(place);
  registry.set(place.identity, { holder });
  try {
    mutex = takeMutex(place);
    const text = recordText({ ...holder, lockFile: mutex?.identity ?? "" });
    const status = yield* putRecord(place, mutex, text, holder);
    lock = new HeldLock(place, mutex, text, status);
    return lock;
  } catch (error) {
    throw ioErrorUnlessOurs(directory, error);
  } finally {
    if (lock === undefined) {
      registry.delete(place.identity);
      mutex?.give();
    }
  }
}

function placeOf(directory: string, fileMode: number): Place {
  let real = directory;
  let status: Stats;
  try {
    try {
      real = fs.realpathSync(directory);
    } catch (error) {
      // Deno may refuse to resolve a link whose target is outside of the allowed paths.
      if (!(isErrorLike(error) && error.name === "NotCapable")) throw error;
    }
    status = fs.statSync(directory);
  } catch (error) {
    throw ioErrorFrom("lock", directory, error);
  }
  // SQLite follows links before it measures the path. In errors, the name that the caller knows is
  // better.
  const paths = [directory, real].map((path) => nodePath.join(path, LOCK_NAME));
  return {
    directory,
    mutexPath: fitsSqlite(paths[1]!) ? paths.find(fitsSqlite) : undefined,
    recordPath: nodePath.join(directory, RECORD_NAME),
    // The time distinguishes a new directory from a removed one whose inode it got.
    identity: `${status.dev}:${status.ino}:${Math.floor(status.birthtimeMs || 0)}`,
    fileMode,
  };
}

function holderOf(place: Place): Holder {
  const { started, pidNamespace, boot, machine } = surroundings();
  return {
    runtime: runtimeName,
    version: runtimeVersion,
    pid: process.pid,
    token: systemScheduler.randomHex(16),
    since: dateText(),
    started,
    pidNamespace,
    boot,
    machine,
    directory: place.identity,
    lockFile: "",
  };
}

function takeMutex({ directory, mutexPath, recordPath, fileMode }: Place): SqliteMutex | undefined {
  if (mutexPath === undefined) return undefined;
  const mutex = SqliteMutex.take(mutexPath, fileMode);
  if (mutex !== undefined) return mutex;
  throw lockedBy(directory, readRecord(recordPath)?.holder);
}

/** Puts our record in place, as soon as no other record counts any more. */
function* putRecord(
  place: Place,
  mutex: SqliteMutex | undefined,
  text: string,
  { token }: Holder,
): Generator<undefined, RecordStatus> {
  const { directory, recordPath } = place;
  for (let round = 0; round < ROUNDS; round++) {
    const former = readRecord(recordPath);
    if (former !== undefined && !(yield* isOver(place, mutex, former))) continue;
    if (former !== undefined) removeTemporaries(directory);
    const isExclusive = mutex === undefined;
    const status = replaceRecord(place, text, token.slice(0, 16), former?.status, isExclusive);
    if (status === undefined) continue;
    if (mutex !== undefined || former === undefined) return status;
    // Without a mutex others may have found it dead at the same moment. The last one has the lock.
    for (let napped = 0; napped < SETTLE_MS; napped += NAP_MS) yield undefined;
    const now = recordStatus(recordPath);
    if (now !== undefined && isSameRecord(now, status)) return now;
  }
  throw lockedBy(directory, readRecord(recordPath)?.holder);
}

/**
 * Whether the holder of a record has ended; false if the record was replaced meanwhile.
 *
 * @throws {LockedError} the holder lives
 */
function* isOver(
  place: Place,
  mutex: SqliteMutex | undefined,
  former: FoundRecord,
): Generator<undefined, boolean> {
  const { directory, recordPath } = place;
  const { holder, status } = former;
  const liveness = judge(place, mutex, holder);
  if (liveness === "dead") return true;
  let isAsked = ask(recordPath, former);
  if (liveness === "alive") throw lockedBy(directory, holder);
  for (let napped = 0; napped < ANSWER_MS; napped += NAP_MS) {
    yield undefined;
    const now = readRecord(recordPath);
    if (now === undefined || !isSameRecord(now.status, status)) return false;
    if (isAsked && !now.isMarked) throw lockedBy(directory, holder);
    // Again and again: a holder recognises marks by the time of the last change, which may be
    // coarse.
    if (napped % LOOK_MS === 0) isAsked = ask(recordPath, former);
  }
  return true;
}

function judge(
  { identity }: Place,
  mutex: SqliteMutex | undefined,
  holder: Holder | undefined,
): Liveness {
  if (holder === undefined) return "unknown";
  if (holder.directory !== identity) return "dead";
  const liveness = livenessOf(holder, { ...surroundings(), pid: process.pid }, systemProcesses);
  // SQLite would have refused us while another thread of this process has that file locked.
  return liveness === "here" && holder.lockFile === mutex?.identity ? "dead" : liveness;
}

/** Asks the holder to answer and to take its mutex again; false if it can't be asked. */
function ask(path: string, found: FoundRecord): boolean {
  if (found.holder === undefined) return false;
  try {
    return setMark(path, found, true) !== undefined;
  } catch (error) {
    // Then the record is only watched.
    if (error instanceof IoError) return false;
    throw error;
  }
}

/** Replaces the record `former`; undefined if somebody else was faster. */
function replaceRecord(
  { recordPath, fileMode }: Place,
  text: string,
  temporaryId: string,
  former: RecordStatus | undefined,
  exclusively: boolean,
): RecordStatus | undefined {
  const temporary = `${recordPath}.${temporaryId}.tmp`;
  try {
    const written = writeRecord(temporary, text, fileMode);
    if (former === undefined && exclusively) {
      fs.linkSync(temporary, recordPath);
      fs.unlinkSync(temporary);
    } else {
      // While we have the mutex, nobody who waited for it replaces the record.
      const now = former && recordStatus(recordPath);
      if (former !== undefined && (now === undefined || !isSameRecord(now, former))) {
        fs.unlinkSync(temporary);
        return undefined;
      }
      fs.renameSync(temporary, recordPath);
    }
    const status = recordStatus(recordPath);
    return status !== undefined && isSameRecord(status, written) ? status : undefined;
  } catch (error) {
    removeIfThere(temporary);
    const code = osCodeOf(error);
    if (code === "EEXIST" || code === "ENOENT") return undefined;
    throw error;
  }
}

/** Unfinished files of killed processes. */
function removeTemporaries(directory: string): void {
  for (const name of fs.readdirSync(directory)) {
    if (TEMPORARY_NAME.test(name)) removeIfThere(nodePath.join(directory, name));
  }
}

function lockedBy(directory: string, holder: Holder | undefined): LockedError {
  // The registry of this thread would know a holder in this thread.
  const who = isInThisProcess(holder) ? "this process, in another thread" : "another handle";
  return new LockedError(directory, describeHolder(who, holder));
}

/** Whether the record certainly names this process. */
function isInThisProcess(holder: Holder | undefined): boolean {
  if (holder?.pid !== process.pid) return false;
  const own = surroundings();
  const liveness = livenessOf(holder, { ...own, pid: process.pid }, systemProcesses);
  if (liveness === "here") return true;
  // Systems without /proc have no namespaces of processes, so there the id alone is enough.
  return liveness === "unknown" && process.platform !== "linux" && holder.boot === own.boot &&
    holder.machine === own.machine;
}

function ioErrorUnlessOurs(directory: string, error: unknown): unknown {
  return error instanceof LockedError ? error : ioErrorFrom("lock", directory, error);
}
