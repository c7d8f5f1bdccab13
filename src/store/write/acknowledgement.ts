/**
 * The acknowledgement of writes: when a committed write (commit.ts) is as durable as `walSync` and
 * its options ask for.
 *
 * Writes of one turn of the event loop form a group, which is written to the log's file at once.
 * Writes that are issued while an fsync runs form the next group, which shares the next fsync
 * (group commit). After the first failed write or sync of a log nothing is retried and nothing more
 * is written: every later write gets a BackgroundError.
 */

import { BackgroundError } from "../../errors.ts";
import { soon } from "../../platform/microtask.ts";
import { isOver, type Timer } from "../../platform/scheduler.ts";
import type { Background } from "../background/background.ts";
import type { StoreState } from "../state/store_state.ts";

/** Writes that are acknowledged together. */
class Group {
  readonly promise: Promise<void>;
  resolve!: () => void;
  reject!: (error: unknown) => void;
  needsSync: boolean;
  /** The newest write that is with it when it is acknowledged. */
  lastSequence = 0;

  constructor(needsSync: boolean) {
    this.needsSync = needsSync;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Acknowledges the writes of a store. */
export class Acknowledgement {
  readonly #state: StoreState;
  readonly #background: Background;
  /** Groups that wait for their turn; the last one still accepts writes. */
  readonly #groups: Group[] = [];
  #isDraining = false;
  #drained: (() => void)[] = [];
  #timer: Timer | undefined;
  #lastSyncMs = 0;
  /** Made once: otherwise each single awaited put would make a closure. */
  readonly #startDraining = (): void => this.#drain();

  /** Makes the acknowledgement of a store. */
  constructor(state: StoreState, background: Background) {
    this.#state = state;
    this.#background = background;
  }

  /**
   * Acknowledges the writes that were committed before the call: resolves when they are written, or
   * synced.
   */
  wait(needsSync: boolean): Promise<void> {
    const groups = this.#groups;
    let group = groups.at(-1);
    if (group === undefined || this.#state.options.walSync === "write") {
      group = new Group(needsSync);
      groups.push(group);
    } else if (needsSync) {
      group.needsSync = true;
    }
    if (!this.#isDraining) {
      this.#isDraining = true;
      soon(this.#startDraining);
    }
    return group.promise;
  }

  /** As `wait`, at once, for a write that takes `bytes` in the log. */
  now(bytes: number, needsSync: boolean): void {
    const state = this.#state;
    try {
      state.logs.writeOutSync();
      if (needsSync) state.logs.syncSync();
      else if (state.options.walSync === "interval") this.#syncIfDue();
    } catch (error) {
      state.fail("a write to the write-ahead log", error);
      throw error;
    }
    state.observer?.acknowledged(state.lastSequence);
    this.#background.assist(bytes);
  }

  /** Makes every write before the call durable. */
  sync(): Promise<void> {
    if (this.#state.logs.active === undefined) return Promise.resolve();
    return this.wait(true);
  }

  /** As `sync`. */
  syncSync(): void {
    if (this.#state.logs.active !== undefined) this.now(0, true);
  }

  /** Resolves when every write that was accepted is acknowledged or has failed. */
  drained(): Promise<void> {
    this.stop();
    if (!this.#isDraining) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  /** Stops the timer: the store is being closed. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Acknowledges the first group, and continues until there is none. */
  #drain(): void {
    for (;;) {
      const group = this.#groups.shift();
      if (group === undefined) {
        this.#isDraining = false;
        for (const resolve of this.#drained.splice(0)) resolve();
        return;
      }
      group.lastSequence = this.#state.lastSequence;
      const error = this.#writeOut();
      if (error !== undefined) {
        group.reject(error);
      } else if (group.needsSync) {
        this.#state.logs.sync().then(
          () => this.#finishSynced(group),
          (error: unknown) => {
            this.#state.fail("a sync of the write-ahead log", error);
            group.reject(error);
          },
        ).then(() => this.#drain());
        return;
      } else {
        this.#finish(group);
        this.#startTimer();
      }
    }
  }

  /** Passes everything to the operating system; returns the error, or undefined. */
  #writeOut(): unknown {
    const state = this.#state;
    if (state.failure !== undefined) return state.failure;
    try {
      state.logs.writeOutSync();
    } catch (error) {
      state.fail("a write to the write-ahead log", error);
      return error;
    }
  }

  /**
   * As `#finish`, unless a failure was reported meanwhile to a synchronous writer and not to us.
   */
  #finishSynced(group: Group): void {
    const { failure } = this.#state;
    if (failure === undefined) this.#finish(group);
    else group.reject(failure);
  }

  /** Resolves a group; later if the background is too slow, or a turn is due. */
  #finish(group: Group): void {
    this.#state.observer?.acknowledged(group.lastSequence);
    const wait = this.#background.pressure() ?? this.#state.turns.due();
    if (wait === undefined) group.resolve();
    else wait.then(group.resolve, group.reject);
  }

  /** A synchronous writer may keep timers from firing, so it reads the clock itself. */
  #syncIfDue(): void {
    const { scheduler, options, logs } = this.#state;
    if (isOver(scheduler, this.#lastSyncMs, options.walSyncIntervalMs)) {
      // Before the sync: a write that comes while it runs has waited since then.
      this.#lastSyncMs = scheduler.nowMs();
      logs.syncSync();
    } else {
      this.#startTimer();
    }
  }

  #startTimer(): void {
    const { scheduler, options } = this.#state;
    if (options.walSync !== "interval" || this.#timer !== undefined) return;
    this.#timer = scheduler.setTimer(() => {
      this.#timer = undefined;
      this.#lastSyncMs = scheduler.nowMs();
      // The state has noted a failure by then, and every later write reports it.
      this.sync().catch((error: unknown) => {
        if (!(error instanceof BackgroundError)) this.#state.fail("a sync", error);
      });
    }, options.walSyncIntervalMs);
  }
}
