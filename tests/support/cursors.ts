/** A cursor over a list, which pretends to miss at will, and ways to drive any cursor to its end. */

import {
  AT_END,
  AT_ENTRY,
  emptyEntryView,
  type EntryCursor,
  type EntryView,
  NEEDS_LOAD,
  type Position,
} from "../../src/iterator/entry_cursor.ts";
import { compareKeys, dataViewOf, type PlainEntry, plainOf, textOf, viewOf } from "./entries.ts";

/** Says whether a move is to pretend that something is missing. */
export type Misses = () => boolean;

/** Walks entries that are sorted by key. Its `entry` is another object after every move. */
export class ListCursor implements EntryCursor {
  entry: EntryView = emptyEntryView();
  /** Loads so far. */
  loads = 0;
  readonly #entries: readonly PlainEntry[];
  readonly #reverse: boolean;
  readonly #misses: Misses;
  #at = -1;
  #isMissing = false;

  constructor(entries: readonly PlainEntry[], reverse: boolean, misses: Misses = () => false) {
    this.#entries = entries;
    this.#reverse = reverse;
    this.#misses = misses;
  }

  seekToStart(): Position {
    this.#at = this.#reverse ? this.#entries.length - 1 : 0;
    return this.#settle();
  }

  seek(key: DataView, start: number, end: number): Position {
    const wanted = new Uint8Array(key.buffer, key.byteOffset + start, end - start);
    const at = this.#entries.findIndex((entry) => compareKeys(entry.key, wanted) >= 0);
    const bound = at < 0 ? this.#entries.length : at;
    this.#at = this.#reverse ? bound - 1 : bound;
    return this.#settle();
  }

  advance(): Position {
    if (this.#isMissing) throw new Error("advance() although a load is due");
    this.#at += this.#reverse ? -1 : 1;
    return this.#settle();
  }

  loadSync(): void {
    if (!this.#isMissing) throw new Error("loadSync() although nothing is missing");
    this.loads++;
    this.#isMissing = false;
  }

  async load(): Promise<void> {
    await Promise.resolve();
    this.loadSync();
  }

  resume(): Position {
    if (this.#isMissing) throw new Error("resume() before the load");
    return this.#settle();
  }

  #settle(): Position {
    if (this.#misses()) {
      this.#isMissing = true;
      return NEEDS_LOAD;
    }
    this.#isMissing = false;
    const entry = this.#entries[this.#at];
    if (entry === undefined) return AT_END;
    this.entry = viewOf(entry);
    return AT_ENTRY;
  }
}

/** Goes on until the answer is not `NEEDS_LOAD`. */
export function settleSync(cursor: EntryCursor, position: Position): Position {
  while (position === NEEDS_LOAD) {
    cursor.loadSync();
    position = cursor.resume();
  }
  return position;
}

/** As `settleSync`. */
export async function settle(cursor: EntryCursor, position: Position): Promise<Position> {
  while (position === NEEDS_LOAD) {
    await cursor.load();
    position = cursor.resume();
  }
  return position;
}

/** From where a walk starts: the start in its direction, or a key. */
export type From = Uint8Array | undefined;

function begin(cursor: EntryCursor, from: From): Position {
  return from === undefined ? cursor.seekToStart() : cursor.seek(dataViewOf(from), 0, from.length);
}

/** All entries from there on, as text; at most `limit`. */
export function drainSync(cursor: EntryCursor, from?: From, limit: number = Infinity): string[] {
  const found: string[] = [];
  let position = settleSync(cursor, begin(cursor, from));
  while (position === AT_ENTRY && found.length < limit) {
    found.push(textOf(plainOf(cursor.entry)));
    position = settleSync(cursor, cursor.advance());
  }
  return found;
}

/** As `drainSync`. */
export async function drain(
  cursor: EntryCursor,
  from?: From,
  limit: number = Infinity,
): Promise<string[]> {
  const found: string[] = [];
  let position = await settle(cursor, begin(cursor, from));
  while (position === AT_ENTRY && found.length < limit) {
    found.push(textOf(plainOf(cursor.entry)));
    position = await settle(cursor, cursor.advance());
  }
  return found;
}

/** What a walk over `sorted` has to show. */
export function expectedWalk(
  sorted: readonly PlainEntry[],
  reverse: boolean,
  from?: From,
): string[] {
  const part = from === undefined ? sorted.slice() : sorted.filter(({ key }) => {
    const order = compareKeys(key, from);
    return reverse ? order < 0 : order >= 0;
  });
  if (reverse) part.reverse();
  return part.map(textOf);
}
