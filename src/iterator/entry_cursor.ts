/**
 * The cursor protocol: how everything that holds sorted entries is walked.
 *
 * Memtables, tables, levels and merges of them implement it; nothing above knows which one it has.
 * Moving is synchronous and pure over what is in memory. Where a block or an index is not, a move
 * answers `NEEDS_LOAD`: the driver calls `loadSync()`, or awaits `load()`, then `resume()`, until
 * the answer is another one. So one implementation serves `for...of` and `for await` (D4 in the
 * design), and no Promise is made for an entry that is already here.
 *
 * A cursor shows each user key at most once, with the newest version that its view may see;
 * tombstones are shown (a value of the tombstone type) and are dropped by whoever may drop them.
 * Shown bytes are views, valid until the next call on the cursor.
 */

/** There is no (further) entry in that direction. */
export const AT_END = 0;
/** The cursor stands on an entry. */
export const AT_ENTRY = 1;
/** Something must be loaded before the move can finish. */
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
  /** Loads what the last move missed. */
  loadSync(): void;
  /** Loads what the last move missed, several pieces at a time where several are missing. */
  load(): Promise<void>;
  /** Goes on with the move that answered `NEEDS_LOAD`, after a load. */
  resume(): Position;
  /**
   * Gives back what it holds in memory; it stands nowhere then. Who drops a cursor without it leaves
   * that to the garbage collector.
   */
  release?(): void;
}

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

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
