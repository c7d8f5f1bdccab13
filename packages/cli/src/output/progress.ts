/** One line on the terminal that shows how far a long task is. */

import { escapeControls } from "../text/escape.ts";
import { bytesText, countOf, countText, durationText } from "../text/numbers.ts";
import type { OutputStream } from "./stream.ts";

/** Milliseconds between two drawings. */
const INTERVAL_MS = 100;
const BAR_COLUMNS = 12;

/** How far a task is. */
export interface ProgressState {
  readonly doneBytes: number;
  /** Undefined or 0 if nobody knows. */
  readonly totalBytes?: number | undefined;
  /** Finished items, such as entries. */
  readonly items?: number | undefined;
  /** How many items there are; the share is of these if the bytes are not known. */
  readonly totalItems?: number | undefined;
  /** What the items are: "entries". */
  readonly unit?: string;
}

/** Shows how far a task is. */
export interface Progress extends Disposable {
  /** Shows a state, if it is time to. Cheap: call it as often as you like. */
  update(state: ProgressState): void;
  /** Removes the line. */
  [Symbol.dispose](): void;
}

/** Shows nothing. */
export const silentProgress: Progress = {
  update: () => {},
  [Symbol.dispose]: () => {},
};

/** A bar with rate, size and the time left. */
export class ProgressBar implements Progress {
  readonly #stream: OutputStream;
  readonly #title: string;
  readonly #now: () => number;
  readonly #startedMs: number;
  #drawnMs = -Infinity;
  #isShown = false;

  constructor(stream: OutputStream, title: string, now: () => number) {
    this.#stream = stream;
    this.#title = title;
    this.#now = now;
    this.#startedMs = now();
  }

  update(state: ProgressState): void {
    const now = this.#now();
    if (now - this.#drawnMs < INTERVAL_MS) return;
    this.#drawnMs = now;
    this.#isShown = true;
    const seconds = (now - this.#startedMs) / 1000;
    const line = progressLine(this.#title, state, seconds, this.#stream.columns - 1);
    void this.#stream.write(`\r\x1b[K${line}`);
  }

  [Symbol.dispose](): void {
    if (this.#isShown) void this.#stream.write("\r\x1b[K");
    this.#isShown = false;
  }
}

/** The text of the line. What does not fit into `columns` is left out, from the end. */
export function progressLine(
  title: string,
  state: ProgressState,
  seconds: number,
  columns: number,
): string {
  const { doneBytes, totalBytes = 0, items = 0, totalItems = 0, unit } = state;
  const [done, total] = totalBytes > 0 ? [doneBytes, totalBytes] : [items, totalItems];
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const parts: string[] = [];
  if (total > 0) {
    const full = Math.round(share * BAR_COLUMNS);
    const bar = "█".repeat(full) + "░".repeat(BAR_COLUMNS - full);
    parts.push(`${bar} ${Math.floor(share * 100).toString().padStart(3)} %`);
  }
  if (doneBytes > 0) {
    parts.push(
      totalBytes > 0 ? `${bytesText(doneBytes)} of ${bytesText(totalBytes)}` : bytesText(doneBytes),
      `${bytesText(seconds > 0 ? doneBytes / seconds : 0)}/s`,
    );
  }
  // The first moments say little about the rate.
  if (seconds > 1 && share > 0 && share < 1) {
    parts.push(`${durationText(seconds * (1 / share - 1))} left`);
  }
  if (items > 0) {
    parts.push(
      unit === undefined ? countOf(items, "entry", "entries") : `${countText(items)} ${unit}`,
    );
  }
  if (items > 0 && doneBytes === 0 && seconds > 0) parts.push(`${countText(items / seconds)}/s`);
  let line = escapeControls(title);
  for (const part of parts) {
    if (line.length + 2 + part.length > columns) break;
    line += `  ${part}`;
  }
  return line;
}
