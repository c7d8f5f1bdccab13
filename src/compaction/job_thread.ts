/**
 * Merges and flushes in a worker thread of the store, so that they take no time of the caller's.
 *
 * The thread is started when the first job is large enough to be worth it, and ends when there was none
 * for a while: it takes some megabytes. Until it is up, where it can't start, and for small jobs, the
 * store does the work itself, by the same code; nobody ever waits for a thread to start.
 *
 * A job is a task with one step, which the thread does. Whoever drives the task can await it, look
 * whether it is done, or wait synchronously. A thread that ends in the middle of a job fails the job. A job
 * that is given up is ended before the call returns: nothing may write to the directory after the store
 * has let its lock go.
 */

import { JOB_WORKER_SOURCE } from "../../wasm/generated/job_worker.ts";
import { ZSTD_WASM_DEFLATED_BASE64 } from "../../wasm/generated/zstd_wasm.ts";
import { isRefusal } from "../errors.ts";
import type { Memtable } from "../memtable/memtable.ts";
import { copyNewest, newestBytes } from "../memtable/newest_entries.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Scheduler, Timer } from "../platform/scheduler.ts";
import type { IoStep, Task } from "../platform/task.ts";
import { startThread, type Thread } from "../platform/thread.ts";
import { tableName } from "../version/file_names.ts";
import { type TableMetadata, tableMetadata } from "../version/table_metadata.ts";
import { type Compaction, totalSize } from "./compaction.ts";
import {
  errorFrom,
  type JobAnswer,
  type JobRequest,
  type JobThreadData,
  type JobThreadSettings,
  plainCompaction,
} from "./job_messages.ts";

/** A job with less input is done by the store itself: some 20 ms of work at most. */
const MIN_JOB_BYTES = 1024 * 1024;
/** Nor one of a memtable that is larger, as a huge batch makes it: it would have to be copied. */
const MAX_FLUSH_BYTES = 128 * 1024 * 1024;
/** Memory for the copy of a memtable is kept for the next one up to this size. */
const KEPT_COPY_BYTES = 16 * 1024 * 1024;
/** The thread ends after this time without a job. */
const IDLE_MS = 10_000;

/** What tests choose otherwise. */
export interface JobThreadLimits {
  /** Jobs with less input are not taken. */
  readonly minJobBytes?: number;
  /** The program of the thread. */
  readonly source?: string;
  /** How long the thread may be silent while it is waited for. */
  readonly silenceMs?: number;
}

/** A job that the thread has been given. */
class Job {
  readonly id: number;
  readonly settled: Promise<void>;
  /** How it has ended, or undefined. */
  answer: JobAnswer | undefined;
  /** Why there will be no answer. */
  failure: Error | undefined;
  #resolve!: () => void;

  constructor(id: number) {
    this.id = id;
    this.settled = new Promise((resolve) => this.#resolve = resolve);
  }

  get isSettled(): boolean {
    return this.answer !== undefined || this.failure !== undefined;
  }

  settle(answer: JobAnswer | undefined, failure: Error | undefined): void {
    this.answer = answer;
    this.failure = failure;
    this.#resolve();
  }

  tables(): readonly TableMetadata[] {
    if (this.failure !== undefined) throw this.failure;
    const answer = this.answer!;
    if (answer.kind === "failed") throw errorFrom(answer.error);
    return answer.kind === "done" ? answer.tables.map(tableMetadata) : [];
  }
}

/** What a flush has made. */
export interface FlushedTable {
  /** The table, or undefined for no entry. */
  readonly table: TableMetadata | undefined;
}

/** The worker thread of a store. */
export class JobThread {
  readonly #data: JobThreadData;
  readonly #fileSystem: FileSystem;
  readonly #scheduler: Scheduler;
  readonly #minJobBytes: number;
  readonly #source: string;
  readonly #silenceMs: number | undefined;
  readonly #jobs = new Map<number, Job>();
  #thread: Thread | undefined;
  #lastId = 0;
  /** Whether no thread is to be started any more: it could not, has crashed, or the store is closed. */
  #isGivenUp = false;
  #wasUp = false;
  #idleTimer: Timer | undefined;
  /** Memory for copies of memtables that is not in use. */
  #copies: SharedArrayBuffer[] = [];

  /** Prepares for a thread; none is started yet. */
  constructor(
    settings: JobThreadSettings,
    fileSystem: FileSystem,
    scheduler: Scheduler,
    limits: JobThreadLimits = {},
  ) {
    this.#data = { settings, zstdWasm: ZSTD_WASM_DEFLATED_BASE64 };
    this.#fileSystem = fileSystem;
    this.#scheduler = scheduler;
    this.#minJobBytes = limits.minJobBytes ?? MIN_JOB_BYTES;
    this.#source = limits.source ?? JOB_WORKER_SOURCE;
    this.#silenceMs = limits.silenceMs;
  }

  /** Whether jobs are done in the thread, as far as they are large enough; it may have ended for want of them. */
  get isInUse(): boolean {
    if (this.#thread?.isUp) this.#wasUp = true;
    return this.#wasUp && !this.#isGivenUp;
  }

  /** Whether the thread takes this merge now. */
  takesMerge(compaction: Compaction): boolean {
    return this.#takes(compaction.inputs.reduce((sum, { tables }) => sum + totalSize(tables), 0));
  }

  /** Whether the thread takes the flush of this memtable now. */
  takesFlush(memtable: Memtable): boolean {
    return memtable.sizeBytes <= MAX_FLUSH_BYTES && this.#takes(memtable.sizeBytes);
  }

  /** As `mergeJob`. */
  *merge(compaction: Compaction): Task<readonly TableMetadata[]> {
    const id = ++this.#lastId;
    return yield* this.#run({ id, kind: "merge", compaction: plainCompaction(compaction) });
  }

  /**
   * As `flushJob`, to the file of that number. Undefined where the thread has ended before it could be given the
   * job: nothing was done then.
   */
  *flush(memtable: Memtable, fileNumber: number): Task<FlushedTable | undefined> {
    const copyBytes = newestBytes(memtable);
    let copy = this.#copies.pop();
    if (copy === undefined || copy.byteLength < copyBytes) {
      // Memtables are about as large as each other, so this happens once. Shared memory is not counted as
      // new by V8 when it arrives, and Bun does not copy it, as happens with buffers that change hands.
      copy = new SharedArrayBuffer(Math.ceil(copyBytes * 1.1));
    }
    try {
      const entries = yield* copyNewest(memtable, copy);
      // That was paused.
      if (this.#thread?.isUp !== true) return undefined;
      const tables = yield* this.#run({ id: ++this.#lastId, kind: "flush", entries, fileNumber });
      return { table: tables[0] };
    } finally {
      // Not where the thread has ended meanwhile: nobody would take it.
      if (this.#thread !== undefined && copy.byteLength <= KEPT_COPY_BYTES) this.#copies.push(copy);
    }
  }

  /** Ends the thread. Jobs must have ended. */
  close(): void {
    this.#isGivenUp = true;
    this.#stop();
  }

  #takes(inputBytes: number): boolean {
    if (inputBytes < this.#minJobBytes || this.#isGivenUp) return false;
    if (this.#thread === undefined) this.#start();
    return this.#thread?.isUp ?? false;
  }

  #start(): void {
    const listener = {
      received: (message: unknown) => this.#received(message as JobAnswer),
      ended: (error: Error) => this.#ended(error),
    };
    this.#thread = startThread(this.#source, this.#data, listener, this.#silenceMs);
    if (this.#thread === undefined) this.#isGivenUp = true;
  }

  *#run(request: JobRequest): Task<readonly TableMetadata[]> {
    const thread = this.#thread!;
    const job = new Job(request.id);
    this.#idleTimer?.cancel();
    this.#jobs.set(job.id, job);
    try {
      thread.keepAlive();
      thread.post(request);
    } catch (error) {
      // The thread knows nothing of it.
      this.#jobs.delete(job.id);
      throw error;
    }
    let isGivenUp = true;
    try {
      yield this.#stepOf(job, thread);
      isGivenUp = false;
    } finally {
      if (isGivenUp) this.#giveUp(job, thread);
    }
    return job.tables();
  }

  /** Ends a job whose result nobody wants any more. */
  #giveUp(job: Job, thread: Thread): void {
    if (!job.isSettled) {
      thread.post({ id: job.id, kind: "cancel" });
      thread.waitSync(() => job.isSettled, Infinity);
    }
    // The thread may have been done before it heard of that: then its tables are there, and no version's.
    if (job.answer?.kind !== "done") return;
    for (const { number } of job.answer.tables) {
      try {
        const { directory } = this.#data.settings;
        this.#fileSystem.removeSync(this.#fileSystem.joinPath(directory, tableName(number)));
      } catch (error) {
        // It is in nobody's way; the next open removes it.
        if (!isRefusal(error)) throw error;
      }
    }
  }

  #stepOf(job: Job, thread: Thread): IoStep {
    const isDone = (): boolean => job.isSettled;
    return {
      // How it has ended is told by the job's result.
      run: () => job.settled,
      runSync: () => void thread.waitSync(isDone, Infinity),
      waitSync: (budgetMs) => isDone() || thread.waitSync(isDone, budgetMs),
    };
  }

  #received(answer: JobAnswer): void {
    const job = this.#jobs.get(answer.id);
    if (job === undefined) return;
    this.#jobs.delete(answer.id);
    job.settle(answer, undefined);
    if (this.#jobs.size > 0) return;
    this.#thread?.mayExit();
    this.#idleTimer?.cancel();
    this.#idleTimer = this.#scheduler.setTimer(() => this.#stop(), IDLE_MS);
  }

  #ended(error: Error): void {
    this.#isGivenUp = true;
    this.#stop();
    for (const job of this.#jobs.values()) {
      job.settle(
        undefined,
        new Error(`the worker thread has ended: ${error.message}`, { cause: error }),
      );
    }
    this.#jobs.clear();
  }

  #stop(): void {
    if (this.#thread?.isUp) this.#wasUp = true;
    this.#idleTimer?.cancel();
    this.#idleTimer = undefined;
    this.#thread?.stop();
    this.#thread = undefined;
    this.#copies = [];
  }
}
