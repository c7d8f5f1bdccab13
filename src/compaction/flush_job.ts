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
import { ValueMover } from "./value_mover.ts";

/**
 * What a flush does with large values in logs: it leaves them there, or moves them. Those in value
 * files stay there.
 */
export interface FlushedValues {
  /** Gives the numbers of new value files, if they are moved. */
  readonly newValueFile?: (() => number) | undefined;
  /** Another directory that all values are moved from. */
  readonly from?: string;
  /** The sizes of the files of values that stay where they are. */
  readonly sizes?: ReadonlyMap<number, number> | undefined;
}

/** A task that writes the memtable; its result is the durable table, or undefined for no entry. */
export function flushJob(
  memtable: Memtable,
  options: TableOutputOptions,
  newFileNumber: () => number,
  values?: FlushedValues,
): Task<TableMetadata | undefined> {
  const { deletedSpans } = memtable;
  return writeTable(memtable.wholeCursor(), deletedSpans, options, newFileNumber, values);
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
  values: FlushedValues = {},
): Task<TableMetadata | undefined> {
  const output = new TableOutput(options, 0, newFileNumber);
  const { newValueFile, from } = values;
  const moves = from === undefined ? "logs" : "all";
  const mover = newValueFile && new ValueMover(options, moves, newValueFile, from);
  let isFinished = false;
  try {
    let entries = 0;
    for (let at = cursor.seekToStart(); at === AT_ENTRY; at = cursor.advance()) {
      if (mover === undefined) output.add(cursor.entry);
      else {
        output.add(yield* mover.place(cursor.entry));
        yield* mover.endFullFile();
      }
      if (++entries % ENTRIES_PER_PAUSE === 0 || mover !== undefined) yield undefined;
    }
    if (mover !== undefined) yield* mover.finish();
    const sizes = new Map([...values.sizes ?? [], ...mover?.sizes ?? []]);
    const tables = yield* output.finish(deletedSpans, sizes);
    isFinished = true;
    return tables[0];
  } finally {
    // This runs even if the store is closed meanwhile: a cancelled generator runs nothing else.
    if (!isFinished) {
      output.abandon();
      mover?.abandon();
    }
  }
}
