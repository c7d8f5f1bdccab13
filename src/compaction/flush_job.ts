/**
 * Writes memtables to a level-0 table: the newest version of every key, tombstones and deleted
 * ranges, because older tables may hold what they hide. A flush writes one memtable, a checkpoint
 * all of them.
 */

import { AT_ENTRY, type EntrySequence } from "../iterator/entry_cursor.ts";
import type { KeySpan } from "../iterator/key_spans.ts";
import type { Memtable } from "../memtable/memtable.ts";
import { ENTRIES_PER_PAUSE } from "../platform/pacing.ts";
import type { Task } from "../platform/task.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import { TableOutput, type TableOutputOptions } from "./table_output.ts";

/** A task that writes the memtable; its result is the durable table, or undefined for no entry. */
export function flushJob(
  memtable: Memtable,
  options: TableOutputOptions,
  newFileNumber: () => number,
): Task<TableMetadata | undefined> {
  return writeTable(memtable.wholeCursor(), memtable.deletedSpans, options, newFileNumber);
}

/**
 * As `flushJob`, for what a forward cursor over memtables, or over a copy of one, shows.
 * `deletedSpans` hide entries of older tables.
 */
export function* writeTable(
  cursor: EntrySequence,
  deletedSpans: readonly KeySpan[],
  options: TableOutputOptions,
  newFileNumber: () => number,
): Task<TableMetadata | undefined> {
  const output = new TableOutput(options, 0, newFileNumber);
  let isFinished = false;
  try {
    let entries = 0;
    for (let at = cursor.seekToStart(); at === AT_ENTRY; at = cursor.advance()) {
      output.add(cursor.entry);
      if (++entries % ENTRIES_PER_PAUSE === 0) yield undefined;
    }
    const tables = yield* output.finish(deletedSpans);
    isFinished = true;
    return tables[0];
  } finally {
    // This runs even if the store is closed meanwhile: a cancelled generator runs nothing else.
    if (!isFinished) output.abandon();
  }
}
