/**
 * Notices that entries have expired, so that the background can free their space although nobody
 * writes.
 *
 * The timer does not keep the process alive, and it runs only while something expires. It looks at
 * the clock at least once a minute: the clock may be set meanwhile, and timers do not follow it.
 */

import { nextExpiryOf } from "../../compaction/tombstones.ts";
import type { Timer } from "../../platform/scheduler.ts";
import type { StoreState } from "../state/store_state.ts";

/** The shortest and the longest time between two looks at the clock. */
const MIN_LOOK_MS = 1000;
const MAX_LOOK_MS = 60_000;

/** Watches the times of a store's entries. */
export class ExpiryWatch {
  readonly #state: StoreState;
  readonly #onExpired: () => void;
  #timer: Timer | undefined;
  #lookedAtMs = 0;
  #isStopped = false;

  /** Prepares; `onExpired` is called in a separate turn. */
  constructor(state: StoreState, onExpired: () => void) {
    this.#state = state;
    this.#onExpired = onExpired;
  }

  /** Starts the timer, if something expires and it is not running. */
  start(): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    const nowMs = this.#state.wallMs;
    const dueMs = this.#nextAfter(nowMs);
    if (dueMs === Infinity) return;
    this.#lookedAtMs = nowMs;
    const waitMs = Math.min(Math.max(dueMs - nowMs, MIN_LOOK_MS), MAX_LOOK_MS);
    this.#timer = this.#state.scheduler.setTimer(() => this.#look(), waitMs);
  }

  /** Ends the watching. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const hasExpired = this.#nextAfter(this.#lookedAtMs) <= this.#state.wallMs;
    this.start();
    if (hasExpired) this.#onExpired();
  }

  /** The next time after `nowMs` at which entries of tables, or the memtable's last, expire. */
  #nextAfter(nowMs: number): number {
    const { versions, memtable } = this.#state;
    const next = nextExpiryOf(versions.current.tables, nowMs);
    return memtable.latestExpiry > nowMs ? Math.min(next, memtable.latestExpiry) : next;
  }
}
