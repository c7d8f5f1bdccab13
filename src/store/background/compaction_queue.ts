/**
 * Compactions of a store, one at a time: those that callers ask for, then those that the picker
 * finds.
 *
 * The job thread does large merges, if there is one. The queue only starts and ends tasks; the
 * background drives them.
 */

import { type Compaction, editOf, keptTables } from "../../compaction/compaction.ts";
import { mergeJob } from "../../compaction/merge_job.ts";
import { pickCompaction, pickIdleCompaction, planFullCompaction } from "../../compaction/picker.ts";
import { planNeighbours } from "../../compaction/small_tables.ts";
import { planMovedValues } from "../../compaction/value_space.ts";
import { nextExpiryOf } from "../../compaction/tombstones.ts";
import { RunningTask, type Task } from "../../platform/task.ts";
import { isOutOfDescriptors } from "../../sstable/handle_pool.ts";
import type { TableMetadata } from "../../version/table_metadata.ts";
import type { Version } from "../../version/version.ts";
import type { StoreState } from "../state/store_state.ts";
import { newValueFiles } from "../../sstable/value_uses.ts";
import { removeTables } from "./flush_queue.ts";

/** Key range of a manual compaction. */
export interface CompactionRange {
  /** The first key, or undefined for no bound. */
  readonly smallest: DataView | undefined;
  /** The last key, or undefined for no bound. */
  readonly largest: DataView | undefined;
}

/** A compaction that a caller asked for. */
export interface CompactionRequest {
  /** The range to compact. */
  readonly range: CompactionRange;
  /** Whether it has begun. */
  isStarted: boolean;
  /** Whether it has ended. */
  isDone: boolean;
}

/** Starts compactions and puts their tables in force. */
export class CompactionQueue {
  /** Finished compactions, moves included. */
  count = 0;
  /** Bytes of tables read by merges. */
  readBytes = 0;
  /** Bytes of tables written by merges. */
  writtenBytes = 0;
  readonly #state: StoreState;
  readonly #mayUseThread: () => boolean;
  #task: RunningTask<void> | undefined;
  /** Whether the task's edit is being written. */
  #isInstalling = false;
  #requests: CompactionRequest[] = [];
  #isStopped = false;
  /**
   * The version in which the picker found nothing to do, and the one in which it found nothing even
   * when idle.
   */
  #restedVersion: Version | undefined;
  #idleRestedVersion: Version | undefined;
  /** When there may be something to do although the version is the same: entries expire. */
  #restedUntilMs = Infinity;

  /** Makes the queue of a store; `mayUseThread` is asked before each merge. */
  constructor(state: StoreState, mayUseThread: () => boolean) {
    this.#state = state;
    this.#mayUseThread = mayUseThread;
  }

  /** The compaction in progress. */
  get task(): RunningTask<void> | undefined {
    return this.#task;
  }

  /** Whether no more compactions start. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Asks for a compaction of a range down to one table for each key, without tombstones. */
  request(range: CompactionRange): CompactionRequest {
    const request = { range, isStarted: false, isDone: false };
    this.#requests.push(request);
    return request;
  }

  /**
   * Starts the next compaction, if none is in progress. `isIdle` means that there is time for work
   * that is not urgent.
   */
  start(isIdle: boolean): void {
    if (this.#task !== undefined || this.#isStopped) return;
    const task = this.#next(isIdle);
    if (task === undefined) return;
    this.#task = new RunningTask(task, (error) => this.#state.fail("a sync", error));
  }

  /** Notes a task that has ended; reports its failure. */
  settle(onFailure: (error: unknown) => void): void {
    if (!this.#task?.isSettled) return;
    const { error } = this.#task;
    if (error !== undefined) onFailure(error);
    this.#task = undefined;
    if (this.#requests[0]?.isStarted) this.#requests.shift()!.isDone = true;
  }

  /** Forgets the requests. */
  dropRequests(): void {
    this.#requests = [];
  }

  /** Starts no more compactions, and finishes an edit that is being written. */
  stop(): void {
    this.#isStopped = true;
    // The manifest may have the edit already: then later edits must start from it.
    while (this.#isInstalling) this.#task!.driveSync(this.#state.scheduler, 0);
  }

  /** Ends a compaction at its current step; what it has written is removed. */
  cancel(reason: unknown): void {
    this.#task?.cancel(reason);
    this.#task = undefined;
  }

  #next(isIdle: boolean): Task<void> | undefined {
    const state = this.#state;
    const request = this.#requests[0];
    if (request !== undefined) {
      request.isStarted = true;
      return this.#fullCompactionTask(request);
    }
    if (this.#restedUntilMs < Infinity && this.#restedUntilMs <= state.wallMs) {
      this.#restedVersion = undefined;
      this.#idleRestedVersion = undefined;
    }
    const { current } = state.versions;
    if ((isIdle ? this.#idleRestedVersion : this.#restedVersion) === current) return undefined;
    const nowMs = state.wallMs;
    const compaction = isIdle
      ? pickIdleCompaction(current.tables, state.compaction, nowMs)
      : pickCompaction(current.tables, state.compaction, nowMs);
    if (compaction !== undefined) return this.#compactionTask(compaction);
    this.#restedUntilMs = nextExpiryOf(current.tables, nowMs);
    this.#restedVersion = current;
    if (isIdle) this.#idleRestedVersion = current;
    return undefined;
  }

  /** Carries out a merge, in the job thread if it is large enough. */
  *#merged(planned: Compaction): Task<readonly TableMetadata[]> {
    const compaction = { ...planned, nowMs: this.#state.wallMs };
    const { jobThread, tableOutput, versions } = this.#state;
    if (this.#mayUseThread() && jobThread?.takesMerge(compaction)) {
      try {
        return yield* jobThread.merge(compaction);
      } catch (error) {
        // The store can free some of its own descriptors (descriptor_sharing.ts) and do the job
        // itself.
        if (!isOutOfDescriptors(error)) throw error;
      }
    }
    return yield* mergeJob(compaction, tableOutput, () => versions.newFileNumber());
  }

  *#compactionTask(compaction: Compaction): Task<void> {
    const state = this.#state;
    const { inputs } = compaction;
    const tables = compaction.kind === "merge"
      ? yield* this.#merged(compaction)
      : keptTables(compaction);
    const moved = newValueFiles(tables, (number) => state.versions.values.isUsed(number));
    this.#isInstalling = true;
    try {
      yield* state.versions.apply(editOf(compaction, tables));
    } catch (error) {
      // The version in force has not changed, and nobody needs these.
      if (state.isShortage(error) && compaction.kind === "merge") removeTables(state, tables);
      throw error;
    } finally {
      this.#isInstalling = false;
    }
    this.count++;
    if (compaction.kind !== "merge") return;
    for (const input of inputs) {
      for (const table of input.tables) this.readBytes += table.sizeBytes;
    }
    for (const table of tables) this.writtenBytes += table.sizeBytes;
    // A value is moved as it is.
    for (const bytes of moved.values()) {
      this.readBytes += bytes;
      this.writtenBytes += bytes;
    }
  }

  *#fullCompactionTask({ range }: CompactionRequest): Task<void> {
    const { versions, compaction } = this.#state;
    const nowMs = this.#state.wallMs;
    for (const plan of planFullCompaction(versions.current.tables, compaction, range, nowMs)) {
      yield* this.#compactionTask(plan);
    }
    // The result of a merge is smaller than its parts, and may then fit beside the next one.
    for (let before = Infinity; this.#tableCount() < before;) {
      before = this.#tableCount();
      const plans = planNeighbours(versions.current.tables, compaction, range);
      for (const plan of plans) yield* this.#compactionTask(plan);
    }
    for (;;) {
      const plan = planMovedValues(versions.current.tables, compaction);
      if (plan === undefined) return;
      yield* this.#compactionTask(plan);
    }
  }

  #tableCount(): number {
    return this.#state.versions.current.levels.reduce((sum, { length }) => sum + length, 0);
  }
}
