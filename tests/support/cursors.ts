/**
 * A cursor over a list, which pretends to miss at will, and ways to drive any cursor to its end.
 */

import {
  AT_END,
  AT_ENTRY,
  emptyEntryView,
  type EntryCursor,
  type EntryView,
  NEEDS_LOAD,
  type Position,
  singleRun,
} from "../../src/iterator/entry_cursor.ts";
import { EntryRun, type RunBound } from "../../src/iterator/entry_run.ts";
import {
  compareKeys,
  dataViewOf,
  type EncodedEntry,
  encodeEntry,
  type PlainEntry,
  plainOf,
  textOf,
  viewOf,
} from "./entries.ts";

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

  takeRun(run: EntryRun, bound: RunBound | undefined): number {
    const step = this.#reverse ? -1 : 1;
    const encoded: EncodedEntry[] = [];
    for (let at = this.#at; this.#entries[at] !== undefined; at += step) {
      if (singleRun(viewOf(this.#entries[at]!), bound, step) === 0) break;
      encoded.push(encodeEntry(this.#entries[at]!));
    }
    run.offsets = new Uint32Array(encoded.length + 1);
    encoded.forEach(({ end }, i) => run.offsets[i + 1] = run.offsets[i]! + end);
    run.bytes = new Uint8Array(run.offsets[encoded.length]!);
    encoded.forEach(({ bytes }, i) => run.bytes.set(bytes, run.offsets[i]));
    run.view = dataViewOf(run.bytes);
    run.first = 0;
    run.step = 1;
    return encoded.length;
  }

  skip(count: number): void {
    this.#at += this.#reverse ? -count : count;
    this.entry = viewOf(this.#entries[this.#at]!);
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

/** Where a walk starts: the start in its direction, or a key. */
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

/** As `drainSync`, a run at a time and up to a bound; notes the length of each run in `lengths`. */
export function drainRunsSync(
  cursor: EntryCursor,
  from?: From,
  bound?: RunBound,
  lengths: number[] = [],
): string[] {
  const found: string[] = [];
  const run = new EntryRun();
  let position = settleSync(cursor, begin(cursor, from));
  while (position === AT_ENTRY) {
    const count = cursor.takeRun(run, bound);
    if (count === 0) break;
    lengths.push(count);
    const taken = [textOf(plainOf(cursor.entry))];
    for (let i = 0; count > 1 && i < count; i++) {
      const at = run.offsets[run.first + i * run.step]!;
      const keyEnd = at + 4 + run.view.getUint32(at, true);
      const valueEnd = keyEnd + 4 + run.view.getUint32(keyEnd, true);
      const key = run.bytes.slice(at + 4, keyEnd);
      taken[i] = textOf({ key, value: run.bytes.slice(keyEnd + 4, valueEnd) });
    }
    cursor.skip(count - 1);
    if (textOf(plainOf(cursor.entry)) !== taken.at(-1)) throw new Error("skip() went elsewhere");
    found.push(...taken);
    position = settleSync(cursor, cursor.advance());
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

/** Moves a cursor to the last of the entries of its run. */
export function skipEntries(cursor: EntryCursor, count: number): void {
  if (count > 0) cursor.skip(count);
}
