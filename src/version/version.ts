/**
 * The set of tables at one point in time, by level, immutable and counted.
 *
 * Level 0 holds flushed tables, newest first, whose key ranges may overlap. The tables of any other
 * level are disjoint and sorted by key. For the same key, everything in a level is newer than in
 * the levels below it. A reader retains the version that it works on; a table's file is deleted
 * only when no retained version names it (version_set.ts).
 */

import { compareRanges } from "../bytes/compare.ts";
import type { TableReader } from "../sstable/table_reader.ts";
import { DecodeError } from "../errors.ts";
import {
  compareSmallest,
  compareViews,
  rangesOverlap,
  type TableMetadata,
} from "./table_metadata.ts";
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
  /** Whether a table deletes ranges of older ones. */
  readonly hasDeletedSpans: boolean;
  /** How many hold it. Internal to the version set. */
  references = 0;

  /**
   * Where each level was searched last, as `firstEndingAtOrAfter` returns it. Of keys that are near
   * each other the next one mostly belongs in the same table, or in the same gap between two. So
   * gets in key order are a tenth faster, and others are as fast as before (decision 8).
   */
  readonly #recent: number[];
  /** The tables of which no entry lives for ever, the oldest first. */
  #mortal: readonly { readonly table: LiveTable; readonly level: number }[] | undefined;
  /** The last answer of `tablesOver`, with the times for which it is right. */
  #over:
    | {
      readonly tables: ReadonlySet<LiveTable>;
      readonly fromMs: number;
      readonly beforeMs: number;
    }
    | undefined;

  /** Makes a version of levels that are in order. */
  constructor(levels: readonly (readonly LiveTable[])[]) {
    this.levels = levels;
    this.#recent = levels.map(() => 0);
    this.depth = levels.findLastIndex((tables) => tables.length > 0) + 1;
    this.hasDeletedSpans = levels.some((tables) =>
      tables.some(({ metadata }) => metadata.deletedSpans.length > 0)
    );
  }

  /** A version without tables. */
  static empty(): Version {
    return new Version(Array.from({ length: MAX_LEVELS }, () => []));
  }

  /** The metadata of every table, by level and in the same order. */
  get tables(): readonly (readonly TableMetadata[])[] {
    return this.levels.map((level) => level.map((table) => table.metadata));
  }

  /**
   * The tables that a scan at a time, in milliseconds since 1970, can do without: all of their
   * entries are over by then, and hide nothing in older tables that is not over, too. What such a
   * table deletes by ranges still counts.
   */
  tablesOver(nowMs: number): ReadonlySet<LiveTable> {
    const known = this.#over;
    if (known !== undefined && nowMs >= known.fromMs && nowMs < known.beforeMs) return known.tables;
    const mortal = this.#mortal ??= mortalTables(this.levels);
    const tables = new Set<LiveTable>();
    let fromMs = -Infinity;
    let beforeMs = Infinity;
    // The oldest first, because a table counts only if all that it hides do.
    for (const { table, level } of mortal) {
      const latest = table.metadata.expiry!.times.at(-1)!;
      if (latest > nowMs) beforeMs = Math.min(beforeMs, latest);
      else {
        fromMs = Math.max(fromMs, latest);
        if (!hidesOthers(this.levels, level, table, tables)) tables.add(table);
      }
    }
    this.#over = { tables, fromMs, beforeMs };
    return tables;
  }

  /** The table of a level from 1 on that can hold the key, or undefined. */
  tableFor(level: number, key: DataView, start: number, end: number): LiveTable | undefined {
    const tables = this.levels[level]!;
    const recent = this.#recent[level]!;
    const near = tables[recent];
    if (near !== undefined && startsAtOrBefore(near, key, start, end)) {
      if (!endsBefore(near, key, start, end)) return near;
    } else if (recent === 0 || endsBefore(tables[recent - 1]!, key, start, end)) {
      return undefined;
    }
    const at = firstEndingAtOrAfter(tables, key, start, end);
    this.#recent[level] = at;
    const table = tables[at];
    return table !== undefined && startsAtOrBefore(table, key, start, end) ? table : undefined;
  }

  /**
   * The version after an edit. `live` makes the table for metadata that this version does not have.
   *
   * @throws {DecodeError} the edit does not fit: it removes a table that is not there, adds one
   *   that is, or makes tables of a level overlap
   */
  apply(edit: VersionEdit, live: (table: TableMetadata) => LiveTable): Version {
    const builder = new VersionBuilder(this, edit.removed.length + edit.added.length);
    builder.apply(edit, live);
    return builder.build();
  }
}

/** The tables in which every entry expires or is a tombstone, the oldest first. */
function mortalTables(
  levels: readonly (readonly LiveTable[])[],
): { table: LiveTable; level: number }[] {
  return levels.flatMap((tables, level) =>
    tables.filter(({ metadata: { expiry, tombstoneCount, entryCount } }) =>
      expiry !== undefined && expiry.count + tombstoneCount === entryCount
    ).map((table) => ({ table, level }))
  ).reverse();
}

/** Whether a table's keys enclose keys of an older table that is not among `over`. */
function hidesOthers(
  levels: readonly (readonly LiveTable[])[],
  level: number,
  table: LiveTable,
  over: ReadonlySet<LiveTable>,
): boolean {
  const { smallestView, smallest, largestView, number } = table.metadata;
  for (let at = level; at < levels.length; at++) {
    const tables = levels[at]!;
    if (at === 0) {
      const hidden = tables.find((older) =>
        older.metadata.number < number && !over.has(older) &&
        rangesOverlap(older.metadata, smallestView, largestView)
      );
      if (hidden !== undefined) return true;
    } else if (at > level) {
      const first = firstEndingAtOrAfter(tables, smallestView, 0, smallest.length);
      for (let next = first; next < tables.length; next++) {
        const older = tables[next]!;
        if (compareViews(older.metadata.smallestView, largestView) > 0) break;
        if (!over.has(older)) return true;
      }
    }
  }
  return false;
}

/** Whether the key lies in the range of a table's keys. */
export function mayHold(table: LiveTable, key: DataView, start: number, end: number): boolean {
  return startsAtOrBefore(table, key, start, end) && !endsBefore(table, key, start, end);
}

function startsAtOrBefore(table: LiveTable, key: DataView, start: number, end: number): boolean {
  const { smallestView, smallest } = table.metadata;
  return compareRanges(smallestView, 0, smallest.length, key, start, end) <= 0;
}

function endsBefore(table: LiveTable, key: DataView, start: number, end: number): boolean {
  const { largestView, largest } = table.metadata;
  return compareRanges(largestView, 0, largest.length, key, start, end) < 0;
}

/** From this number of changes on it pays to find tables by their numbers in a map. */
const MANY_CHANGES = 16;

/**
 * Applies edits to its own levels, one after another. It puts a table in its place and compares it
 * with its neighbours. Sorting and checking whole levels for each edit made opening a store with a
 * long manifest slow.
 */
export class VersionBuilder {
  readonly #levels: LiveTable[][];
  readonly #byNumber: Map<number, LiveTable> | undefined;

  /**
   * Starts from a version, which stays unchanged. `changes` is about how many tables are added and
   * removed.
   */
  constructor(version: Version, changes: number) {
    this.#levels = version.levels.map((level) => [...level]);
    if (changes > MANY_CHANGES) {
      this.#byNumber = new Map(this.#levels.flat().map((table) => [table.metadata.number, table]));
    }
  }

  /**
   * Applies an edit; `live` makes the table for metadata that is not there yet. After it has
   * thrown, the builder must not be used.
   *
   * @throws {DecodeError} the edit does not fit: see `Version.apply`
   */
  apply(edit: VersionEdit, live: (table: TableMetadata) => LiveTable): void {
    const removed = new Map<number, LiveTable>();
    for (const { level, number } of edit.removed) {
      const tables = this.#levels[level]!;
      const at = this.#indexOf(level, number);
      if (at < 0) {
        throw new DecodeError(`the edit removes table ${number} from level ${level}`, 0);
      }
      removed.set(number, tables[at]!);
      tables.splice(at, 1);
      this.#byNumber?.delete(number);
    }
    for (const { level, table } of edit.added) {
      const { number } = table;
      if (this.#has(number)) {
        throw new DecodeError(`the edit adds table ${number} a second time`, 0);
      }
      const added = removed.get(number) ?? live(table);
      this.#byNumber?.set(number, added);
      insert(level, this.#levels[level]!, added);
    }
  }

  /** The version after all edits. The builder must not be used any more. */
  build(): Version {
    return new Version(this.#levels);
  }

  #indexOf(level: number, number: number): number {
    const tables = this.#levels[level]!;
    if (this.#byNumber === undefined || level === 0) {
      return tables.findIndex((table) => table.metadata.number === number);
    }
    const table = this.#byNumber.get(number);
    if (table === undefined) return -1;
    const { smallestView, smallest } = table.metadata;
    const at = firstEndingAtOrAfter(tables, smallestView, 0, smallest.length);
    return tables[at] === table ? at : -1;
  }

  #has(number: number): boolean {
    return this.#byNumber?.has(number) ??
      this.#levels.some((tables) => tables.some(({ metadata }) => metadata.number === number));
  }
}

/**
 * In tables that are disjoint and sorted, the index of the first one whose largest key is at or
 * after `key[start, end)`, or the number of tables.
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
    if (endsBefore(tables[middle]!, key, start, end)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Puts a table into a level that is in order, and checks that it fits there. */
function insert(level: number, tables: LiveTable[], table: LiveTable): void {
  if (level === 0) {
    tables.push(table);
    tables.sort((a, b) => b.metadata.number - a.metadata.number);
    return;
  }
  const { smallestView, smallest } = table.metadata;
  const at = firstEndingAtOrAfter(tables, smallestView, 0, smallest.length);
  const after = tables[at];
  // Tables that end before its smallest key can't overlap it; of those after, the nearest would be
  // the first.
  if (
    after !== undefined &&
    compareViews(after.metadata.smallestView, table.metadata.largestView) <= 0
  ) {
    const [first, second] = compareSmallest(after.metadata, table.metadata) <= 0
      ? [after, table]
      : [table, after];
    throw new DecodeError(
      `tables ${first.metadata.number} and ${second.metadata.number} of level ${level} overlap`,
      0,
    );
  }
  tables.splice(at, 0, table);
}
