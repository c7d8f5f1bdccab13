/**
 * Gives back the space of large values that nothing refers to any more. A file of values is deleted
 * when no table refers to it, so its living values have to move to another file first. And a value
 * is known to be dead only when a merge has met the newer entry that hides it.
 *
 * The rule is about the sizes of files and the bytes that tables refer to, both of which the
 * manifest has: at rest, at most `MAX_DEAD_PART` dead bytes for each living one.
 */

import { VALUE_FILE_HEADER_BYTES } from "../sstable/value_file.ts";
import { IN_VALUE_FILE } from "../value/value_reference.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import type { Compaction, CompactionOptions } from "./compaction.ts";
import { totalSize } from "./compaction.ts";
import { groupsOfLevel0, type Levels, merge, overlapping, rangeOf } from "./plan.ts";

/** The most dead bytes for each living one, at rest. */
export const MAX_DEAD_PART = 1.5;
/** Values are moved out of files of which less than this part is referred to. */
const MOSTLY_DEAD_PART = 1 / 2;
/** As above, for a caller who asks for a compaction. */
const ASKED_PART = 3 / 4;
/**
 * Tables are merged only to find dead values if these may take at least this part of the bytes of
 * all tables.
 */
const MIN_GAIN_PART = 1 / 4;

/** The values of a memtable, which is newer than all tables. */
export interface MemtableValues {
  /** Size of the log and the value files that hold them; 0 if there are none. */
  readonly fileBytes: number;
  /** Bytes of values that entries refer to, every version counted. */
  readonly usedBytes: number;
  /** Number of these entries. */
  readonly usedCount: number;
  /** Number of all entries. */
  readonly entryCount: number;
  /** Number of keys. */
  readonly keyCount: number;
}

/**
 * Sizes of all files of values, and the part of each that tables refer to. The header of a value
 * file is not counted: else a file of one short value would always look mostly dead.
 */
export function valueFilesOf(
  levels: Levels,
): ReadonlyMap<number, { readonly sizeBytes: number; readonly usedBytes: number }> {
  const files = new Map<number, { sizeBytes: number; usedBytes: number }>();
  for (const tables of levels) {
    for (const { valueUses } of tables) {
      for (const { kind, number, sizeBytes, usedBytes } of valueUses) {
        const file = files.get(number);
        if (file !== undefined) file.usedBytes += usedBytes;
        else {
          const headerBytes = kind === IN_VALUE_FILE ? VALUE_FILE_HEADER_BYTES : 0;
          files.set(number, { sizeBytes: sizeBytes - headerBytes, usedBytes });
        }
      }
    }
  }
  return files;
}

/** The merge that moves values out of mostly dead files, if too many bytes are known to be dead. */
export function pickDeadValues(
  levels: Levels,
  options: CompactionOptions,
): Compaction | undefined {
  const files = valueFilesOf(levels);
  if (files.size === 0) return undefined;
  let [size, used] = [0, 0];
  for (const { sizeBytes, usedBytes } of files.values()) {
    size += sizeBytes;
    used += usedBytes;
  }
  if (size - used <= MAX_DEAD_PART * used) return undefined;
  return pickMoves(levels, options, files, MOSTLY_DEAD_PART);
}

/** As `pickDeadValues`, for every file that is worth it. */
export function planMovedValues(
  levels: Levels,
  options: CompactionOptions,
): Compaction | undefined {
  return pickMoves(levels, options, valueFilesOf(levels), ASKED_PART);
}

/** The merge of the table with the most values in files of which less than a part is used. */
function pickMoves(
  levels: Levels,
  options: CompactionOptions,
  files: ReturnType<typeof valueFilesOf>,
  part: number,
): Compaction | undefined {
  const moves = new Set<number>();
  for (const [number, { sizeBytes, usedBytes }] of files) {
    if (usedBytes < part * sizeBytes) moves.add(number);
  }
  let best: { level: number; table: TableMetadata } | undefined;
  let bestBytes = 0;
  for (const [level, tables] of levels.entries()) {
    for (const table of tables) {
      const bytes = movedBytes(table, moves);
      if (bytes > bestBytes) [best, bestBytes] = [{ level, table }, bytes];
    }
  }
  if (best === undefined) return undefined;
  const { level, table } = best;
  if (level > 0) {
    return { ...merge([{ level, tables: [table] }], level, levels, options), moves: [...moves] };
  }
  const tables = groupsOfLevel0(levels[0]!).find((group) => group.includes(table))!;
  const next = { level: 1, tables: overlapping(levels[1]!, rangeOf(tables)) };
  return { ...merge([{ level: 0, tables }, next], 1, levels, options), moves: [...moves] };
}

/** Bytes that a merge reads: tables, and the large values that it moves. */
export function inputBytes({ inputs, moves }: Compaction): number {
  const moved = new Set(moves);
  const tables = inputs.flatMap((input) => input.tables);
  return tables.reduce((sum, table) => sum + movedBytes(table, moved), totalSize(tables));
}

/** Bytes of the large values that a table has in the files `moves`. */
function movedBytes({ valueUses }: TableMetadata, moves: ReadonlySet<number>): number {
  return valueUses.reduce(
    (sum, { number, usedBytes }) => moves.has(number) ? sum + usedBytes : sum,
    0,
  );
}

/**
 * The level whose tables should be merged into the next one, to find out which values below they
 * hide; undefined if all may stay. -1 stands for the memtable.
 */
export function levelToSink(
  levels: Levels,
  options: CompactionOptions,
  memtable?: MemtableValues,
): number | undefined {
  const files = valueFilesOf(levels);
  if (files.size === 0 && (memtable === undefined || memtable.usedCount === 0)) return undefined;
  let size = memtable?.fileBytes ?? 0;
  for (const { sizeBytes } of files.values()) size += sizeBytes;
  // Each entry may hide a value of average size in the levels, and tables of level 0, below it.
  let used = memtable?.usedBytes ?? 0;
  let hidden = memtable === undefined
    ? 0
    : hiddenPart(used, memtable.usedCount, memtable.entryCount - memtable.keyCount);
  let newerEntries = memtable?.keyCount ?? 0;
  let top: number | undefined = newerEntries > 0 ? -1 : undefined;
  let sinks: number | undefined = hidden > 0 ? -1 : undefined;
  for (const [level, tables] of levels.entries()) {
    const runs = level === 0 ? tables.map((table) => [table]) : [tables];
    for (const run of runs) {
      if (run.length === 0) continue;
      const [bytes, count] = usesOf(run);
      used += bytes;
      const more = hiddenPart(bytes, count, newerEntries);
      hidden += more;
      if (more > 0) sinks ??= top;
      for (const { entryCount } of run) newerEntries += entryCount;
      top ??= level;
    }
  }
  const living = used - hidden;
  if (sinks === undefined || size - living <= MAX_DEAD_PART * living) return undefined;
  if (hidden < MIN_GAIN_PART * totalSize(levels.flat())) return undefined;
  return sinks + 1 < options.maxLevels ? sinks : undefined;
}

/** Bytes of `count` values that `newerEntries` entries may hide. */
function hiddenPart(bytes: number, count: number, newerEntries: number): number {
  return count === 0 ? 0 : bytes * Math.min(1, newerEntries / count);
}

function usesOf(tables: readonly TableMetadata[]): [bytes: number, count: number] {
  let [bytes, count] = [0, 0];
  for (const { valueUses } of tables) {
    for (const { usedBytes, entryCount } of valueUses) {
      bytes += usedBytes;
      count += entryCount;
    }
  }
  return [bytes, count];
}
