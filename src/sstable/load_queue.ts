/**
 * Asynchronous loads of tables' blocks, indexes and filters, if many searches need them at once.
 *
 * - If something is already being loaded, others join that load: a block is read once, however many
 *   wait for it.
 * - The number of loads that run is bounded: each has a buffer, and a decoded block that is pinned
 *   until the last of its waiters has used it. The others wait in a queue and take no such memory.
 * - Waiters are woken in slices: each of them takes tens of microseconds, and the event loop turns
 *   between slices, however many there are.
 * - A load that fails fails for all of its waiters, each with a separate error, and is forgotten. A
 *   waiter that is no longer interested, because its store was closed, changes nothing for the
 *   others.
 */

import { errorForOther } from "../errors.ts";
import { SLICE_MS } from "../platform/pacing.ts";
import { isOver, type Scheduler } from "../platform/scheduler.ts";

/**
 * Loads that run at once. Node reads four at a time; a fast disk under Deno or Bun gains little
 * from more.
 */
const MAX_LOADS = 64;
/** Waiters that are woken between two readings of the clock. */
const WAKES_PER_LOOK = 4;

/** A waiter for a load. Neither call may throw. */
export interface LoadWaiter<T> {
  /** The load has succeeded. A block is pinned for the waiter. */
  loaded(value: T): void;
  /** The load has failed. */
  failed(error: unknown): void;
}

/** One load and its waiters. */
export class SharedLoad<T> {
  readonly #waiters: LoadWaiter<T>[] = [];
  #woken = 0;
  #value: T | undefined;
  #error: unknown;
  #hasFailed = false;

  /** The number of waiters. */
  get waiterCount(): number {
    return this.#waiters.length;
  }

  /** Adds a waiter to the load, which must not have ended. */
  join(waiter: LoadWaiter<T>): void {
    this.#waiters.push(waiter);
  }

  /** As `join`, for a caller that waits by a promise. */
  ended(): Promise<T> {
    return new Promise((loaded, failed) => this.join({ loaded, failed }));
  }

  /** Does the work and keeps the result for the waiters. */
  async settle(run: () => Promise<T>): Promise<void> {
    try {
      // The caller that starts a load notes it first; even a load that fails at once ends after
      // that.
      await undefined;
      this.#value = await run();
    } catch (error) {
      this.#hasFailed = true;
      this.#error = error;
    }
  }

  /** Wakes the next waiter; false if there is none. */
  wakeOne(): boolean {
    const at = this.#woken++;
    const waiter = this.#waiters[at];
    if (waiter === undefined) return false;
    if (this.#hasFailed) waiter.failed(at === 0 ? this.#error : errorForOther(this.#error));
    else waiter.loaded(this.#value!);
    return true;
  }
}

/** The loads of one store. */
export class LoadQueue {
  readonly #scheduler: Scheduler;
  #underWay = 0;
  /** Starts loads that wait until others end. */
  readonly #waiting = new Queue<() => void>();
  /** Ended loads with waiters that are still to be woken. */
  readonly #ended = new Queue<SharedLoad<unknown>>();
  #isWaking = false;

  /** Makes an empty queue. */
  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** Starts a load now or when its turn comes; `run` may ask the load how many wait by then. */
  start<T>(run: (load: SharedLoad<T>) => Promise<T>): SharedLoad<T> {
    const load = new SharedLoad<T>();
    const begin = (): void => {
      this.#underWay++;
      load.settle(() => run(load)).then(() => this.#wake(load as SharedLoad<unknown>));
    };
    if (this.#underWay < MAX_LOADS) begin();
    else this.#waiting.push(begin);
    return load;
  }

  #wake(load: SharedLoad<unknown>): void {
    this.#ended.push(load);
    if (this.#isWaking) return;
    this.#isWaking = true;
    void this.#wakeAll();
  }

  async #wakeAll(): Promise<void> {
    let startedMs = this.#scheduler.nowMs();
    let woken = 0;
    for (let load = this.#ended.first; load !== undefined; load = this.#ended.first) {
      if (!load.wakeOne()) {
        this.#ended.shift();
        this.#underWay--;
        this.#waiting.shift()?.();
        continue;
      }
      if (++woken % WAKES_PER_LOOK > 0) continue;
      // Those that wait by promises continue first: their time counts, too.
      await undefined;
      if (!isOver(this.#scheduler, startedMs, SLICE_MS)) continue;
      await this.#scheduler.yield();
      startedMs = this.#scheduler.nowMs();
    }
    this.#isWaking = false;
  }
}

/** A queue from which the first is taken in constant time, even if tens of thousands wait. */
class Queue<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    return item;
  }
}
