/**
 * Reads of a damaged log what can be read: every whole record, also those after a damaged stretch.
 * For repair only: recovery stops at damage, since what follows a hole is no prefix of the history.
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

/** A stretch of a log in which no record can be read, although there is one after it. */
export interface LogHole {
  /** Where it begins. */
  readonly offset: number;
  /** Where the next whole record begins. */
  readonly end: number;
  /** How many entries were in it, as the sequence numbers around it say. */
  readonly entries: number;
}

/** What was read of a log. */
export interface SalvagedLog {
  /** Whether its header could be read. */
  readonly hasHeader: boolean;
  /** Entries that were handed over. */
  readonly entries: number;
  /** Stretches that are lost. */
  readonly holes: readonly LogHole[];
  /**
   * Where bytes begin at the end that are no record, and not zeros; undefined if there are none.
   */
  readonly tornOffset: number | undefined;
  /** Sequence number of the first record, or undefined if there is none. */
  readonly firstSequence: number | undefined;
}

/** The store that a log says it is of, and its version; undefined if its header can't be read. */
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
 * A task that hands every entry of every whole record to `visit`, in the order of the sequence
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

/** Whether a whole record is at `offset` that can come after the ones before it. */
function isWhole(
  window: LogWindow,
  offset: number,
  tag: number,
  record: ReturnType<typeof emptyRecordHeader>,
  next: number | undefined,
): boolean {
  // A look at the tag first: it is asked at every byte of a damaged stretch.
  window.require(offset, RECORD_HEADER_BYTES);
  if (window.view.getUint32(offset - window.position + 12, true) !== tag) return false;
  if (!window.readRecord(offset, tag, record)) return false;
  const { firstSequence, entryCount, durableOffset } = record;
  if (next !== undefined && firstSequence < next) return false;
  if (durableOffset > offset || !Number.isSafeInteger(firstSequence + entryCount)) return false;
  if (record.type === RECORD_END) return record.payloadLength === 0 && entryCount === 0;
  try {
    requireEntries(window, offset, record);
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}
