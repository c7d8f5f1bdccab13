/**
 * Walks the live entries of a range in a read view: merges memtables, level 0 and the levels below,
 * drops tombstones, and keeps to the bounds and the limit. Synchronous like every cursor; the public
 * cursor (cursor.ts) drives it and turns entries into values.
 */

import { compareRanges } from "../bytes/compare.ts";
import { ConcatenatingCursor } from "../iterator/concatenating_cursor.ts";
import {
  AT_END,
  AT_ENTRY,
  type EntryCursor,
  type EntryView,
  NEEDS_LOAD,
  type Position,
} from "../iterator/entry_cursor.ts";
import { MergingCursor } from "../iterator/merging_cursor.ts";
import { type ScanProgress, TableCursor, type TableScanOptions } from "../sstable/table_cursor.ts";
import { isTombstone } from "../value/value_codec.ts";
import { firstEndingAtOrAfter, type LiveTable } from "../version/version.ts";
import type { ReadView } from "./read_view.ts";
import type { BoundKey, ResolvedRange } from "./range.ts";

/** Blocks that a scan reads ahead at most, in bytes. */
const READAHEAD_BYTES = 128 * 1024;

/** A walk over one range. */
export class EntryScan {
  readonly #cursor: EntryCursor;
  readonly #range: ResolvedRange;
  readonly #progress: ScanProgress = { decodedBlocks: 0 };
  #remaining: number;
  #isStarted = false;
  #isEnded = false;
  #seekKey: BoundKey | undefined;

  /** Makes a walk that has not started. The view must stay held while it is used. */
  constructor(
    view: ReadView,
    sequence: number,
    range: ResolvedRange,
    verifyChecksums: boolean,
  ) {
    this.#range = range;
    this.#remaining = range.limit;
    this.#cursor = openSources(view, sequence, range, verifyChecksums, this.#progress);
  }

  /** The entry it stands on. */
  get entry(): EntryView {
    return this.#cursor.entry;
  }

  /** Moves to the next live entry; the first call moves to the first. */
  next(): Position {
    if (this.#isEnded || this.#remaining <= 0) return AT_END;
    return this.#settle(this.#isStarted ? this.#cursor.advance() : this.#start());
  }

  /**
   * Makes the next call of `next` go to the first entry at or behind the key in the direction of the
   * walk, and within the range. The last `unused` entries do not count towards the limit.
   */
  seek(key: BoundKey, unused: number): void {
    this.#isStarted = false;
    this.#isEnded = false;
    this.#remaining += unused;
    this.#seekKey = key;
  }

  /** Loads what the last move missed. */
  loadSync(): void {
    this.#cursor.loadSync();
  }

  /** Loads what the last move missed. */
  load(): Promise<void> {
    return this.#cursor.load();
  }

  /** Goes on after a load. */
  resume(): Position {
    return this.#settle(this.#cursor.resume());
  }

  /** Gives back what it holds in memory. It must not be moved any more. */
  release(): void {
    this.#isEnded = true;
    this.#cursor.release?.();
  }

  #start(): Position {
    this.#isStarted = true;
    this.#progress.decodedBlocks = 0;
    const { lower, upper, reverse } = this.#range;
    const wanted = this.#seekKey;
    let bound = reverse ? upper : lower;
    if (wanted !== undefined) {
      const order = bound === undefined ? 1 : compareRanges(
        wanted.view,
        0,
        wanted.bytes.length,
        bound.view,
        0,
        bound.bytes.length,
      );
      if (bound === undefined || (reverse ? order < 0 : order > 0)) bound = wanted;
    }
    if (bound === undefined) return this.#cursor.seekToStart();
    return this.#cursor.seek(bound.view, 0, bound.bytes.length);
  }

  #settle(position: Position): Position {
    while (position === AT_ENTRY) {
      const { entry } = this.#cursor;
      if (this.#isOutside(entry)) break;
      if (!isTombstone(entry.valueBytes, entry.valueStart)) {
        this.#remaining--;
        return AT_ENTRY;
      }
      position = this.#cursor.advance();
    }
    if (position === NEEDS_LOAD) return NEEDS_LOAD;
    this.#isEnded = true;
    return AT_END;
  }

  #isOutside(entry: EntryView): boolean {
    const { keyView, keyStart, keyEnd } = entry;
    const { lower, upper, reverse } = this.#range;
    if (reverse) {
      return lower !== undefined &&
        compareRanges(keyView, keyStart, keyEnd, lower.view, 0, lower.bytes.length) < 0;
    }
    return upper !== undefined &&
      compareRanges(keyView, keyStart, keyEnd, upper.view, 0, upper.bytes.length) >= 0;
  }
}

function openSources(
  view: ReadView,
  sequence: number,
  range: ResolvedRange,
  verifyChecksums: boolean,
  progress: ScanProgress,
): EntryCursor {
  const { reverse } = range;
  const scan: TableScanOptions = {
    reverse,
    readaheadBytes: READAHEAD_BYTES,
    useCache: true,
    progress,
    verifyChecksums,
  };
  const sources: EntryCursor[] = [];
  for (const memtable of view.memtables) {
    if (memtable.entryCount > 0) sources.push(memtable.cursor(sequence, reverse));
  }
  for (const [level, tables] of view.version.levels.entries()) {
    if (level === 0) {
      for (const table of tables) {
        if (endsBefore(table, range) || startsBehind(table, range)) continue;
        sources.push(new TableCursor(table.reader, scan));
      }
    } else {
      const relevant = tablesInRange(tables, range);
      if (relevant.length > 0) sources.push(concatenation(relevant, scan));
    }
  }
  return sources.length === 1 ? sources[0]! : new MergingCursor(sources, reverse);
}

function concatenation(tables: readonly LiveTable[], scan: TableScanOptions): EntryCursor {
  if (tables.length === 1) return new TableCursor(tables[0]!.reader, scan);
  return new ConcatenatingCursor({
    count: tables.length,
    cursorAt: (index: number) => new TableCursor(tables[index]!.reader, scan),
    indexFor: (key: DataView, start: number, end: number) =>
      firstEndingAtOrAfter(tables, key, start, end),
  }, scan.reverse);
}

/** The tables of a level from 1 on that may hold keys of the range. */
function tablesInRange(tables: readonly LiveTable[], range: ResolvedRange): readonly LiveTable[] {
  const { lower, upper } = range;
  if (lower === undefined && upper === undefined) return tables;
  const from = lower === undefined
    ? 0
    : firstEndingAtOrAfter(tables, lower.view, 0, lower.bytes.length);
  let to = tables.length;
  if (upper !== undefined) {
    to = firstEndingAtOrAfter(tables, upper.view, 0, upper.bytes.length);
    if (to < tables.length && !startsBehind(tables[to]!, range)) to++;
  }
  return tables.slice(from, to);
}

function endsBefore(table: LiveTable, { lower }: ResolvedRange): boolean {
  const { largest, largestView } = table.metadata;
  return lower !== undefined &&
    compareRanges(largestView, 0, largest.length, lower.view, 0, lower.bytes.length) < 0;
}

function startsBehind(table: LiveTable, { upper }: ResolvedRange): boolean {
  const { smallest, smallestView } = table.metadata;
  return upper !== undefined &&
    compareRanges(smallestView, 0, smallest.length, upper.view, 0, upper.bytes.length) >= 0;
}
