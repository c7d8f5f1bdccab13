/**
 * A clock that cannot stand still. Test runners replace clocks (Bun's its own, from inside, whoever took
 * them and when), and budgets and waits that ask one which stands still would never end.
 *
 * A reading is what the given clock says as long as it runs. Where it does not,
 * - time that was slept counts, whatever the clock says of it,
 * - after many equal readings each one takes a moment: between two of them some work was done.
 *
 * A clock that goes back, as one does that is no longer replaced, goes on from where it was.
 */

/** So many readings may be equal: no clock of a runtime is so coarse. */
const EQUAL_READINGS = 64;
/** What a reading of a clock that stands still takes. */
const READING_MS = 0.01;

/** See above. */
export class SteadyClock {
  readonly #read: () => number;
  readonly #sleep: (durationMs: number) => void;
  #lastRead: number;
  #offsetMs = 0;
  #nowMs: number;
  #equalReadings = 0;

  /** `read` gives milliseconds; `sleep` blocks for so long, however much `read` shows of it. */
  constructor(read: () => number, sleep: (durationMs: number) => void) {
    this.#read = read;
    this.#sleep = sleep;
    this.#lastRead = read();
    this.#nowMs = this.#lastRead;
  }

  /** Milliseconds with an arbitrary origin; never less than the last time. */
  nowMs(): number {
    const read = this.#read();
    if (read < this.#lastRead) this.#offsetMs += this.#lastRead - read;
    this.#lastRead = read;
    const nowMs = read + this.#offsetMs;
    if (nowMs > this.#nowMs) {
      this.#nowMs = nowMs;
      this.#equalReadings = 0;
    } else if (++this.#equalReadings > EQUAL_READINGS) {
      this.#nowMs += READING_MS;
    }
    return this.#nowMs;
  }

  /** Blocks the thread for `durationMs`, and counts them. */
  sleepSync(durationMs: number): void {
    const endMs = this.nowMs() + durationMs;
    this.#sleep(durationMs);
    const missingMs = endMs - this.nowMs();
    if (missingMs <= 0) return;
    this.#offsetMs += missingMs;
    this.#nowMs = endMs;
  }
}
