/**
 * Chooses the next compaction. Pure: levels in, a decision out; it touches no file and no state.
 *
 * Leveled compaction as in LevelDB and RocksDB (https://github.com/google/leveldb, doc/impl.md, for
 * the scheme). The level that is furthest beyond its limit goes first. From a level from 1 on, it
 * takes the tables that overlap the fewest bytes of the next level for each of their own. A table
 * that overlaps nothing in the next level is moved, not rewritten, so data loaded in key order are
 * never rewritten at all.
 */

import { isTrusted } from "../sstable/trust.ts";
import { compareViews, type TableMetadata } from "../version/table_metadata.ts";
import {
  type Compaction,
  type CompactionInput,
  type CompactionOptions,
  maxFileSize,
  maxLevelSize,
  totalSize,
} from "./compaction.ts";
import { hasSpans, pickHidden } from "./covered.ts";
import { groupsOfLevel0, type Levels, merge, move, overlapping, rangeOf } from "./plan.ts";
import { pickSmallTables, smallOfLevel0 } from "./small_tables.ts";
import { BUSY_RULE, deadCount, IDLE_RULE, pickTombstones } from "./tombstones.ts";
import { levelToSink, pickDeadValues, pickSmallFiles } from "./value_space.ts";

/**
 * Compact up to this many adjacent tables at once, so that tables of the next level which they
 * overlap only in part, at both ends, are rewritten once (decision 15).
 */
const MAX_WINDOW = 8;
/**
 * Several tables are compacted together only if all inputs are at most this many tables of the next
 * level.
 */
const MAX_INPUT_FILES = 12;

/**
 * The most urgent compaction: of tables that are hidden as a whole, which costs nothing; then for a
 * level that is beyond its limit, then for small tables, then for tombstones and entries that
 * expire by `nowMs`, then for files of large values that are mostly dead, or many and small.
 * Undefined if there is nothing to do.
 */
export function pickCompaction(
  levels: Levels,
  options: CompactionOptions,
  nowMs = 0,
): Compaction | undefined {
  const hidden = pickHidden(levels);
  if (hidden !== undefined) return hidden;
  let bestLevel = -1;
  let bestScore = 1;
  for (let level = 0; level < options.maxLevels - 1; level++) {
    const score = levelScore(levels, level, options);
    if (score >= bestScore && (bestLevel < 0 || score > bestScore)) {
      bestLevel = level;
      bestScore = score;
    }
  }
  if (bestLevel < 0) {
    return pickSmallTables(levels, options) ??
      pickTombstones(levels, options, BUSY_RULE, nowMs) ?? pickDeadValues(levels, options) ??
      pickSmallFiles(levels, options);
  }
  return bestLevel === 0
    ? pickFromLevel0(levels, options)
    : pickFromLevel(levels, bestLevel, options);
}

/**
 * As `pickCompaction`, for a store that nobody writes to: it frees more space of deleted entries.
 */
export function pickIdleCompaction(
  levels: Levels,
  options: CompactionOptions,
  nowMs = 0,
): Compaction | undefined {
  const compaction = pickCompaction(levels, options, nowMs) ??
    pickTombstones(levels, options, IDLE_RULE, nowMs);
  if (compaction !== undefined) return compaction;
  const level = levelToSink(levels, options);
  if (level === undefined) return undefined;
  return level === 0 ? pickFromLevel0(levels, options) : pickFromLevel(levels, level, options);
}

/**
 * Bytes that would have to be compacted to bring every level within its limits, at a rough guess.
 */
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
 * The compactions that bring every key of a range into one table without tombstones and without
 * entries that expire by `nowMs`: groups of
 * tables whose key ranges overlap, each to be merged into the lowest level that it reaches. A group
 * of one table with nothing to drop is left out.
 */
export function planFullCompaction(
  levels: Levels,
  options: CompactionOptions,
  range: { smallest: DataView | undefined; largest: DataView | undefined },
  nowMs = 0,
): Compaction[] {
  const placed = levels.flatMap((tables, level) => tables.map((table) => ({ level, table })));
  placed.sort((a, b) => compareViews(a.table.smallestView, b.table.smallestView));
  const plans: Compaction[] = [];
  let group: typeof placed = [];
  let largest: DataView | undefined;
  const finishGroup = (): void => {
    const plan = planGroup(group, options, range, nowMs);
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
  nowMs: number,
): Compaction | undefined {
  const hasNothingToDrop = group.length === 1 && deadCount(group[0]!.table, nowMs) === 0 &&
    !hasSpans(group[0]!.table) && isTrusted(group[0]!.table);
  const isClean = hasNothingToDrop && group[0]!.level > 0;
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
  return {
    kind: hasNothingToDrop ? "move" : "merge",
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
  const oldest = levels[0]!.at(-1)!;
  const tables = groupsOfLevel0(levels[0]!).find((group) => group.includes(oldest))!;
  const next = overlapping(levels[1]!, rangeOf(tables));
  if (tables.length > 1 || next.length > 0) {
    return merge([{ level: 0, tables }, { level: 1, tables: next }], 1, levels, options);
  }
  const small = smallOfLevel0(levels, options);
  return small.length > 1
    ? merge([{ level: 0, tables: small }], 1, levels, options)
    : move(0, tables[0]!, levels, options);
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
 * For each table, the tables of `next` that its key range overlaps: from `begins` to before `ends`.
 * For a table that overlaps none, both are the place where it would go. In a load in key order, the
 * first table overlaps none each time.
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

/** Sums of the sizes of the first tables: of 0, of 1, ... of all. */
function runningSizes(tables: readonly TableMetadata[]): number[] {
  const sums = [0];
  for (const { sizeBytes } of tables) sums.push(sums.at(-1)! + sizeBytes);
  return sums;
}
