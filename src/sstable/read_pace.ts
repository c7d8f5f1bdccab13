/**
 * Guesses whether the next read of a table will come out of the page cache, from how long the last ones
 * took. Awaited gets ask: a read that does costs 2 us made at once, and 20 to 40 us of processor time and 65
 * us of waiting through a thread and back, whose only use is that a disk may take its time meanwhile.
 *
 * No runtime can ask the system for a read that does not wait (Linux has one, RWF_NOWAIT of preadv2). So
 * reads are made at once as long as that saves time: each fast one saves what it would have cost to await it, and
 * a slow one uses up what was saved. When nothing is left the next ones are awaited, before one is tried at
 * once again, and twice as many each time that it is slow again: a slow disk holds the event loop for one read in
 * `MIN_AWAITED` at first, then for one in `MAX_AWAITED`. A read from the page cache that the system held up is
 * forgiven: one in 300 took over 50 us on a virtual machine, and made a third of all reads wait.
 */

/** What it costs more to await a read, in processor time. */
const SAVED_MS = 0.03;
/** The most that is saved up: slow reads that take longer than this together are put down to the disk. */
const MAX_SAVED_MS = 0.5;
/** How many reads are awaited after a first slow one. */
const MIN_AWAITED = 128;
/** How many are after many slow ones. */
const MAX_AWAITED = 8192;

/** How fast the reads of one store are. */
export class ReadPace {
  readonly #nowMs: () => number;
  /** How many more reads are to be awaited. */
  #awaited = 0;
  /** How many there will be when nothing is left of what was saved. */
  #afterSlow = MIN_AWAITED;
  /** What reads that were made at once have saved. */
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

  /** Notes how long a read took that was made at once. */
  finish(startedMs: number): void {
    const tookMs = this.#nowMs() - startedMs;
    this.#savedMs = Math.min(MAX_SAVED_MS, this.#savedMs + SAVED_MS - tookMs);
    // Less than no time: the clock has gone back, and nothing is known.
    if (this.#savedMs >= 0 && tookMs >= 0) {
      this.#afterSlow = MIN_AWAITED;
      return;
    }
    this.#savedMs = 0;
    this.#awaited = this.#afterSlow;
    this.#afterSlow = Math.min(2 * this.#afterSlow, MAX_AWAITED);
  }
}
