/**
 * Gives the tables of a Go store levels that are in order. Pure: metadata in, levels out.
 *
 * Go's blocks carry no sequence numbers; what is newer is told by where a table stands. Level 0 is
 * flushed tables, newer ones with higher numbers. Everything in a level is newer than what the levels
 * below it hold for the same key. Levels from 1 on are meant to be disjoint, and are not after a crash in
 * the midst of a compaction (known defects of the Go program): outputs stand beside inputs that were not
 * deleted yet, or outputs of a merge that failed beside all of its inputs. Go then looks at one of
 * them, whichever comes first.
 *
 * Within a level the higher number is right. An output has a higher number than any input, and holds for
 * every key the newest version that the inputs had; and Go deletes the inputs of the upper level first,
 * those of level 0 oldest first, so an upper table that is left says the same as the output or is newer.
 * So here, of two tables of a level that overlap, the one with the lower number goes to a level of its own
 * below, and what lies deeper and overlaps it goes further down. Nothing is moved up: a table in level 0
 * may have a lower number than an output that is older than it.
 *
 * Known limit: Go drops tombstones in merges into its last level (6 unless its options said otherwise). If
 * it was killed behind such a merge, an input that is left shows keys that a dropped tombstone had hidden.
 */

import { compareSmallest, compareViews, rangesOverlap } from "../version/table_metadata.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import { type AddedTable, MAX_LEVELS } from "../version/version_edit.ts";

/**
 * The tables with levels in which those from 1 on are disjoint, or undefined if there are not enough
 * levels for that. What is in order stays where it is.
 */
export function arrangeGoTables(tables: readonly AddedTable[]): AddedTable[] | undefined {
  if (isInOrder(tables)) return [...tables];
  return arranged(tables, true) ?? arranged(tables, false);
}

function isInOrder(tables: readonly AddedTable[]): boolean {
  const levels = new Map<number, TableMetadata[]>();
  for (const { level, table } of tables) {
    if (level >= MAX_LEVELS) return false;
    if (level === 0) continue;
    if (!levels.has(level)) levels.set(level, []);
    levels.get(level)!.push(table);
  }
  return [...levels.values()].every((level) => {
    level.sort(compareSmallest);
    return level.every((table, i) =>
      i === 0 || compareViews(level[i - 1]!.largestView, table.smallestView) < 0
    );
  });
}

/** Newest first, each goes right below the deepest that it overlaps; `keep` leaves it where it was if it can. */
function arranged(tables: readonly AddedTable[], keep: boolean): AddedTable[] | undefined {
  const byAge = tables.filter(({ level }) => level > 0).sort((a, b) =>
    a.level - b.level || b.table.number - a.table.number
  );
  const placed: AddedTable[] = [];
  for (const { level: wanted, table } of byAge) {
    let level = keep ? wanted : 1;
    for (const above of placed) {
      if (
        above.level >= level &&
        rangesOverlap(above.table, table.smallestView, table.largestView)
      ) {
        level = above.level + 1;
      }
    }
    if (level >= MAX_LEVELS) return undefined;
    placed.push({ level, table });
  }
  return [...tables.filter(({ level }) => level === 0), ...placed];
}
