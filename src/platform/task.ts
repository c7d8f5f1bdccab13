/**
 * Long work that can be driven in two ways: in slices between turns of the event loop, or
 * synchronously, by a caller that can't wait for one.
 *
 * A task is a generator. It yields `undefined` where it may be paused, some microseconds to a few
 * hundred apart, and an {@linkcode IoStep} where it needs something slow done before it goes on. The
 * flush and compaction jobs, recovery, and every change of the manifest are tasks, so the same code
 * serves `await store.flush()`, the background, `openSync`, and a `putSync` that has to help out.
 */

import type { FileHandle, FileSystem } from "./file_system.ts";
import { isOver, type Scheduler } from "./scheduler.ts";

/** Something slow that a task needs done. Doing it twice is harmless. */
export interface IoStep {
  /** Does it now. */
  runSync(): void;
  /** Does it while other work goes on. */
  run(): Promise<void>;
  /**
   * Where it is being done elsewhere, in another thread, whoever asks: waits for that for about
   * `budgetMs`, 0 to just look, and says whether it is done. `runSync` then returns at once.
   */
  waitSync?(budgetMs: number): boolean;
}

/** Pausable work with a result. */
export type Task<T> = Generator<IoStep | undefined, T, undefined>;

/** The step of making a file's content durable. */
export function syncStep(handle: FileHandle): IoStep {
  return {
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

/** Starts a step; one that throws instead of rejecting still fails in a later turn only. */
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

/** One task in progress, which the background and synchronous callers may drive in turn. */
export class RunningTask<T> {
  readonly #task: Task<T>;
  readonly #onLateFailure: (error: unknown) => void;
  /** The step that was started and has not ended. */
  #step: IoStep | undefined;
  /** Resolves when `#step` has ended. */
  #wake: Promise<void> = Promise.resolve();
  /** Tells an asynchronous step that somebody else has meanwhile done it. */
  #stepNumber = 0;
  #state: "running" | "done" | "failed" = "running";
  #result: T | undefined;
  #error: unknown;

  /**
   * Takes over a task that was not started. `onLateFailure` is told of an asynchronous step that
   * fails after a synchronous caller has done it once more: such a failure (of an fsync, say) counts.
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

  /** Whether a step is under way in another thread; a synchronous driver could only wait for it. */
  get isElsewhere(): boolean {
    return this.#step?.waitSync !== undefined && !this.#step.waitSync(0);
  }

  /** Resolves when the step that is under way has ended; never rejects. */
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

  /** Works for about `budgetMs`; a slow step is started and left to itself. */
  slice(scheduler: Scheduler, budgetMs: number): void {
    const startMs = scheduler.nowMs();
    while (this.#state === "running" && this.#step === undefined) {
      this.#accept(() => this.#task.next());
      if (isOver(scheduler, startMs, budgetMs)) return;
    }
  }

  /**
   * Works for about `budgetMs`, doing slow steps at once, also one that is under way. One that is being
   * done in another thread is waited for, and left to it when the time is over.
   */
  driveSync(scheduler: Scheduler, budgetMs: number): void {
    const startMs = scheduler.nowMs();
    while (this.#state === "running") {
      const leftMs = budgetMs - (scheduler.nowMs() - startMs);
      if (this.#step?.waitSync?.(Math.max(0, leftMs)) === false) return;
      const step = this.#takeStep();
      this.#accept(
        () => step === undefined ? this.#task.next() : runStepSync(this.#task, step),
        true,
      );
      // A step that the task has just asked for is not left lying: nobody would start it.
      if (
        (this.#step === undefined || this.#step.waitSync !== undefined) &&
        isOver(scheduler, startMs, budgetMs)
      ) return;
    }
  }

  /** Ends the task where it stands; its `finally` blocks run. */
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

  #accept(advance: () => IteratorResult<IoStep | undefined, T>, isSync = false): void {
    try {
      const { done, value } = advance();
      if (done) {
        this.#state = "done";
        this.#result = value;
      } else if (value !== undefined) {
        this.#step = value;
        // A synchronous driver leaves a step of another thread behind, for the loop to wait for.
        if (!isSync || value.waitSync !== undefined) {
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
