/** The operations of a run, and the part of them that says how a state came about. */

import type { OperationEvent } from "./fault_operations.ts";

const SHOWN_LINES = 40;

/** What happened so far, one entry an event. */
export class OperationLog {
  readonly #events: OperationEvent[] = [];

  /** Notes an event. */
  add(event: OperationEvent): void {
    this.#events.push(event);
  }

  /**
   * The last lines up to an event. Moments of one operation share a line, and so do writes to one
   * file that follow one another; what an event finds under way is marked.
   */
  text(upTo: number): string {
    const lines: { text: string; first: number; last: number; count: number }[] = [];
    const done = new Map<number, OperationEvent["phase"]>();
    for (let at = 0; at <= upTo && at < this.#events.length; at++) {
      const { index, operation, path, phase } = this.#events[at]!;
      done.set(index, phase);
      const text = `${operation} ${path}`;
      const line = lines.at(-1);
      const isSame = line?.text === text && (line.last === index || operation === "write");
      if (!isSame) lines.push({ text, first: index, last: index, count: 1 });
      else if (line.last !== index) {
        line.last = index;
        line.count++;
      }
    }
    const shown = lines.slice(-SHOWN_LINES).map(({ text, first, last, count }) => {
      const phase = done.get(last);
      const state = phase === "after" || phase === "settle" ? "" : `  (${phase} its effect)`;
      return `  #${first} ${text}${count > 1 ? ` (${count} times)` : ""}${state}`;
    });
    const left = lines.length - shown.length;
    if (left > 0) shown.unshift(`  (${left} lines before)`);
    return shown.join("\n");
  }
}
