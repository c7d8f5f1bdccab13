/**
 * Brings the operations of a log record into a memtable: what the commit has written, and what
 * recovery reads.
 */

import { compareKeys, copyOfKey } from "../../iterator/key_spans.ts";
import type { Memtable } from "../../memtable/memtable.ts";
import type { TableMetadata } from "../../version/table_metadata.ts";
import { expiryAt, isExpiring } from "../../value/expiry.ts";
import { OPERATION_DELETE_RANGE } from "../../wal/log_format.ts";
import { rangeOperationAt } from "../../wal/range_operation.ts";

/**
 * Inserts an entry, or deletes a range. The operation's byte comes before `start`, and the rest is
 * as for `Memtable.insert`. `end` tells the first key after every key of the store.
 */
export function insertOperation(
  memtable: Memtable,
  sequence: number,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  keyEnd: number,
  end: number,
  endOfKeys: () => DataView,
): void {
  if (isRange(bytes, start)) {
    deleteRange(memtable, sequence, view, start, keyEnd, end, endOfKeys);
    return;
  }
  noteExpiry(memtable, bytes, view, keyEnd);
  memtable.insert(sequence, bytes, view, start, keyEnd, end);
}

/** Notes the time at which an entry expires, if it does. Its key ends at `keyEnd`. */
export function noteExpiry(
  memtable: Memtable,
  bytes: Uint8Array,
  view: DataView,
  keyEnd: number,
): void {
  if (isExpiring(bytes, keyEnd + 4)) memtable.noteExpiry(expiryAt(view, keyEnd + 4));
}

/** Whether the operation whose fields begin at `start` deletes a range. */
export function isRange(bytes: Uint8Array, start: number): boolean {
  return bytes[start - 1] === OPERATION_DELETE_RANGE;
}

/**
 * Deletes the range of an operation. A range without an end gets one: after the last key that there
 * is. So neither memtables nor tables have ranges without an end, and every table has a last key.
 */
export function deleteRange(
  memtable: Memtable,
  sequence: number,
  view: DataView,
  start: number,
  keyEnd: number,
  end: number,
  endOfKeys: () => DataView,
): void {
  const { lower, upper } = rangeOperationAt(view, start, keyEnd, end);
  memtable.deleteRange(sequence, { lower, upper: upper ?? endOfKeys() });
}

/** The first key after every key of some memtables and tables. */
export function endOfKeys(
  memtables: readonly Memtable[],
  tables: readonly TableMetadata[],
): DataView {
  let last: DataView | undefined;
  for (const { lastKey } of memtables) {
    if (lastKey !== undefined && (last === undefined || compareKeys(last, lastKey) < 0)) {
      last = lastKey;
    }
  }
  for (const { largestView } of tables) {
    if (last === undefined || compareKeys(last, largestView) < 0) last = largestView;
  }
  return last === undefined
    ? new DataView(new ArrayBuffer(0))
    : copyOfKey(last, 0, last.byteLength, 1);
}
