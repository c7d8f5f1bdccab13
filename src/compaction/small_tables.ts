/**
 * Merges small adjacent tables. A store that is opened, written a little and closed again and again
 * makes a small table each time. If the keys grow, no such table overlaps another one, so no level
 * is ever too large, and the tables would stay without end.
 *
 * Eight or more adjacent tables of a level become one table if the largest of them is at most half
 * of their sum. So an entry that is merged again is then in a table of at least twice the size, and
 * it is rewritten no more often than a table can double before it is no longer small. A table from
 * a full memtable is not small: data loaded in key order are not rewritten.
 */

import { compareViews, type TableMetadata } from "../version/table_metadata.ts";
import {
  type Compaction,
  type CompactionOptions,
  MAX_OVERLAP_FACTOR,
  maxFileSize,
  totalSize,
} from "./compaction.ts";
import { LevelIndex, type Levels, merge, overlapping, rangeOf } from "./plan.ts";

/** Tables below this part of the size of a table of level 1 are small. */
const SMALL_PART = 16;
/** Fewer adjacent tables stay as they are. */
const MIN_NEIGHBOURS = 8;
/** More are not merged at a time: each is a file to open and to delete. */
const MAX_NEIGHBOURS = 64;

/** The first small adjacent tables that are due, or undefined. */
export function pickSmallTables(
  levels: Levels,
  options: CompactionOptions,
): Compaction | undefined {
  for (let level = 1; level < Math.min(levels.length, options.maxLevels); level++) {
    const tables = smallNeighbours(levels, level, options);
    if (tables !== undefined) return merge([{ level, tables }], level, levels, options);
  }
  return undefined;
}

/**
 * The oldest small tables of level 0 that overlap nothing in level 1: they go there as one table
 * and not one by one.
 */
export function smallOfLevel0(
  levels: Levels,
  options: CompactionOptions,
): readonly TableMetadata[] {
  const chosen: TableMetadata[] = [];
  let sizeBytes = 0;
  for (const table of levels[0]!.toReversed()) {
    sizeBytes += table.sizeBytes;
    if (!isSmall(table, options) || sizeBytes > options.baseFileSizeBytes) break;
    if (overlapping(levels[1]!, rangeOf([...chosen, table])).length > 0) break;
    chosen.push(table);
  }
  return chosen.reverse();
}

/**
 * Adjacent tables, of any level, that would fit into one table of level 1, for a caller of
 * `compact`: each group is to be merged into its lowest level. Tables must not overlap each other;
 * those that do, and those outside the range, stay as they are.
 */
export function planNeighbours(
  levels: Levels,
  options: CompactionOptions,
  range: { smallest: DataView | undefined; largest: DataView | undefined },
): Compaction[] {
  const placed = levels.flatMap((tables, level) => tables.map((table) => ({ level, table })));
  placed.sort((a, b) => compareViews(a.table.smallestView, b.table.smallestView));
  const plans: Compaction[] = [];
  let group: typeof placed = [];
  const finishGroup = (): void => {
    if (group.length > 1) plans.push(planGroup(group, options));
    group = [];
  };
  let largest: DataView | undefined;
  for (const [at, member] of placed.entries()) {
    const { table, level } = member;
    const next = placed[at + 1]?.table;
    const isAlone = (largest === undefined || compareViews(largest, table.smallestView) < 0) &&
      (next === undefined || compareViews(table.largestView, next.smallestView) < 0);
    if (largest === undefined || compareViews(largest, table.largestView) < 0) {
      largest = table.largestView;
    }
    const isInside =
      !(range.largest !== undefined && compareViews(table.smallestView, range.largest) > 0) &&
      !(range.smallest !== undefined && compareViews(table.largestView, range.smallest) < 0);
    const sizeBytes = totalSize(group.map(({ table }) => table)) + table.sizeBytes;
    const isMember = isAlone && isInside && level > 0;
    if (!isMember || sizeBytes > options.baseFileSizeBytes || group.length === MAX_NEIGHBOURS) {
      finishGroup();
    }
    if (isMember) group.push(member);
  }
  finishGroup();
  return plans;
}

function planGroup(
  group: readonly { level: number; table: TableMetadata }[],
  options: CompactionOptions,
): Compaction {
  const outputLevel = Math.max(...group.map(({ level }) => level));
  const inputs = [];
  for (let level = 1; level <= outputLevel; level++) {
    const tables = group.filter((member) => member.level === level).map(({ table }) => table);
    if (tables.length > 0) inputs.push({ level, tables });
  }
  const maxFileSizeBytes = maxFileSize(options, outputLevel);
  return { kind: "merge", inputs, outputLevel, maxFileSizeBytes, deeper: [] };
}

function isSmall(table: TableMetadata, options: CompactionOptions): boolean {
  return table.sizeBytes * SMALL_PART < options.baseFileSizeBytes;
}

/** The longest group that starts at the first table from which a group can start, or undefined. */
function smallNeighbours(
  levels: Levels,
  level: number,
  options: CompactionOptions,
): readonly TableMetadata[] | undefined {
  const tables = levels[level]!;
  let next: LevelIndex | undefined;
  // A table that overlaps more than this of the next level is closed early, so nothing would be
  // gained.
  const mostMet = MAX_OVERLAP_FACTOR * maxFileSize(options, level);
  for (let from = 0; from + MIN_NEIGHBOURS <= tables.length; from++) {
    let sizeBytes = 0;
    let largest = 0;
    let best: readonly TableMetadata[] | undefined;
    for (let to = from; to < Math.min(tables.length, from + MAX_NEIGHBOURS); to++) {
      const table = tables[to]!;
      sizeBytes += table.sizeBytes;
      if (!isSmall(table, options) || sizeBytes > options.baseFileSizeBytes) break;
      largest = Math.max(largest, table.sizeBytes);
      if (to - from + 1 < MIN_NEIGHBOURS || largest * 2 > sizeBytes) continue;
      const group = tables.slice(from, to + 1);
      next ??= new LevelIndex(levels[level + 1] ?? []);
      if (next.bytesMet(rangeOf(group)) > mostMet) break;
      best = group;
    }
    if (best !== undefined) return best;
  }
  return undefined;
}
