/**
 * Chooses the next compaction. Pure: levels in, a decision out; it touches no file and no state.
 *
 * Leveled compaction as in LevelDB and RocksDB (https://github.com/google/leveldb, doc/impl.md, for
 * the scheme): the level that is furthest beyond its limit goes first; in a level from 1 on the table
 * goes that drags along the fewest bytes of the next level for each of its own. A table that meets
 * nothing in the next level is moved, not rewritten, so what was loaded in key order is never
 * rewritten at all.
 */

import { compareViews, rangesOverlap, type TableMetadata } from "../version/table_metadata.ts";
import {
  type Compaction,
  type CompactionInput,
  type CompactionOptions,
  maxFileSize,
  maxLevelSize,
  totalSize,
} from "./compaction.ts";

/**
 * So many neighbours go down together: the tables of the next level that they meet only in part, at both ends, are
 * rewritten once for all of them.
 */
const MAX_WINDOW = 8;
/** Several go together only if they and what they meet are no more than so many tables of the next level. */
const MAX_INPUT_FILES = 12;

/** Tables by level: level 0 newest first, the others by key. */
export type Levels = readonly (readonly TableMetadata[])[];

interface KeyRange {
  smallest: DataView;
  largest: DataView;
}

/** The most urgent compaction, or undefined when every level is within its limits. */
export function pickCompaction(levels: Levels, options: CompactionOptions): Compaction | undefined {
  let bestLevel = -1;
  let bestScore = 1;
  for (let level = 0; level < options.maxLevels - 1; level++) {
    const score = levelScore(levels, level, options);
    if (score >= bestScore && (bestLevel < 0 || score > bestScore)) {
      bestLevel = level;
      bestScore = score;
    }
  }
  if (bestLevel < 0) return undefined;
  return bestLevel === 0
    ? pickFromLevel0(levels, options)
    : pickFromLevel(levels, bestLevel, options);
}

/** Bytes that would have to be compacted to bring every level within its limits, at a rough guess. */
export function pendingCompactionBytes(levels: Levels, options: CompactionOptions): number {
  let pending = 0;
  const level0 = levels[0]!;
  if (level0.length >= options.l0CompactionTrigger) pending += totalSize(level0);
  for (let level = 1; level < options.maxLevels - 1; level++) {
    pending += Math.max(0, totalSize(levels[level]!) - maxLevelSize(options, level));
  }
  return pending;
}

/**
 * What it takes to bring every key of a range into one table without tombstones: groups of tables
 * whose key ranges meet, each to be merged into the lowest level that it reaches. Groups of a single
 * table that has nothing to drop are left out.
 */
export function planFullCompaction(
  levels: Levels,
  options: CompactionOptions,
  range: { smallest: DataView | undefined; largest: DataView | undefined },
): Compaction[] {
  const placed = levels.flatMap((tables, level) => tables.map((table) => ({ level, table })));
  placed.sort((a, b) => compareViews(a.table.smallestView, b.table.smallestView));
  const plans: Compaction[] = [];
  let group: typeof placed = [];
  let largest: DataView | undefined;
  const finishGroup = (): void => {
    const plan = planGroup(group, options, range);
    if (plan !== undefined) plans.push(plan);
    group = [];
  };
  for (const member of placed) {
    if (largest !== undefined && compareViews(member.table.smallestView, largest) > 0) {
      finishGroup();
      largest = undefined;
    }
    group.push(member);
    if (largest === undefined || compareViews(member.table.largestView, largest) > 0) {
      largest = member.table.largestView;
    }
  }
  if (group.length > 0) finishGroup();
  return plans;
}

function planGroup(
  group: readonly { level: number; table: TableMetadata }[],
  options: CompactionOptions,
  range: { smallest: DataView | undefined; largest: DataView | undefined },
): Compaction | undefined {
  const isClean = group.length === 1 && group[0]!.table.tombstoneCount === 0 &&
    group[0]!.table.checksum !== undefined && group[0]!.level > 0;
  const isOutside = group.every(({ table }) =>
    (range.largest !== undefined && compareViews(table.smallestView, range.largest) > 0) ||
    (range.smallest !== undefined && compareViews(table.largestView, range.smallest) < 0)
  );
  if (isClean || isOutside) return undefined;
  const outputLevel = Math.max(1, ...group.map(({ level }) => level));
  const inputs: CompactionInput[] = [];
  for (let level = 0; level <= outputLevel; level++) {
    const tables = group.filter((member) => member.level === level).map(({ table }) => table);
    if (level === 0) tables.sort((a, b) => b.number - a.number);
    if (tables.length > 0) inputs.push({ level, tables });
  }
  const isMove = group.length === 1 && group[0]!.table.tombstoneCount === 0 &&
    group[0]!.table.checksum !== undefined;
  return {
    kind: isMove ? "move" : "merge",
    inputs,
    outputLevel,
    maxFileSizeBytes: maxFileSize(options, outputLevel),
    deeper: [],
  };
}

function levelScore(levels: Levels, level: number, options: CompactionOptions): number {
  const tables = levels[level]!;
  if (level === 0) return tables.length / options.l0CompactionTrigger;
  return totalSize(tables) / maxLevelSize(options, level);
}

function pickFromLevel0(levels: Levels, options: CompactionOptions): Compaction {
  const level0 = levels[0]!;
  const oldest = level0[level0.length - 1]!;
  // Every table that meets the chosen ones has to come along: if it is older it would otherwise end
  // up above them, and if it is newer there is no reason to merge the same range again.
  const chosen = new Set([oldest]);
  let range = rangeOf([oldest]);
  for (let grew = true; grew;) {
    grew = false;
    for (const table of level0) {
      if (chosen.has(table) || !rangesOverlap(table, range.smallest, range.largest)) continue;
      chosen.add(table);
      range = rangeOf([...chosen]);
      grew = true;
    }
  }
  const tables = level0.filter((table) => chosen.has(table));
  const next = overlapping(levels[1]!, range);
  if (tables.length === 1 && next.length === 0) return move(0, oldest, levels, options);
  return merge([{ level: 0, tables }, { level: 1, tables: next }], 1, levels, options);
}

function pickFromLevel(levels: Levels, level: number, options: CompactionOptions): Compaction {
  const tables = levels[level]!;
  const next = levels[level + 1]!;
  const { begins, ends } = overlaps(tables, next);
  if (begins.length < tables.length) return move(level, tables[begins.length]!, levels, options);
  const bytesBefore = runningSizes(next);
  const maxBytes = MAX_INPUT_FILES * maxFileSize(options, level + 1);
  let [bestFrom, bestTo, bestRatio] = [0, 0, Infinity];
  for (let from = 0; from < tables.length; from++) {
    const begin = begins[from]!;
    let own = 0;
    for (let to = from; to < Math.min(tables.length, from + MAX_WINDOW); to++) {
      own += tables[to]!.sizeBytes;
      const bytes = bytesBefore[ends[to]!]! - bytesBefore[begin]!;
      if (to > from && own + bytes > maxBytes) break;
      const ratio = bytes / own;
      if (ratio < bestRatio) [bestFrom, bestTo, bestRatio] = [from, to, ratio];
    }
  }
  return merge(
    [
      { level, tables: tables.slice(bestFrom, bestTo + 1) },
      { level: level + 1, tables: next.slice(begins[bestFrom], ends[bestTo]) },
    ],
    level + 1,
    levels,
    options,
  );
}

/**
 * For each table, which of `next` its key range meets: from `begins` to `ends`, that one excluded. Ends in front of a
 * table that meets none: in a load in key order that is the first one, each time.
 */
function overlaps(
  tables: readonly TableMetadata[],
  next: readonly TableMetadata[],
): { begins: number[]; ends: number[] } {
  const begins: number[] = [];
  const ends: number[] = [];
  let begin = 0;
  let end = 0;
  for (const { smallestView, largestView } of tables) {
    while (begin < next.length && compareViews(next[begin]!.largestView, smallestView) < 0) begin++;
    while (end < next.length && compareViews(next[end]!.smallestView, largestView) <= 0) end++;
    if (begin === end) break;
    begins.push(begin);
    ends.push(end);
  }
  return { begins, ends };
}

/** Sums of the sizes of the first tables: of none, of one, ... of all. */
function runningSizes(tables: readonly TableMetadata[]): number[] {
  const sums = [0];
  for (const { sizeBytes } of tables) sums.push(sums.at(-1)! + sizeBytes);
  return sums;
}

function move(
  level: number,
  table: TableMetadata,
  levels: Levels,
  options: CompactionOptions,
): Compaction {
  return { ...merge([{ level, tables: [table] }], level + 1, levels, options), kind: "move" };
}

function merge(
  inputs: readonly CompactionInput[],
  outputLevel: number,
  levels: Levels,
  options: CompactionOptions,
): Compaction {
  const range = rangeOf(inputs.flatMap((input) => input.tables));
  const deeper = [];
  for (let level = outputLevel + 1; level < levels.length; level++) {
    deeper.push(overlapping(levels[level]!, range));
  }
  return {
    kind: "merge",
    inputs: inputs.filter((input) => input.tables.length > 0),
    outputLevel,
    maxFileSizeBytes: maxFileSize(options, outputLevel),
    deeper,
  };
}

function overlapping(tables: readonly TableMetadata[], range: KeyRange): TableMetadata[] {
  return tables.filter((table) => rangesOverlap(table, range.smallest, range.largest));
}

function rangeOf(tables: readonly TableMetadata[]): KeyRange {
  let { smallestView: smallest, largestView: largest } = tables[0]!;
  for (const table of tables) {
    if (compareViews(table.smallestView, smallest) < 0) smallest = table.smallestView;
    if (compareViews(table.largestView, largest) > 0) largest = table.largestView;
  }
  return { smallest, largest };
}
