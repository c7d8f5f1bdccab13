/**
 * Replays the logs that recovery has found into memtables, and writes those to level-0 tables.
 *
 * Entries are taken as far as the logs form one history: what is missing between two of them may
 * only be what was never durable. The log of a foreign store that was taken over comes first, if
 * there is one.
 */

import { flushJob } from "../../compaction/flush_job.ts";
import type { TableOutputOptions } from "../../compaction/table_output.ts";
import {
  CorruptionError,
  corruptionFrom,
  DecodeError,
  isRefusal,
  UnsupportedFormatError,
} from "../../errors.ts";
import { Memtable } from "../../memtable/memtable.ts";
import type { FileSystem } from "../../platform/file_system.ts";
import type { Task } from "../../platform/task.ts";
import { IN_LOG, type ValueReference } from "../../value/value_reference.ts";
import { logName, nameOfValues, tableName, valueFileName } from "../../version/file_names.ts";
import type { AddedTable } from "../../version/version_edit.ts";
import type { VersionSet } from "../../version/version_set.ts";
import { type LogHeader, NEWEST_LOG_VERSION } from "../../wal/log_format.ts";
import { type LogSummary, readLog } from "../../wal/log_reader.ts";
import { LargeValues } from "../state/large_values.ts";
import { endOfKeys, insertOperation, isRange, noteExpiry } from "../state/operations.ts";
import type { ForeignStore } from "./foreign_store.ts";

/** What a replay needs to know. */
export interface ReplayOptions {
  /** The file system. */
  readonly fileSystem: FileSystem;
  /** The store's directory. */
  readonly directory: string;
  /** How recovered tables are written. */
  readonly tableOutput: TableOutputOptions;
  /** Size at which a memtable is flushed. */
  readonly memtableSizeBytes: number;
  /** Whether nothing on disk may be changed. */
  readonly readOnly: boolean;
  /** Encoded values of this size and more are large. */
  readonly largeValueBytes: number;
}

/** Replays logs into memtables, and those into tables. */
export class Replay {
  readonly #options: ReplayOptions;
  readonly #versions: VersionSet;
  readonly #tables: AddedTable[] = [];
  /** Logs to replay; none of them was deleted yet. */
  #logNumbers: readonly number[] = [];
  /** Sequence number of the newest entry so far. */
  lastSequence: number;
  /** Entries that no table has yet. */
  memtable: Memtable;
  /** Logs with large values that the memtable refers to. */
  readonly valueLogs: Set<number> = new Set();
  /** Sizes of the value files that the logs name, by number. */
  readonly valueFiles: Map<number, number> = new Map();
  readonly #large: LargeValues;

  /** Starts after the entry `lastSequence`. */
  constructor(options: ReplayOptions, versions: VersionSet, lastSequence: number) {
    this.#options = options;
    this.#versions = versions;
    this.lastSequence = lastSequence;
    this.memtable = this.#newMemtable();
    this.#large = new LargeValues(options.largeValueBytes);
  }

  /** Replays logs with ascending numbers, as far as they form one history. */
  *run(logNumbers: readonly number[]): Task<void> {
    this.#logNumbers = logNumbers;
    let previous: { name: string; summary: LogSummary } | undefined;
    for (const [at, number] of logNumbers.entries()) {
      const expected = this.lastSequence + 1;
      const summary = yield* this.#read(number, expected);
      if (summary.header?.firstSequence !== expected) {
        // Only a power loss leaves that: older entries are lost that were never durable. Then
        // nothing of this log, or of later ones, was durable either, and the history ends here.
        yield* this.#requireUnsynced(logNumbers.slice(at), previous, expected);
        return;
      }
      previous = { name: logName(number), summary };
    }
  }

  /** Replays the log of a foreign store, which is older than any of ours. */
  *runForeignLog(store: ForeignStore): Task<void> {
    const { fileSystem, directory } = this.#options;
    const path = fileSystem.joinPath(directory, store.logName);
    const handle = fileSystem.openReadSync(path);
    try {
      yield* this.#drive(store.readLog(handle, (bytes, view, start, keyEnd, end) => {
        this.memtable.insert(++this.lastSequence, bytes, view, start, keyEnd, end);
      }));
    } catch (error) {
      throw corruptionFrom(error, store.logTitle, path, 0);
    } finally {
      handle.closeSync();
    }
  }

  /**
   * Writes the rest to a table, and large values to a value file: the logs may not be durable, or
   * have a torn end.
   */
  *flush(): Task<void> {
    const newFileNumber = (): number => this.#versions.newFileNumber();
    const table = yield* flushJob(
      this.memtable,
      this.#options.tableOutput,
      newFileNumber,
      {
        newValueFile: this.valueLogs.size > 0 ? newFileNumber : undefined,
        sizes: this.valueFiles,
      },
    );
    this.valueLogs.clear();
    if (table !== undefined) this.#tables.push({ level: 0, table });
    this.memtable = this.#newMemtable();
  }

  /**
   * Removes the tables again, with the value files that were made for them: nothing refers to them
   * yet, and every attempt would leave more. The next one needs the files that the logs name.
   */
  abandon(): void {
    const { fileSystem, directory } = this.#options;
    const names = this.#tables.flatMap(({ table }) => [
      tableName(table.number),
      ...table.valueUses.filter(({ number }) => !this.valueFiles.has(number))
        .map(({ kind, number }) => nameOfValues(kind, number)),
    ]);
    for (const name of new Set(names)) {
      try {
        fileSystem.removeSync(fileSystem.joinPath(directory, name));
      } catch (error) {
        // The caller has to hear of the failure that led here, not of this one.
        if (!isRefusal(error)) throw error;
      }
    }
  }

  /** Puts the recovered tables in force, in place of the logs. */
  *commit(): Task<void> {
    yield* this.#versions.apply({
      lastSequence: this.lastSequence,
      log: { number: this.#versions.newFileNumber(), live: false },
      removed: [],
      added: this.#tables,
    });
  }

  /** Reads a log, and applies its entries if the first has the expected sequence number. */
  *#read(number: number, expected: number | undefined): Task<LogSummary> {
    const { fileSystem, directory } = this.#options;
    const path = fileSystem.joinPath(directory, logName(number));
    let next: number | undefined;
    let isFirst = true;
    const handle = fileSystem.openReadSync(path);
    try {
      const reading = readLog(
        handle,
        this.#versions.storeId,
        number,
        (sequence, bytes, view, start, keyEnd, end, position) => {
          if (isFirst && sequence === expected) next = sequence;
          isFirst = false;
          if (sequence !== next) return;
          next++;
          const entry = [bytes, view, start, keyEnd, end] as const;
          if (isRange(bytes, start)) {
            insertOperation(this.memtable, sequence, ...entry, () => this.#endOfKeys());
          } else {
            noteExpiry(this.memtable, bytes, view, keyEnd);
            const large = this.#large.insert(this.memtable, sequence, ...entry, number, position);
            if (large?.kind === IN_LOG) this.valueLogs.add(number);
            else if (large !== undefined) this.#noteFile(large);
          }
          this.lastSequence = sequence;
        },
        (header) => this.#mayBeStale(number, header),
      );
      const found = yield* this.#drive(reading);
      if ("version" in found) {
        throw new UnsupportedFormatError(
          path,
          `log version ${found.version}`,
          `log versions up to ${NEWEST_LOG_VERSION}`,
        );
      }
      if (found.header === undefined && this.#isProven(number)) {
        throw new DecodeError("the header is missing, although it was durable", 0);
      }
      return found;
    } catch (error) {
      throw corruptionFrom(error, "the write-ahead log", path, 0);
    } finally {
      handle.closeSync();
    }
  }

  /** Notes a value file. It was durable before the record that names it. */
  #noteFile({ number, offset, length }: ValueReference): void {
    if (this.valueFiles.has(number)) return;
    const { fileSystem, directory } = this.#options;
    const name = valueFileName(number);
    const path = fileSystem.joinPath(directory, name);
    const status = fileSystem.statSync(path);
    if (status?.kind !== "file" || status.sizeBytes < offset + length) {
      const found = status === undefined ? "missing" : `of ${status.sizeBytes} bytes`;
      throw new CorruptionError(
        `Cannot open "${directory}": file "${name}", with a value of ${length} bytes at offset ` +
          `${offset}, is ${found}`,
        path,
        0,
      );
    }
    this.valueFiles.set(number, offset + length);
  }

  /**
   * Whether the header of another log, found at the head of log `number`, can be a stale block. It
   * can't if the manifest proves that the right header was durable. Nor can it if the other log is
   * still needed: no log is deleted before that, so this is a copy of it. Nor if it is of another
   * store: a file that somebody put there by mistake is reported, and nothing is lost.
   */
  #mayBeStale(number: number, header: LogHeader): boolean {
    if (this.#isProven(number)) return false;
    return header.storeId === this.#versions.storeId && header.logNumber < number &&
      !this.#logNumbers.includes(header.logNumber);
  }

  #isProven(number: number): boolean {
    const { log, isLogDurable } = this.#versions;
    return isLogDurable && number === log.number;
  }

  /** Continues reading, and writes the memtable to a table whenever it is full. */
  *#drive<T>(reading: Task<T>): Task<T> {
    const { memtableSizeBytes, readOnly } = this.#options;
    let step = reading.next();
    while (!step.done) {
      if (!readOnly && this.memtable.sizeBytes >= memtableSizeBytes) yield* this.flush();
      yield undefined;
      step = reading.next();
    }
    return step.value;
  }

  *#requireUnsynced(
    logNumbers: readonly number[],
    previous: { name: string; summary: LogSummary } | undefined,
    expected: number,
  ): Task<void> {
    const { fileSystem, directory } = this.#options;
    for (const number of logNumbers) {
      const summary = yield* this.#read(number, undefined);
      const { header, durableOffset } = summary;
      const isStale = header !== undefined && header.firstSequence < expected &&
        !this.#isProven(number);
      if (header === undefined || (isStale && durableOffset === 0)) {
        // Not even its header was durable: the history ends there at the latest.
        previous = { name: logName(number), summary };
        continue;
      }
      const isProof = durableOffset > 0 || previous === undefined ||
        previous.summary.end === "closed";
      if (!isProof) continue;
      const name = previous?.name ?? logName(number);
      const offset = previous?.summary.endOffset ?? 0;
      const path = fileSystem.joinPath(directory, name);
      throw new CorruptionError(
        `Cannot recover from "${path}": the history of writes ends at offset ${offset} with ` +
          `sequence ${expected - 1}, but "${
            logName(number)
          }" continues with ${header.firstSequence}`,
        path,
        offset,
      );
    }
  }

  /** The first key after every key so far. */
  #endOfKeys(): DataView {
    const tables = [
      ...this.#versions.current.tables.flat(),
      ...this.#tables.map(({ table }) => table),
    ];
    return endOfKeys([this.memtable], tables);
  }

  #newMemtable(): Memtable {
    return new Memtable(this.lastSequence + 1, Math.min(this.#options.memtableSizeBytes, 2 ** 20));
  }
}
