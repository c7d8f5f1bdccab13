/**
 * What the ways of choosing a compaction share: levels as they see them, key ranges, and making a
 * `Compaction` from the chosen tables.
 */

import {
  compareSmallest,
  compareViews,
  rangesOverlap,
  type TableMetadata,
} from "../version/table_metadata.ts";
import {
  type Compaction,
  type CompactionInput,
  type CompactionOptions,
  maxFileSize,
} from "./compaction.ts";

/** Tables by level: level 0 newest first, the others by key. */
export type Levels = readonly (readonly TableMetadata[])[];

/** Two keys and the keys between them. */
export interface KeyRange {
  /** The first key. */
  smallest: DataView;
  /** The last key. */
  largest: DataView;
}

/** The range of the keys of some tables. */
export function rangeOf(tables: readonly TableMetadata[]): KeyRange {
  let { smallestView: smallest, largestView: largest } = tables[0]!;
  for (const table of tables) {
    if (compareViews(table.smallestView, smallest) < 0) smallest = table.smallestView;
    if (compareViews(table.largestView, largest) > 0) largest = table.largestView;
  }
  return { smallest, largest };
}

/** The tables that have keys in a range. */
export function overlapping(tables: readonly TableMetadata[], range: KeyRange): TableMetadata[] {
  return tables.filter((table) => rangesOverlap(table, range.smallest, range.largest));
}

/** A merge of inputs, the newest first, into a level. */
export function merge(
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

/** A table's move to the next level, in which it must overlap nothing. */
export function move(
  level: number,
  table: TableMetadata,
  levels: Levels,
  options: CompactionOptions,
): Compaction {
  return { ...merge([{ level, tables: [table] }], level + 1, levels, options), kind: "move" };
}

/**
 * The tables of level 0 in groups that overlap no other group, each newest first. A group is
 * compacted as a whole. If an older table stayed, it would end up above a newer one that it
 * overlaps; and taking a newer one later would merge the same range again.
 */
export function groupsOfLevel0(level0: readonly TableMetadata[]): readonly TableMetadata[][] {
  const groups: TableMetadata[][] = [];
  let largest: DataView | undefined;
  for (const table of [...level0].sort(compareSmallest)) {
    const { smallestView, largestView } = table;
    if (largest === undefined || compareViews(largest, smallestView) < 0) groups.push([]);
    groups.at(-1)!.push(table);
    if (largest === undefined || compareViews(largest, largestView) < 0) largest = largestView;
  }
  for (const group of groups) group.sort((a, b) => b.number - a.number);
  return groups;
}

/** Finds, by a binary search, which tables of a level from 1 on overlap a range. */
export class LevelIndex {
  /** The tables, by key. */
  readonly tables: readonly TableMetadata[];
  readonly #bytes: number[] = [0];
  readonly #entries: number[] = [0];

  /** Sums up a level. */
  constructor(tables: readonly TableMetadata[]) {
    this.tables = tables;
    for (const { sizeBytes, entryCount } of tables) {
      this.#bytes.push(this.#bytes.at(-1)! + sizeBytes);
      this.#entries.push(this.#entries.at(-1)! + entryCount);
    }
  }

  /** The tables that have keys in a range, from the first index to before the second one. */
  met({ smallest, largest }: KeyRange): { from: number; to: number } {
    const { tables } = this;
    const first = (isBefore: (table: TableMetadata) => boolean): number => {
      let low = 0;
      let high = tables.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (isBefore(tables[middle]!)) low = middle + 1;
        else high = middle;
      }
      return low;
    };
    return {
      from: first(({ largestView }) => compareViews(largestView, smallest) < 0),
      to: first(({ smallestView }) => compareViews(smallestView, largest) <= 0),
    };
  }

  /** Bytes of the tables that have keys in a range. */
  bytesMet(range: KeyRange): number {
    const { from, to } = this.met(range);
    return this.#bytes[to]! - this.#bytes[from]!;
  }

  /** Entries of the tables that have keys in a range. */
  entriesMet(range: KeyRange): number {
    const { from, to } = this.met(range);
    return this.#entries[to]! - this.#entries[from]!;
  }
}
