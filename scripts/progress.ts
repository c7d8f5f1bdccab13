/**
 * What a long run shows: a line for each file that has ended, with the share done and an estimate
 * of the time left. On a terminal, a line at the bottom says what runs now.
 *
 * The estimate comes from the time that each file took in the last run, which is kept in
 * node_modules.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { root } from "./processes.ts";

const historyPath = path.join(root, "node_modules", ".cache", "tinykvs", "durations.json");
/** Assumed for a file that has never run here. */
const UNKNOWN_SECONDS = 2;

function readHistory(): Record<string, number> {
  try {
    return JSON.parse(readFileSync(historyPath, "utf8"));
  } catch {
    // No history, or a damaged one: then the estimate is a guess, and nothing else depends on it.
    return {};
  }
}

/** Progress of a run of named pieces of work. */
export class Progress {
  readonly #history: Record<string, number> = readHistory();
  readonly #waiting: Set<string>;
  readonly #running = new Set<string>();
  readonly #total: number;
  readonly #started = performance.now();
  readonly #isTerminal = process.stdout.isTTY === true;
  /**
   * Expected seconds of the files that have ended. Their ratio to the real seconds scales the
   * estimate.
   */
  #expectedDone = 0;
  #done = 0;

  /** `names` are all pieces that will run. */
  constructor(names: readonly string[]) {
    this.#waiting = new Set(names);
    this.#total = names.length;
  }

  /** A piece begins. */
  begin(name: string): void {
    this.#running.add(name);
    this.#showRunning();
  }

  /** A piece has ended; `text` is its line. */
  end(name: string, seconds: number, text: string): void {
    this.#running.delete(name);
    this.#waiting.delete(name);
    this.#done++;
    this.#expectedDone += this.#expected(name);
    this.#history[name] = Math.round(seconds * 100) / 100;
    const share = `[${String(this.#done).padStart(String(this.#total).length)}/${this.#total}]`;
    this.print(`${share} ${text}${this.#timeLeft()}`);
    this.#showRunning();
  }

  /** Prints lines above the line that says what runs. */
  print(text: string): void {
    if (this.#isTerminal) process.stdout.write("\r\x1b[2K");
    process.stdout.write(`${text}\n`);
  }

  /** Keeps the durations for the next run. */
  save(): void {
    if (this.#isTerminal) process.stdout.write("\r\x1b[2K");
    mkdirSync(path.dirname(historyPath), { recursive: true });
    writeFileSync(historyPath, JSON.stringify(this.#history));
  }

  #expected(name: string): number {
    return this.#history[name] ?? UNKNOWN_SECONDS;
  }

  #timeLeft(): string {
    if (this.#waiting.size === 0) return "";
    let expected = 0;
    for (const name of this.#waiting) expected += this.#expected(name);
    const elapsed = (performance.now() - this.#started) / 1000;
    const seconds = expected * elapsed / Math.max(1, this.#expectedDone);
    return seconds < 90
      ? `, about ${Math.ceil(seconds)} s left`
      : `, about ${Math.ceil(seconds / 60)} min left`;
  }

  #showRunning(): void {
    if (!this.#isTerminal || this.#running.size === 0) return;
    const width = Math.max(20, (process.stdout.columns ?? 80) - 1);
    process.stdout.write(`\r\x1b[2K${`now: ${[...this.#running].join(", ")}`.slice(0, width)}`);
  }
}
