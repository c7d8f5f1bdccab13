/**
 * Reads every whole record of a damaged log, also those after the damage. Only repair uses it.
 * Recovery stops at the damage, because the records after a hole are not part of a prefix of the
 * history.
 */

import { fileTag } from "../bytes/store_id.ts";
import { DecodeError } from "../errors.ts";
import type { FileHandle } from "../platform/file_system.ts";
import type { Task } from "../platform/task.ts";
import {
  decodeLogHeader,
  LOG_HEADER_BYTES,
  RECORD_END,
  RECORD_HEADER_BYTES,
} from "./log_format.ts";
import {
  emptyRecordHeader,
  isZeros,
  type LogEntryVisitor,
  LogWindow,
  requireEntries,
  visitEntries,
} from "./log_reader.ts";

/** A damaged part of a log: a whole record follows it, but none can be read in it. */
export interface LogHole {
  /** The offset of its first byte. */
  readonly offset: number;
  /** The offset of the next whole record. */
  readonly end: number;
  /**
   * The number of entries that it held, by the sequence numbers of the records before and after it.
   */
  readonly entries: number;
}

/** The result of reading a log. */
export interface SalvagedLog {
  /** Whether the header could be read. */
  readonly hasHeader: boolean;
  /** The number of entries that were passed to `visit`. */
  readonly entries: number;
  /** The parts that are lost. */
  readonly holes: readonly LogHole[];
  /**
   * The offset of the bytes at the end that are neither a record nor zeros, or undefined if there
   * are none.
   */
  readonly tornOffset: number | undefined;
  /** The sequence number of the first record, or undefined if there is none. */
  readonly firstSequence: number | undefined;
}

/** The store id and the version in the log's header, or undefined if the header cannot be read. */
export function storeOfLog(bytes: Uint8Array): { storeId: number; logNumber: number } | undefined {
  if (bytes.length < LOG_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return decodeLogHeader(bytes, view, 0)?.header;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/**
 * A task that passes every entry of every whole record to `visit`, in the order of the sequence
 * numbers.
 */
export function* salvageLog(
  handle: FileHandle,
  storeId: number,
  logNumber: number,
  visit: LogEntryVisitor,
): Task<SalvagedLog> {
  const window = new LogWindow(handle);
  const size = window.sizeBytes;
  const tag = fileTag(storeId, logNumber);
  const record = emptyRecordHeader();
  const holes: LogHole[] = [];
  let hasHeader = false;
  let first: number | undefined;
  let next: number | undefined;
  let entries = 0;
  if (size >= LOG_HEADER_BYTES) {
    window.require(0, LOG_HEADER_BYTES);
    const header = storeOfLog(window.bytes.subarray(0, LOG_HEADER_BYTES));
    hasHeader = header?.storeId === storeId && header.logNumber === logNumber;
    if (hasHeader) next = firstSequenceOf(window);
  }
  let offset = Math.min(size, LOG_HEADER_BYTES);
  let good = offset;
  while (offset + RECORD_HEADER_BYTES <= size) {
    if (!isWhole(window, offset, tag, record, next)) {
      offset++;
      if (offset % 4096 === 0) yield undefined;
      continue;
    }
    if (offset > good || (next !== undefined && record.firstSequence > next)) {
      const lost = next === undefined ? 0 : record.firstSequence - next;
      holes.push({ offset: good, end: offset, entries: lost });
    }
    first ??= record.firstSequence;
    const end = offset + RECORD_HEADER_BYTES + record.payloadLength;
    if (record.type !== RECORD_END) {
      visitEntries(window, offset, record, visit);
      entries += record.entryCount;
    }
    next = record.firstSequence + record.entryCount;
    offset = end;
    good = end;
    yield undefined;
  }
  const isTorn = good < size && !isZeros(window, good);
  return {
    hasHeader,
    entries,
    holes,
    tornOffset: isTorn ? good : undefined,
    firstSequence: first,
  };
}

function firstSequenceOf(window: LogWindow): number {
  return decodeLogHeader(window.bytes, window.view, 0)!.header!.firstSequence;
}

/** Whether there is a whole record at `offset` that can follow the records before it. */
function isWhole(
  window: LogWindow,
  offset: number,
  tag: number,
  record: ReturnType<typeof emptyRecordHeader>,
  next: number | undefined,
): boolean {
  // Check the tag first: this function runs for every byte of a damaged part.
  window.require(offset, RECORD_HEADER_BYTES);
  if (window.view.getUint32(offset - window.position + 12, true) !== tag) return false;
  if (!window.readRecord(offset, tag, record)) return false;
  const { firstSequence, entryCount, durableOffset } = record;
  if (next !== undefined && firstSequence < next) return false;
  if (durableOffset > offset || !Number.isSafeInteger(firstSequence + entryCount)) return false;
  if (record.type === RECORD_END) return record.payloadLength === 0 && entryCount === 0;
  try {
    // If the header is damaged, nobody knows the version.
    requireEntries(window, offset, record, undefined);
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}
