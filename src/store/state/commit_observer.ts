/**
 * What the write path reports to an observer of commits. Without an observer it reports nothing.
 */

/** Receives reports of commits. No call may throw, or write to the store. */
export interface CommitObserver {
  /**
   * Reports a new commit, which readers see. `bytes[start, end)` holds its operations as in a log
   * record (wal/log_format.ts). They are valid during the call. `lastSequence` is the number of the
   * last operation.
   */
  committed(
    lastSequence: number,
    bytes: Uint8Array,
    view: DataView,
    start: number,
    end: number,
  ): void;
  /** Reports that every commit up to this sequence number is as durable as `walSync` promises. */
  acknowledged(sequence: number): void;
  /** Reports that no more commits will come: the store has failed or is closed. */
  ended(failure: Error | undefined): void;
}
