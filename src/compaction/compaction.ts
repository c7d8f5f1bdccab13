/**
 * A compaction as plain data: the picker decides it and a job carries it out. It holds only table
 * metadata and numbers, so it can be printed, compared in tests, and sent to a worker.
 */

import type { TableMetadata } from "../version/table_metadata.ts";
import type { VersionEdit } from "../version/version_edit.ts";

/** The shape of the levels. */
export interface CompactionOptions {
  /** Number of level-0 tables that starts a compaction. */
  readonly l0CompactionTrigger: number;
  /** A level may be this many times as large as the one above it. */
  readonly levelSizeMultiplier: number;
  /** Number of levels, level 0 included; 2 to 7. */
  readonly maxLevels: number;
  /** Size in bytes up to which level 1 may grow. */
  readonly baseLevelSizeBytes: number;
  /** Size in bytes of an output table of level 1; twice as much for each level below. */
  readonly baseFileSizeBytes: number;
}

/** Tables of one level that take part. */
export interface CompactionInput {
  /** The level of these tables. */
  readonly level: number;
  /** The tables: of level 0 newest first, of other levels by key. */
  readonly tables: readonly TableMetadata[];
}

/** What to do. */
export interface Compaction {
  /**
   * Whether the one input table only changes its level, all inputs are merged into new tables, or
   * all inputs are dropped, because newer tables hide them as a whole.
   */
  readonly kind: "move" | "merge" | "drop";
  /** The tables to read, by level, the newest first. */
  readonly inputs: readonly CompactionInput[];
  /** The level that the outputs go to. */
  readonly outputLevel: number;
  /** Size in bytes at which an output table is closed. */
  readonly maxFileSizeBytes: number;
  /**
   * Tables of each level below the output level whose key ranges overlap that of the inputs. A
   * tombstone must stay if one of them can hold its key. And an output table is closed early if it
   * would overlap too many bytes of the first of these levels.
   */
  readonly deeper: readonly (readonly TableMetadata[])[];
  /** Entries that expire by this time, in milliseconds since 1970, are dropped. Default: none. */
  readonly nowMs?: number | undefined;
  /** The files whose large values are moved to new ones. Default: none. */
  readonly moves?: readonly number[] | undefined;
}

/** The edit that replaces a compaction's inputs by its outputs. */
export function editOf(
  { inputs, outputLevel }: Compaction,
  outputs: readonly TableMetadata[],
): VersionEdit {
  return {
    removed: inputs.flatMap(({ level, tables }) => tables.map(({ number }) => ({ level, number }))),
    added: outputs.map((table) => ({ level: outputLevel, table })),
  };
}

/** The tables that a compaction without a merge leaves: the one that it moves, or none. */
export function keptTables({ kind, inputs }: Compaction): readonly TableMetadata[] {
  return kind === "move" ? inputs[0]!.tables : [];
}

/**
 * An output table that overlaps more than this many times its size in the level below it is closed.
 */
export const MAX_OVERLAP_FACTOR = 10;

/** No output table reaches this size unless one entry alone does. */
const MAX_FILE_SIZE_BYTES = 64 * 1024 * 1024;

/** Size in bytes at which an output table of a level is closed. */
export function maxFileSize(options: CompactionOptions, level: number): number {
  return Math.min(
    Math.max(MAX_FILE_SIZE_BYTES, options.baseFileSizeBytes),
    options.baseFileSizeBytes * 2 ** Math.max(0, level - 1),
  );
}

/** Size in bytes up to which a level from 1 on may grow; the last level has no limit. */
export function maxLevelSize(options: CompactionOptions, level: number): number {
  if (level >= options.maxLevels - 1) return Infinity;
  return options.baseLevelSizeBytes * options.levelSizeMultiplier ** (level - 1);
}

/** Sum of the sizes of tables. */
export function totalSize(tables: readonly TableMetadata[]): number {
  let sum = 0;
  for (const table of tables) sum += table.sizeBytes;
  return sum;
}
