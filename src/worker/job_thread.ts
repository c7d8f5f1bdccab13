/**
 * Merges and flushes of a store in the worker thread, so that they take no time of the caller's.
 *
 * The thread is shared with the other stores (shared_thread.ts), and started when the first job is
 * large enough. Until it is up, if it can't start, and for small jobs, the store does the work
 * itself, by the same code; nobody ever waits for a thread to start.
 *
 * A job is a task with one step, which the thread does. The driver of the task can await it, check
 * whether it is done, or wait synchronously. A thread that ends in the middle of a job fails the
 * job. A job that is given up has ended before the call returns: nothing may write to the directory
 * after the store has released its lock.
 */

import { isRefusal } from "../errors.ts";
import type { Memtable } from "../memtable/memtable.ts";
import { copyNewest, newestBytes } from "../memtable/newest_entries.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { IoStep, Task } from "../platform/task.ts";
import { tableName } from "../version/file_names.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import type { Compaction } from "../compaction/compaction.ts";
import { inputBytes } from "../compaction/value_space.ts";
import {
  errorFrom,
  type JobRequest,
  type JobSettings,
  plainCompaction,
  tableFrom,
} from "./job_messages.ts";
import { type Job, type SharedThread, sharedThread } from "./shared_thread.ts";

/** The store itself does a job with less input: about 20 ms of work at most. */
const MIN_JOB_BYTES = 1024 * 1024;
/**
 * It also does that of a larger memtable, as a huge batch makes it, because that would have to be
 * copied.
 */
const MAX_FLUSH_BYTES = 128 * 1024 * 1024;

/** The result of a flush. */
export interface FlushedTable {
  /** The table, or undefined for no entry. */
  readonly table: TableMetadata | undefined;
}

/** A store's use of the worker thread. */
export class JobThread {
  readonly #settings: JobSettings;
  readonly #fileSystem: FileSystem;
  readonly #thread: SharedThread;
  readonly #minJobBytes: number;
  /** Whether the thread counts this store among its users. */
  #isUser = false;
  #isClosed = false;
  /** How many threads had ended on their own when one was last found up; undefined if none was. */
  #deathsWhenUp: number | undefined;

  /** Prepares for a thread, that of the realm by default; none is started yet. */
  constructor(
    settings: JobSettings,
    fileSystem: FileSystem,
    thread: SharedThread = sharedThread,
    minJobBytes: number = MIN_JOB_BYTES,
  ) {
    this.#settings = settings;
    this.#fileSystem = fileSystem;
    this.#thread = thread;
    this.#minJobBytes = minJobBytes;
  }

  /** Whether large jobs run in the thread; it may have ended because there were none. */
  get isInUse(): boolean {
    return !this.#isClosed && (this.#findUp() || this.#deathsWhenUp === this.#thread.deaths);
  }

  /** Whether the thread takes this merge now. */
  takesMerge(compaction: Compaction): boolean {
    return this.#takes(inputBytes(compaction));
  }

  /** Whether the thread takes the flush of this memtable now. */
  takesFlush(memtable: Memtable): boolean {
    return memtable.sizeBytes <= MAX_FLUSH_BYTES && this.#takes(memtable.sizeBytes) &&
      this.#thread.takesFlush;
  }

  /** As `mergeJob`. */
  *merge(compaction: Compaction): Task<readonly TableMetadata[]> {
    return yield* this.#run({
      id: this.#thread.newId(),
      kind: "merge",
      settings: this.#settings,
      compaction: plainCompaction(compaction),
    });
  }

  /**
   * As `flushJob`, to the file of that number; large values stay in the log. Undefined if the
   * thread has ended before it got the job: nothing was done then.
   */
  *flush(
    memtable: Memtable,
    fileNumber: number,
    valueLog?: { readonly number: number; readonly sizeBytes: number },
  ): Task<FlushedTable | undefined> {
    const copy = this.#thread.takeCopy(newestBytes(memtable));
    try {
      const entries = yield* copyNewest(memtable, copy);
      // While the task was paused.
      if (!this.#thread.isUp) return undefined;
      const id = this.#thread.newId();
      const settings = this.#settings;
      const request = { id, kind: "flush", settings, entries, fileNumber, valueLog } as const;
      const tables = yield* this.#run(request);
      return { table: tables[0] };
    } finally {
      this.#thread.giveCopy(copy);
    }
  }

  /** Stops using the thread. Jobs must have ended. */
  close(): void {
    this.#isClosed = true;
    if (this.#isUser) this.#thread.leave();
    this.#isUser = false;
  }

  #takes(bytes: number): boolean {
    if (bytes < this.#minJobBytes || this.#isClosed) return false;
    if (!this.#isUser) this.#thread.enter();
    this.#isUser = true;
    this.#thread.start();
    return this.#findUp();
  }

  #findUp(): boolean {
    if (!this.#isUser || !this.#thread.isUp) return false;
    this.#deathsWhenUp = this.#thread.deaths;
    return true;
  }

  *#run(request: JobRequest): Task<readonly TableMetadata[]> {
    const job = this.#thread.post(request);
    let isGivenUp = true;
    try {
      yield stepOf(job);
      isGivenUp = false;
    } finally {
      if (isGivenUp) this.#giveUp(job);
    }
    return tablesOf(job);
  }

  /** Ends a job whose result nobody wants any more. */
  #giveUp(job: Job): void {
    if (!job.isSettled) {
      job.cancel();
      job.waitSync(Infinity);
    }
    // The thread may have finished before it got that message: then its tables are there, and no
    // version names them.
    if (job.answer?.kind !== "done") return;
    for (const { number } of job.answer.tables) {
      try {
        const { directory } = this.#settings;
        this.#fileSystem.removeSync(this.#fileSystem.joinPath(directory, tableName(number)));
      } catch (error) {
        // It does no harm; the next open removes it.
        if (!isRefusal(error)) throw error;
      }
    }
  }
}

function stepOf(job: Job): IoStep {
  return {
    // The job's result says how it has ended.
    run: () => job.settled,
    runSync: () => void job.waitSync(Infinity),
    waitSync: (budgetMs) => job.waitSync(budgetMs),
  };
}

function tablesOf({ answer, failure }: Job): readonly TableMetadata[] {
  if (failure !== undefined) throw failure;
  if (answer!.kind === "failed") throw errorFrom(answer!.error);
  return answer!.kind === "done" ? answer!.tables.map(tableFrom) : [];
}
