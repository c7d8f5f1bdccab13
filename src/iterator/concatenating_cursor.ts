/**
 * Walks sorted sources that do not overlap, one after another: the tables of a level. It makes a
 * source's cursor when it reaches the source, so a scan opens only the tables that it passes.
 */

import {
  AT_END,
  emptyEntryView,
  type EntryCursor,
  type EntryView,
  type Position,
} from "./entry_cursor.ts";
import type { EntryRun, RunBound } from "./entry_run.ts";

/** Sources in key order. */
export interface OrderedSources {
  /** How many there are. */
  readonly count: number;
  /** A new cursor over source `index`, in the direction of the concatenation. */
  cursorAt(index: number): EntryCursor;
  /** The first source whose largest key is at or after the given one, or `count`. */
  indexFor(key: DataView, start: number, end: number): number;
}

/** One cursor over ordered sources. */
export class ConcatenatingCursor implements EntryCursor {
  entry: EntryView = emptyEntryView();
  readonly #sources: OrderedSources;
  readonly #reverse: boolean;
  #index = 0;
  #current: EntryCursor | undefined;

  /** Makes a cursor without a position. */
  constructor(sources: OrderedSources, reverse: boolean) {
    this.#sources = sources;
    this.#reverse = reverse;
  }

  seekToStart(): Position {
    return this.#startAt(this.#reverse ? this.#sources.count - 1 : 0);
  }

  seek(key: DataView, start: number, end: number): Position {
    const index = this.#sources.indexFor(key, start, end);
    if (index >= this.#sources.count) {
      return this.#reverse ? this.#startAt(index - 1) : this.#startAt(index);
    }
    this.#open(index);
    return this.#settle(this.#current!.seek(key, start, end));
  }

  advance(): Position {
    return this.#settle(this.#current!.advance());
  }

  takeRun(run: EntryRun, bound: RunBound | undefined): number {
    return this.#current!.takeRun(run, bound);
  }

  skip(count: number): void {
    this.#current!.skip(count);
    this.entry = this.#current!.entry;
  }

  loadSync(): void {
    this.#current!.loadSync();
  }

  load(): Promise<void> {
    return this.#current!.load();
  }

  resume(): Position {
    return this.#settle(this.#current!.resume());
  }

  release(): void {
    this.#current?.release?.();
  }

  #startAt(index: number): Position {
    if (index < 0 || index >= this.#sources.count) {
      this.#current?.release?.();
      this.#current = undefined;
      return AT_END;
    }
    this.#open(index);
    return this.#settle(this.#current!.seekToStart());
  }

  #open(index: number): void {
    this.#current?.release?.();
    this.#index = index;
    this.#current = this.#sources.cursorAt(index);
  }

  /** Continues with the next source if one has ended. */
  #settle(position: Position): Position {
    while (position === AT_END) {
      const index = this.#index + (this.#reverse ? -1 : 1);
      if (index < 0 || index >= this.#sources.count) return AT_END;
      this.#open(index);
      position = this.#current!.seekToStart();
    }
    this.entry = this.#current!.entry;
    return position;
  }
}
