/**
 * Time, timers and turns of the event loop, as the engine sees them. system_scheduler.ts makes the
 * real one; tests inject one that they drive by hand.
 */

/** A started timer. */
export interface Timer {
  /** Stops the timer; a timer that has run or was stopped is left alone. */
  cancel(): void;
}

/** The engine's source of time and turns. */
export interface Scheduler {
  /** Milliseconds on a monotonic clock with an arbitrary origin, with fractions. */
  nowMs(): number;
  /**
   * Milliseconds since 1970, by the clock of the program: it may be set, and jump in either
   * direction.
   */
  wallMs(): number;
  /** Resolves in a later turn of the event loop, after pending I/O had its chance. */
  yield(): Promise<void>;
  /**
   * Runs `callback` once after `delayMs`; only keeps the process alive meanwhile if it is told to.
   */
  setTimer(callback: () => void, delayMs: number, keepsAlive?: boolean): Timer;
  /** Blocks the thread for `durationMs`. */
  sleepSync(durationMs: number): void;
  /** `byteCount` random bytes that nobody can guess, as lower-case hex. */
  randomHex(byteCount: number): string;
}

/** Whether the time since `startMs` is used up; a clock that has gone back ends it, too. */
export function isOver(scheduler: Scheduler, startMs: number, budgetMs: number): boolean {
  const elapsedMs = scheduler.nowMs() - startMs;
  return elapsedMs >= budgetMs || elapsedMs < 0;
}
