/**
 * Chooses what a scan reads: the memtables, tables and levels that may have keys of its range, the
 * newest first. Each one is masked by the ranges that newer ones have deleted.
 */

import { compareRanges } from "../../bytes/compare.ts";
import { ConcatenatingCursor } from "../../iterator/concatenating_cursor.ts";
import type { EntryCursor } from "../../iterator/entry_cursor.ts";
import {
  holdsAll,
  joinSpans,
  joinTouching,
  type KeySpan,
  lastSpanFrom,
  NO_SPANS,
} from "../../iterator/key_spans.ts";
import { MaskedCursor } from "../../iterator/masked_cursor.ts";
import { MergingCursor } from "../../iterator/merging_cursor.ts";
import type { TableScanOptions } from "../../sstable/read_window.ts";
import { TableCursor } from "../../sstable/table_cursor.ts";
import { firstEndingAtOrAfter, type LiveTable } from "../../version/version.ts";
import type { Lease } from "../state/read_view.ts";
import type { ResolvedRange } from "../state/range.ts";

/** The most bytes of blocks that a scan reads ahead. */
const READAHEAD_BYTES = 128 * 1024;
const NO_TABLES: ReadonlySet<LiveTable> = new Set();
/** A shorter list is not searched for the spans of a range. */
const MANY_SPANS = 4;

/** Entries and deletions that are newer than those of a view. */
export interface NewestSource {
  /** The entries. */
  readonly cursor: EntryCursor;
  /** The spans that hide entries of the view. */
  readonly spans: readonly KeySpan[];
}

/** What a scan reads. */
export interface ScanSources {
  /** A cursor over all of it. */
  readonly cursor: EntryCursor;
  /** Whether tables were left out that a reader of an earlier time would have to read. */
  readonly skipsExpired: boolean;
}

/** Opens everything that a scan of a range reads. `own` is newer than the view. */
export function openSources(
  { view, sequence, wallMs }: Pick<Lease, "view" | "sequence" | "wallMs">,
  range: ResolvedRange,
  options: Pick<TableScanOptions, "verifyChecksums" | "keysOnly" | "progress">,
  own: NewestSource | undefined,
): ScanSources {
  const { reverse } = range;
  const scan: TableScanOptions = {
    reverse,
    readaheadBytes: READAHEAD_BYTES,
    useCache: true,
    ...options,
  };
  const sources: EntryCursor[] = [];
  /** What the sources so far hide of those that follow, which are older. */
  let mask: readonly KeySpan[] = NO_SPANS;
  const add = (source: EntryCursor): void => {
    sources.push(mask.length === 0 ? source : new MaskedCursor(source, mask, reverse, true));
  };
  if (own !== undefined) {
    add(own.cursor);
    mask = own.spans;
  }
  for (const memtable of view.memtables) {
    if (memtable.entryCount === 0) continue;
    add(memtable.cursor(sequence, reverse, true));
    if (memtable.hasDeletedRanges) {
      mask = joinSpans(mask, joinTouching(spansIn(memtable.deletedRangesAt(sequence), range)));
    }
  }
  const { levels } = view.version;
  const over = wallMs > 0 ? view.version.tablesOver(wallMs) : NO_TABLES;
  for (let level = 0; level < levels.length; level++) {
    const tables = levels[level]!;
    if (tables.length === 0) continue;
    if (level === 0) {
      for (const table of tables) {
        if (endsBefore(table, range) || startsBehind(table, range)) continue;
        if (isHidden(table, mask)) continue;
        if (!over.has(table)) add(new TableCursor(table.reader, scan));
        mask = joinSpans(mask, spansIn(table.metadata.deletedSpans, range));
      }
    } else {
      let relevant = tablesInRange(tables, range);
      if (mask.length > 0) relevant = relevant.filter((table) => !isHidden(table, mask));
      if (relevant.length === 0) continue;
      const live = over.size > 0 ? relevant.filter((table) => !over.has(table)) : relevant;
      if (live.length > 0) add(concatenation(live, scan));
      // In the order of the keys: the tables of a level do not overlap.
      const spans = relevant.flatMap(({ metadata }) => spansIn(metadata.deletedSpans, range));
      mask = joinSpans(mask, spans);
    }
  }
  if (sources.length === 0) sources.push(new MergingCursor([], reverse));
  return {
    cursor: sources.length === 1 ? sources[0]! : new MergingCursor(sources, reverse),
    skipsExpired: over.size > 0,
  };
}

/** The spans that may have keys of a range; the others can be left out of a scan. */
function spansIn(spans: readonly KeySpan[], { lower, upper }: ResolvedRange): readonly KeySpan[] {
  if (spans.length < MANY_SPANS) return spans;
  const from = lower === undefined
    ? 0
    : Math.max(0, lastSpanFrom(spans, lower.view, 0, lower.bytes.length));
  const to = upper === undefined
    ? spans.length
    : lastSpanFrom(spans, upper.view, 0, upper.bytes.length) + 1;
  return spans.slice(from, Math.max(from, to));
}

/** Whether newer sources hide the whole table; then its own deletions add nothing, too. */
function isHidden({ metadata }: LiveTable, mask: readonly KeySpan[]): boolean {
  return mask.length > 0 && holdsAll(mask, metadata.smallestView, metadata.largestView);
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

/** The tables of a level from 1 on that can hold keys of the range. */
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
  return from === 0 && to === tables.length ? tables : tables.slice(from, to);
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
