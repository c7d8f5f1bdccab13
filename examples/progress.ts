/** A progress bar on a terminal, and a line every quarter where output goes to a file or a pipe. */

import process from "node:process";

const barLength = 30;
const redrawMs = 50;

/** Progress of one task, by a quantity such as bytes. */
export class Progress {
  readonly #total: number;
  readonly #startedMs = performance.now();
  #done = 0;
  #drawnMs = -Infinity;
  #quarters = 0;

  /** Starts at 0 of `total`. */
  constructor(total: number) {
    this.#total = total;
  }

  /** Adds to the work that is done; the text of `note` follows the bar. */
  add(amount: number, note: () => string): void {
    this.#done += amount;
    const nowMs = performance.now();
    const isLast = this.#done >= this.#total;
    if (process.stdout.isTTY) {
      if (isLast || nowMs - this.#drawnMs >= redrawMs) {
        this.#drawnMs = nowMs;
        process.stdout.write(`\r${this.#line(note)}\u001b[K`);
      }
    } else if (Math.floor(this.#done / this.#total * 4) > this.#quarters) {
      this.#quarters = Math.floor(this.#done / this.#total * 4);
      process.stdout.write(`${this.#line(note)}\n`);
    }
  }

  /** Ends the line of the bar; returns the milliseconds since the start. */
  finish(): number {
    if (process.stdout.isTTY) process.stdout.write("\n");
    return performance.now() - this.#startedMs;
  }

  #line(note: () => string): string {
    const share = this.#total === 0 ? 1 : Math.min(1, this.#done / this.#total);
    const filled = Math.round(share * barLength);
    const bar = "#".repeat(filled) + ".".repeat(barLength - filled);
    return `  [${bar}] ${String(Math.floor(share * 100)).padStart(3)} %  ${note()}`;
  }
}
