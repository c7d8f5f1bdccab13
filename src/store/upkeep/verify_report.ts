/**
 * What a verification says: of an open store (verify.ts) and of the files of one (verify_store.ts).
 */

import { CorruptionError, IoError, StoreError, UnsupportedFormatError } from "../../errors.ts";

/** Something that is wrong with a file. */
export interface VerifyProblem {
  /** Path of the file. */
  readonly file: string;
  /** Offset of the damage in it; 0 if the file as a whole is meant. */
  readonly offset: number;
  /** What is wrong. */
  readonly message: string;
}

/** How far a verification has come. */
export interface VerifyProgress {
  /** Bytes that were checked. */
  readonly doneBytes: number;
  /** Bytes to check in all, as far as is known. */
  readonly totalBytes: number;
  /** Path of the file that is being checked. */
  readonly file: string;
}

/** How a store is verified. */
export interface VerifyOptions {
  /** Ends the verification: it rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Told after every stretch of a file; what it throws ends the verification. */
  onProgress?: (progress: VerifyProgress) => void;
}

/** What was found. */
export interface VerifyReport {
  /** Whether every byte is as it was written. */
  readonly isSound: boolean;
  /** What is wrong; nothing if the store is sound. */
  readonly problems: readonly VerifyProblem[];
  /** Number of tables that were checked. */
  readonly tables: number;
  /** Number of write-ahead logs that were checked. */
  readonly logs: number;
  /** Number of entries in them, older versions and deletions included. */
  readonly entries: number;
  /** Bytes that were checked. */
  readonly bytes: number;
}

/** A report that is being written. */
export class Findings {
  readonly problems: VerifyProblem[] = [];
  tables = 0;
  logs = 0;
  entries = 0;
  bytes = 0;
  totalBytes = 0;
  readonly #onProgress: ((progress: VerifyProgress) => void) | undefined;

  /** `onProgress` is told of every stretch. */
  constructor(onProgress?: (progress: VerifyProgress) => void) {
    this.#onProgress = onProgress;
  }

  /** Notes that `bytes` more of a file were checked. */
  checked(file: string, bytes: number): void {
    this.bytes += bytes;
    this.#onProgress?.({
      doneBytes: this.bytes,
      totalBytes: Math.max(this.bytes, this.totalBytes),
      file,
    });
  }

  /** Notes what an error says of a file. Errors that are not about the file are thrown on. */
  note(error: unknown, file: string): void {
    this.problems.push(problemOf(error, file));
  }

  /** The report. */
  report(): VerifyReport {
    const { problems, tables, logs, entries, bytes } = this;
    return { isSound: problems.length === 0, problems, tables, logs, entries, bytes };
  }
}

/** What an error says of a file. @throws the error, if it is about something else */
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
