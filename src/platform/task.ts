/**
 * Long work that can be driven in two ways: in slices between turns of the event loop, or
 * synchronously, by a caller that can't wait for one.
 *
 * A task is a generator. It yields `undefined` where it may be paused, at intervals of some
 * microseconds to a few hundred, and an {@linkcode IoStep} where it needs something slow done
 * before it continues. The flush and compaction jobs, recovery, and every change of the manifest
 * are tasks. So the same code serves `await store.flush()`, the background, `openSync`, and a
 * `putSync` that has to help.
 */

import type { FileHandle, FileSystem } from "./file_system.ts";
import { isOver, type Scheduler } from "./scheduler.ts";

/** Something slow that a task needs. Doing it twice does no harm. */
export interface IoStep {
  /** Does it now. */
  runSync(): void;
  /** Does it while other work goes on. */
  run(): Promise<void>;
  /** Whether a synchronous caller that can go on without it leaves it to `run`. */
  readonly isLong?: boolean;
  /**
   * If it is being done in another thread anyway: waits for that for about `budgetMs`, 0 for a
   * check only, and returns whether it is done. `runSync` then returns at once.
   */
  waitSync?(budgetMs: number): boolean;
}

/** Pausable work with a result. */
export type Task<T> = Generator<IoStep | undefined, T, undefined>;

/** A sync of more than this is not done for a caller that can go on without it. */
const LONG_SYNC_BYTES = 4 * 1024 * 1024;

/** The step of making a file's content durable, of which about `bytes` are not yet. */
export function syncStep(handle: FileHandle, bytes = 0): IoStep {
  return {
    isLong: bytes > LONG_SYNC_BYTES,
    runSync: () => handle.syncSync(),
    run: async () => handle.sync === undefined ? handle.syncSync() : await handle.sync(),
  };
}

/** The step of making the names in a directory durable. */
export function syncDirectoryStep(fileSystem: FileSystem, directory: string): IoStep {
  return {
    runSync: () => fileSystem.syncDirectorySync(directory),
    run: async () =>
      fileSystem.syncDirectory === undefined
        ? fileSystem.syncDirectorySync(directory)
        : await fileSystem.syncDirectory(directory),
  };
}

/** Runs a task to its end. */
export function runTaskSync<T>(task: Task<T>): T {
  let { done, value } = task.next();
  while (!done) {
    ({ done, value } = value === undefined ? task.next() : runStepSync(task, value as IoStep));
  }
  return value as T;
}

/** Runs a task to its end in slices of about `sliceMs`. */
export async function runTask<T>(task: Task<T>, scheduler: Scheduler, sliceMs: number): Promise<T> {
  const running = new RunningTask(task, () => {});
  while (!running.isSettled) {
    running.slice(scheduler, sliceMs);
    if (running.isWaiting) await running.wake;
    else if (!running.isSettled) await scheduler.yield();
  }
  return running.result;
}

/** Starts a step. If it throws and does not reject, it still fails only in a later turn. */
function started(step: IoStep): Promise<void> {
  try {
    return step.run();
  } catch (error) {
    return Promise.reject(error);
  }
}

function runStepSync<T>(
  task: Task<T>,
  step: IoStep,
): IteratorResult<IoStep | undefined, T> {
  try {
    step.runSync();
  } catch (error) {
    return task.throw(error);
  }
  return task.next();
}

/** One task in progress, which the background and synchronous callers may drive alternately. */
export class RunningTask<T> {
  readonly #task: Task<T>;
  readonly #onLateFailure: (error: unknown) => void;
  /** The step that was started and has not ended. */
  #step: IoStep | undefined;
  /** Resolves when `#step` has ended. */
  #wake: Promise<void> = Promise.resolve();
  /** Tells an asynchronous step that somebody else has done it meanwhile. */
  #stepNumber = 0;
  #state: "running" | "done" | "failed" = "running";
  #result: T | undefined;
  #error: unknown;

  /**
   * Takes over a task that was not started. If a synchronous caller repeats an asynchronous step
   * and the first attempt then fails (an fsync, for example), `onLateFailure` gets the error: such
   * a failure counts.
   */
  constructor(task: Task<T>, onLateFailure: (error: unknown) => void) {
    this.#task = task;
    this.#onLateFailure = onLateFailure;
  }

  /** Whether the task has ended, either way. */
  get isSettled(): boolean {
    return this.#state !== "running";
  }

  /** Whether an asynchronous step is under way. */
  get isWaiting(): boolean {
    return this.#step !== undefined;
  }

  /** Whether a step is under way that a synchronous driver could only wait for. */
  get isElsewhere(): boolean {
    const step = this.#step;
    return step?.isLong === true || (step?.waitSync !== undefined && !step.waitSync(0));
  }

  /** Resolves when the step under way has ended; never rejects. */
  get wake(): Promise<void> {
    return this.#wake;
  }

  /** What the task threw, or undefined. */
  get error(): unknown {
    return this.#error;
  }

  /** The result of a task that has ended. Throws what the task threw. */
  get result(): T {
    if (this.#state === "failed") throw this.#error;
    return this.#result as T;
  }

  /** Works for about `budgetMs`; a slow step is started and runs on its own. */
  slice(scheduler: Scheduler, budgetMs: number): void {
    const startMs = scheduler.nowMs();
    while (this.#state === "running" && this.#step === undefined) {
      this.#accept(() => this.#task.next());
      if (isOver(scheduler, startMs, budgetMs)) return;
    }
  }

  /**
   * Works for about `budgetMs` and does slow steps at once, even one that is under way. If another
   * thread is doing a step, it waits for that, and leaves it to the thread when the time is over.
   * Unless it `mayWait`, it starts a long step and returns.
   */
  driveSync(scheduler: Scheduler, budgetMs: number, mayWait = true): void {
    const startMs = scheduler.nowMs();
    while (this.#state === "running") {
      if (!mayWait && this.#step?.isLong === true) return;
      const leftMs = budgetMs - (scheduler.nowMs() - startMs);
      if (this.#step?.waitSync?.(Math.max(0, leftMs)) === false) return;
      const step = this.#takeStep();
      this.#accept(
        () => step === undefined ? this.#task.next() : runStepSync(this.#task, step),
        true,
        mayWait,
      );
      // A step that the task has just asked for is not left: nobody would start it.
      if (
        (this.#step === undefined || this.#step.waitSync !== undefined) &&
        isOver(scheduler, startMs, budgetMs)
      ) return;
    }
  }

  /** Ends the task; its `finally` blocks run. */
  cancel(reason: unknown): void {
    if (this.#state !== "running") return;
    this.#takeStep();
    this.#state = "failed";
    this.#error = reason;
    this.#task.return(undefined as T);
  }

  #takeStep(): IoStep | undefined {
    const step = this.#step;
    this.#step = undefined;
    this.#stepNumber++;
    return step;
  }

  #accept(
    advance: () => IteratorResult<IoStep | undefined, T>,
    isSync = false,
    mayWait = true,
  ): void {
    try {
      const { done, value } = advance();
      if (done) {
        this.#state = "done";
        this.#result = value;
      } else if (value !== undefined) {
        this.#step = value;
        // A synchronous driver leaves a step of another thread, for the loop to wait for.
        if (!isSync || value.waitSync !== undefined || (!mayWait && value.isLong === true)) {
          this.#wake = this.#await(value, this.#stepNumber);
        }
      }
    } catch (error) {
      this.#state = "failed";
      this.#error = error;
    }
  }

  async #await(step: IoStep, number: number): Promise<void> {
    try {
      await started(step);
    } catch (error) {
      if (this.#stepNumber !== number) return this.#onLateFailure(error);
      this.#takeStep();
      return this.#accept(() => this.#task.throw(error));
    }
    if (this.#stepNumber === number) this.#takeStep();
  }
}
