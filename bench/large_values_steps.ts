/** What bench/large_values.ts starts processes for, and what they print. */

import type { Missing } from "./peers/child.ts";

/** What is done in a process. */
export const largeSteps = ["put-sync", "put-await", "get-sync", "get-await", "keys"] as const;

/** What is done in a process. */
export type LargeStep = typeof largeSteps[number];

/** How long something took. */
export interface Taken {
  readonly bytes: number;
  readonly seconds: number;
  /** Of all threads. For puts, closing the store counts, too. */
  readonly processorSeconds: number;
}

/** What a process prints. */
export type LargeOutcome =
  | Missing
  | {
    readonly kind: "measured";
    readonly version: string;
    /** The first time, and for gets the second time. */
    readonly taken: readonly Taken[];
    /** How long listing all keys took, the first time and the median of more. */
    readonly keysMs: readonly number[];
    readonly stallMs: number;
    readonly peakBytes: number;
    /** Bytes for the disk, of files of which this process has changed a page; null if unknown. */
    readonly writtenBytes: number | null;
  };
