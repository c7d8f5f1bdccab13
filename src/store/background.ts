/**
 * Flushes and compactions of an open store: what is to be done next, and who drives it.
 *
 * There is at most one compaction at a time, besides the flushes (flush_queue.ts). Large ones run in the job
 * thread, where there is one; what is left to do here is to wait for them and to put their tables in force.
 * For the others the loop gives turns of a few milliseconds, flushes first, and lets the event loop go round
 * in between. A caller that writes synchronously, and so may never let it, does a share of that itself
 * (`assist`), and waits for the thread only where the bounds on memtables and level 0 ask for it. The first
 * failure is noted in the state and ends all background work: the store then answers reads only. That there is no
 * descriptor is no failure: nothing was written, and the work is begun again a little later.
 */

import type { Compaction } from "../compaction/compaction.ts";
import { mergeJob } from "../compaction/merge_job.ts";
import { pickCompaction, planFullCompaction } from "../compaction/picker.ts";
import { ClosedError } from "../errors.ts";
import { isOver, type Timer } from "../platform/scheduler.ts";
import { RunningTask, type Task } from "../platform/task.ts";
import { isOutOfDescriptors } from "../sstable/handle_pool.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
<<<<<<< HEAD
import type { VersionEdit } from "../version/version_edit.ts";
import { ownTurn } from "./background_turns.ts";
=======
import type { Version } from "../version/version.ts";
>>>>>>> 48ceddb (The fault programme knows of a store that goes on after a shortage of descriptors; no chain of turns)
import { FlushQueue } from "./flush_queue.ts";
import type { StoreState } from "./store_state.ts";

/** The longest that the event loop is held at a time. */
const SLICE_MS = 1.5;
/**
 * Acknowledgements wait while this many memtables wait for their flush: one more where the job thread has two
 * of them, so that writers need not wait whenever it is the slower one for a while, as in its first second.
 */
const MAX_WAITING_MEMTABLES = 2;
const MAX_WAITING_WITH_THREAD = 3;
/** A writer that does not wait for acknowledgements flushes by itself beyond this many. */
const HARD_MAX_WAITING_MEMTABLES = 4;
/** Level-0 tables, in multiples of the trigger, at which writers slow down, and at which they stop. */
const SLOWDOWN_FACTOR = 3;
const STOP_FACTOR = 5;
/** A synchronous writer helps out once for this many bytes that it wrote, and for each memtable. */
const ASSIST_BYTES = 64 * 1024;
const ASSIST_MS = 1.5;
const ASSIST_BEHIND_MS = 6;
/** Work for which there was no descriptor is begun again after this time. */
const RETRY_MS = 100;

/** Key range of a manual compaction. */
export interface CompactionRange {
  /** The first key, or undefined for no bound. */
  readonly smallest: DataView | undefined;
  /** The last key, or undefined for no bound. */
  readonly largest: DataView | undefined;
}

interface Waiter {
  readonly isDone: () => boolean;
  /** Gets what kept it from being done, if it is not: that there was no descriptor. */
  readonly resolve: (shortage: unknown) => void;
}

/** Counters for `stats`. */
export interface BackgroundCounters {
  /** Finished compactions, moves included. */
  compactions: number;
  /** Bytes of tables read by merges. */
  compactionReadBytes: number;
  /** Bytes of tables written by merges. */
  compactionWrittenBytes: number;
  /** How often a writer had to wait. */
  stalls: number;
  /** How long writers had to wait, in milliseconds. */
  stalledMs: number;
}

/** Drives background work. */
export class Background {
  /** Flushes: those that are in progress, and what they have written. */
  readonly flushes: FlushQueue;
  /** What was done so far, besides. */
  readonly counters: BackgroundCounters = {
    compactions: 0,
    compactionReadBytes: 0,
    compactionWrittenBytes: 0,
    stalls: 0,
    stalledMs: 0,
  };
  readonly #state: StoreState;
  #compaction: RunningTask<void> | undefined;
  #manual: { range: CompactionRange; isStarted: boolean; isDone: boolean }[] = [];
  #waiters: Waiter[] = [];
  #isLooping = false;
  /** Has the loop look for work where it waits for a task. */
  #wakeLoop: () => void = () => {};
  #isStopped = false;
  /** That there was no descriptor lately. */
  #shortage: unknown;
  #retryTimer: Timer | undefined;
  #mayCompact = true;
  /** Whether the picker found nothing to do in the version that is in force. */
  #idleVersion: unknown;
  readonly #maxWaitingMemtables: number;
  readonly #assistBytes: number;
  #bytesSinceAssist = 0;

  /** Makes the background of a store. */
  constructor(state: StoreState) {
    this.#state = state;
    this.flushes = new FlushQueue(state);
    this.#maxWaitingMemtables = state.jobThread === undefined
      ? MAX_WAITING_MEMTABLES
      : MAX_WAITING_WITH_THREAD;
    this.#assistBytes = Math.min(ASSIST_BYTES, state.options.memtableSizeBytes);
  }

  /** Starts the loop if there is something to do. */
  kick(): void {
    const before = this.#tasks();
    if (!this.#fillSlots()) return;
    if (this.#isLooping) {
      // It may be waiting for the job thread, and would hear of this only when that has finished its job.
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

  /** What an acknowledgement has to wait for, so that memory and level 0 stay bounded; else undefined. */
  pressure(): Promise<void> | undefined {
    if (this.#isBehind()) {
      const startedMs = this.#state.scheduler.nowMs();
      this.counters.stalls++;
      this.kick();
      return this.#until(() => !this.#isBehind()).then(() => {
        this.counters.stalledMs += this.#state.scheduler.nowMs() - startedMs;
      });
    }
    return this.#level0Count() >= this.#level0Limit(SLOWDOWN_FACTOR)
      ? this.#state.turns.pass()
      : undefined;
  }

  /** Does a share of the work for a writer that has just written `bytes` synchronously. */
  assist(bytes: number): void {
    this.#bytesSinceAssist += bytes;
    if (this.#bytesSinceAssist < this.#assistBytes) return;
    this.#bytesSinceAssist = 0;
    if (!this.#fillSlots()) return;
    this.#acceptElsewhere();
    const isSlow = this.#level0Count() >= this.#level0Limit(SLOWDOWN_FACTOR) ||
      this.#state.immutables.length >= this.#maxWaitingMemtables;
    if (this.#nextHere() !== undefined) {
      this.#driveSync(isSlow ? ASSIST_BEHIND_MS : ASSIST_MS, false);
    }
    while (this.#isBehind() && this.#fillSlots()) this.#driveSync(ASSIST_BEHIND_MS, true);
  }

  /** Called before a memtable is frozen: flushes at once where too many wait, whoever is to blame. */
  makeRoom(): void {
    if (this.#state.immutables.length < HARD_MAX_WAITING_MEMTABLES) return;
    this.#tryAgain();
    while (
      this.#state.immutables.length >= HARD_MAX_WAITING_MEMTABLES && this.#fillSlots() &&
      this.#flushSync()
    );
    this.#requireSuccessSync();
  }

  /** Resolves when the memtables that are frozen now are flushed. */
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
    const request = { range, isStarted: false, isDone: false };
    this.#manual.push(request);
    this.#tryAgain();
    this.kick();
    const shortage = await this.#until(() => request.isDone || !this.#mayCompact);
    this.#requireSuccess();
    if (shortage !== undefined) throw shortage;
    if (!request.isDone) throw new ClosedError("store");
  }

  /** As `compact`. */
  compactSync(range: CompactionRange): void {
    const request = { range, isStarted: false, isDone: false };
    this.#manual.push(request);
    this.#tryAgain();
    while (!request.isDone && this.#fillSlots()) this.#driveSync(Infinity, true);
    this.#requireSuccessSync();
  }

  /** Ends a compaction where it stands and starts none any more: the store is being closed. */
  stopCompaction(): void {
    this.#mayCompact = false;
    this.#compaction?.cancel(new ClosedError("store"));
    this.#compaction = undefined;
    this.#wakeWaiters();
  }

  /** Ends all work where it stands; unfinished outputs are removed. */
  stop(): void {
    this.#isStopped = true;
    this.#retryTimer?.cancel();
    const reason = new ClosedError("store");
    this.flushes.cancel(reason);
    this.#compaction?.cancel(reason);
    this.#compaction = undefined;
    this.#manual = [];
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
        // The turn comes first: whoever called us in this one has been given its share.
        await ownTurn(scheduler);
        if (!task.isSettled) task.slice(scheduler, SLICE_MS);
      }
      this.#settle();
    }
    this.#isLooping = false;
<<<<<<< HEAD
=======
    this.#watchIfDead();
  }

  /** Has the next idle time noticed, unless this is one and all was done in it. */
  #watchIfDead(): void {
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
>>>>>>> 48ceddb (The fault programme knows of a store that goes on after a shortage of descriptors; no chain of turns)
  }

  /**
   * Works synchronously for about `budgetMs`, on flushes first; where all there is to do is being done by
   * the job thread, waits for that if it `mayWait`.
   */
  #driveSync(budgetMs: number, mayWait: boolean): void {
    const { scheduler } = this.#state;
    const startMs = scheduler.nowMs();
    do {
      const task = this.#nextHere() ?? (mayWait ? this.#tasks()[0] : undefined);
      if (task === undefined) return;
      task.driveSync(scheduler, budgetMs - (scheduler.nowMs() - startMs));
      this.#settle();
    } while (!isOver(scheduler, startMs, budgetMs) && this.#fillSlots());
  }

  /** Gets on with the flushes; false where there is none. */
  #flushSync(): boolean {
    const { tasks } = this.flushes;
    const task = tasks.find(({ isElsewhere }) => !isElsewhere) ?? tasks[0];
    task?.driveSync(this.#state.scheduler, Infinity);
    this.#settle();
    return task !== undefined;
  }

  /** All that is in progress, most urgent first. */
  #tasks(): readonly RunningTask<unknown>[] {
    const { tasks } = this.flushes;
    return this.#compaction === undefined ? tasks : [...tasks, this.#compaction];
  }

  /** The task that this thread can get on with, flushes first. */
  #nextHere(): RunningTask<unknown> | undefined {
    return this.#tasks().find(({ isElsewhere }) => !isElsewhere);
  }

  /** Goes on at once with a task whose part in the job thread is done: a table is to be put in force. */
  #acceptElsewhere(): void {
    for (const task of this.#tasks()) {
      if (task.isWaiting && !task.isElsewhere) task.driveSync(this.#state.scheduler, 0);
    }
    this.#settle();
  }

  /** Starts what there is to start; says whether anything is in progress. */
  #fillSlots(): boolean {
    const state = this.#state;
    if (this.#isStopped || state.failure !== undefined || this.#shortage !== undefined) {
      return false;
    }
    this.flushes.start(!this.#isThreadBehind());
    if (this.#compaction === undefined && this.#mayCompact) {
      const task = this.#nextCompaction();
      if (task !== undefined) {
        this.#compaction = new RunningTask(task, (error) => this.#state.fail("a sync", error));
      }
    }
    return this.#tasks().length > 0;
  }

  #nextCompaction(): Task<void> | undefined {
    const state = this.#state;
    const request = this.#manual[0];
    if (request !== undefined) {
      request.isStarted = true;
      return this.#fullCompactionTask(request);
    }
    const { current } = state.versions;
    if (this.#idleVersion === current) return undefined;
    const compaction = pickCompaction(current.tables, state.compaction);
    if (compaction !== undefined) return this.#compactionTask(compaction);
    this.#idleVersion = current;
    return undefined;
  }

  /** Takes note of tasks that have ended. */
  #settle(): void {
    this.flushes.settle((error) => this.#note("a flush", error));
    if (this.#compaction?.isSettled) {
      this.#note("a compaction", this.#compaction.error);
      this.#compaction = undefined;
      if (this.#manual[0]?.isStarted) this.#manual.shift()!.isDone = true;
    }
    this.#wakeWaiters();
  }

  #note(work: string, error: unknown): void {
    if (error === undefined || this.#isStopped) return;
    if (this.#isShortage(error)) this.#pause(error);
    else this.#state.fail(work, error);
  }

  /** Gives up what there was no descriptor for, until a timer or the next call that needs it. */
  #pause(error: unknown): void {
    this.#shortage = error;
    this.flushes.restart(error);
    this.#manual = [];
    this.#retryTimer?.cancel();
    this.#retryTimer = this.#state.scheduler.setTimer(() => {
      this.#tryAgain();
      this.kick();
    }, RETRY_MS);
  }

  /** Whether nothing has happened but that there was no descriptor; not where a manifest was in the making, half in force. */
  #isShortage(error: unknown): boolean {
    return isOutOfDescriptors(error) && this.#state.versions.poison === undefined;
  }

  #tryAgain(): void {
    this.#shortage = undefined;
  }

  /** Carries out a merge, in the job thread if it is large enough. */
  *#merged(compaction: Compaction): Task<readonly TableMetadata[]> {
    const { jobThread, tableOutput, versions } = this.#state;
    if (jobThread?.takesMerge(compaction)) {
      try {
        return yield* jobThread.merge(compaction);
      } catch (error) {
        // The store can free some of its own (descriptor_sharing.ts) and do the job itself.
        if (!isOutOfDescriptors(error)) throw error;
      }
    }
    return yield* mergeJob(compaction, tableOutput, () => versions.newFileNumber());
  }

  /** Whether merges alone keep the thread busy: then the writers' own thread does the flushes. */
  #isThreadBehind(): boolean {
    return this.#compaction?.isElsewhere === true &&
      this.#level0Count() >= this.#level0Limit(SLOWDOWN_FACTOR);
  }

  *#compactionTask(compaction: Compaction): Task<void> {
    const state = this.#state;
    const { versions } = state;
    const { inputs, outputLevel } = compaction;
    const tables = compaction.kind === "move" ? inputs[0]!.tables : yield* this.#merged(compaction);
    const edit: VersionEdit = {
      removed: inputs.flatMap(({ level, tables }) =>
        tables.map(({ number }) => ({ level, number }))
      ),
      added: tables.map((table) => ({ level: outputLevel, table })),
    };
    try {
      yield* versions.apply(edit);
    } catch (error) {
      // The version in force is what it was, and nobody needs these.
      if (this.#isShortage(error) && compaction.kind === "merge") this.flushes.remove(tables);
      throw error;
    }
    this.counters.compactions++;
    if (compaction.kind === "move") return;
    for (const input of inputs) {
      for (const table of input.tables) this.counters.compactionReadBytes += table.sizeBytes;
    }
    for (const table of tables) this.counters.compactionWrittenBytes += table.sizeBytes;
  }

  *#fullCompactionTask(request: { range: CompactionRange }): Task<void> {
    const { versions, compaction } = this.#state;
    for (const plan of planFullCompaction(versions.current.tables, compaction, request.range)) {
      yield* this.#compactionTask(plan);
    }
  }

  #level0Count(): number {
    return this.#state.versions.current.levels[0]!.length;
  }

  #level0Limit(factor: number): number {
    return this.#state.compaction.l0CompactionTrigger * factor;
  }

  #isBehind(): boolean {
    if (this.#isStopped || this.#state.failure !== undefined || this.#shortage !== undefined) {
      return false;
    }
    return this.#state.immutables.length >= this.#maxWaitingMemtables ||
      (this.#mayCompact && this.#level0Count() >= this.#level0Limit(STOP_FACTOR));
  }

  /** Resolves when it is done or will not be; with what there was no descriptor for, if that is why. */
  #until(isDone: () => boolean): Promise<unknown> {
    if (this.#isOver(isDone)) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ isDone, resolve }));
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
