/** What the write path tells whoever watches commits. Nothing is told while nobody does. */

/** Whoever is told. No call may throw, or write to the store. */
export interface CommitObserver {
  /**
   * A commit was made, and readers see it. `bytes[start, end)` are its operations as in a log
   * record (wal/log_format.ts), valid during the call; `lastSequence` is the number of the last
   * one.
   */
  committed(
    lastSequence: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void;
  /** Every commit up to this sequence number is as durable as `walSync` promises. */
  acknowledged(sequence: number): void;
  /** No commit comes any more: the store has failed, or is closed. */
  ended(failure: Error | undefined): void;
}
