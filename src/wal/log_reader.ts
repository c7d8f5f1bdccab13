/**
 * Reads one write-ahead log from front to back, for recovery, and says how it ended.
 *
 * A log ends in one of three ways: with its end record ("closed"), after its last record ("open":
 * the process was killed), or in bytes that are not a record ("torn": a write that a crash cut
 * short). Zeros may follow the first two: the log was extended ahead of records that were never
 * written (log_writer.ts). A power loss may leave anything in place of the zeros, so after an end
 * record only another record is damage.
 *
 * If a later record proves that bytes were durable, and they are not a record, they are damage, and
 * an error: nothing after them may be dropped silently. Damage to the last durable record of a log
 * that was not closed looks like a torn write; docs/DURABILITY.md says so.
 *
 * After a power loss, a block that was never durable may show what it held before: the head of a
 * deleted log of this or of another store. The caller says whether that is possible here, or
 * whether the file is the wrong one. Records need no such question: their tag belongs to one log.
 *
 * Memory: one window of 1 MiB, or of one record if that is larger.
 */

import { crc32 } from "../bytes/crc32.ts";
import { fileTag, storeIdText } from "../bytes/store_id.ts";
import { DecodeError } from "../errors.ts";
import type { FileHandle } from "../platform/file_system.ts";
import type { Task } from "../platform/task.ts";
import { readFullySync } from "../platform/transfer.ts";
import { EXPIRY_BYTES, isExpiring } from "../value/expiry.ts";
import { MAX_KEY_BYTES } from "../value/value.ts";
import {
  decodeLogHeader,
  decodeRecordHeader,
  LOG_HEADER_BYTES,
  LOG_VERSION,
  type LogHeader,
  OPERATION_DELETE_RANGE,
  OPERATION_PUT,
  RECORD_END,
  RECORD_HEADER_BYTES,
  type RecordHeader,
} from "./log_format.ts";
import { problemOfRange } from "./range_operation.ts";

const WINDOW_BYTES = 1024 * 1024;
const ENTRY_OVERHEAD_BYTES = 9;

/** How a log ended. */
export type LogEnd = "closed" | "open" | "torn";

/**
 * Receives the entries of a log in order; offsets are into `bytes`, valid during the call. The byte
 * before `start` is the operation: a deleted range has the fields of an entry (range_operation.ts).
 */
export type LogEntryVisitor = (
  sequence: number,
  bytes: Uint8Array,
  view: DataView,
  /** Offset of the key length field. */
  start: number,
  keyEnd: number,
  end: number,
  /** Offset in the file of the first of `bytes`. */
  position: number,
) => void;

/** What the log holds besides the entries. */
export interface LogSummary {
  /** What the file header says, or undefined if the crash came before it was durable. */
  readonly header: LogHeader | undefined;
  /** How the log ended. */
  readonly end: LogEnd;
  /** Offset just past the last whole record. */
  readonly endOffset: number;
  /** Sequence number that would have come next. */
  readonly nextSequence: number;
  /** The highest durable offset that a record claims; 0 if nothing was ever synced. */
  readonly durableOffset: number;
}

/** A newer format version than this library knows. */
export interface NewerLogVersion {
  /** The version that the file states. */
  readonly version: number;
}

/**
 * A task that reads the log and passes every entry to `visit`. It passes a record's entries only
 * after it has checked the whole record, and may be paused after every record. `mayBeStale` says
 * whether the header of another log can be what a block held before it belonged to this file.
 *
 * @throws {DecodeError} the log is damaged before its end, or is not the log `logNumber` of the
 *   store
 *
 *     `storeId`; offsets are those of the file
 */
export function* readLog(
  handle: FileHandle,
  storeId: number,
  logNumber: number,
  visit: LogEntryVisitor,
  mayBeStale: (header: LogHeader) => boolean = () => false,
): Task<LogSummary | NewerLogVersion> {
  const window = new LogWindow(handle);
  const tag = fileTag(storeId, logNumber);
  const size = window.sizeBytes;
  if (size < LOG_HEADER_BYTES) return summary(undefined, "torn", 0, 0, 0);
  window.require(0, LOG_HEADER_BYTES);
  const decoded = decodeLogHeader(window.bytes, window.view, 0);
  if (decoded === undefined) {
    requireTornTail(window, tag, 0);
    return summary(undefined, "torn", 0, 0, 0);
  }
  const { header } = decoded;
  if (header === undefined) return { version: decoded.version };
  const isOwn = header.logNumber === logNumber && header.storeId === storeId;
  if (!isOwn && mayBeStale(header)) {
    requireTornTail(window, tag, 0);
    return summary(undefined, "torn", 0, 0, 0);
  }
  if (header.logNumber !== logNumber) {
    throw new DecodeError(`the log is number ${header.logNumber}, its name says ${logNumber}`, 12);
  }
  if (header.storeId !== storeId) {
    throw new DecodeError(
      `the log belongs to the store ${storeIdText(header.storeId)}, this is ${
        storeIdText(storeId)
      }`,
      24,
    );
  }

  const record: RecordHeader = emptyRecordHeader();
  let offset = LOG_HEADER_BYTES;
  let sequence = header.firstSequence;
  let durableOffset = 0;
  while (offset < size) {
    if (!window.readRecord(offset, tag, record)) {
      if (isZeros(window, offset)) break;
      requireTornTail(window, tag, offset);
      return summary(header, "torn", offset, sequence, durableOffset);
    }
    requirePlausible(record, offset, sequence);
    const end = offset + RECORD_HEADER_BYTES + record.payloadLength;
    durableOffset = Math.max(durableOffset, record.durableOffset);
    if (record.type === RECORD_END) {
      if (record.payloadLength !== 0 || record.entryCount !== 0) {
        throw new DecodeError("the end record is not empty", offset);
      }
      requireNoRecord(window, tag, end);
      return summary(header, "closed", end, sequence, durableOffset);
    }
    requireEntries(window, offset, record, decoded.version);
    visitEntries(window, offset, record, visit);
    sequence += record.entryCount;
    offset = end;
    yield undefined;
  }
  return summary(header, "open", offset, sequence, durableOffset);
}

function summary(
  header: LogHeader | undefined,
  end: LogEnd,
  endOffset: number,
  nextSequence: number,
  durableOffset: number,
): LogSummary {
  return { header, end, endOffset, nextSequence, durableOffset };
}

/** A record header to be filled in. */
export function emptyRecordHeader(): RecordHeader {
  return {
    payloadCrc: 0,
    payloadLength: 0,
    firstSequence: 0,
    durableOffset: 0,
    entryCount: 0,
    type: 0,
  };
}

/** @throws {DecodeError} the writer can't have written these numbers here */
function requirePlausible(record: RecordHeader, offset: number, sequence: number): void {
  if (record.firstSequence !== sequence) {
    throw new DecodeError(
      `the record starts at sequence ${record.firstSequence}, expected ${sequence}`,
      offset + 16,
    );
  }
  if (!Number.isSafeInteger(sequence + record.entryCount)) {
    throw new DecodeError(
      `${record.entryCount} entries from sequence ${sequence} on pass the limit of 2^53 - 1`,
      offset + 16,
    );
  }
  if (record.durableOffset > offset) {
    throw new DecodeError(
      `the record claims that ${record.durableOffset} bytes before it were durable, there are ${offset}`,
      offset + 24,
    );
  }
}

/** @throws {DecodeError} the payload does not hold exactly as many entries as the record says */
export function requireEntries(
  window: LogWindow,
  offset: number,
  record: RecordHeader,
  version: number | undefined,
): void {
  const { bytes, view } = window;
  let at = offset + RECORD_HEADER_BYTES - window.position;
  const end = at + record.payloadLength;
  const fail = (message: string): never => {
    throw new DecodeError(message, at + window.position);
  };
  if (record.entryCount * ENTRY_OVERHEAD_BYTES > record.payloadLength) {
    fail(`${record.entryCount} entries can't fit in ${record.payloadLength} bytes`);
  }
  for (let i = 0; i < record.entryCount; i++) {
    if (end - at < ENTRY_OVERHEAD_BYTES) fail("an entry is cut off");
    const operation = view.getUint8(at);
    const isRange = operation === OPERATION_DELETE_RANGE && version !== LOG_VERSION;
    if (operation !== OPERATION_PUT && !isRange) {
      fail(`an entry has the unknown operation ${operation}`);
    }
    const start = at + 1;
    const keyLength = view.getUint32(start, true);
    if (keyLength > end - start - 8) fail(`a key of ${keyLength} bytes passes the record's end`);
    // The first key after the longest key is longer.
    const longest = isRange ? MAX_KEY_BYTES + 1 : MAX_KEY_BYTES;
    if (keyLength > longest) {
      fail(`a key has ${keyLength} bytes, at most ${longest} are allowed`);
    }
    const keyEnd = start + 4 + keyLength;
    const valueLength = view.getUint32(keyEnd, true);
    if (valueLength > end - keyEnd - 4) {
      fail(`a value of ${valueLength} bytes passes the record's end`);
    }
    if (valueLength === 0) fail("a value has no type byte");
    if (isRange) {
      const problem = problemOfRange(view, start, keyEnd, keyEnd + 4 + valueLength);
      if (problem !== undefined) fail(problem);
    }
    if (isExpiring(bytes, keyEnd + 4) && valueLength <= EXPIRY_BYTES) {
      fail(`a value that expires has ${valueLength} bytes`);
    }
    at = keyEnd + 4 + valueLength;
  }
  if (at !== end) fail(`${end - at} bytes follow the last entry of the record`);
}

/** Hands over the entries of a record that was checked. */
export function visitEntries(
  window: LogWindow,
  offset: number,
  record: RecordHeader,
  visit: LogEntryVisitor,
): void {
  const { bytes, view, position } = window;
  let at = offset + RECORD_HEADER_BYTES - position;
  for (let i = 0; i < record.entryCount; i++) {
    const start = at + 1;
    const keyEnd = start + 4 + view.getUint32(start, true);
    at = keyEnd + 4 + view.getUint32(keyEnd, true);
    visit(record.firstSequence + i, bytes, view, start, keyEnd, at, position);
  }
}

/** @throws {DecodeError} a later record proves that the bytes at `offset` were durable */
function requireTornTail(window: LogWindow, tag: number, offset: number): void {
  for (const { at, record } of recordsFrom(window, tag, offset + 1)) {
    // A record that claims more durable bytes than come before it is not a record, but looks like
    // one.
    if (record.durableOffset > offset && record.durableOffset <= at) {
      throw new DecodeError(
        `no whole record is here, but the one at offset ${at} says that ` +
          `everything before ${record.durableOffset} was durable`,
        offset,
      );
    }
  }
}

/** @throws {DecodeError} a record of this log follows its end */
function requireNoRecord(window: LogWindow, tag: number, end: number): void {
  for (const { at } of recordsFrom(window, tag, end)) {
    throw new DecodeError(`a record follows the end record, which ends at offset ${end}`, at);
  }
}

/**
 * Everything that has the header of a record of this log, from `offset` on. The record is reused.
 */
function* recordsFrom(
  window: LogWindow,
  tag: number,
  offset: number,
): Generator<{ at: number; record: RecordHeader }> {
  const record = emptyRecordHeader();
  const last = window.sizeBytes - RECORD_HEADER_BYTES;
  for (let at = offset; at <= last; at++) {
    window.require(at, RECORD_HEADER_BYTES);
    const inWindow = at - window.position;
    if (window.view.getUint32(inWindow + 12, true) !== tag) continue;
    if (decodeRecordHeader(window.bytes, window.view, inWindow, tag, record)) yield { at, record };
  }
}

/** Whether nothing but zeros lies from `offset` to the end. */
export function isZeros(window: LogWindow, offset: number): boolean {
  for (let at = offset; at < window.sizeBytes; at++) {
    window.require(at, 1);
    if (window.bytes[at - window.position] !== 0) return false;
  }
  return true;
}

/** A window of the file that slides forward. */
export class LogWindow {
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  bytes: Uint8Array;
  view: DataView;
  /** File offset of the window's first byte. */
  position = 0;
  #filled = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
    this.sizeBytes = handle.sizeSync();
    this.bytes = new Uint8Array(Math.min(WINDOW_BYTES, this.sizeBytes));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes `[offset, offset + length)` of the file part of the window; it must lie in the file. */
  require(offset: number, length: number): void {
    if (offset >= this.position && offset + length <= this.position + this.#filled) return;
    if (length > this.bytes.length) {
      this.bytes = new Uint8Array(length);
      this.view = new DataView(this.bytes.buffer);
    }
    this.#filled = 0;
    const count = Math.min(this.bytes.length, this.sizeBytes - offset);
    readFullySync(this.#handle, this.bytes, 0, count, offset);
    this.position = offset;
    this.#filled = count;
  }

  /**
   * Reads the header at `offset` and makes the whole record part of the window; false if it is not
   * whole.
   */
  readRecord(offset: number, tag: number, record: RecordHeader): boolean {
    if (offset + RECORD_HEADER_BYTES > this.sizeBytes) return false;
    this.require(offset, RECORD_HEADER_BYTES);
    const start = offset - this.position;
    if (!decodeRecordHeader(this.bytes, this.view, start, tag, record)) return false;
    const length = RECORD_HEADER_BYTES + record.payloadLength;
    if (offset + length > this.sizeBytes) return false;
    this.require(offset, length);
    const payload = offset - this.position + RECORD_HEADER_BYTES;
    return crc32(this.bytes, this.view, payload, payload + record.payloadLength) ===
      record.payloadCrc;
  }
}
