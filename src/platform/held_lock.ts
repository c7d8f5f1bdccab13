/**
 * The lock of a store's directory while it is held. The holder looks whether its record is still
 * there: when a caller asks (`verifySync`), and now and then. It answers those who ask whether it
 * lives. directory_lock.ts says how the whole works, and takes the lock.
 */

import { IoError, LockLostError } from "../errors.ts";
import type { FileLock, LockWitness } from "./file_system.ts";
import {
  describeRecord,
  type FoundRecord,
  type Holder,
  isSameRecord,
  isUntouched,
  readRecord,
  RECORD_NAME,
  type RecordStatus,
  recordStatus,
  removeIfThere,
  setMark,
} from "./lock_record.ts";
import { ioErrorFrom } from "./posix_handles.ts";
import type { Timer } from "./scheduler.ts";
import { SqliteMutex } from "./sqlite_mutex.ts";
import { systemScheduler } from "./system_scheduler.ts";

/** How often a holder looks for marks. */
export const LOOK_MS = 120;

/** The directory that is locked. */
export interface Place {
  /** As the caller names it, for errors. */
  readonly directory: string;
  /** Path of `LOCK`, or undefined if SQLite can't open it. */
  readonly mutexPath: string | undefined;
  /** Path of the record. */
  readonly recordPath: string;
  /** Distinguishes the directory from every other one. */
  readonly identity: string;
  /** Permission bits of the lock's files. */
  readonly fileMode: number;
}

/** Locks that are held or being taken, by the identity of the directory. */
type Registry = Map<string, { readonly holder: Holder }>;

/**
 * One for all copies of this library in the realm: otherwise each would ignore the locks of the
 * others.
 */
export const registry: Registry = ((globalThis as unknown as Record<symbol, Registry | undefined>)[
  Symbol.for("@tinykvs/core.locks")
] ??= new Map());

/**
 * Locks of this copy. It also keeps their mutexes reachable. A collected database is closed, so
 * without this the lock of a caller who dropped its FileLock would end silently (on Bun within a
 * second).
 */
const held = new Set<HeldLock>();
let timer: Timer | undefined;

/** A lock that is held. */
export class HeldLock implements FileLock {
  readonly witness: LockWitness;
  onLost: ((error: LockLostError) => void) | undefined;
  readonly #place: Place;
  readonly #text: string;
  #mutex: SqliteMutex | undefined;
  #status: RecordStatus;
  #lost: LockLostError | undefined;
  #isReleased = false;
  #lookedAtMs = -Infinity;

  constructor(
    place: Place,
    mutex: SqliteMutex | undefined,
    text: string,
    status: RecordStatus,
  ) {
    const { directory, recordPath: path } = place;
    this.#place = place;
    this.#mutex = mutex;
    this.#text = text;
    this.#status = status;
    this.witness = { directory, path, dev: status.dev, ino: status.ino };
    held.add(this);
    startLooking();
  }

  verifySync(maxAgeMs = 0): void {
    if (this.#isReleased) return;
    if (this.#lost !== undefined) throw this.#lost;
    const nowMs = systemScheduler.nowMs();
    if (Math.abs(nowMs - this.#lookedAtMs) < maxAgeMs) return;
    this.#lookedAtMs = nowMs;
    const status = recordStatus(this.#place.recordPath);
    if (status === undefined || !isUntouched(status, this.#status)) this.#inspect();
    else if (this.#mutex === undefined) this.#takeMutex();
  }

  releaseSync(): void {
    if (this.#isReleased) return;
    this.onLost = undefined;
    try {
      // While the lock is still held: a moment later the record may belong to the next holder.
      this.verifySync();
      removeIfThere(this.#place.recordPath);
    } catch (error) {
      if (!(error instanceof LockLostError)) {
        throw ioErrorFrom("unlock", this.#place.directory, error);
      }
    } finally {
      this.#isReleased = true;
      held.delete(this);
      registry.delete(this.#place.identity);
      this.#mutex?.give();
      this.#mutex = undefined;
      stopLooking();
    }
  }

  /** Finds out why the record has changed. */
  #inspect(): void {
    const { recordPath, mutexPath } = this.#place;
    const found = readRecord(recordPath);
    if (
      found === undefined || found.text !== this.#text || !isSameRecord(found.status, this.#status)
    ) {
      throw this.#lose(describeRecord(found));
    }
    if (found.isMarked) return this.#answer(found);
    // Another mode, owner or number of links changes nothing. But a directory that was copied over
    // ours, or that got our inodes, has another `LOCK`, or has written to ours.
    const isRewritten = found.status.mtimeMs !== this.#status.mtimeMs ||
      found.status.size !== this.#status.size ||
      (mutexPath !== undefined && this.#mutex?.isAt(mutexPath) === false);
    if (isRewritten) throw this.#lose(`"${RECORD_NAME}" was written by somebody else`);
    this.#status = found.status;
  }

  /** Somebody asks whether we live, so our mutex must be gone. */
  #answer(found: FoundRecord): void {
    const { recordPath } = this.#place;
    const status = setMark(recordPath, found, false);
    if (status === undefined) throw this.#lose(describeRecord(readRecord(recordPath)));
    this.#status = status;
    this.#mutex?.give();
    this.#mutex = undefined;
    this.#takeMutex();
  }

  /**
   * Takes the mutex if it is free; if another process has it now, that one will find out that we
   * live.
   */
  #takeMutex(): void {
    const { mutexPath, fileMode } = this.#place;
    if (mutexPath === undefined) return;
    try {
      this.#mutex = SqliteMutex.take(mutexPath, fileMode);
    } catch (error) {
      // The record must be enough.
      if (!(error instanceof IoError)) throw error;
    }
  }

  #lose(found: string): LockLostError {
    const error = new LockLostError(this.#place.directory, found);
    this.#lost = error;
    this.onLost?.(error);
    return error;
  }
}

/** Checks the locks now and then: one timer for all, which does not keep the process alive. */
function startLooking(): void {
  timer ??= systemScheduler.setTimer(() => {
    timer = undefined;
    for (const lock of held) {
      try {
        lock.verifySync();
      } catch {
        // The next write reports it.
      }
    }
    if (held.size > 0) startLooking();
  }, LOOK_MS);
}

function stopLooking(): void {
  if (held.size > 0) return;
  timer?.cancel();
  timer = undefined;
}
