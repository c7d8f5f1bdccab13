/**
 * Moves tombstones and deleted spans down until nothing is left that they hide, and drops them
 * there. Otherwise levels are compacted for their size, and deleted data would stay as long as
 * nobody writes more.
 * An entry that has expired counts as a tombstone, and a merge makes one of it.
 *
 * A table is due if its tombstones are worth the cost of dropping them: for each tombstone, at most
 * a given number of entries is rewritten on the way to the next level that holds keys of their
 * range. As every tombstone hides about one entry there, that bounds the work for each deleted
 * entry and level. A span counts as one, and as the entries that it is likely to hide there.
 */

import { joinSpans, NO_SPANS } from "../iterator/key_spans.ts";
import { expiredCount, nextExpiry } from "../sstable/table_expiry.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import type { Compaction, CompactionInput, CompactionOptions } from "./compaction.ts";
import { hasSpans, hiddenEntries } from "./covered.ts";
import { groupsOfLevel0, LevelIndex, type Levels, merge, move, rangeOf } from "./plan.ts";

/** When tombstones are worth a compaction. */
export interface TombstoneRule {
  /** Entries that may be rewritten for each tombstone of a table. */
  readonly rewrittenPerTombstone: number;
  /** Tables with fewer tombstones are left alone. */
  readonly leastTombstones: number;
}

/** While the store is in use: tables that are mostly dead. */
export const BUSY_RULE: TombstoneRule = { rewrittenPerTombstone: 4, leastTombstones: 64 };
/** While there is nothing else to do. */
export const IDLE_RULE: TombstoneRule = { rewrittenPerTombstone: 16, leastTombstones: 1 };

/** Number of tombstones of a table, and about how many entries have expired. */
export function deadCount({ tombstoneCount, expiry }: TableMetadata, nowMs: number): number {
  return tombstoneCount + expiredCount(expiry, nowMs);
}

/** The next time at which more entries of the tables have expired; Infinity if none expires. */
export function nextExpiryOf(levels: Levels, nowMs: number): number {
  let next = Infinity;
  for (const tables of levels) {
    for (const { expiry } of tables) {
      if (expiry !== undefined) next = Math.min(next, nextExpiry(expiry, nowMs));
    }
  }
  return next;
}

/**
 * The compaction that rewrites the fewest entries for each tombstone, if one is due. Entries that
 * expire by `nowMs` count as tombstones.
 */
export function pickTombstones(
  levels: Levels,
  options: CompactionOptions,
  rule: TombstoneRule,
  nowMs = 0,
): Compaction | undefined {
  const hasSome = (table: TableMetadata): boolean =>
    deadCount(table, nowMs) >= rule.leastTombstones || hasSpans(table);
  if (!levels.some((tables) => tables.some(hasSome))) return undefined;
  const indexes = levels.map((tables, level) => new LevelIndex(level === 0 ? [] : tables));
  let best: { input: CompactionInput; firstMet: number | undefined } | undefined;
  let bestCost = rule.rewrittenPerTombstone;
  const consider = (input: CompactionInput): void => {
    let tombstones = input.tables.reduce(
      (sum, table) => sum + deadCount(table, nowMs) + table.deletedSpans.length,
      0,
    );
    const spans = input.tables.map(({ deletedSpans }) => deletedSpans).reduce(joinSpans);
    const range = rangeOf(input.tables);
    tombstones += hiddenInside(input);
    let rewritten = input.tables.reduce((sum, table) => sum + table.entryCount, 0);
    let firstMet: number | undefined;
    for (let level = input.level + 1; level < levels.length && firstMet === undefined; level++) {
      const met = indexes[level]!.entriesMet(range);
      if (met > 0) [firstMet, rewritten] = [level, rewritten + met];
    }
    if (firstMet !== undefined && spans.length > 0) {
      const { from, to } = indexes[firstMet]!.met(range);
      for (const table of levels[firstMet]!.slice(from, to)) {
        tombstones += hiddenEntries(table, spans);
      }
    }
    if (tombstones < rule.leastTombstones) return;
    // Nothing is written into levels that the options do not have.
    if (firstMet !== undefined && input.level + 1 >= options.maxLevels) return;
    const cost = rewritten / tombstones;
    if (cost > bestCost || (cost === bestCost && best !== undefined)) return;
    [best, bestCost] = [{ input, firstMet }, cost];
  };
  for (const [level, tables] of levels.entries()) {
    if (tables.length === 0) continue;
    if (level === 0) {
      for (const group of groupsOfLevel0(tables)) consider({ level, tables: group });
    } else for (const table of tables) if (hasSome(table)) consider({ level, tables: [table] });
  }
  if (best === undefined) return undefined;
  const { input, firstMet } = best;
  const { level, tables } = input;
  if (firstMet === undefined) {
    // They hide nothing any more.
    return merge([input], Math.max(1, level), levels, options);
  }
  if (firstMet > level + 1 && tables.length === 1) return move(level, tables[0]!, levels, options);
  const next = indexes[level + 1]!;
  const { from, to } = next.met(rangeOf(tables));
  const nextInput = { level: level + 1, tables: next.tables.slice(from, to) };
  return merge([input, nextInput], level + 1, levels, options);
}

/** About how many entries of level 0 the deleted spans of newer tables of the group hide. */
function hiddenInside({ tables }: CompactionInput): number {
  let hidden = 0;
  let mask = NO_SPANS;
  for (const table of tables) {
    if (mask.length > 0) hidden += hiddenEntries(table, mask);
    mask = joinSpans(mask, table.deletedSpans);
  }
  return hidden;
}
