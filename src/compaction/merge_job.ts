/**
 * Carries out a compaction of kind "merge": reads the input tables, drops shadowed and expired
 * entries, and writes new tables. What a newer input has deleted as a span is not read. It works
 * from plain data and file names, with its own readers and handles, so it shares only the directory
 * with the store.
 *
 * If a block can't be read, or fails its checksum, the job ends with that error. Inputs are never
 * touched, and outputs of a failed job are removed.
 */

import { compareRanges } from "../bytes/compare.ts";
import { ConcatenatingCursor } from "../iterator/concatenating_cursor.ts";
import {
  AT_END,
  copyEntryView,
  emptyEntryView,
  type EntryCursor,
  type EntryView,
  NEEDS_LOAD,
} from "../iterator/entry_cursor.ts";
import { joinSpans, type KeySpan, NO_SPANS } from "../iterator/key_spans.ts";
import { MaskedCursor } from "../iterator/masked_cursor.ts";
import { MergingCursor } from "../iterator/merging_cursor.ts";
import { isLive } from "../iterator/visibility.ts";
import { ENTRIES_PER_PAUSE } from "../platform/pacing.ts";
import type { Task } from "../platform/task.ts";
import { WeightedCache } from "../cache/weighted_cache.ts";
import { BlockCache } from "../sstable/block_cache.ts";
import { HandlePool } from "../sstable/handle_pool.ts";
import type { TableScanOptions } from "../sstable/read_window.ts";
import { TableCursor } from "../sstable/table_cursor.ts";
import { TableReader, type TableResources } from "../sstable/table_reader.ts";
import { TYPE_TOMBSTONE } from "../value/value.ts";
import { tableName } from "../version/file_names.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import { firstEndingAtOrAfter, LiveTable } from "../version/version.ts";
import { type Compaction, MAX_OVERLAP_FACTOR } from "./compaction.ts";
import { isHidden, neededSpans, SpanCutter } from "./covered.ts";
import { TableOutput, type TableOutputOptions } from "./table_output.ts";
import { ValueMover } from "./value_mover.ts";

/**
 * For each input. More is not faster from the page cache, and leaves more memory outside of the
 * heap to the garbage collector.
 */
const READAHEAD_BYTES = 64 * 1024;
const MAX_OPEN_FILES = 64;
const SCAN: TableScanOptions = {
  reverse: false,
  readaheadBytes: READAHEAD_BYTES,
  useCache: false,
  verifyChecksums: true,
};

/** A task that merges the inputs; its result is the durable output tables, in key order. */
export function* mergeJob(
  compaction: Compaction,
  options: TableOutputOptions,
  newFileNumber: () => number,
): Task<readonly TableMetadata[]> {
  const resources: TableResources = {
    handles: new HandlePool(options.fileSystem, MAX_OPEN_FILES),
    blocks: new BlockCache(0),
    metadata: new WeightedCache(0),
    verifyChecksums: true,
  };
  const output = new TableOutput(options, compaction.outputLevel, newFileNumber);
  const { moves } = compaction;
  const mover = moves === undefined ? undefined : new ValueMover(options, moves, newFileNumber);
  let isFinished = false;
  try {
    const { cursor, spans } = openInputs(compaction, options, resources);
    const cutter = new SpanCutter(neededSpans(spans, compaction.deeper));
    const below = new DeeperLevels(compaction);
    const { nowMs = 0 } = compaction;
    let entries = 0;
    let at = cursor.seekToStart();
    for (;;) {
      while (at === NEEDS_LOAD) {
        cursor.loadSync();
        at = cursor.resume();
        yield undefined;
      }
      if (at === AT_END) break;
      const { entry } = cursor;
      const split = below.advanceTo(entry);
      const { valueBytes, valueView, valueStart } = entry;
      const isAlive = isLive(valueBytes, valueView, valueStart, nowMs);
      if (isAlive || below.mayHold(entry)) {
        if (output.isOpen && (split || output.openBytes >= compaction.maxFileSizeBytes)) {
          yield* output.finishTable(cutter.takeThrough(output.lastKey));
        }
        if (!output.isOpen) below.startOutput();
        const kept = isAlive ? entry : tombstoneOf(entry);
        if (mover === undefined) output.add(kept);
        else {
          output.add(yield* mover.place(kept));
          yield* mover.endFullFile();
        }
      }
      if (++entries % ENTRIES_PER_PAUSE === 0 || mover !== undefined) yield undefined;
      at = cursor.advance();
    }
    if (mover !== undefined) yield* mover.finish();
    const tables = yield* output.finish(cutter.rest, sizesAfter(compaction, mover));
    isFinished = true;
    return tables;
  } finally {
    // This runs even if the store is closed meanwhile: a cancelled generator runs nothing else.
    if (!isFinished) {
      output.abandon();
      mover?.abandon();
    }
    resources.handles.close();
  }
}

/** The sizes of the files that hold large values: those of the inputs, and new ones. */
function sizesAfter(
  { inputs }: Compaction,
  mover: ValueMover | undefined,
): ReadonlyMap<number, number> {
  const sizes = new Map(mover?.sizes);
  for (const { tables } of inputs) {
    for (const { valueUses } of tables) {
      for (const { number, sizeBytes } of valueUses) sizes.set(number, sizeBytes);
    }
  }
  return sizes;
}

/** Opens the inputs. `spans` are the deleted spans of all of them. */
function openInputs(
  compaction: Compaction,
  options: TableOutputOptions,
  resources: TableResources,
): { cursor: EntryCursor; spans: readonly KeySpan[] } {
  const { fileSystem, directory } = options;
  const open = (table: TableMetadata): LiveTable => {
    const path = fileSystem.joinPath(directory, tableName(table.number));
    return new LiveTable(table, new TableReader(path, table, resources));
  };
  const sources: EntryCursor[] = [];
  let spans: readonly KeySpan[] = NO_SPANS;
  const add = (source: EntryCursor): void => {
    sources.push(spans.length === 0 ? source : new MaskedCursor(source, spans, false));
  };
  for (const { level, tables } of compaction.inputs) {
    if (level === 0) {
      for (const table of tables) {
        if (isHidden(table, spans)) continue;
        add(new TableCursor(open(table).reader, SCAN));
        spans = joinSpans(spans, table.deletedSpans);
      }
      continue;
    }
    const live = tables.filter((table) => !isHidden(table, spans)).map(open);
    if (live.length === 0) continue;
    const ordered = {
      count: live.length,
      cursorAt: (index: number) => new TableCursor(live[index]!.reader, SCAN),
      indexFor: (key: DataView, start: number, end: number) =>
        firstEndingAtOrAfter(live, key, start, end),
    };
    add(new ConcatenatingCursor(ordered, false));
    // In the order of the keys: the tables of a level do not overlap.
    spans = joinSpans(spans, live.flatMap(({ metadata }) => metadata.deletedSpans));
  }
  return { cursor: new MergingCursor(sources, false), spans };
}

/** Follows the merge through the levels below the output, whose tables it passes in key order. */
class DeeperLevels {
  readonly #levels: readonly (readonly TableMetadata[])[];
  readonly #positions: number[];
  readonly #maxOverlapBytes: number;
  #overlapBytes = 0;

  constructor(compaction: Compaction) {
    this.#levels = compaction.deeper;
    this.#positions = compaction.deeper.map(() => 0);
    this.#maxOverlapBytes = compaction.maxFileSizeBytes * MAX_OVERLAP_FACTOR;
  }

  /**
   * Passes the tables that end before the entry. Returns whether the open output overlaps too many
   * of them.
   */
  advanceTo(entry: EntryView): boolean {
    for (let i = 0; i < this.#levels.length; i++) {
      const tables = this.#levels[i]!;
      let at = this.#positions[i]!;
      while (at < tables.length && compareWith(tables[at]!.largestView, entry) < 0) {
        if (i === 0) this.#overlapBytes += tables[at]!.sizeBytes;
        at++;
      }
      this.#positions[i] = at;
    }
    return this.#overlapBytes > this.#maxOverlapBytes;
  }

  /** Whether a table below can hold the key of the entry that it has advanced to. */
  mayHold(entry: EntryView): boolean {
    for (let i = 0; i < this.#levels.length; i++) {
      const table = this.#levels[i]![this.#positions[i]!];
      if (table !== undefined && compareWith(table.smallestView, entry) <= 0) return true;
    }
    return false;
  }

  /** A new output table begins: it does not overlap the tables that were passed so far. */
  startOutput(): void {
    this.#overlapBytes = 0;
  }
}

const TOMBSTONE = Uint8Array.of(TYPE_TOMBSTONE);
const TOMBSTONE_VIEW = new DataView(TOMBSTONE.buffer);
const buried = emptyEntryView();

/** The key as a tombstone, valid until the next call: what has expired still hides older values. */
function tombstoneOf(entry: EntryView): EntryView {
  copyEntryView(entry, buried);
  buried.valueBytes = TOMBSTONE;
  buried.valueView = TOMBSTONE_VIEW;
  buried.valueStart = 0;
  buried.valueEnd = 1;
  return buried;
}

function compareWith(key: DataView, entry: EntryView): number {
  return compareRanges(key, 0, key.byteLength, entry.keyView, entry.keyStart, entry.keyEnd);
}
