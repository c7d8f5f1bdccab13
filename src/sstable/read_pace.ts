/**
 * Guesses from the last reads whether the next read of a table will come out of the page cache.
 * Awaited gets ask it: a read at once costs about 2 µs. Through a thread and back, it costs ten
 * times as much processor time and a wait, and only helps if the disk is slow (decision 11).
 *
 * No runtime can ask the system for a read that does not wait (Linux has one, RWF_NOWAIT of
 * preadv2). So reads are made at once as long as that saves time. Each fast one saves the cost of
 * an await, and a slow one uses up the savings. When nothing is left, the next reads are awaited,
 * before one is tried at once again. Their number doubles each time that one is slow again: a slow
 * disk holds the event loop for one read in `MIN_AWAITED` at first, and later for one in
 * `MAX_AWAITED`. A single read from the page cache that the system delayed does not use up the
 * savings.
 */

/** Extra CPU time of an awaited read. */
const SAVED_MS = 0.03;
/**
 * The most that can be saved up: slow reads that take longer than this together are attributed to
 * the disk.
 */
const MAX_SAVED_MS = 0.5;
/** How many reads are awaited after a first slow one. */
const MIN_AWAITED = 128;
/** How many are after many slow ones. */
const MAX_AWAITED = 8192;

/** How fast the reads of one store are. */
export class ReadPace {
  readonly #nowMs: () => number;
  /** How many more reads will be awaited. */
  #awaited = 0;
  /** How many will be when the savings are used up. */
  #afterSlow = MIN_AWAITED;
  /** What the reads at once have saved. */
  #savedMs = 0;

  /** Takes the time from a clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Whether the next read is better made at once. */
  mayReadAtOnce(): boolean {
    if (this.#awaited === 0) return true;
    this.#awaited--;
    return false;
  }

  /** The time before a read, for `finish`. */
  start(): number {
    return this.#nowMs();
  }

  /** Notes how long a read at once took. */
  finish(startedMs: number): void {
    const tookMs = this.#nowMs() - startedMs;
    this.#savedMs = Math.min(MAX_SAVED_MS, this.#savedMs + SAVED_MS - tookMs);
    // A negative time: the clock has gone back, and nothing is known.
    if (this.#savedMs >= 0 && tookMs >= 0) {
      this.#afterSlow = MIN_AWAITED;
      return;
    }
    this.#savedMs = 0;
    this.#awaited = this.#afterSlow;
    this.#afterSlow = Math.min(2 * this.#afterSlow, MAX_AWAITED);
  }
}
