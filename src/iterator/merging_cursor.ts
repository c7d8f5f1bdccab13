/**
 * Merges sorted cursors into one: the heart of scans and of compaction.
 *
 * The sources are given newest first. If several hold the same key, the newest one's entry is shown
 * and the others are skipped. The sources that show an entry are sorted by key (and age). As long
 * as the same source stays first, which is the common case, a move costs one comparison. With one
 * source it costs none.
 */

import { compareRanges } from "../bytes/compare.ts";
import {
  AT_END,
  AT_ENTRY,
  emptyEntryView,
  type EntryCursor,
  type EntryView,
  NEEDS_LOAD,
  type Position,
  singleRun,
} from "./entry_cursor.ts";
import type { EntryRun, RunBound } from "./entry_run.ts";

/** A merged view of `sources`, newest first, all of the same direction. */
export class MergingCursor implements EntryCursor {
  entry: EntryView = emptyEntryView();
  readonly #sources: readonly EntryCursor[];
  readonly #sign: number;
  /** Indexes of the sources that show an entry, in their order. */
  readonly #order: Int32Array;
  #active = 0;
  /** How many sources after the first one show the same key. */
  #ties = 0;
  /** Sources whose last move waits for a load. */
  readonly #pending: number[] = [];
  /** The key of the second source: a run of the first one ends before it. */
  readonly #next: RunBound;

  /** Makes a cursor without a position. */
  constructor(sources: readonly EntryCursor[], reverse: boolean) {
    this.#sources = sources;
    this.#sign = reverse ? -1 : 1;
    this.#order = new Int32Array(sources.length);
    this.#next = { view: this.entry.keyView, start: 0, end: 0, isIncluded: false };
  }

  /** Index among the sources of the one whose entry is shown. */
  get frontSource(): number {
    return this.#order[0]!;
  }

  seekToStart(): Position {
    this.#reset();
    for (let i = 0; i < this.#sources.length; i++) {
      this.#accept(i, this.#sources[i]!.seekToStart());
    }
    return this.#settle();
  }

  seek(key: DataView, start: number, end: number): Position {
    this.#reset();
    for (let i = 0; i < this.#sources.length; i++) {
      this.#accept(i, this.#sources[i]!.seek(key, start, end));
    }
    return this.#settle();
  }

  advance(): Position {
    const order = this.#order;
    const sources = this.#sources;
    if (this.#active === 1) {
      const front = order[0]!;
      const position = sources[front]!.advance();
      if (position === AT_ENTRY) {
        this.entry = sources[front]!.entry;
        return AT_ENTRY;
      }
      this.#active = 0;
      if (position === NEEDS_LOAD) this.#pending.push(front);
      return this.#settle();
    }
    if (this.#ties === 0) {
      const front = order[0]!;
      const position = sources[front]!.advance();
      if (position === AT_ENTRY) {
        const comparison = this.#compare(front, order[1]!);
        if (comparison < 0) {
          this.entry = sources[front]!.entry;
          return AT_ENTRY;
        }
        this.#takeFront();
        this.#place(front);
      } else {
        this.#takeFront();
        if (position === NEEDS_LOAD) this.#pending.push(front);
      }
      return this.#settle();
    }
    let count = this.#ties + 1;
    this.#ties = 0;
    const moved: number[] = [];
    while (count-- > 0) moved.push(this.#takeFront());
    for (const source of moved) this.#accept(source, sources[source]!.advance());
    return this.#settle();
  }

  takeRun(run: EntryRun, bound: RunBound | undefined): number {
    const front = this.#sources[this.#order[0]!]!;
    if (this.#active === 1) return front.takeRun(run, bound);
    // The other sources have to move with this entry, so it is alone.
    if (this.#ties > 0) return singleRun(this.entry, bound, this.#sign);
    const other = this.#sources[this.#order[1]!]!.entry;
    if (bound !== undefined) {
      const { view, start, end } = bound;
      const order = compareRanges(other.keyView, other.keyStart, other.keyEnd, view, start, end);
      if (this.#sign * order > 0) return front.takeRun(run, bound);
    }
    const next = this.#next;
    next.view = other.keyView;
    next.start = other.keyStart;
    next.end = other.keyEnd;
    return front.takeRun(run, next);
  }

  skip(count: number): void {
    const front = this.#sources[this.#order[0]!]!;
    front.skip(count);
    this.entry = front.entry;
  }

  loadSync(): void {
    for (const source of this.#pending) this.#sources[source]!.loadSync();
  }

  async load(): Promise<void> {
    if (this.#pending.length === 1) return await this.#sources[this.#pending[0]!]!.load();
    const results = await Promise.allSettled(
      this.#pending.map((source) => this.#sources[source]!.load()),
    );
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  resume(): Position {
    const pending = this.#pending.splice(0);
    for (const source of pending) this.#accept(source, this.#sources[source]!.resume());
    return this.#settle();
  }

  release(): void {
    this.#reset();
    for (const source of this.#sources) source.release?.();
  }

  #reset(): void {
    this.#active = 0;
    this.#ties = 0;
    this.#pending.length = 0;
  }

  #accept(source: number, position: Position): void {
    if (position === AT_ENTRY) this.#place(source);
    else if (position === NEEDS_LOAD) this.#pending.push(source);
  }

  #takeFront(): number {
    const order = this.#order;
    const front = order[0]!;
    this.#active--;
    for (let i = 0; i < this.#active; i++) order[i] = order[i + 1]!;
    return front;
  }

  /**
   * Inserts a source among the active ones, after those that come first or are newer on the same
   * key.
   */
  #place(source: number): void {
    const order = this.#order;
    let at = this.#active++;
    while (at > 0) {
      const other = order[at - 1]!;
      const comparison = this.#compare(source, other);
      if (comparison > 0 || (comparison === 0 && source > other)) break;
      order[at] = other;
      at--;
    }
    order[at] = source;
  }

  #settle(): Position {
    if (this.#pending.length > 0) return NEEDS_LOAD;
    if (this.#active === 0) return AT_END;
    const front = this.#order[0]!;
    this.entry = this.#sources[front]!.entry;
    let ties = 0;
    while (ties + 1 < this.#active && this.#compare(front, this.#order[ties + 1]!) === 0) ties++;
    this.#ties = ties;
    return AT_ENTRY;
  }

  #compare(a: number, b: number): number {
    const x = this.#sources[a]!.entry;
    const y = this.#sources[b]!.entry;
    return this.#sign *
      compareRanges(x.keyView, x.keyStart, x.keyEnd, y.keyView, y.keyStart, y.keyEnd);
  }
}
