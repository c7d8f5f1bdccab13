/**
 * The set of tables at one point in time, by level, immutable and counted.
 *
 * Level 0 holds flushed tables, newest first, whose key ranges may overlap; the tables of any other
 * level are disjoint and sorted by key, and everything in a level is newer than what the levels below
 * it hold for the same key. A reader retains the version it works on; a table's file is deleted only
 * when no retained version names it (version_set.ts).
 */

import { compareRanges } from "../bytes/compare.ts";
import type { TableReader } from "../sstable/table_reader.ts";
import { DecodeError } from "../errors.ts";
import { compareSmallest, compareViews, type TableMetadata } from "./table_metadata.ts";
import { MAX_LEVELS, type VersionEdit } from "./version_edit.ts";

/** A table that some version names, with its reader. */
export class LiveTable {
  /** What the manifest knows of it. */
  readonly metadata: TableMetadata;
  /** Reads the file. */
  readonly reader: TableReader;
  /** Number of versions in memory that name it. Internal to the version set. */
  references = 0;

  /** Joins metadata and reader. */
  constructor(metadata: TableMetadata, reader: TableReader) {
    this.metadata = metadata;
    this.reader = reader;
  }
}

/** An immutable set of tables. */
export class Version {
  /** The tables of each level: level 0 newest first, the others by key. */
  readonly levels: readonly (readonly LiveTable[])[];
  /** Number of levels down to the lowest that has a table; 0 without tables. */
  readonly depth: number;
  /** How many hold it. Internal to the version set. */
  references = 0;

  /** Makes a version of levels that are in order. */
  constructor(levels: readonly (readonly LiveTable[])[]) {
    this.levels = levels;
    this.depth = levels.findLastIndex((tables) => tables.length > 0) + 1;
  }

  /** A version without tables. */
  static empty(): Version {
    return new Version(Array.from({ length: MAX_LEVELS }, () => []));
  }

  /** The metadata of every table, by level and in the same order. */
  get tables(): readonly (readonly TableMetadata[])[] {
    return this.levels.map((level) => level.map((table) => table.metadata));
  }

  /** The table of a level from 1 on that may hold the key, or undefined. */
  tableFor(level: number, key: DataView, start: number, end: number): LiveTable | undefined {
    const table = this.levels[level]![firstEndingAtOrAfter(this.levels[level]!, key, start, end)];
    if (table === undefined) return undefined;
    const { smallestView, smallest } = table.metadata;
    return compareRanges(smallestView, 0, smallest.length, key, start, end) > 0 ? undefined : table;
  }

  /**
   * The version after an edit. `live` makes the table for metadata that this version does not have.
   *
   * @throws {DecodeError} the edit does not fit: it removes what is not there, adds what is, or makes
   * tables of a level overlap
   */
  apply(edit: VersionEdit, live: (table: TableMetadata) => LiveTable): Version {
    const levels = this.levels.map((level) => [...level]);
    const known = new Map<number, LiveTable>();
    for (const { level, number } of edit.removed) {
      const tables = levels[level]!;
      const at = tables.findIndex((table) => table.metadata.number === number);
      if (at < 0) {
        throw new DecodeError(`the edit removes table ${number} from level ${level}`, 0);
      }
      known.set(number, tables[at]!);
      tables.splice(at, 1);
    }
    for (const { level, table } of edit.added) {
      levels[level]!.push(known.get(table.number) ?? live(table));
    }
    if (edit.added.length > 0) {
      requireUnique(levels);
      for (const level of new Set(edit.added.map((added) => added.level))) {
        arrange(level, levels[level]!);
      }
    }
    return new Version(levels);
  }
}

/**
 * In tables that are disjoint and sorted, the index of the first whose largest key is at or after
 * `key[start, end)`, or the number of tables.
 */
export function firstEndingAtOrAfter(
  tables: readonly LiveTable[],
  key: DataView,
  start: number,
  end: number,
): number {
  let low = 0;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { largestView, largest } = tables[middle]!.metadata;
    if (compareRanges(largestView, 0, largest.length, key, start, end) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function requireUnique(levels: LiveTable[][]): void {
  const numbers = new Set<number>();
  for (const { metadata } of levels.flat()) {
    if (numbers.has(metadata.number)) {
      throw new DecodeError(`the edit adds table ${metadata.number} a second time`, 0);
    }
    numbers.add(metadata.number);
  }
}

/** Sorts a level and checks that its tables may stand side by side. */
function arrange(level: number, tables: LiveTable[]): void {
  if (level === 0) {
    tables.sort((a, b) => b.metadata.number - a.metadata.number);
    return;
  }
  tables.sort((a, b) => compareSmallest(a.metadata, b.metadata));
  for (let i = 1; i < tables.length; i++) {
    const before = tables[i - 1]!.metadata;
    const after = tables[i]!.metadata;
    if (compareViews(before.largestView, after.smallestView) >= 0) {
      throw new DecodeError(
        `tables ${before.number} and ${after.number} of level ${level} overlap`,
        0,
      );
    }
  }
}
