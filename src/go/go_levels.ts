/**
 * Gives the tables of a Go store levels that are in order. Pure: metadata in, levels out.
 *
 * Go's blocks carry no sequence numbers; the place of a table says what is newer. Level 0 is
 * flushed tables, newer ones with higher numbers. For the same key, everything in a level is newer
 * than in the levels below it. Levels from 1 on are meant to be disjoint, but are not after a crash
 * in the middle of a compaction (known defects of the Go program): there are outputs beside inputs
 * that were not deleted yet, or outputs of a failed merge beside all of its inputs. Go then reads
 * only one of them, whichever comes first.
 *
 * Within a level the higher number is right. An output has a higher number than any input, and
 * holds for every key the newest version of the inputs. And Go deletes the inputs of the upper
 * level first, those of level 0 oldest first, so an upper table that is left says the same as the
 * output or is newer. So if two tables of a level overlap, the one with the lower number goes to a
 * new level below, and deeper tables that it overlaps go further down. Nothing is moved up: a table
 * in level 0 may have a lower number than an output that is older than it.
 *
 * Known limit: Go drops tombstones in merges into its last level (6 unless its options say
 * otherwise). If it was killed after such a merge, an input that is left shows keys that a dropped
 * tombstone had hidden.
 */

import { compareSmallest, compareViews, rangesOverlap } from "../version/table_metadata.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import { type AddedTable, MAX_LEVELS } from "../version/version_edit.ts";

/**
 * The tables with levels in which those from 1 on are disjoint, or undefined if there are not
 * enough levels for that. Tables that are in order stay where they are.
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

/**
 * Newest first, each goes right below the deepest table that it overlaps; `keep` leaves it where it
 * was if possible.
 */
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
