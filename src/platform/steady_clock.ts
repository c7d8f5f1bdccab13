/**
 * A clock that cannot stand still. Test runners replace clocks. Bun replaces its own from inside,
 * so a copy of its functions that somebody took before stands still, too. A wait that asks such a
 * clock would never end.
 *
 * As long as the given clock runs, a reading is what it says. If it does not run,
 *
 * - time that was slept counts, whatever the clock says,
 * - after many equal readings each one adds a moment: between two of them some work was done.
 *
 * If a clock goes back, for example because it is no longer replaced, this clock continues from
 * where it was.
 */

/** Up to this number of readings may be equal: no clock of a runtime is so coarse. */
const EQUAL_READINGS = 64;
/** The time that a reading of a clock adds if it stands still. */
const READING_MS = 0.01;

/** The clock that is described above. */
export class SteadyClock {
  readonly #read: () => number;
  readonly #sleep: (durationMs: number) => void;
  #lastRead: number;
  #offsetMs = 0;
  #nowMs: number;
  #equalReadings = 0;

  /** `read` returns milliseconds; `sleep` blocks for a time, whatever part of it `read` shows. */
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
