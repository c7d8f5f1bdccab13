/**
 * The statistics of a store: counted as it runs, or summed up from the version in force. Taking
 * them reads no file.
 */

import { pendingCompactionBytes } from "../compaction/picker.ts";
import type { Levels } from "../compaction/plan.ts";
import { valueFilesOf } from "../compaction/value_space.ts";
import type { Background } from "./background/background.ts";
import type { StoreState } from "./state/store_state.ts";

/** The tables of one level. */
export interface LevelStats {
  /** The level, from 0. */
  readonly level: number;
  /** Number of tables. */
  readonly tables: number;
  /** Number of entries in them, tombstones and shadowed versions included. */
  readonly entries: number;
  /** Number of tombstones among the entries. */
  readonly tombstones: number;
  /** Number of entries that expire, those included that have expired. */
  readonly expiring: number;
  /** Number of deleted ranges. */
  readonly deletedRanges: number;
  /** Size of the files in bytes. */
  readonly sizeBytes: number;
}

/** Statistics of a store. Sizes are in bytes; counts are since the store was opened. */
export interface Stats {
  /** The memtable that is written to. */
  readonly memtable: {
    /** Bytes of entries and of the tree over them. */
    readonly sizeBytes: number;
    /** Number of entries, every version counted. */
    readonly entryCount: number;
  };
  /**
   * Number of entries that expire, in memtables and tables. Those included that have expired, and
   * shadowed versions. If it is 0, no value has a time, and `getEntry` need not be asked for it.
   */
  readonly expiring: number;
  /** Number of deleted ranges that memtables and tables keep. */
  readonly deletedRanges: number;
  /** Number of frozen memtables that wait for their flush. */
  readonly immutableMemtables: number;
  /** The write-ahead logs. */
  readonly wal: {
    /**
     * Bytes of records in the logs of memtables that are not flushed yet; the files may be longer
     * (docs/FORMAT.md).
     */
    readonly sizeBytes: number;
  };
  /** The cache of data blocks, and of single entries if blocks do not fit. */
  readonly cache: {
    /** Lookups that found their block, or their entry without it. */
    readonly hits: number;
    /** Lookups that had to read it. */
    readonly misses: number;
    /** Bytes that its blocks and entries count for. */
    readonly sizeBytes: number;
    /** The most bytes that its blocks and entries may count for. */
    readonly capacityBytes: number;
  };
  /** Scans: cursors, `count`, `scanPrefix` and `scanRange`. */
  readonly scan: {
    /** Tombstones and expired entries that they had to walk over. */
    readonly tombstones: number;
  };
  /** Bytes of indexes in memory. */
  readonly indexBytes: number;
  /** Bytes of filters in memory. */
  readonly filterBytes: number;
  /** Number of table files that are open. */
  readonly openFiles: number;
  /** Large values: the files with those that tables refer to, and the reads of any of them. */
  readonly values: {
    /** Number of files: value files, and logs that are kept for their values. */
    readonly files: number;
    /** Size of the files in bytes. */
    readonly sizeBytes: number;
    /** Bytes in them that tables refer to. The rest is dead. */
    readonly usedBytes: number;
    /**
     * Values that gets, scans, streams and watches have read. Reads of flushes, compactions,
     * checkpoints and verifications do not count.
     */
    readonly reads: number;
    /** Bytes that these reads took from the files: of packed values, the packed bytes. */
    readonly readBytes: number;
  };
  /** The levels, from 0. */
  readonly levels: readonly LevelStats[];
  /** Bytes that have to be compacted to bring every level within its limit, as a rough guess. */
  readonly pendingCompactionBytes: number;
  /** Writes that had to wait because flushes or compactions were too slow. */
  readonly stalls: {
    /** How often. */
    readonly count: number;
    /** For how long in total, in milliseconds. */
    readonly totalMs: number;
  };
  /**
   * Where large flushes and compactions run: in a worker thread, or alternating with the caller's
   * code. They do the latter until the first one has started the thread, and if there is none.
   */
  readonly background: "worker" | "inline";
  /** Finished flushes. */
  readonly flush: {
    /** How many. */
    readonly count: number;
    /** Bytes of the tables that they wrote, and of large values that they moved. */
    readonly bytesWritten: number;
  };
  /** Finished compactions. */
  readonly compaction: {
    /** How many, including moves of a table to another level. */
    readonly count: number;
    /** Bytes of the tables that were read, and of large values that were moved. */
    readonly bytesRead: number;
    /** Bytes of the tables that were written, and of large values that were moved. */
    readonly bytesWritten: number;
  };
}

/** Takes the statistics of a store. */
export function collectStats(state: StoreState, background: Background): Stats {
  const { memtable, immutables, logs, resources, versions, compaction } = state;
  const { flushes, compactions } = background;
  const { tables } = versions.current;
  const { memtables } = state.view;
  const values = versions.values.reader;
  const levels = tables.map((level, number) => ({
    level: number,
    tables: level.length,
    entries: sumOf(level, ({ entryCount }) => entryCount),
    tombstones: sumOf(level, ({ tombstoneCount }) => tombstoneCount),
    expiring: sumOf(level, ({ expiry }) => expiry?.count ?? 0),
    deletedRanges: sumOf(level, ({ deletedSpans }) => deletedSpans.length),
    sizeBytes: sumOf(level, ({ sizeBytes }) => sizeBytes),
  }));
  return {
    memtable: { sizeBytes: memtable.sizeBytes, entryCount: memtable.entryCount },
    expiring: sumOf(memtables, ({ expiringCount }) => expiringCount) +
      sumOf(levels, ({ expiring }) => expiring),
    deletedRanges: sumOf(memtables, ({ deletedSpans }) => deletedSpans.length) +
      sumOf(levels, ({ deletedRanges }) => deletedRanges),
    immutableMemtables: immutables.length,
    wal: { sizeBytes: logs.sizeBytes },
    cache: {
      hits: resources.blocks.hits,
      misses: resources.blocks.misses,
      sizeBytes: resources.blocks.sizeBytes,
      capacityBytes: resources.blocks.capacityBytes,
    },
    scan: { tombstones: state.deadRanges.walked },
    ...metadataBytes(state),
    openFiles: resources.handles.openCount + (state.pins?.count ?? 0),
    values: { ...valueStats(tables), reads: values.reads, readBytes: values.readBytes },
    levels,
    pendingCompactionBytes: pendingCompactionBytes(tables, compaction),
    stalls: { count: background.stalls, totalMs: background.stalledMs },
    background: state.jobThread?.isInUse ? "worker" : "inline",
    flush: { count: flushes.count, bytesWritten: flushes.writtenBytes },
    compaction: {
      count: compactions.count,
      bytesRead: compactions.readBytes,
      bytesWritten: compactions.writtenBytes,
    },
  };
}

function sumOf<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((sum, item) => sum + count(item), 0);
}

function valueStats(
  levels: Levels,
): Pick<Stats["values"], "files" | "sizeBytes" | "usedBytes"> {
  let [sizeBytes, usedBytes] = [0, 0];
  const files = valueFilesOf(levels);
  for (const file of files.values()) {
    sizeBytes += file.sizeBytes;
    usedBytes += file.usedBytes;
  }
  return { files: files.size, sizeBytes, usedBytes };
}

function metadataBytes(state: StoreState): { indexBytes: number; filterBytes: number } {
  let indexBytes = 0;
  let filterBytes = 0;
  for (const { reader } of state.versions.current.levels.flat()) {
    indexBytes += reader.sections.indexBytes;
    filterBytes += reader.sections.filterBytes;
  }
  return { indexBytes, filterBytes };
}
