/**
 * Drives the flushes (flush_queue.ts) and compactions (compaction_queue.ts) of an open store, and
 * applies the rules that hold writers back (back_pressure.ts).
 *
 * The loop gives each task slices of a few milliseconds, flushes first, and lets the event loop
 * turn between two slices. Large jobs run in the job thread, if there is one: then the loop waits
 * for them and puts their tables in force. A caller that writes synchronously may never let the
 * event loop turn. It does a share of the work itself (`assist`), and waits for the thread only if
 * the bounds on memtables and level 0 demand it.
 *
 * The first failure is noted in the state and ends all background work: the store then answers only
 * reads. A missing descriptor is not a failure: nothing was written, and the work starts again a
 * little later.
 */

import { ClosedError } from "../../errors.ts";
import { SLICE_MS } from "../../platform/pacing.ts";
import { isOver, type Timer } from "../../platform/scheduler.ts";
import type { RunningTask } from "../../platform/task.ts";
import { isOutOfDescriptors } from "../../sstable/handle_pool.ts";
import {
  ASSIST_BEHIND_MS,
  type BackgroundWork,
  BackPressure,
  type Pressure,
} from "./back_pressure.ts";
import { CompactionQueue, type CompactionRange } from "./compaction_queue.ts";
import { ExpiryWatch } from "./expiry_watch.ts";
import { FlushQueue } from "./flush_queue.ts";
import { IdleWatch } from "./idle_watch.ts";
import type { StoreState } from "../state/store_state.ts";

/** Between two slices while the store is idle. */
const IDLE_PAUSE_MS = 10;
/** Work without a descriptor begins again after this time. */
const RETRY_MS = 100;

interface Waiter {
  readonly isDone: () => boolean;
  /** Gets the reason if it was not done: there was no descriptor. */
  readonly resolve: (shortage: unknown) => void;
}

/** Drives background work. */
export class Background {
  /** Flushes in progress, and what they have written. */
  readonly flushes: FlushQueue;
  /** Finds out that nobody writes any more. */
  readonly idle: IdleWatch;
  /** Finds out that entries have expired. */
  readonly expiry: ExpiryWatch;
  /** Compactions: the one in progress, and what they have read and written. */
  readonly compactions: CompactionQueue;
  /** How often a writer had to wait. */
  stalls = 0;
  /** How long writers had to wait, in milliseconds. */
  stalledMs = 0;
  readonly #state: StoreState;
  readonly #pressure: BackPressure;
  #waiters: Waiter[] = [];
  #isLooping = false;
  /** Makes the loop look for work while it waits for a task. */
  #wakeLoop: () => void = () => {};
  #isStopped = false;
  /** The error that said that there was no descriptor, until the work is tried again. */
  #shortage: unknown;
  #retryTimer: Timer | undefined;
  #bytesSinceAssist = 0;

  /** Makes the background of a store. */
  constructor(state: StoreState) {
    this.#state = state;
    this.flushes = new FlushQueue(state);
    this.idle = new IdleWatch(state, () => this.#startIdleWork());
    this.expiry = new ExpiryWatch(state, () => this.#startExpiryWork());
    this.compactions = new CompactionQueue(state, () => !this.#isPaced());
    this.#pressure = new BackPressure({
      l0CompactionTrigger: state.compaction.l0CompactionTrigger,
      memtableSizeBytes: state.options.memtableSizeBytes,
      hasThread: state.jobThread !== undefined,
    });
  }

  /** Starts the loop if there is something to do. */
  kick(): void {
    const before = this.#tasks();
    if (!this.#fillSlots()) return this.#watchIfDead();
    if (this.#isLooping) {
      // It may be waiting for the job thread, and would notice this only when that has finished its
      // job.
      if (this.#tasks().some((task) => !before.includes(task))) this.#wakeLoop();
      return;
    }
    this.#isLooping = true;
    this.#loop().catch((error: unknown) => {
      this.#state.fail("background work", error);
      this.#isLooping = false;
      this.#wakeWaiters();
    });
  }

  /**
   * What an acknowledgement must wait for, so that memory and level 0 stay bounded; otherwise
   * undefined.
   */
  pressure(): Promise<void> | undefined {
    const pressure = this.#pressureNow();
    if (pressure === "go") return undefined;
    if (pressure === "slow") return this.#state.turns.pass();
    const startedMs = this.#state.scheduler.nowMs();
    this.stalls++;
    this.kick();
    return this.#until(() => this.#pressureNow() !== "wait").then(() => {
      const waitedMs = this.#state.scheduler.nowMs() - startedMs;
      this.stalledMs += waitedMs;
      this.#state.events?.emit("stall", { waitedMs });
    });
  }

  /** Does a share of the work for a writer that has just written `bytes` synchronously. */
  assist(bytes: number): void {
    this.#bytesSinceAssist += bytes;
    if (!this.#pressure.isAssistDue(this.#bytesSinceAssist, this.#level0Count())) return;
    this.#bytesSinceAssist = 0;
    if (!this.#fillSlots()) return;
    this.#acceptElsewhere();
    const shareMs = this.#pressure.assistMs(this.#state.immutables.length, this.#level0Count());
    if (this.#nextHere() !== undefined) this.#driveSync(shareMs, false);
    while (this.#pressureNow() === "wait" && this.#fillSlots()) {
      this.#driveSync(ASSIST_BEHIND_MS, true);
    }
  }

  /** Called before a memtable is frozen: if too many wait for their flush, flushes some now. */
  makeRoom(): void {
    if (!this.#mustFlushFirst()) return;
    this.#tryAgain();
    while (this.#mustFlushFirst() && this.#fillSlots() && this.#flushSync());
    this.#requireSuccessSync();
  }

  /** Resolves when the currently frozen memtables are flushed. */
  async flushed(): Promise<void> {
    const waiting = new Set(this.#state.immutables);
    this.#tryAgain();
    this.kick();
    const isDone = (): boolean => !this.#state.immutables.some((one) => waiting.has(one));
    const shortage = await this.#until(isDone);
    this.#requireSuccess();
    if (shortage !== undefined) throw shortage;
  }

  /** Flushes every frozen memtable now. */
  flushedSync(): void {
    this.#tryAgain();
    while (this.#state.immutables.length > 0 && this.#fillSlots() && this.#flushSync());
    this.#requireSuccessSync();
  }

  /** Compacts a range down to one table for each key, without tombstones. */
  async compact(range: CompactionRange): Promise<void> {
    const request = this.compactions.request(range);
    this.#tryAgain();
    this.kick();
    const shortage = await this.#until(() => request.isDone || this.compactions.isStopped);
    this.#requireSuccess();
    if (shortage !== undefined) throw shortage;
    if (!request.isDone) throw new ClosedError("store");
  }

  /** As `compact`. */
  compactSync(range: CompactionRange): void {
    const request = this.compactions.request(range);
    this.#tryAgain();
    while (!request.isDone && this.#fillSlots()) this.#driveSync(Infinity, true);
    this.#requireSuccessSync();
  }

  /** Ends the compaction at its current step and starts no other: the store is being closed. */
  stopCompaction(): void {
    this.idle.stop();
    this.expiry.stop();
    this.compactions.stop();
    this.#settle();
    this.compactions.cancel(new ClosedError("store"));
    this.#wakeWaiters();
  }

  /** Ends all work at its current step; unfinished outputs are removed. */
  stop(): void {
    this.#isStopped = true;
    this.#retryTimer?.cancel();
    this.idle.stop();
    this.expiry.stop();
    const reason = new ClosedError("store");
    this.flushes.cancel(reason);
    this.compactions.cancel(reason);
    this.compactions.dropRequests();
    this.#state.jobThread?.close();
    this.#wakeWaiters();
  }

  async #loop(): Promise<void> {
    const { scheduler } = this.#state;
    while (this.#fillSlots()) {
      const tasks = this.#tasks();
      const task = tasks.find(({ isWaiting }) => !isWaiting);
      if (task === undefined) {
        const wakes = tasks.map(({ wake }) => wake);
        wakes.push(new Promise((resolve) => this.#wakeLoop = resolve));
        await Promise.race(wakes);
      } else {
        // The turn comes first: the caller in this turn has been given its share.
        await this.#turn();
        if (!task.isSettled) task.slice(scheduler, SLICE_MS);
      }
      this.#settle();
    }
    this.#isLooping = false;
    this.#watchIfDead();
  }

  /**
   * Watches for the next idle time, unless this is one and everything in it was done. Watches for
   * the time at which something expires.
   */
  #watchIfDead(): void {
    if (this.#state.status === "open") this.expiry.start();
    if (!this.idle.isIdle) this.idle.startIfDead();
  }

  /** Lets a turn of the event loop pass, or a longer time that does not keep the process alive. */
  async #turn(): Promise<void> {
    const { scheduler } = this.#state;
    if (this.#isPaced()) {
      await new Promise<void>((resolve) => {
        const timer = scheduler.setTimer(resolve, IDLE_PAUSE_MS);
        this.#wakeLoop = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    await scheduler.yield();
  }

  /** Whether there is time for everything: nobody writes, and nobody waits. */
  #isPaced(): boolean {
    return this.idle.isIdle && this.#waiters.length === 0;
  }

  /** Frees what has expired, mostly dead tables at once and the rest when nobody writes. */
  #startExpiryWork(): void {
    if (this.idle.isIdle) return this.#startIdleWork();
    this.idle.start();
    this.kick();
  }

  #startIdleWork(): void {
    const state = this.#state;
    if (this.#isLooping || state.status !== "open" || state.failure !== undefined) return;
    if (this.idle.isMemtableDead) {
      try {
        state.rotate();
      } catch (error) {
        // Without a descriptor nothing was created.
        if (!isOutOfDescriptors(error)) state.fail("the start of a new write-ahead log", error);
        return;
      }
    }
    this.kick();
  }

  /**
   * Works synchronously for about `budgetMs`, on flushes first. If the job thread does all the
   * work, or all of it is long syncs, waits for that if it `mayWait`.
   */
  #driveSync(budgetMs: number, mayWait: boolean): void {
    const { scheduler } = this.#state;
    const startMs = scheduler.nowMs();
    do {
      const task = this.#nextHere() ?? (mayWait ? this.#tasks()[0] : undefined);
      if (task === undefined) return;
      task.driveSync(scheduler, budgetMs - (scheduler.nowMs() - startMs), mayWait);
      this.#settle();
    } while (!isOver(scheduler, startMs, budgetMs) && this.#fillSlots());
  }

  /** Makes progress with the flushes; false if there is none. */
  #flushSync(): boolean {
    const { tasks } = this.flushes;
    const task = tasks.find(({ isElsewhere }) => !isElsewhere) ?? tasks[0];
    task?.driveSync(this.#state.scheduler, Infinity);
    this.#settle();
    return task !== undefined;
  }

  /** Everything in progress, most urgent first. */
  #tasks(): readonly RunningTask<unknown>[] {
    const { tasks } = this.flushes;
    const compaction = this.compactions.task;
    return compaction === undefined ? tasks : [...tasks, compaction];
  }

  /** The task that this thread can work on, flushes first. */
  #nextHere(): RunningTask<unknown> | undefined {
    return this.#tasks().find(({ isElsewhere }) => !isElsewhere);
  }

  /**
   * Continues at once with a task whose part in the job thread is done: a table must be put in
   * force.
   */
  #acceptElsewhere(): void {
    for (const task of this.#tasks()) {
      if (task.isWaiting && !task.isElsewhere) task.driveSync(this.#state.scheduler, 0, false);
    }
    this.#settle();
  }

  /** Starts what can be started; returns whether anything is in progress. */
  #fillSlots(): boolean {
    const state = this.#state;
    if (this.#isStopped || state.failure !== undefined || this.#shortage !== undefined) {
      return false;
    }
    // The thread would keep the process alive, and has other stores to work for.
    this.flushes.start(!this.#isThreadBehind() && !this.#isPaced());
    this.compactions.start(this.idle.isIdle);
    return this.#tasks().length > 0;
  }

  /** Notes tasks that have ended. */
  #settle(): void {
    this.flushes.settle((error) => this.#note("a flush", error));
    this.compactions.settle((error) => this.#note("a compaction", error));
    this.#wakeWaiters();
  }

  #note(work: string, error: unknown): void {
    if (error === undefined || this.#isStopped) return;
    if (this.#state.isShortage(error)) this.#pause(error);
    else this.#state.fail(work, error);
  }

  /** Gives up work without a descriptor, until a timer or the next call that needs it. */
  #pause(error: unknown): void {
    this.#shortage = error;
    this.flushes.restart(error);
    this.compactions.dropRequests();
    this.#retryTimer?.cancel();
    this.#retryTimer = this.#state.scheduler.setTimer(() => {
      this.#tryAgain();
      this.kick();
    }, RETRY_MS);
  }

  #tryAgain(): void {
    this.#shortage = undefined;
  }

  /** Whether merges alone keep the thread busy: then the writers' own thread does the flushes. */
  #isThreadBehind(): boolean {
    return this.compactions.task?.isElsewhere === true &&
      this.#pressure.isLevel0High(this.#level0Count());
  }

  #level0Count(): number {
    return this.#state.versions.current.levels[0]!.length;
  }

  #mustFlushFirst(): boolean {
    return this.#pressure.mustFlushFirst(this.#state.immutables.length);
  }

  #pressureNow(): Pressure {
    return this.#pressure.of(this.#state.immutables.length, this.#level0Count(), this.#work());
  }

  #work(): BackgroundWork {
    if (this.#isStopped || this.#state.failure !== undefined || this.#shortage !== undefined) {
      return "nothing";
    }
    return this.compactions.isStopped ? "flushes" : "all";
  }

  /**
   * Resolves when it is done or will not be; in that case with the lack of descriptors that is the
   * reason.
   */
  #until(isDone: () => boolean): Promise<unknown> {
    if (this.#isOver(isDone)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push({ isDone, resolve });
      // It may be pausing, by a timer that lets the process end.
      this.#wakeLoop();
    });
  }

  #wakeWaiters(): void {
    if (this.#waiters.length === 0) return;
    const done = this.#waiters.filter((waiter) => this.#isOver(waiter.isDone));
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { isDone, resolve } of done) resolve(isDone() ? undefined : this.#shortage);
  }

  #isOver(isDone: () => boolean): boolean {
    return this.#isStopped || this.#state.failure !== undefined || this.#shortage !== undefined ||
      isDone();
  }

  #requireSuccess(): void {
    if (this.#state.failure !== undefined) throw this.#state.failure;
    if (this.#isStopped) throw new ClosedError("store");
  }

  /** For a caller that has done the work itself: there may have been no descriptor for it. */
  #requireSuccessSync(): void {
    this.#requireSuccess();
    if (this.#shortage !== undefined) throw this.#shortage;
  }
}
