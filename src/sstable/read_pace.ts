/**
 * Guesses whether the next read of a table will come out of the page cache, from how long the last ones
 * took. Awaited gets ask: a read that does costs 2 us made at once, and 20 to 40 us of processor time and 65
 * us of waiting through a thread and back, whose only use is that a disk may take its time meanwhile.
 *
 * No runtime can ask the system for a read that does not wait (Linux has one, RWF_NOWAIT of preadv2). So
 * a read is made at once as long as reads made at once were fast; a slow one has the next ones awaited,
 * before it is tried again, and twice as many each time that it is slow again: a slow disk holds
 * the event loop for one read in `MIN_AWAITED` at first, then for one in `MAX_AWAITED`.
 */

/** What the page cache never takes, and no disk is faster than: 16 KiB are copied in 3 us. */
const SLOW_READ_MS = 0.05;
/** How many reads are awaited after a first slow one. */
const MIN_AWAITED = 128;
/** How many are after many slow ones. */
const MAX_AWAITED = 8192;

/** How fast the reads of one store are. */
export class ReadPace {
  readonly #nowMs: () => number;
  /** How many more reads are to be awaited. */
  #awaited = 0;
  /** How many there will be after the next slow one. */
  #afterSlow = MIN_AWAITED;

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

  /** Notes how long a read took that was made at once. */
  finish(startedMs: number): void {
    const tookMs = this.#nowMs() - startedMs;
    // Less than nothing: the clock has gone back, and nothing is known.
    if (tookMs <= SLOW_READ_MS && tookMs >= 0) {
      this.#afterSlow = MIN_AWAITED;
      return;
    }
    this.#awaited = this.#afterSlow;
    this.#afterSlow = Math.min(2 * this.#afterSlow, MAX_AWAITED);
  }
}
