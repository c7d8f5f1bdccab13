/**
 * Reads the write-ahead log of the Go TinyKVS, `wal.log`, v0.1 to v0.11. Recovery calls it, once to
 * check and once to replay; nothing is ever written to such a log. All integers little-endian.
 *
 *     entry   u8 operation (1 put, 2 delete), u64 sequence, u32 key length, key, encoded value.
 *             A put of a tombstone (type byte 6) is a delete; what follows the key of a delete is
 *             ignored
 *     record  u32 CRC-32 of the fragment, u16 fragment length, u8 type (1 whole entry, 2 first,
 *             3 middle, 4 last fragment), fragment. Type and length are under no checksum
 *     file    records back to back; up to 7 zero bytes may come before one, where Go filled up its
 *             buffer of 32 KiB. Every sync cuts buffers short, so offsets that are multiples of
 *             32 KiB mean nothing: because Go looks for records there, it reads stored data as
 *             records
 *
 * Entries count in the order of the file. Their sequence numbers may repeat, and serve only to
 * distinguish damage from a torn tail.
 *
 * The log ends at the first offset where no record begins. Go does not say how much of the file was
 * durable, so the bytes after that offset decide:
 *
 * - If nothing there is an entry, a write was cut short (torn tail). Everything before it is
 *   recovered. An unfinished run of fragments before it, or before a new entry, is dropped in the
 *   same way.
 * - If something there is an entry, it was written after the records at the offset, so those were
 *   whole once. That is damage, and an error. "An entry" is a run of records with good checksums
 *   that decodes to the last byte, and that either continues the sequence numbers (above the last
 *   one read, and by no more than fits in the bytes between), or is followed by such entries to the
 *   very end of the file.
 * - Damage, too, is a middle or last fragment without a first one, and a record that has a good
 *   checksum and does not decode: no crash leaves those.
 *
 * If the torn record is a large one, such a search looks at stored values, too. What it finds is
 * never applied. At worst, a value made for the purpose makes a log whose tail was torn in the
 * middle of that very value look damaged: an error, but no loss. Damage to the last entry is not
 * detected, because it looks like a torn write. And damage that a power loss leaves in pages that
 * Go had not synced is reported although it is not damage.
 *
 * Memory: one window of 256 KiB, and one entry.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { crc32 } from "../bytes/crc32.ts";
import { DecodeError } from "../errors.ts";
import type { FileHandle } from "../platform/file_system.ts";
import type { Task } from "../platform/task.ts";
import { readFullySync } from "../platform/transfer.ts";
import { goValueEnd } from "./go_value.ts";

/** Name of the log. */
export const GO_LOG_NAME = "wal.log";

const RECORD_HEADER_BYTES = 7;
const ENTRY_HEADER_BYTES = 13;
/** The smallest record with a whole entry: an empty key and a tombstone. */
const MIN_RECORD_BYTES = RECORD_HEADER_BYTES + ENTRY_HEADER_BYTES + 1;
const MAX_PADDING_BYTES = 7;
const WINDOW_BYTES = 256 * 1024;
/** The search after a torn tail sums at most this many bytes before it calls the log damaged. */
const SEARCH_BUDGET_BYTES = 2 ** 28;

const FULL = 1;
const FIRST = 2;
const MIDDLE = 3;
const LAST = 4;
const PUT = 1;
const DELETE = 2;
const TOMBSTONE = 6;

/**
 * Receives an entry as memtables take it: u32 key length, key, u32 value length, encoded value in
 * `bytes[start, end)`, the key ending at `keyEnd`. The bytes are valid during the call.
 */
export type GoEntryVisitor = (
  bytes: Uint8Array,
  view: DataView,
  start: number,
  keyEnd: number,
  end: number,
) => void;

/** What the log holds besides the entries. */
export interface GoLogSummary {
  /** Size of the file. */
  readonly sizeBytes: number;
  /** Number of whole entries. */
  readonly entryCount: number;
  /** Offset just past the last record that belongs to the log. */
  readonly endOffset: number;
}

/**
 * A task that passes every entry to `visit`, in the order of the file; it may be paused after each.
 *
 * @throws {DecodeError} the log is damaged; offsets are those of the file
 */
export function* readGoLog(handle: FileHandle, visit: GoEntryVisitor): Task<GoLogSummary> {
  const log = new GoLogFile(handle);
  const fragments = new ByteWriter(1024);
  const entry = new ByteWriter(1024);
  let chainStart = -1;
  let entryCount = 0;
  let lastSequence = 0;
  let offset = 0;
  const accept = (bytes: Uint8Array, view: DataView, start: number, end: number): void => {
    lastSequence = decodeEntry(bytes, view, start, end, entry);
    entryCount++;
    visit(entry.bytes, entry.view, 0, 4 + entry.view.getUint32(0, true), entry.length);
  };
  for (;;) {
    const at = log.findRecord(offset);
    if (at < 0) break;
    try {
      if (log.type === FULL) {
        chainStart = -1;
        accept(log.bytes, log.view, log.fragmentStart, log.fragmentEnd);
      } else {
        if (log.type === FIRST) {
          chainStart = at;
          fragments.length = 0;
        } else if (chainStart < 0) {
          throw new DecodeError("a fragment has no first fragment before it", 0);
        }
        fragments.appendBytes(log.bytes, log.fragmentStart, log.fragmentEnd);
        if (log.type === LAST) {
          chainStart = -1;
          accept(fragments.bytes, fragments.view, 0, fragments.length);
        }
      }
    } catch (error) {
      if (error instanceof DecodeError) throw new DecodeError(error.message, at);
      throw error;
    }
    offset = log.recordEnd;
    yield undefined;
  }
  if (offset < log.sizeBytes) requireTornTail(log, offset, entryCount === 0 ? -1 : lastSequence);
  return { sizeBytes: log.sizeBytes, entryCount, endOffset: offset };
}

/** Whether the file is empty or begins with a record. */
export function beginsAsGoLog(handle: FileHandle): boolean {
  const log = new GoLogFile(handle);
  return log.sizeBytes === 0 || log.findRecord(0) >= 0;
}

/**
 * Decodes the entry in `bytes[start, end)` into the form that memtables take; returns its sequence.
 *
 * @throws {DecodeError} it is not an entry
 */
function decodeEntry(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  into: ByteWriter | undefined,
): number {
  if (end - start < ENTRY_HEADER_BYTES) {
    throw new DecodeError(`an entry has ${end - start} bytes, expected at least 13`, start);
  }
  const operation = bytes[start]!;
  if (operation !== PUT && operation !== DELETE) {
    throw new DecodeError(`an entry has the unknown operation ${operation}`, start);
  }
  const sequenceHigh = view.getUint32(start + 5, true);
  if (sequenceHigh > 0x1f_ffff) {
    throw new DecodeError("the sequence number of an entry is 2^53 or more", start);
  }
  const keyLength = view.getUint32(start + 9, true);
  const keyStart = start + ENTRY_HEADER_BYTES;
  if (keyLength > end - keyStart) {
    throw new DecodeError(
      `a key of ${keyLength} bytes does not fit an entry of ${end - start}`,
      start,
    );
  }
  const valueStart = keyStart + keyLength;
  if (operation === PUT) {
    const valueEnd = goValueEnd(bytes, view, valueStart, end);
    if (valueEnd !== end) {
      throw new DecodeError(`${end - valueEnd} bytes follow the value of an entry`, start);
    }
  }
  if (into !== undefined) {
    into.length = 0;
    into.appendUint32(keyLength);
    into.appendBytes(bytes, keyStart, valueStart);
    into.appendUint32(operation === PUT ? end - valueStart : 1);
    if (operation === PUT) into.appendBytes(bytes, valueStart, end);
    else into.appendUint8(TOMBSTONE);
  }
  return sequenceHigh * 0x1_0000_0000 + view.getUint32(start + 1, true);
}

/**
 * The bytes after `offset`, where no record begins, must not hold an entry. `lastSequence` is -1 if
 * none was read before, and any sequence could come next.
 *
 * @throws {DecodeError} they hold one: the record at `offset` is damaged
 */
function requireTornTail(log: GoLogFile, offset: number, lastSequence: number): void {
  const scratch = new ByteWriter(1024);
  const damaged = (at: number): DecodeError =>
    new DecodeError(
      `no record begins here, but the one at offset ${at} is whole and was written later`,
      offset,
    );
  const isNext = (sequence: number, at: number): boolean =>
    lastSequence < 0 ||
    (sequence > lastSequence && sequence <= lastSequence + 2 + (at - offset) / MIN_RECORD_BYTES);
  let at = offset + 1;
  while ((at = log.nextCandidate(at)) >= 0) {
    const first = at;
    let next = at;
    // The entries from here on, as far as they go.
    for (;;) {
      const sequence = log.readEntry(next, scratch);
      if (sequence < 0) break;
      if (isNext(sequence, next)) throw damaged(first);
      next = log.recordEnd;
    }
    if (next > first && next === log.sizeBytes) throw damaged(first);
    if (log.summedBytes > SEARCH_BUDGET_BYTES + log.sizeBytes) throw damaged(first);
    at = Math.max(next, first + 1);
  }
}

/** A log that is read through a window. */
class GoLogFile {
  readonly sizeBytes: number;
  readonly #handle: FileHandle;
  /** The window. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #windowStart = 0;
  #windowEnd = 0;
  /**
   * The last record: its type, where its fragment lies in the window, where it ends in the file.
   */
  type = 0;
  fragmentStart = 0;
  fragmentEnd = 0;
  recordEnd = 0;
  /** Bytes summed so far. */
  summedBytes = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
    this.sizeBytes = handle.sizeSync();
    this.bytes = new Uint8Array(Math.min(WINDOW_BYTES, this.sizeBytes));
    this.view = new DataView(this.bytes.buffer);
  }

  /**
   * Offset of the record at `offset` or after at most seven zero bytes, now read; -1 if there is
   * none.
   */
  findRecord(offset: number): number {
    for (let at = offset; at <= offset + MAX_PADDING_BYTES; at++) {
      if (this.#readRecord(at)) return at;
      if (at >= this.sizeBytes || this.bytes[this.#show(at, 1)] !== 0) return -1;
    }
    return -1;
  }

  /**
   * The sequence number of the entry whose records begin at `offset`, which are now read up to
   * `recordEnd`, or -1 if there is no whole one.
   */
  readEntry(offset: number, fragments: ByteWriter): number {
    if (this.findRecord(offset) < 0) return -1;
    try {
      if (this.type === FULL) {
        return decodeEntry(this.bytes, this.view, this.fragmentStart, this.fragmentEnd, undefined);
      }
      fragments.length = 0;
      for (
        let expected: number = FIRST;
        this.type === expected || this.type === LAST;
        expected = MIDDLE
      ) {
        if (expected === FIRST && this.type === LAST) return -1;
        fragments.appendBytes(this.bytes, this.fragmentStart, this.fragmentEnd);
        if (this.type === LAST) {
          return decodeEntry(fragments.bytes, fragments.view, 0, fragments.length, undefined);
        }
        if (this.findRecord(this.recordEnd) < 0) return -1;
      }
      return -1;
    } catch (error) {
      if (error instanceof DecodeError) return -1;
      throw error;
    }
  }

  /** The first offset from `from` on whose bytes could begin an entry, or -1. */
  nextCandidate(from: number): number {
    const last = this.sizeBytes - RECORD_HEADER_BYTES - 1;
    for (let at = from; at <= last;) {
      const begin = this.#show(at, RECORD_HEADER_BYTES + 1);
      const end = begin + Math.min(last - at, this.#windowEnd - at - RECORD_HEADER_BYTES - 1);
      for (let i = begin; i <= end; i++) {
        const type = this.bytes[i + 6]!;
        const operation = this.bytes[i + 7]!;
        if (
          (type === FULL || type === FIRST) && (operation === PUT || operation === DELETE) &&
          this.#mayBeginEntry(at + (i - begin), this.view.getUint16(i + 4, true), type)
        ) {
          return at + (i - begin);
        }
      }
      at += end - begin + 1;
    }
    return -1;
  }

  /**
   * Whether the first fragment of an entry could be at `offset`; it reads at most 13 bytes of it.
   */
  #mayBeginEntry(offset: number, length: number, type: number): boolean {
    if (offset + RECORD_HEADER_BYTES + length > this.sizeBytes) return false;
    if (length < ENTRY_HEADER_BYTES) return type === FIRST && length > 0;
    const start = offset + RECORD_HEADER_BYTES - this.#windowStart;
    // Bytes outside of the window are not worth another read only to rule them out.
    if (start + ENTRY_HEADER_BYTES > this.#windowEnd - this.#windowStart) return true;
    if (this.view.getUint32(start + 5, true) > 0x1f_ffff) return false;
    return type === FIRST ||
      this.view.getUint32(start + 9, true) <= length - ENTRY_HEADER_BYTES;
  }

  #readRecord(offset: number): boolean {
    if (offset + RECORD_HEADER_BYTES > this.sizeBytes) return false;
    let at = this.#show(offset, RECORD_HEADER_BYTES);
    const crc = this.view.getUint32(at, true);
    const length = this.view.getUint16(at + 4, true);
    const type = this.bytes[at + 6]!;
    const end = offset + RECORD_HEADER_BYTES + length;
    if (length === 0 || type < FULL || type > LAST || end > this.sizeBytes) return false;
    at = this.#show(offset, RECORD_HEADER_BYTES + length);
    const start = at + RECORD_HEADER_BYTES;
    this.summedBytes += length;
    if (crc32(this.bytes, this.view, start, start + length) !== crc) return false;
    this.type = type;
    this.fragmentStart = start;
    this.fragmentEnd = start + length;
    this.recordEnd = end;
    return true;
  }

  /**
   * Brings `length` bytes at `offset`, which the file has, into the window; returns their place in
   * it.
   */
  #show(offset: number, length: number): number {
    if (offset < this.#windowStart || offset + length > this.#windowEnd) {
      const count = Math.min(this.bytes.length, this.sizeBytes - offset);
      readFullySync(this.#handle, this.bytes, 0, count, offset);
      this.#windowStart = offset;
      this.#windowEnd = offset + count;
    }
    return offset - this.#windowStart;
  }
}
