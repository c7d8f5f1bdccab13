/**
 * The report of a verification of an open store (verify.ts), or of the files of a store
 * (verify_store.ts).
 */

import { CorruptionError, IoError, StoreError, UnsupportedFormatError } from "../../errors.ts";

/** Something that is wrong with a file. */
export interface VerifyProblem {
  /** The path of the file. */
  readonly file: string;
  /** The offset of the damage in the file. 0 if the whole file is meant. */
  readonly offset: number;
  /** What is wrong. */
  readonly message: string;
}

/** The progress of a verification. */
export interface VerifyProgress {
  /** The number of bytes checked so far. */
  readonly doneBytes: number;
  /** The number of bytes to check in all, as far as it is known. */
  readonly totalBytes: number;
  /** The path of the file that is being checked. */
  readonly file: string;
}

/** Options of a verification. */
export interface VerifyOptions {
  /** Ends the verification, which rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Called after every part of a file. An error that it throws ends the verification. */
  onProgress?: (progress: VerifyProgress) => void;
}

/** The result of a verification. */
export interface VerifyReport {
  /** Whether every byte is as it was written. */
  readonly isSound: boolean;
  /** What is wrong. Empty if the store is sound. */
  readonly problems: readonly VerifyProblem[];
  /** The number of tables that were checked. */
  readonly tables: number;
  /**
   * The number of write-ahead logs whose records were checked: those that an open replays. Logs
   * that are kept for their large values only are not among them.
   */
  readonly logs: number;
  /** The number of entries in them, with older versions and deletions. */
  readonly entries: number;
  /**
   * The number of large values outside of these logs that were checked: all that tables refer to,
   * in value files and in logs that are kept for them. Nothing else of such a log is ever read.
   */
  readonly largeValues: number;
  /** The number of bytes that were checked. */
  readonly bytes: number;
}

/** Builds a report. */
export class Findings {
  readonly problems: VerifyProblem[] = [];
  tables = 0;
  logs = 0;
  entries = 0;
  largeValues = 0;
  bytes = 0;
  totalBytes = 0;
  readonly #onProgress: ((progress: VerifyProgress) => void) | undefined;

  /** Calls `onProgress` after every part. */
  constructor(onProgress?: (progress: VerifyProgress) => void) {
    this.#onProgress = onProgress;
  }

  /** Adds `bytes` of a file to the checked ones. */
  checked(file: string, bytes: number): void {
    this.bytes += bytes;
    this.#onProgress?.({
      doneBytes: this.bytes,
      totalBytes: Math.max(this.bytes, this.totalBytes),
      file,
    });
  }

  /** Notes what an error says about a file. Throws errors that are about something else. */
  note(error: unknown, file: string): void {
    this.problems.push(problemOf(error, file));
  }

  /** The report. */
  report(): VerifyReport {
    const { problems, tables, logs, entries, largeValues, bytes } = this;
    return { isSound: problems.length === 0, problems, tables, logs, entries, largeValues, bytes };
  }
}

/** What an error says about a file. @throws the error, if it is about something else */
export function problemOf(error: unknown, file: string): VerifyProblem {
  if (error instanceof CorruptionError) {
    return { file: error.file, offset: error.offset, message: error.message };
  }
  if (error instanceof UnsupportedFormatError) {
    return { file: error.file, offset: 0, message: error.message };
  }
  if (error instanceof IoError) return { file: error.path, offset: 0, message: error.message };
  if (error instanceof StoreError && error.code === "SNAPSHOT_GONE") throw error;
  if (!(error instanceof StoreError) || error.code === "CLOSED") throw error;
  return { file, offset: 0, message: error.message };
}
