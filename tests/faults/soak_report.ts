/** What soak_child.ts measures and soak_test.ts judges, and the sizes that both have to know. */

/** What was measured. */
export interface SoakReport {
  readonly seconds: number;
  readonly operations: number;
  /** The meter over an idle loop, over a thread that was held for 80 ms, and over the load. */
  readonly idleLagMs: number;
  readonly heldLagMs: number;
  readonly busyLagMs: number;
  /** How many times the loop was held for more than `LONG_LAG_MS`. */
  readonly longLags: number;
  readonly clockLagMs: number;
  readonly ticks: number;
  /**
   * Resident memory before the store was opened, after the first third, and at its highest after
   * that.
   */
  readonly startBytes: number;
  readonly warmBytes: number;
  readonly peakBytes: number;
  /** Handles, files and their bytes at their highest under the load. */
  readonly peakHandles: number;
  readonly peakFiles: number;
  readonly peakDiskBytes: number;
  /**
   * Bytes of the live data, compacted; table files and tables at the end; handles after the close.
   */
  readonly liveBytes: number;
  readonly endFiles: number;
  readonly endTables: number;
  readonly endHandles: number;
  /** Table files that only abandoned cursors kept, before they were collected. */
  readonly pinnedFiles: number;
  readonly flushes: number;
  readonly compactions: number;
  readonly stalls: number;
  readonly stalledMs: number;
  readonly longestWriteMs: number;
  readonly drainMs: number;
  readonly cpuShare: number;
}

/** A lag is long from here on. */
export const LONG_LAG_MS = 50;
/** Size of the store's memtables. */
export const MEMTABLE_BYTES: number = 64 * 1024;
/** Size of its block cache. */
export const CACHE_BYTES: number = 1024 * 1024;
