/**
 * Logs for tests: written by LogWriter, read by readLog, and rebuilt by hand with valid checksums.
 */

import { crc32 } from "../../src/bytes/crc32.ts";
import type { FileSystem } from "../../src/platform/file_system.ts";
import { memoryFileSystem } from "../../src/platform/memory_file_system.ts";
import { runTaskSync } from "../../src/platform/task.ts";
import { readFullySync, writeFullySync } from "../../src/platform/transfer.ts";
import { type LogSummary, type NewerLogVersion, readLog } from "../../src/wal/log_reader.ts";
import { LogWriter } from "../../src/wal/log_writer.ts";
import { dataViewOf, hexOf, type PlainEntry } from "./entries.ts";

/** The store that test logs belong to. */
export const TEST_STORE_ID = 0x5e6f7081;

/** What a test log holds: batches of entries. */
export interface TestBatch {
  readonly entries: readonly PlainEntry[];
  /** Whether the log is synced after it, which later records then say. */
  readonly sync: boolean;
}

/** Offsets after each batch, and the whole file. */
export interface TestLog {
  readonly bytes: Uint8Array;
  readonly ends: readonly number[];
}

/** Appends a batch to a log, as the write path does. */
export function appendBatch(
  writer: LogWriter,
  firstSequence: number,
  entries: readonly PlainEntry[],
): void {
  writer.beginRecord();
  for (const { key, value } of entries) {
    writer.buffer.appendUint8(1);
    writer.buffer.appendUint32(key.length);
    writer.buffer.appendBytes(key, 0, key.length);
    writer.buffer.appendUint32(value.length);
    writer.buffer.appendBytes(value, 0, value.length);
  }
  writer.endRecord(firstSequence, entries.length);
}

/** Writes a log; `isEnded` appends the end record. */
export function writeLog(
  logNumber: number,
  firstSequence: number,
  batches: readonly TestBatch[],
  isEnded = false,
): TestLog {
  const fileSystem = memoryFileSystem();
  const writer = new LogWriter(fileSystem, "/log", TEST_STORE_ID, logNumber, firstSequence);
  const ends: number[] = [];
  let sequence = firstSequence;
  for (const { entries, sync } of batches) {
    appendBatch(writer, sequence, entries);
    sequence += entries.length;
    ends.push(writer.sizeBytes);
    writer.writeOutSync();
    if (sync) writer.markDurable(writer.writtenBytes);
  }
  if (isEnded) writer.appendEnd(sequence);
  writer.writeOutSync();
  const bytes = new Uint8Array(writer.writtenBytes);
  readFullySync(writer.handle, bytes, 0, bytes.length, 0);
  return { bytes, ends };
}

/** A file system with one file. */
export function fileOf(bytes: Uint8Array, path = "/log"): FileSystem {
  const fileSystem = memoryFileSystem();
  const handle = fileSystem.createSync(path);
  writeFullySync(handle, bytes, 0, bytes.length, 0);
  handle.closeSync();
  return fileSystem;
}

/** What was read from a log. */
export interface ReadResult {
  readonly summary: LogSummary;
  /** "sequence:key=value", in order. */
  readonly entries: string[];
}

/** Reads a log; throws what the reader throws. */
export function readLogBytes(bytes: Uint8Array, logNumber: number): ReadResult {
  const { summary, entries } = readAnyLog(bytes, logNumber);
  if ("version" in summary) throw new Error(`the log has version ${summary.version}`);
  return { summary, entries };
}

/** As `readLogBytes`, for logs of any version. */
export function readAnyLog(
  bytes: Uint8Array,
  logNumber: number,
): { summary: LogSummary | NewerLogVersion; entries: string[] } {
  const handle = fileOf(bytes).openReadSync("/log");
  const entries: string[] = [];
  const summary = runTaskSync(
    readLog(handle, TEST_STORE_ID, logNumber, (sequence, from, _, start, keyEnd, end) => {
      entries.push(
        `${sequence}:${hexOf(from.subarray(start + 4, keyEnd))}=` +
          hexOf(from.subarray(keyEnd + 4, end)),
      );
    }),
  );
  return { summary, entries };
}

/** Makes the checksums of the record at `start`, whose payload ends at `end`, right again. */
export function resealRecord(bytes: Uint8Array, start: number, end: number): void {
  const view = dataViewOf(bytes);
  view.setUint32(start + 4, crc32(bytes, view, start + 40, end), true);
  view.setUint32(start, crc32(bytes, view, start + 4, start + 40), true);
}

/** Makes the checksum of the file header right again. */
export function resealHeader(bytes: Uint8Array): void {
  const view = dataViewOf(bytes);
  view.setUint32(28, crc32(bytes, view, 0, 28), true);
}
