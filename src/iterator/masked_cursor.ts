/**
 * Shows the entries of a source that are outside of some spans: those that newer memtables or
 * tables have deleted. It passes a span by a seek, so blocks and tables inside are not read.
 */

import { compareRanges } from "../bytes/compare.ts";
import {
  AT_ENTRY,
  emptyEntryView,
  type EntryCursor,
  type EntryView,
  NEEDS_LOAD,
  type Position,
} from "./entry_cursor.ts";
import type { EntryRun, RunBound } from "./entry_run.ts";
import { type KeySpan, lastSpanFrom } from "./key_spans.ts";

/** A move of a cursor that may pause stops half-way after it has passed this many spans. */
const SPANS_PER_MOVE = 32;

/** A cursor over what some spans leave of a source. */
export class MaskedCursor implements EntryCursor {
  entry: EntryView = emptyEntryView();
  readonly #source: EntryCursor;
  readonly #spans: readonly KeySpan[];
  readonly #reverse: boolean;
  readonly #sign: number;
  /**
   * The end of what is known to be outside of all spans, from the last entry on in the direction
   * of the cursor; undefined if there is no further span.
   */
  #edge: RunBound | undefined;
  #isEdgeKnown = false;
  /** The span that the last move was about to pass when it stopped half-way. */
  #paused: KeySpan | undefined;

  readonly #spansPerMove: number;

  /**
   * Wraps a cursor of the same direction. If it `mayPause`, a move over many spans answers
   * `NEEDS_LOAD` half-way, although there is nothing to load.
   */
  constructor(
    source: EntryCursor,
    spans: readonly KeySpan[],
    reverse: boolean,
    mayPause = false,
  ) {
    this.#spansPerMove = mayPause ? SPANS_PER_MOVE : Infinity;
    this.#source = source;
    this.#spans = spans;
    this.#reverse = reverse;
    this.#sign = reverse ? -1 : 1;
  }

  seekToStart(): Position {
    this.#restart();
    return this.#settle(this.#source.seekToStart());
  }

  seek(key: DataView, start: number, end: number): Position {
    this.#restart();
    const span = this.#spanAtSeek(key, start, end);
    return this.#settle(span === undefined ? this.#source.seek(key, start, end) : this.#pass(span));
  }

  advance(): Position {
    return this.#settle(this.#source.advance());
  }

  takeRun(run: EntryRun, bound: RunBound | undefined): number {
    const edge = this.#edge;
    if (edge === undefined) return this.#source.takeRun(run, bound);
    if (bound === undefined) return this.#source.takeRun(run, edge);
    const order = this.#sign *
      compareRanges(edge.view, edge.start, edge.end, bound.view, bound.start, bound.end);
    const isEdge = order < 0 || (order === 0 && !edge.isIncluded);
    return this.#source.takeRun(run, isEdge ? edge : bound);
  }

  skip(count: number): void {
    this.#source.skip(count);
    this.entry = this.#source.entry;
  }

  loadSync(): void {
    if (this.#paused === undefined) this.#source.loadSync();
  }

  load(): Promise<void> {
    return this.#paused === undefined ? this.#source.load() : Promise.resolve();
  }

  resume(): Position {
    const span = this.#paused;
    this.#paused = undefined;
    return this.#settle(span === undefined ? this.#source.resume() : this.#pass(span));
  }

  release(): void {
    this.#source.release?.();
  }

  #restart(): void {
    this.#isEdgeKnown = false;
    this.#edge = undefined;
    this.#paused = undefined;
  }

  /** Moves to the first entry after a span, in the direction of the cursor. */
  #pass({ lower, upper }: KeySpan): Position {
    const key = this.#reverse ? lower : upper;
    return this.#source.seek(key, 0, key.byteLength);
  }

  #settle(position: Position): Position {
    let left = this.#spansPerMove;
    while (position === AT_ENTRY) {
      const span = this.#spanAtEntry();
      if (span === undefined) {
        this.entry = this.#source.entry;
        return AT_ENTRY;
      }
      if (left-- === 0) {
        this.#paused = span;
        return NEEDS_LOAD;
      }
      position = this.#pass(span);
    }
    return position;
  }

  /** The span that holds the source's entry, or undefined. Then it notes where the next one is. */
  #spanAtEntry(): KeySpan | undefined {
    const { keyView, keyStart, keyEnd } = this.#source.entry;
    if (this.#isEdgeKnown) {
      const edge = this.#edge;
      if (edge === undefined) return undefined;
      const order = this.#sign *
        compareRanges(keyView, keyStart, keyEnd, edge.view, edge.start, edge.end);
      if (order < 0 || (order === 0 && edge.isIncluded)) return undefined;
    }
    const spans = this.#spans;
    const at = lastSpanFrom(spans, keyView, keyStart, keyEnd);
    const before = spans[at];
    if (before !== undefined) {
      const { upper } = before;
      if (compareRanges(keyView, keyStart, keyEnd, upper, 0, upper.byteLength) < 0) {
        this.#isEdgeKnown = false;
        return before;
      }
    }
    const key = this.#reverse ? before?.upper : spans[at + 1]?.lower;
    this.#edge = key && { view: key, start: 0, end: key.byteLength, isIncluded: this.#reverse };
    this.#isEdgeKnown = true;
    return undefined;
  }

  /** The span in which a seek to a key would begin, or undefined. */
  #spanAtSeek(key: DataView, start: number, end: number): KeySpan | undefined {
    const span = this.#spans[lastSpanFrom(this.#spans, key, start, end)];
    if (span === undefined) return undefined;
    const { lower, upper } = span;
    // In reverse, the entries before the key count.
    if (this.#reverse && compareRanges(key, start, end, lower, 0, lower.byteLength) === 0) {
      return undefined;
    }
    const order = compareRanges(key, start, end, upper, 0, upper.byteLength);
    return order < 0 || (order === 0 && this.#reverse) ? span : undefined;
  }
}
