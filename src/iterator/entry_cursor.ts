/**
 * The cursor protocol: how everything that holds sorted entries is walked.
 *
 * Memtables, tables, levels and merges of them implement it; nothing above knows which one it has.
 * Moving is synchronous and pure over what is in memory. Where a block or an index is not, a move
 * answers `NEEDS_LOAD`: the driver calls `loadSync()`, or awaits `load()`, then `resume()`, until
 * the answer is another one. So one implementation serves `for...of` and `for await`,
 * and no Promise is made for an entry that is already here.
 *
 * A cursor shows each user key at most once, with the newest version that its view may see;
 * tombstones are shown (a value of the tombstone type) and are dropped by whoever may drop them.
 * Shown bytes are views, valid until the next call on the cursor.
 *
 * Who walks far takes runs (entry_run.ts): `takeRun` says how many entries can be taken from memory, from
 * the shown one on; `skip` moves to the last of them when they are used up, and `advance` goes on. What a
 * run points at stays as it is until the cursor is moved, whatever is written to the store meanwhile.
 */

import { compareRanges } from "../bytes/compare.ts";
import type { EntryRun, RunBound } from "./entry_run.ts";

/** There is no (further) entry in that direction. */
export const AT_END = 0;
/** The cursor stands on an entry. */
export const AT_ENTRY = 1;
/**
 * Something must be loaded before the move can finish, or the move has skipped so much that its caller
 * should look around before it goes on: then a load does nothing.
 */
export const NEEDS_LOAD = 2;

/** The answer of a move. */
export type Position = typeof AT_END | typeof AT_ENTRY | typeof NEEDS_LOAD;

/** Where an entry's bytes are. Key and value may lie in different buffers. */
export interface EntryView {
  /** The buffer that holds the key. */
  keyBytes: Uint8Array;
  /** A DataView on the same memory as `keyBytes`, with the same offsets. */
  keyView: DataView;
  /** Offset of the key's first byte. */
  keyStart: number;
  /** Offset behind the key's last byte. */
  keyEnd: number;
  /** The buffer that holds the encoded value. */
  valueBytes: Uint8Array;
  /** A DataView on the same memory as `valueBytes`, with the same offsets. */
  valueView: DataView;
  /** Offset of the encoded value's first byte, its type. */
  valueStart: number;
  /** Offset behind the encoded value's last byte. */
  valueEnd: number;
}

/**
 * A cursor over sorted entries, in one direction that is fixed when it is made: forward from the
 * smallest key, or in reverse from the largest. After a failed load it may only be sought anew.
 */
export interface EntryCursor {
  /** The entry it stands on; meaningful only after an answer of `AT_ENTRY`. */
  readonly entry: EntryView;
  /** Moves to the first entry in its direction. */
  seekToStart(): Position;
  /**
   * Forward: moves to the first entry with a key at or after `key[start, end)`. In reverse: to the
   * last entry with a key before it. The key must stay untouched until the move is finished.
   */
  seek(key: DataView, start: number, end: number): Position;
  /** Moves to the next entry in its direction; the cursor must stand on one. */
  advance(): Position;
  /**
   * How many entries, from the one it stands on, come before `bound` and can be taken as a run: 0 where
   * the shown one does not. `run` points at them where it is more than one. The cursor stays.
   */
  takeRun(run: EntryRun, bound: RunBound | undefined): number;
  /** Moves by `count` entries within the run that was taken last. */
  skip(count: number): void;
  /** Loads what the last move missed. */
  loadSync(): void;
  /** Loads what the last move missed, several pieces at a time where several are missing. */
  load(): Promise<void>;
  /** Goes on with the move that answered `NEEDS_LOAD`, after a load. */
  resume(): Position;
  /**
   * Gives back what it holds in memory; it stands nowhere then, and is not moved any more. A load that is
   * under way brings nothing then. Without it the blocks that the cursor stands on are lost to their cache.
   */
  release?(): void;
}

/** What goes through entries once, from the first to the last, with everything in memory. */
export type EntrySequence = Pick<EntryCursor, "entry" | "seekToStart" | "advance">;

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

/** Stands for a value that is there, and that nobody who walks over keys only looks at. */
const UNREAD_VALUE = Uint8Array.of(0);
const UNREAD_VIEW = new DataView(UNREAD_VALUE.buffer);

/** Makes `into` show a key whose value was not read: one that is no tombstone. */
export function showKeyAlone(
  into: EntryView,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
): void {
  into.keyBytes = bytes;
  into.keyView = view;
  into.keyStart = start;
  into.keyEnd = end;
  into.valueBytes = UNREAD_VALUE;
  into.valueView = UNREAD_VIEW;
  into.valueStart = 0;
  into.valueEnd = 1;
}

/** A view on nothing, for a cursor's field before the first move. */
export function emptyEntryView(): EntryView {
  return {
    keyBytes: NO_BYTES,
    keyView: NO_VIEW,
    keyStart: 0,
    keyEnd: 0,
    valueBytes: NO_BYTES,
    valueView: NO_VIEW,
    valueStart: 0,
    valueEnd: 0,
  };
}

/**
 * Whether the entry comes before the bound, in the given direction: 1 forward, -1 in reverse. The run of
 * a cursor that knows no longer ones.
 */
export function singleRun(entry: EntryView, bound: RunBound | undefined, sign: number): 0 | 1 {
  if (bound === undefined) return 1;
  const { view, start, end, isIncluded } = bound;
  const order = sign *
    compareRanges(entry.keyView, entry.keyStart, entry.keyEnd, view, start, end);
  return order < 0 || (order === 0 && isIncluded) ? 1 : 0;
}

/** Makes `into` show what `from` shows. */
export function copyEntryView(from: EntryView, into: EntryView): void {
  into.keyBytes = from.keyBytes;
  into.keyView = from.keyView;
  into.keyStart = from.keyStart;
  into.keyEnd = from.keyEnd;
  into.valueBytes = from.valueBytes;
  into.valueView = from.valueView;
  into.valueStart = from.valueStart;
  into.valueEnd = from.valueEnd;
}
