/**
 * The cursor protocol: how everything that holds sorted entries is walked.
 *
 * Memtables, tables, levels and merges of them implement it; nothing above knows which one it has.
 * Moving is synchronous, and pure over what is in memory. If a block or an index is not in memory,
 * a move answers `NEEDS_LOAD`. The driver then calls `loadSync()`, or awaits `load()`, and calls
 * `resume()`, until it gets another answer. So one implementation serves `for...of` and
 * `for await`, and no Promise is made for an entry that is already here.
 *
 * A cursor shows each user key at most once, with the newest version that its view may see. It
 * shows tombstones (values of the tombstone type); a caller that may drop them does so. Shown bytes
 * are views, valid until the next call on the cursor.
 *
 * Long walks use runs (entry_run.ts). `takeRun` says how many entries can be taken from memory,
 * from the shown one on. After these, `skip` moves to the last of them, and `advance` continues.
 * The bytes of a run stay unchanged until the cursor is moved, whatever is written to the store
 * meanwhile.
 */

import { compareRanges } from "../bytes/compare.ts";
import type { EntryRun, RunBound } from "./entry_run.ts";

/** There is no entry, or no further one, in that direction. */
export const AT_END = 0;
/** The cursor shows an entry. */
export const AT_ENTRY = 1;
/**
 * Something must be loaded before the move can finish, or the move has skipped so much that its
 * caller should check signals and turns before it continues: then a load does nothing.
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
  /** Offset just past the key's last byte. */
  keyEnd: number;
  /** The buffer that holds the encoded value. */
  valueBytes: Uint8Array;
  /** A DataView on the same memory as `valueBytes`, with the same offsets. */
  valueView: DataView;
  /** Offset of the encoded value's first byte, its type. */
  valueStart: number;
  /** Offset just past the encoded value's last byte. */
  valueEnd: number;
}

/**
 * A cursor over sorted entries, in one direction that is fixed when it is made: forward from the
 * smallest key, or in reverse from the largest. After a failed load only a new seek is allowed.
 */
export interface EntryCursor {
  /** The current entry; meaningful only after an answer of `AT_ENTRY`. */
  readonly entry: EntryView;
  /** Moves to the first entry in its direction. */
  seekToStart(): Position;
  /**
   * Forward: moves to the first entry with a key at or after `key[start, end)`. In reverse: to the
   * last entry with a key before it. The key must stay unchanged until the move is finished.
   */
  seek(key: DataView, start: number, end: number): Position;
  /** Moves to the next entry in its direction; the cursor must show one. */
  advance(): Position;
  /**
   * The number of entries, from the shown one on, that come before `bound` and can be taken as a
   * run: 0 if the shown one does not come before it. If it is more than one, `run` points at them.
   * The cursor stays.
   */
  takeRun(run: EntryRun, bound: RunBound | undefined): number;
  /** Moves by `count` entries within the last run. */
  skip(count: number): void;
  /** Loads what the last move missed. */
  loadSync(): void;
  /** Loads what the last move missed, several pieces at once if several are missing. */
  load(): Promise<void>;
  /** Continues the move that answered `NEEDS_LOAD`, after a load. */
  resume(): Position;
  /**
   * Releases the memory that it holds. After that it has no position and must not be moved. A load
   * that is under way then has no effect. Without this call the cursor's blocks are lost to their
   * cache.
   */
  release?(): void;
}

/**
 * A source that goes through entries once, from the first to the last, with everything in memory.
 */
export type EntrySequence = Pick<EntryCursor, "entry" | "seekToStart" | "advance">;

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

/** Replaces a value that exists but is not read, since the walk needs only keys. */
const UNREAD_VALUE = Uint8Array.of(0);
const UNREAD_VIEW = new DataView(UNREAD_VALUE.buffer);

/** Makes `into` show a key without reading its value, which is not a tombstone. */
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

/** A view of nothing, for a cursor's field before the first move. */
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
 * Whether the entry comes before the bound, in the given direction: 1 forward, -1 in reverse. This
 * is the run of a cursor that has no longer ones.
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
