/**
 * Keeps the event loop turning. A program that only awaits operations which are answered from
 * memory never leaves the microtask queue: timers, I/O and our own background work would starve.
 * The write and read paths ask here, at low cost, whether it is time for a turn.
 */

import { SLICE_MS } from "../../platform/pacing.ts";
import type { Scheduler } from "../../platform/scheduler.ts";

/** The clock is read once in this many operations. */
const OPERATIONS_PER_LOOK = 32;

/**
 * A scan that must load something, or has skipped much, counts as this many: then the clock is
 * read.
 */
export const OPERATIONS_PER_PAUSE: number = OPERATIONS_PER_LOOK;

/** Counts operations and watches the clock. */
export class Turns {
  readonly #scheduler: Scheduler;
  #operations = 0;
  #turnStartedMs = 0;
  #pending: Promise<void> | undefined;

  /** Watches the clock of a scheduler. */
  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** The turn that is requested and has not passed yet. */
  get pending(): Promise<void> | undefined {
    return this.#pending;
  }

  /** Counts operations; returns a promise to wait for when a turn is due, else undefined. */
  due(operations = 1): Promise<void> | undefined {
    this.#operations += operations;
    if (this.#operations < OPERATIONS_PER_LOOK) return undefined;
    this.#operations = 0;
    const nowMs = this.#scheduler.nowMs();
    if (this.#turnStartedMs === 0) {
      this.#turnStartedMs = nowMs;
      return undefined;
    }
    const stretchMs = nowMs - this.#turnStartedMs;
    // A negative time: the clock has gone back, and may have hidden any time.
    if (stretchMs >= 0 && stretchMs < SLICE_MS) return undefined;
    return this.pass();
  }

  /** Lets a turn of the event loop pass; callers in the same turn share it. */
  pass(): Promise<void> {
    this.#pending ??= this.#scheduler.yield().then(() => {
      this.#pending = undefined;
      this.#turnStartedMs = this.#scheduler.nowMs();
      this.#operations = 0;
    });
    return this.#pending;
  }
}
