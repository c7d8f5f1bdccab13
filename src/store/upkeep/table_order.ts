/**
 * Decides where tables go if no manifest says it. Pure.
 *
 * Entries on disk have no sequence numbers. If two tables have the same key, the table in the upper
 * level is newer. Without a manifest the level is a guess: the level for which the table was
 * written, or which a damaged manifest still names, and then the table's number. The guess is wrong
 * for a table that was moved down later, or that a compaction had already replaced. Tables that do
 * not overlap do not need a guess.
 */

import { rangesOverlap, type TableMetadata } from "../../version/table_metadata.ts";
import { MAX_LEVELS } from "../../version/version_edit.ts";

/** A table with its last known level. */
export interface FoundTable {
  /** What the table's file says. */
  readonly table: TableMetadata;
  /** The level for which it was written, or at which a manifest last named it. */
  readonly level: number;
}

/** The place of a table. */
export interface PlacedTable {
  /** The table. */
  readonly table: TableMetadata;
  /** Its new level. */
  readonly level: number;
  /** Whether it needs a new number, because level 0 is ordered by number. */
  readonly isRenumbered: boolean;
  /** Tables that overlap this one and that are taken to be older. */
  readonly over: readonly number[];
}

/** The tables in the order of their guessed ages, the newest first. */
export function byAge(found: readonly FoundTable[]): FoundTable[] {
  return [...found].sort((a, b) => a.level - b.level || b.table.number - a.table.number);
}

/**
 * Places tables so that readers see them in the given order, the newest first. `remade` are the
 * numbers of tables that the repair replaces with new ones, under new numbers.
 */
export function placeTables(
  newestFirst: readonly FoundTable[],
  remade: ReadonlySet<number>,
): PlacedTable[] {
  const deep: { table: TableMetadata; level: number }[] = [];
  const top: TableMetadata[] = [];
  const over = new Map<number, number[]>();
  for (const [at, { table, level }] of [...newestFirst.entries()].reverse()) {
    const older = newestFirst.slice(at + 1).map((found) => found.table)
      .filter((other) => overlap(table, other));
    over.set(table.number, older.map(({ number }) => number));
    const hasTopBelow = older.some((other) => top.includes(other));
    const ceiling = deep.filter((other) => overlap(table, other.table))
      .reduce((least, other) => Math.min(least, other.level - 1), MAX_LEVELS - 1);
    const target = Math.min(level, ceiling);
    if (level === 0 || target < 1 || hasTopBelow) top.push(table);
    else deep.push({ table, level: target });
  }
  let last = 0;
  return [
    ...deep.map((placed) => ({
      ...placed,
      isRenumbered: false,
      over: over.get(placed.table.number)!,
    })),
    // Start with the oldest, because numbers must ascend.
    ...top.map((table) => {
      const isRenumbered = last === Infinity || table.number < last || remade.has(table.number);
      last = isRenumbered ? Infinity : table.number;
      return { table, level: 0, isRenumbered, over: over.get(table.number)! };
    }),
  ];
}

function overlap(a: TableMetadata, b: TableMetadata): boolean {
  return rangesOverlap(a, b.smallestView, b.largestView);
}
