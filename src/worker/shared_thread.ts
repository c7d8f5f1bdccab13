/**
 * The worker thread that all stores of a realm share. A thread takes some 20 MB and a tenth of a
 * second to become fast, so there is one for any number of stores.
 *
 * The first job that is large enough starts it. It ends after a time without a job, and with the
 * last store that has used it. A thread that ends on its own fails the jobs that it had, and no
 * others; the next job starts another one. If a thread could not even start, the next try comes
 * after a while, which doubles each time. Until then the stores do all work themselves.
 */

import { JOB_WORKER_SOURCE } from "../../wasm/generated/job_worker.ts";
import { ZSTD_WASM_DEFLATED_BASE64 } from "../../wasm/generated/zstd_wasm.ts";
import type { Scheduler, Timer } from "../platform/scheduler.ts";
import { systemScheduler } from "../platform/system_scheduler.ts";
import { startThread, type Thread } from "../platform/thread.ts";
import type { JobAnswer, JobRequest, JobThreadData } from "./job_messages.ts";

/** The thread ends after this time without a job. */
const IDLE_MS = 10_000;
/**
 * After a thread could not start, the next one is tried after this time, then after twice the time,
 * and so on.
 */
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 3_600_000;
/**
 * The most flushes that the thread has at a time, of all stores together: each has a copy of a
 * memtable.
 */
const MAX_FLUSHES = 4;
/** Memory for the copy of a memtable is kept for the next one up to this size. */
const KEPT_COPY_BYTES = 16 * 1024 * 1024;

/** For tests, which choose other values. */
export interface SharedThreadLimits {
  /** The program of the thread. */
  readonly source?: string;
  /** How long the thread may be silent while somebody waits for it. */
  readonly silenceMs?: number;
}

/** A job that the thread was given. */
export class Job {
  /** Its number. */
  readonly id: number;
  /** Resolves when it has ended. */
  readonly settled: Promise<void>;
  /** How it has ended, or undefined. */
  answer: JobAnswer | undefined;
  /** Why there will be no answer. */
  failure: Error | undefined;
  readonly #thread: Thread;
  #resolve!: () => void;

  /** Made by `SharedThread.post`. */
  constructor(id: number, thread: Thread) {
    this.id = id;
    this.#thread = thread;
    this.settled = new Promise((resolve) => this.#resolve = resolve);
  }

  /** Whether it has ended. */
  get isSettled(): boolean {
    return this.answer !== undefined || this.failure !== undefined;
  }

  /** Notes how it has ended. Internal. */
  settle(answer: JobAnswer | undefined, failure: Error | undefined): void {
    this.answer = answer;
    this.failure = failure;
    this.#resolve();
  }

  /** Waits for its end, at most about `budgetMs`; returns whether it has ended. */
  waitSync(budgetMs: number): boolean {
    return this.isSettled || this.#thread.waitSync(() => this.isSettled, budgetMs);
  }

  /** Asks the thread to give it up. */
  cancel(): void {
    this.#thread.post({ id: this.id, kind: "cancel" } satisfies JobRequest);
  }
}

/** The thread of a realm, and its users. */
export class SharedThread {
  readonly #data: JobThreadData = { zstdWasm: ZSTD_WASM_DEFLATED_BASE64 };
  readonly #scheduler: Scheduler;
  readonly #limits: SharedThreadLimits;
  readonly #jobs = new Map<number, Job>();
  #thread: Thread | undefined;
  #lastId = 0;
  /** Stores that have asked for it and are open. */
  #users = 0;
  /** Threads that have ended on their own. */
  #deaths = 0;
  /** Whether the thread has been up. */
  #wasUp = false;
  #retryMs = FIRST_RETRY_MS;
  /** When the last one could not start. */
  #failedAtMs: number | undefined;
  #idleTimer: Timer | undefined;
  #flushes = 0;
  /** Memory for copies of memtables that is not in use. */
  #copies: SharedArrayBuffer[] = [];

  /** Prepares for a thread; none is started yet. */
  constructor(scheduler: Scheduler, limits: SharedThreadLimits = {}) {
    this.#scheduler = scheduler;
    this.#limits = limits;
  }

  /** Whether the thread takes jobs. */
  get isUp(): boolean {
    if (this.#thread?.isUp !== true) return false;
    this.#wasUp = true;
    return true;
  }

  /** How many threads have ended on their own. */
  get deaths(): number {
    return this.#deaths;
  }

  /** Whether a thread has been started and has not ended. */
  get isStarted(): boolean {
    return this.#thread !== undefined;
  }

  /** Whether it has time for one more flush. */
  get takesFlush(): boolean {
    return this.#flushes < MAX_FLUSHES;
  }

  /** A store begins to use the thread. */
  enter(): void {
    this.#users++;
  }

  /**
   * A store that has entered no longer needs it; its jobs have ended. The last store ends the
   * thread.
   */
  leave(): void {
    if (--this.#users === 0) this.#stop();
  }

  /** Starts a thread if there is none. */
  start(): void {
    if (this.#thread !== undefined || this.#isTooEarly()) return;
    const listener = {
      received: (message: unknown) => this.#received(message as JobAnswer),
      ended: (error: Error) => this.#ended(error),
    };
    const { source, silenceMs } = this.#limits;
    this.#wasUp = false;
    this.#thread = startThread(source ?? JOB_WORKER_SOURCE, this.#data, listener, silenceMs);
    if (this.#thread === undefined) this.#noteFailedStart();
  }

  /** A number for a job. */
  newId(): number {
    return ++this.#lastId;
  }

  /** Gives a job to the thread, which must be up. */
  post(request: JobRequest): Job {
    const thread = this.#thread!;
    const job = new Job(request.id, thread);
    this.#idleTimer?.cancel();
    this.#jobs.set(job.id, job);
    try {
      thread.keepAlive();
      thread.post(request);
    } catch (error) {
      // The thread knows nothing of it.
      this.#jobs.delete(job.id);
      this.#rest();
      throw error;
    }
    return job;
  }

  /** Memory for a flush, which counts as under way until it is returned. */
  takeCopy(bytes: number): SharedArrayBuffer {
    this.#flushes++;
    const at = this.#copies.findIndex(({ byteLength }) => byteLength >= bytes);
    if (at >= 0) return this.#copies.splice(at, 1)[0]!;
    // Memtables are of about the same size, so this happens once or twice. V8 does not count shared
    // memory as new when it arrives, and Bun does not copy it, as both do with transferred buffers.
    return new SharedArrayBuffer(Math.ceil(bytes * 1.1));
  }

  /** Takes back the memory of a flush. */
  giveCopy(copy: SharedArrayBuffer): void {
    this.#flushes--;
    // Not if the thread has ended meanwhile: nobody would use it.
    if (this.#thread === undefined || copy.byteLength > KEPT_COPY_BYTES) return;
    if (this.#copies.length === MAX_FLUSHES) this.#copies.shift();
    this.#copies.push(copy);
  }

  #received(answer: JobAnswer): void {
    const job = this.#jobs.get(answer.id);
    if (job === undefined) return;
    this.#jobs.delete(answer.id);
    job.settle(answer, undefined);
    this.#rest();
  }

  /** Lets the process end, and the thread after a while, if there is no job. */
  #rest(): void {
    if (this.#jobs.size > 0) return;
    this.#thread?.mayExit();
    this.#idleTimer?.cancel();
    this.#idleTimer = this.#scheduler.setTimer(() => this.#stop(), IDLE_MS);
  }

  #ended(error: Error): void {
    this.#deaths++;
    if (!this.#wasUp && this.#jobs.size === 0) this.#noteFailedStart();
    this.#stop();
    const failure = new Error(`the worker thread has ended: ${error.message}`, { cause: error });
    for (const job of this.#jobs.values()) job.settle(undefined, failure);
    this.#jobs.clear();
  }

  #noteFailedStart(): void {
    if (this.#failedAtMs !== undefined) this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2);
    this.#failedAtMs = this.#scheduler.nowMs();
  }

  #isTooEarly(): boolean {
    const failedAtMs = this.#failedAtMs;
    return failedAtMs !== undefined && this.#scheduler.nowMs() - failedAtMs < this.#retryMs;
  }

  #stop(): void {
    this.#idleTimer?.cancel();
    this.#idleTimer = undefined;
    this.#thread?.stop();
    this.#thread = undefined;
    this.#copies = [];
  }
}

/** The thread of this realm. */
export const sharedThread: SharedThread = new SharedThread(systemScheduler);
