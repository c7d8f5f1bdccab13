/**
 * Where tables go if no manifest says it. Pure.
 *
 * Entries have no sequence numbers on disk: of two tables that have a key, the one in the upper
 * level is the newer. Without a manifest it is a guess which that is: by the level that a table was
 * written for, or that a damaged manifest still names, then by its number. A table that was moved
 * down later, or one that a compaction had replaced, makes it a wrong one. If tables do not
 * overlap, nothing depends on it.
 */

import { rangesOverlap, type TableMetadata } from "../../version/table_metadata.ts";
import { MAX_LEVELS } from "../../version/version_edit.ts";

/** A table with the level that it is known by. */
export interface FoundTable {
  /** What its file says. */
  readonly table: TableMetadata;
  /** The level that it was written for, or last seen in. */
  readonly level: number;
}

/** Where a table goes. */
export interface PlacedTable {
  /** The table. */
  readonly table: TableMetadata;
  /** The level that it gets. */
  readonly level: number;
  /** Whether it must get a new number: level 0 is ordered by them. */
  readonly isRenumbered: boolean;
  /** Tables that have keys of the same range and are taken to be older. */
  readonly over: readonly number[];
}

/** Tables in the order of their age as it is guessed, the newest first. */
export function byAge(found: readonly FoundTable[]): FoundTable[] {
  return [...found].sort((a, b) => a.level - b.level || b.table.number - a.table.number);
}

/**
 * Places tables that are given with the newest first, so that readers see them in that order.
 * `remade` are the numbers of those in whose place others come, with new numbers.
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
    // From the oldest on: numbers have to ascend.
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
