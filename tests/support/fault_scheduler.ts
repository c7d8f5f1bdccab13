/**
 * Virtual time and a seeded order of everything that is asynchronous, in place of the system's
 * scheduler: turns of the event loop, timers, and the calls of a fault file system. A seed always
 * gives the same order, and a call that nothing can ever settle is noticed at once.
 */

import { setImmediate } from "node:timers";
import type { Scheduler, Timer } from "../../src/platform/scheduler.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import type { CallQueue } from "./fault_operations.ts";
import { Random } from "./random.ts";

interface Step {
  readonly label: string;
  readonly run: () => void;
}

interface PendingTimer {
  readonly dueMs: number;
  readonly run: () => void;
}

/**
 * A call was still unsettled when nothing was left that could settle it, or after too many steps.
 */
export class UnsettledError extends Error {
  override readonly name: string = "UnsettledError";
}

/** The scheduler; `drive` makes things happen. */
export class FaultScheduler implements Scheduler, CallQueue {
  /** Steps whose label this accepts wait for as long as there are others. */
  hold: (label: string) => boolean = () => false;
  /** The time of day. It passes only with `elapse`, and tests may set it. */
  wall = 1_700_000_000_000;
  readonly #random: Random;
  #nowMs = 1;
  #taken = 0;
  #steps: Step[] = [];
  #timers: PendingTimer[] = [];

  /** Equal seeds give equal orders. */
  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  nowMs(): number {
    // Mostly a little time passes between two looks at the clock, now and then a whole slice: of
    // reads, some are as fast as out of the page cache, others as slow as a disk.
    const draw = this.#random.below(16);
    this.#nowMs += draw === 0 ? 3 : draw < 8 ? 0.02 : 0.1;
    return this.#nowMs;
  }

  wallMs(): number {
    return this.wall;
  }

  yield(): Promise<void> {
    return new Promise((resolve) => this.enqueue("turn", resolve));
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, run: callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  sleepSync(durationMs: number): void {
    this.#nowMs += durationMs;
  }

  randomHex(byteCount: number): string {
    let hex = "";
    for (let i = 0; i < byteCount; i++) {
      hex += this.#random.below(256).toString(16).padStart(2, "0");
    }
    return hex;
  }

  enqueue(label: string, run: () => void): void {
    this.#steps.push({ label, run });
  }

  /** Lets time pass, and runs the timers that are due then. */
  elapse(durationMs: number): void {
    this.#nowMs += durationMs;
    this.wall += durationMs;
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { run } of due) run();
  }

  /** Forgets everything that waits: the process that waited for it is gone. */
  forget(): void {
    this.#steps = [];
    this.#timers = [];
  }

  /**
   * Takes steps in a random order until the promise has settled.
   *
   * @throws {UnsettledError} nothing is left that could settle it, or `maxSteps` were not enough
   */
  async drive<T>(promise: Promise<T>, maxSteps = 20_000): Promise<T> {
    let isSettled = false;
    const settled = (): void => {
      isSettled = true;
    };
    promise.then(settled, settled);
    for (let count = 0;; count++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (isSettled) return promise;
      if (count >= maxSteps) throw new UnsettledError(`not settled after ${maxSteps} steps`);
      if (!this.#step()) throw new UnsettledError("not settled, and nothing is left to be done");
    }
  }

  /** Takes at most `count` steps, fewer if none is left; timers are left alone. */
  async pass(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#steps.length === 0) return;
      this.#step();
    }
  }

  /** Takes steps until none is left; timers are left alone. */
  async settle(): Promise<void> {
    for (let before = -1; before !== this.#taken;) {
      before = this.#taken;
      await this.pass(1000);
    }
  }

  #step(): boolean {
    const free = this.#steps.filter(({ label }) => !this.hold(label));
    const from = free.length > 0 ? free : this.#steps;
    if (from.length > 0) {
      const step = this.#random.pick(from);
      this.#steps.splice(this.#steps.indexOf(step), 1);
      this.#taken++;
      step.run();
      return true;
    }
    const [timer] = this.#timers.toSorted((a, b) => a.dueMs - b.dueMs);
    if (timer === undefined) return false;
    this.#timers.splice(this.#timers.indexOf(timer), 1);
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.run();
    return true;
  }
}

/**
 * Time that passes with every look at it, and no turn of the event loop: for synchronous use only.
 * The time of day is that of its making.
 */
export function frozenScheduler(): Scheduler {
  let nowMs = 1;
  const wallMs = systemScheduler.wallMs();
  return {
    nowMs: () => nowMs++,
    wallMs: () => wallMs,
    yield: () => new Promise(() => {}),
    setTimer: () => ({ cancel: () => {} }),
    sleepSync: (durationMs) => {
      nowMs += durationMs;
    },
    randomHex: (byteCount) => "0".repeat(byteCount * 2),
  };
}

/**
 * The system's scheduler with a clock that moves by `stepMs()` at every reading: as long as a read
 * takes.
 */
export function steppingScheduler(stepMs: () => number): Scheduler {
  let nowMs = 1;
  return { ...systemScheduler, nowMs: () => nowMs += stepMs() };
}

/** Puts `scheduler` in the place of the system's; the result puts back what was there. */
export function useScheduler(scheduler: Scheduler): () => void {
  const before = { ...systemScheduler };
  const { nowMs, wallMs, yield: turn, setTimer, sleepSync, randomHex } = scheduler;
  Object.assign(systemScheduler, {
    nowMs: nowMs.bind(scheduler),
    wallMs: wallMs.bind(scheduler),
    yield: turn.bind(scheduler),
    setTimer: setTimer.bind(scheduler),
    sleepSync: sleepSync.bind(scheduler),
    randomHex: randomHex.bind(scheduler),
  });
  return () => {
    Object.assign(systemScheduler, before);
  };
}
