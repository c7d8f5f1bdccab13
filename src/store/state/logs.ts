/**
 * The write-ahead logs of an open store: the active one and those of memtables that wait to be
 * flushed.
 *
 * Each memtable has one log. A sync makes older logs durable before newer ones, and a log's name
 * before its content counts. So a power loss always leaves a prefix of the writes, and never one
 * with a hole. A log is deleted when the manifest has the table of its memtable.
 */

import { IoError } from "../../errors.ts";
import type { FileSystem } from "../../platform/file_system.ts";
import { syncStep, type Task } from "../../platform/task.ts";
import { logName } from "../../version/file_names.ts";
import { LOG_VERSION } from "../../wal/log_format.ts";
import { LogWriter } from "../../wal/log_writer.ts";

interface OpenLog {
  readonly writer: LogWriter;
  isNameDurable: boolean;
  isClosed: boolean;
}

/** The logs, oldest first. */
export class Logs {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #storeId: number;
  readonly #expectedBytes: number;
  #logs: OpenLog[] = [];
  #active: LogWriter | undefined;
  /** Whether the active log has its end record, because the next one could not be created. */
  #isEnded = false;
  /** The format version of logs from the next one on. */
  version: number = LOG_VERSION;

  /** Starts without a log: the first write opens one. Each will hold about `expectedBytes`. */
  constructor(
    fileSystem: FileSystem,
    directory: string,
    storeId: number,
    expectedBytes: number,
  ) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#storeId = storeId;
    this.#expectedBytes = expectedBytes;
  }

  /** The log that is written to, or undefined before the first write. */
  get active(): LogWriter | undefined {
    return this.#active;
  }

  /** Whether nothing may be appended to the active log: `rotate` must be called again. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Bytes in all logs. */
  get sizeBytes(): number {
    return this.#logs.reduce((sum, log) => sum + log.writer.sizeBytes, 0);
  }

  /**
   * Closes the active log with its end record and starts the log `number`. May be called again if
   * there was no descriptor for it.
   */
  rotate(number: number, firstSequence: number): LogWriter {
    if (this.#active !== undefined) {
      if (!this.#isEnded) {
        this.#active.appendEnd(firstSequence);
        this.#active.writeOutSync();
        this.#isEnded = true;
      }
      // Only the newest log's name may be lost. So if a log is missing before an existing one, no
      // crash has caused that, and recovery reports it.
      this.#syncNamesSync();
    }
    const path = this.#path(number);
    const writer = new LogWriter(
      this.#fileSystem,
      path,
      this.#storeId,
      number,
      firstSequence,
      this.#expectedBytes,
      this.version,
    );
    this.#logs.push({ writer, isNameDurable: false, isClosed: false });
    this.#active = writer;
    this.#isEnded = false;
    return writer;
  }

  /** Notes that the directory was synced after the log `number` was created. */
  markNamesDurable(number: number): void {
    for (const log of this.#logs) if (log.writer.number <= number) log.isNameDurable = true;
  }

  /** Passes everything to the operating system. */
  writeOutSync(): void {
    this.#active?.writeOutSync();
  }

  /** Makes everything durable that was written out. */
  syncSync(): void {
    for (const log of this.#logs) {
      if (log.writer.isDurable) continue;
      if (!log.isNameDurable) this.#syncNamesSync();
      const size = log.writer.writtenBytes;
      log.writer.extendSync();
      log.writer.handle.syncSync();
      log.writer.markDurable(size);
    }
  }

  /** As `syncSync`; covers what was written out before the call. */
  async sync(): Promise<void> {
    for (const log of [...this.#logs]) {
      if (log.isClosed || log.writer.isDurable) continue;
      const { handle } = log.writer;
      const size = log.writer.writtenBytes;
      if (!log.isNameDurable) {
        const newest = this.#active!.number;
        if (this.#fileSystem.syncDirectory === undefined) {
          this.#fileSystem.syncDirectorySync(this.#directory);
        } else {
          await this.#fileSystem.syncDirectory(this.#directory);
        }
        this.markNamesDurable(newest);
        // A flush may have finished meanwhile: then the entries are durable in a table.
        if (log.isClosed) continue;
      }
      log.writer.extendSync();
      if (handle.sync === undefined) handle.syncSync();
      else await handle.sync();
      log.writer.markDurable(size);
    }
  }

  /** Number of the log after the given one. */
  numberAfter(number: number): number {
    return this.#logs.find((log) => log.writer.number > number)!.writer.number;
  }

  /** Makes a log durable that nothing is appended to any more: tables will refer to its values. */
  *syncEnded(number: number): Task<void> {
    const writer = this.#writerOf(number);
    if (writer.isDurable) return;
    const size = writer.writtenBytes;
    yield syncStep(writer.handle, size);
    writer.markDurable(size);
  }

  /** Bytes in the log with this number. */
  sizeOf(number: number): number {
    return this.#writerOf(number).sizeBytes;
  }

  /** As `sizeOf`, with the zeros at the end of the file, which stay if the log is kept. */
  fileSizeOf(number: number): number {
    return this.#writerOf(number).fileBytes;
  }

  /**
   * Closes and deletes the logs below a number: their entries are in tables, and the manifest says
   * so. A log that `isUsed` stays: tables refer to large values in it.
   */
  removeBelow(number: number, isUsed: (number: number) => boolean): void {
    const obsolete = this.#logs.filter((log) => log.writer.number < number);
    this.#logs = this.#logs.filter((log) => log.writer.number >= number);
    for (const log of obsolete) {
      this.#close(log);
      if (isUsed(log.writer.number)) continue;
      try {
        this.#fileSystem.removeSync(this.#path(log.writer.number));
      } catch (error) {
        // An obsolete log that can't be deleted now is deleted by the next open.
        if (!(error instanceof IoError)) throw error;
      }
    }
    if (this.#logs.length === 0) {
      this.#active = undefined;
      this.#isEnded = false;
    }
  }

  /** Releases memory that earlier writes needed. */
  rest(): void {
    for (const log of this.#logs) log.writer.rest();
  }

  /** Closes every log and deletes none. */
  close(): void {
    for (const log of this.#logs) this.#close(log);
    this.#logs = [];
    this.#active = undefined;
  }

  #writerOf(number: number): LogWriter {
    return this.#logs.find(({ writer }) => writer.number === number)!.writer;
  }

  #syncNamesSync(): void {
    if (this.#logs.every((log) => log.isNameDurable)) return;
    this.#fileSystem.syncDirectorySync(this.#directory);
    for (const log of this.#logs) log.isNameDurable = true;
  }

  #close(log: OpenLog): void {
    log.isClosed = true;
    log.writer.handle.closeSync();
  }

  #path(number: number): string {
    return this.#fileSystem.joinPath(this.#directory, logName(number));
  }
}
