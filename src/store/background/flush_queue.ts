/**
 * Flushes of frozen memtables. The job thread gets the next one before it has finished the first,
 * so that it does not sleep while the first one's table is put in force. Without the thread they
 * are written one by one. They come into force one after another, the oldest first: recovery starts
 * at the log after the newest one that is in force. Their numbers are taken in that order, too,
 * because level 0 is searched by number.
 */

import { flushJob } from "../../compaction/flush_job.ts";
import { MAX_DEAD_PART } from "../../compaction/value_space.ts";
import { isRefusal } from "../../errors.ts";
import { AT_ENTRY } from "../../iterator/entry_cursor.ts";
import type { Memtable } from "../../memtable/memtable.ts";
import { ENTRIES_PER_PAUSE } from "../../platform/pacing.ts";
import { IN_LOG, isInLog, isReference, referredLength } from "../../value/value_reference.ts";
import { RunningTask, syncDirectoryStep, type Task } from "../../platform/task.ts";
import { isOutOfDescriptors } from "../../sstable/handle_pool.ts";
import { newValueFiles } from "../../sstable/value_uses.ts";
import { tableName, valueFileName } from "../../version/file_names.ts";
import type { TableMetadata } from "../../version/table_metadata.ts";
import type { ImmutableMemtable, StoreState } from "../state/store_state.ts";

/**
 * The most flushes that the thread has: one that it works on, and one that it finds when it is
 * done.
 */
const MAX_UNFINISHED = 2;

/** A log with large values. */
interface ValueLog {
  readonly number: number;
  readonly sizeBytes: number;
}

/** The writing of one memtable's table. */
interface Flush {
  readonly immutable: ImmutableMemtable;
  /** The active log when it began. */
  readonly newestLog: number;
  readonly table: RunningTask<TableMetadata | undefined>;
}

/** Writes frozen memtables to tables and puts them in force. */
export class FlushQueue {
  /** Finished flushes. */
  count = 0;
  /** Bytes of tables and value files written by them. */
  writtenBytes = 0;
  readonly #state: StoreState;
  /** Begun and not in force yet, oldest first. */
  #flushes: Flush[] = [];
  /** Puts the first one's table in force. */
  #install: RunningTask<void> | undefined;

  /** Makes the queue of a store. */
  constructor(state: StoreState) {
    this.#state = state;
  }

  /** Tasks in progress, most urgent first. */
  get tasks(): readonly RunningTask<unknown>[] {
    const tasks: RunningTask<unknown>[] = this.#flushes.map(({ table }) => table);
    if (this.#install !== undefined) tasks.unshift(this.#install);
    return tasks.filter(({ isSettled }) => !isSettled);
  }

  /** Starts what can be started; `mayUseThread` says whether the thread has time for it. */
  start(mayUseThread: boolean): void {
    const first = this.#flushes[0];
    if (this.#install === undefined && first?.table.isSettled) {
      this.#install = this.#running(this.#installTask(first));
    }
    const { immutables, jobThread } = this.#state;
    const next = immutables.at(-1 - this.#flushes.length);
    if (next === undefined) return;
    const unfinished = this.#flushes.filter(({ table }) => !table.isSettled);
    if (unfinished.length >= MAX_UNFINISHED) return;
    const inThread = mayUseThread && jobThread?.takesFlush(next.memtable) === true;
    // Two that are written on this thread would only alternate.
    if (unfinished.length > 0 && !inThread) return;
    const { logs, versions } = this.#state;
    // Taken now, not when its turn comes: the next one's numbers are higher.
    const number = versions.newFileNumber();
    const task = inThread
      ? this.#writtenInThread(next, number, versions.newFileNumber())
      : this.#writtenHere(next, number);
    this.#flushes.push({
      immutable: next,
      newestLog: logs.active!.number,
      table: this.#running(task),
    });
  }

  /** Notes what has ended; reports failures, after which nothing more is put in force. */
  settle(onFailure: (error: unknown) => void): void {
    for (const { table } of this.#flushes) if (table.error !== undefined) onFailure(table.error);
    if (!this.#install?.isSettled) return;
    if (this.#install.error !== undefined) return onFailure(this.#install.error);
    this.#install = undefined;
    this.#flushes.shift();
  }

  /**
   * There was no descriptor for some part of it: drops that part, so that `start` begins it again.
   * Flushes after a table that was not written are written again, too: numbers rise with age.
   */
  restart(reason: unknown): void {
    if (this.#install?.error !== undefined) this.#install = undefined;
    const failed = this.#flushes.findIndex(({ table }) => table.error !== undefined);
    if (failed < 0) return;
    for (const { table } of this.#flushes.splice(failed)) {
      if (!table.isSettled) table.cancel(reason);
      else if (table.error === undefined && table.result !== undefined) {
        removeTables(this.#state, [table.result]);
      }
    }
  }

  /** Ends everything; unfinished tables are removed. */
  cancel(reason: unknown): void {
    this.#install?.cancel(reason);
    for (const { table } of this.#flushes) table.cancel(reason);
    this.#install = undefined;
    this.#flushes = [];
  }

  #running<T>(task: Task<T>): RunningTask<T> {
    return new RunningTask(task, (error) => this.#state.fail("a sync", error));
  }

  *#writtenHere(
    immutable: ImmutableMemtable,
    fileNumber: number,
  ): Task<TableMetadata | undefined> {
    const { tableOutput, versions } = this.#state;
    const { memtable } = immutable;
    const newTable = (): number => fileNumber;
    const log = this.#valueLogOf(immutable);
    const sizes = new Map(memtable.valueFiles);
    if (log !== undefined) sizes.set(log.number, log.sizeBytes);
    if (sizes.size === 0) return yield* flushJob(memtable, tableOutput, newTable);
    const keepsLog = log === undefined || isWorthKeeping(log, yield* livingValueBytes(memtable));
    return yield* flushJob(memtable, tableOutput, newTable, {
      sizes,
      newValueFile: keepsLog ? undefined : () => versions.newFileNumber(),
    });
  }

  /** The log of a memtable, if it holds large values. */
  #valueLogOf({ memtable, logNumber }: ImmutableMemtable): ValueLog | undefined {
    return memtable.valueLog === undefined
      ? undefined
      : { number: logNumber, sizeBytes: this.#state.logs.fileSizeOf(logNumber) };
  }

  /**
   * If the thread has no descriptor for its file, this thread writes the table, to the file of the
   * fallback.
   */
  *#writtenInThread(
    immutable: ImmutableMemtable,
    threadFileNumber: number,
    fallbackFileNumber: number,
  ): Task<TableMetadata | undefined> {
    const { jobThread } = this.#state;
    // It may have ended since it was asked.
    const log = this.#valueLogOf(immutable);
    // Values are moved here: with a memtable that is large enough for the thread they are few. The
    // thread does not know the sizes of other files than the log.
    const { memtable } = immutable;
    const isForThread = memtable.valueFiles === undefined &&
      (log === undefined || isWorthKeeping(log, yield* livingValueBytes(memtable)));
    if (isForThread && jobThread?.takesFlush(memtable)) {
      try {
        const flushed = yield* jobThread.flush(memtable, threadFileNumber, log);
        if (flushed !== undefined) return flushed.table;
      } catch (error) {
        // The store can free some of its own descriptors (descriptor_sharing.ts). What the thread
        // wrote is removed.
        if (!isOutOfDescriptors(error)) throw error;
      }
    }
    return yield* this.#writtenHere(immutable, fallbackFileNumber);
  }

  *#installTask({ immutable, newestLog, table }: Flush): Task<void> {
    const { fileSystem, directory, versions, logs } = this.#state;
    const added = table.result;
    // The edit names a log, so the log's name must be durable. A job that has written a table has
    // synced the directory. One of an empty memtable has not: a log of another format version was
    // needed before the first entry came.
    if (added === undefined) yield syncDirectoryStep(fileSystem, directory);
    logs.markNamesDurable(newestLog);
    if (added?.valueUses.some(({ kind }) => kind === IN_LOG)) {
      yield* logs.syncEnded(immutable.logNumber);
    }
    const moved = newValueFiles(
      added === undefined ? [] : [added],
      (number) => versions.values.isUsed(number),
    );
    const nextLog = logs.numberAfter(immutable.logNumber);
    yield* versions.apply({
      lastSequence: immutable.lastSequence,
      log: { number: nextLog, live: true },
      removed: [],
      added: added === undefined ? [] : [{ level: 0, table: added }],
    });
    this.#state.dropImmutable(immutable);
    logs.removeBelow(nextLog, (number) => versions.values.isUsed(number));
    this.count++;
    this.writtenBytes += added?.sizeBytes ?? 0;
    for (const bytes of moved.values()) this.writtenBytes += bytes;
  }
}

/** Whether a log has few enough dead bytes to be kept for its values. */
function isWorthKeeping({ sizeBytes }: ValueLog, livingBytes: number): boolean {
  return sizeBytes - livingBytes <= MAX_DEAD_PART * livingBytes;
}

/** Bytes that a memtable's newest entries refer to in its log. */
function* livingValueBytes(memtable: Memtable): Task<number> {
  // Nothing was written twice.
  const isSimple = memtable.valueFiles === undefined;
  if (isSimple && memtable.keyCount === memtable.entryCount) return memtable.valueBytes;
  let bytes = 0;
  let entries = 0;
  const cursor = memtable.wholeCursor();
  const { entry } = cursor;
  for (let at = cursor.seekToStart(); at === AT_ENTRY; at = cursor.advance()) {
    const { valueBytes, valueView, valueStart } = entry;
    if (isReference(valueBytes, valueStart) && isInLog(valueBytes, valueStart)) {
      bytes += referredLength(valueBytes, valueView, valueStart);
    }
    if (++entries % ENTRIES_PER_PAUSE === 0) yield undefined;
  }
  return bytes;
}

/** Removes the files of tables that were written and will not come into force. */
export function removeTables(
  { fileSystem, directory, versions }: Pick<StoreState, "fileSystem" | "directory" | "versions">,
  tables: readonly TableMetadata[],
): void {
  const moved = newValueFiles(tables, (number) => versions.values.isUsed(number));
  const names = [
    ...tables.map(({ number }) => tableName(number)),
    ...[...moved.keys()].map(valueFileName),
  ];
  for (const name of names) {
    try {
      fileSystem.removeSync(fileSystem.joinPath(directory, name));
    } catch (error) {
      // The file does no harm; the next open removes it.
      if (!isRefusal(error)) throw error;
    }
  }
}
