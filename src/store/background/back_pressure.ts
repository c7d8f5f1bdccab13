/**
 * How writers are held back if they are faster than flushes and compactions, so that memory and
 * level 0 stay bounded: the rules, as functions of a few numbers. The background applies them.
 *
 * | waiting memtables              | level 0 tables, in triggers | an acknowledgement          |
 * | ------------------------------ | --------------------------- | --------------------------- |
 * | below `MAX_WAITING_MEMTABLES`  | below `SLOWDOWN_FACTOR`     | comes at once ("go")        |
 * | below `MAX_WAITING_MEMTABLES`  | below `STOP_FACTOR`         | comes a turn later ("slow") |
 * | as many                        | or `STOP_FACTOR`            | waits for fewer ("wait")    |
 *
 * A writer that does not wait for acknowledgements does a share of the work itself, for every
 * `ASSIST_BYTES` that it writes.
 */

import { SLICE_MS } from "../../platform/pacing.ts";

/** Acknowledgements wait while this many memtables wait for their flush. */
const MAX_WAITING_MEMTABLES = 2;
/**
 * One more with a job thread, which has up to two of them: it may lag behind while its code is
 * cold.
 */
const MAX_WAITING_WITH_THREAD = 3;
/** From this number on, a writer that does not wait for acknowledgements flushes itself. */
const HARD_MAX_WAITING_MEMTABLES = 4;
/**
 * Level-0 tables, in multiples of the trigger, at which writers slow down, and at which they stop.
 */
const SLOWDOWN_FACTOR = 3;
const STOP_FACTOR = 5;
/**
 * A synchronous writer does a share of the work for this many bytes that it wrote, and for each
 * memtable.
 */
const ASSIST_BYTES = 64 * 1024;
/** How long such a share takes, normally and if the background is too slow. */
const ASSIST_MS = SLICE_MS;
/** See `ASSIST_MS`. */
export const ASSIST_BEHIND_MS = 6;

/** What a writer does when its write is done. */
export type Pressure = "go" | "slow" | "wait";

/** What the background does: "flushes" while a store is being closed, "nothing" after a failure. */
export type BackgroundWork = "all" | "flushes" | "nothing";

/** What the rules depend on. */
export interface BackPressureOptions {
  /** Number of tables at which level 0 is compacted. */
  readonly l0CompactionTrigger: number;
  /** Bytes at which a memtable is full. */
  readonly memtableSizeBytes: number;
  /** Whether the store has a job thread. */
  readonly hasThread: boolean;
}

/** The rules for one store. */
export class BackPressure {
  readonly #maxWaiting: number;
  readonly #slowdown: number;
  readonly #stop: number;
  readonly #assistBytes: number;

  /** Takes the bounds from the options. */
  constructor({ l0CompactionTrigger, memtableSizeBytes, hasThread }: BackPressureOptions) {
    this.#maxWaiting = hasThread ? MAX_WAITING_WITH_THREAD : MAX_WAITING_MEMTABLES;
    this.#slowdown = l0CompactionTrigger * SLOWDOWN_FACTOR;
    this.#stop = l0CompactionTrigger * STOP_FACTOR;
    this.#assistBytes = Math.min(ASSIST_BYTES, memtableSizeBytes);
  }

  /** What a writer does. Nobody waits for work that is not done. */
  of(waitingMemtables: number, level0Tables: number, work: BackgroundWork): Pressure {
    if (work !== "nothing" && waitingMemtables >= this.#maxWaiting) return "wait";
    if (work === "all" && level0Tables >= this.#stop) return "wait";
    return this.isLevel0High(level0Tables) ? "slow" : "go";
  }

  /** Whether the number of tables of level 0 is so high that writers slow down. */
  isLevel0High(level0Tables: number): boolean {
    return level0Tables >= this.#slowdown;
  }

  /**
   * Whether a synchronous writer must do a share of the work, after `bytes` since the last one.
   * While level 0 is full, it does one for every write, because a program may write little in each
   * of many runs.
   */
  isAssistDue(bytes: number, level0Tables: number): boolean {
    return bytes >= this.#assistBytes || level0Tables >= this.#stop;
  }

  /** How long that share takes. */
  assistMs(waitingMemtables: number, level0Tables: number): number {
    return this.of(waitingMemtables, level0Tables, "all") === "go" ? ASSIST_MS : ASSIST_BEHIND_MS;
  }

  /** Whether a memtable must be flushed before another one may be frozen. */
  mustFlushFirst(waitingMemtables: number): boolean {
    return waitingMemtables >= HARD_MAX_WAITING_MEMTABLES;
  }
}
