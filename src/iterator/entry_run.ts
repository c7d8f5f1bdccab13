/**
 * A run: entries in order that a cursor can show without a call for each, because they lie in one
 * buffer and no entry of another source comes between them. In a block, a run is usually the rest
 * of the block; if sources interleave, it may be one entry.
 *
 * Runs exist because a move costs more than the step itself. Through a merge, a concatenation and a
 * table a move takes ten times as long as a step within a run (docs/decisions/0008-reads.md).
 * Bounds and order are settled once for a run.
 */

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);
const NO_OFFSETS = new Uint32Array(0);

/** Where a run must end. */
export interface RunBound {
  /** The view with the key. */
  view: DataView;
  /** Offset of the key's first byte. */
  start: number;
  /** Offset just past the key's last byte. */
  end: number;
  /** Whether an entry with exactly this key may still belong to the run. */
  isIncluded: boolean;
}

/** Entries of the form u32 key length, key, u32 value length, encoded value, all in one buffer. */
export class EntryRun {
  /** The buffer. */
  bytes: Uint8Array = NO_BYTES;
  /** A view on the same memory. */
  view: DataView = NO_VIEW;
  /** Offsets of entries. */
  offsets: Uint32Array = NO_OFFSETS;
  /** The index in `offsets` of the first entry of the run. */
  first = 0;
  /** From the slot of an entry to that of the next: 1 or -1. */
  step = 1;
}
