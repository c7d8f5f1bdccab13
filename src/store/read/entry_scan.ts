/**
 * Walks the live entries of a range in a read view. It merges memtables, level 0 and the levels
 * below, drops tombstones, and obeys the bounds and the limit. It is synchronous like every cursor;
 * the public cursor (cursor.ts) drives it and turns entries into values.
 */

import { compareRanges } from "../../bytes/compare.ts";
import { ConcatenatingCursor } from "../../iterator/concatenating_cursor.ts";
import {
  AT_END,
  AT_ENTRY,
  copyEntryView,
  emptyEntryView,
  type EntryCursor,
  type EntryView,
  NEEDS_LOAD,
  type Position,
} from "../../iterator/entry_cursor.ts";
import { EntryRun, type RunBound } from "../../iterator/entry_run.ts";
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
import { isLive } from "../../iterator/visibility.ts";
import { isExpiring } from "../../value/expiry.ts";
import type { ScanProgress, TableScanOptions } from "../../sstable/read_window.ts";
import { TableCursor } from "../../sstable/table_cursor.ts";
import { firstEndingAtOrAfter, type LiveTable } from "../../version/version.ts";
import { type DeadRanges, type DeadWalk, keyCopy, MANY_TOMBSTONES } from "../state/dead_ranges.ts";
import type { Lease, ReadView } from "../state/read_view.ts";
import type { BoundKey, ResolvedRange } from "../state/range.ts";
import type { StoreState } from "../state/store_state.ts";

/** The most bytes of blocks that a scan reads ahead. */
const READAHEAD_BYTES = 128 * 1024;
/**
 * A move stops half-way after it has skipped this many entries since the last stop: nobody may hold
 * the event loop.
 */
const SKIPS_PER_STOP = 1024;
/** A shorter list is not searched for the spans of a range. */
const MANY_SPANS = 4;
/** Taking a run, which may decode a block, counts as this many skipped entries. */
const SKIPS_PER_RUN = 31;

/** Entries and deletions that are newer than those of a view. */
export interface NewestSource {
  /** The entries. */
  readonly cursor: EntryCursor;
  /** The spans that hide entries of the view. */
  readonly spans: readonly KeySpan[];
}
/** What a walk shows: that of a lease. */
export type ScannedState = Pick<Lease, "view" | "sequence" | "wallMs">;

/** A walk over one range. */
export class EntryScan {
  /**
   * The current entry, in one object: within a run only offsets change, and its readers always see
   * one kind of object.
   */
  readonly entry: EntryView = emptyEntryView();
  /** Memtables and tables, merged. */
  readonly sources: EntryCursor;
  readonly #range: ResolvedRange;
  readonly #progress: ScanProgress = { decodedBlocks: 0 };
  readonly #run = new EntryRun();
  /** Where runs end, from the range. */
  readonly #bound: RunBound | undefined;
  #remaining: number;
  #isStarted = false;
  #isEnded = false;
  #seekKey: BoundKey | undefined;
  /** Whether the last move stopped half-way, at a deleted entry, with nothing to load. */
  #isPaused = false;
  #skipped = 0;
  /** Entries of the current run that were not shown yet, and the slot of the last one that was. */
  #left = 0;
  #slot = 0;
  /** How many entries of the current run the cursor has not skipped yet. */
  #unskipped = 0;
  readonly #sequence: number;
  readonly #wallMs: number;
  /** Stretches that can be skipped. */
  readonly #deadRanges: DeadRanges | undefined;
  /** Tombstones since the last live entry, or since the start. */
  #dead = 0;
  /** The number of them at which to check next whether the rest can be skipped. */
  #nextLook = MANY_TOMBSTONES;
  /**
   * Whether one of them is not a tombstone, but has expired. What is remembered of the rest is not
   * true at earlier times, so nothing is.
   */
  #hasExpired = false;
  /** Whether nothing was shown since the walk started at `#origin`. */
  #isAtOrigin = false;
  #origin: BoundKey | undefined;
  #deadWalk: DeadWalk | undefined;

  /**
   * Makes a walk that has not started over what a lease shows. Its user must hold the view. With
   * `keysOnly` large values are not read, and nobody may use the shown values. `own` has entries
   * and deletions that come before those of the view; the walk says nothing about dead ranges then.
   */
  constructor(
    { view, sequence, wallMs }: ScannedState,
    range: ResolvedRange,
    verifyChecksums: boolean,
    keysOnly = false,
    deadRanges?: DeadRanges,
    own?: NewestSource,
  ) {
    this.#sequence = sequence;
    this.#wallMs = wallMs;
    this.#deadRanges = deadRanges;
    this.#range = range;
    this.#remaining = range.limit;
    this.#bound = runBoundOf(range);
    this.sources = openSources(
      view,
      sequence,
      range,
      { verifyChecksums, keysOnly, progress: this.#progress },
      own,
    );
  }

  /**
   * Moves to the next live entry; the first call moves to the first. A move that skips many deleted
   * entries stops half-way and answers `NEEDS_LOAD`: its caller checks signals and turns, and calls
   * `resume`. The shown bytes stay valid until the next move, whatever is written or read in
   * between.
   */
  next(): Position {
    if (this.#remaining <= 0) return AT_END;
    if (this.#left > 0 && this.#showNext()) return AT_ENTRY;
    if (this.#isEnded) return AT_END;
    return this.#settle(this.#isStarted ? this.#advance() : this.#start());
  }

  /**
   * Makes the next call of `next` go to the first entry at or after the key, in the direction of
   * the walk and within the range.
   */
  seek(key: BoundKey): void {
    this.#isStarted = false;
    this.#isEnded = false;
    this.#isPaused = false;
    this.#left = 0;
    this.#unskipped = 0;
    this.#seekKey = key;
    this.#abandonDead();
  }

  /** Makes the next call of `next` find the end, until the next seek. */
  end(): void {
    this.#isEnded = true;
    this.#left = 0;
    this.#unskipped = 0;
  }

  /** Loads what the last move missed, if it missed anything. */
  loadSync(): void {
    if (!this.#isPaused) this.sources.loadSync();
  }

  /** Loads what the last move missed, if it missed anything. */
  load(): Promise<void> {
    return this.#isPaused ? Promise.resolve() : this.sources.load();
  }

  /** Continues after a load. */
  resume(): Position {
    if (!this.#isPaused) return this.#settle(this.sources.resume());
    this.#isPaused = false;
    return this.#settle(this.#goOn());
  }

  /** Releases the memory that it holds. It must not be moved any more. */
  release(): void {
    this.#isEnded = true;
    this.#abandonDead();
    this.sources.release?.();
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
    this.#isAtOrigin = true;
    this.#origin = bound;
    const dead = this.#deadRanges;
    if (dead !== undefined && !dead.isEmpty) {
      const range = dead.startingAt(bound, reverse, this.#sequence);
      if (range !== undefined) {
        bound = reverse ? range.lower : range.upper;
        if (bound === undefined) return AT_END;
      }
    }
    if (bound === undefined) return this.sources.seekToStart();
    return this.sources.seek(bound.view, 0, bound.bytes.length);
  }

  /** Moves the cursor past the run that was used up. */
  #advance(): Position {
    if (this.#unskipped > 0) {
      this.sources.skip(this.#unskipped);
      this.#unskipped = 0;
    }
    return this.sources.advance();
  }

  /** Shows the next live entry of the run; false if there is none in it. */
  #showNext(): boolean {
    const run = this.#run;
    const { bytes, view, offsets, step } = run;
    let slot = this.#slot;
    let left = this.#left;
    const wallMs = this.#wallMs;
    let dead = 0;
    while (left > 0) {
      left--;
      slot += step;
      const at = offsets[slot]!;
      const keyEnd = at + 4 + view.getUint32(at, true);
      const valueStart = keyEnd + 4;
      if (!isLive(bytes, view, valueStart, wallMs)) {
        dead++;
        if (isExpiring(bytes, valueStart)) this.#hasExpired = true;
        continue;
      }
      const { entry } = this;
      entry.keyStart = at + 4;
      entry.keyEnd = keyEnd;
      entry.valueStart = valueStart;
      entry.valueEnd = valueStart + view.getUint32(keyEnd, true);
      this.#slot = slot;
      this.#left = left;
      this.#remaining--;
      if (dead > 0) {
        this.#dead += dead;
        this.#endDead(true);
      }
      return true;
    }
    this.#left = 0;
    this.#dead += dead;
    return false;
  }

  /** Takes the run that begins at the cursor; shows the first live entry from there on. */
  #settle(position: Position): Position {
    while (position === AT_ENTRY) {
      const count = this.sources.takeRun(this.#run, this.#bound);
      if (count === 0) break;
      copyEntryView(this.sources.entry, this.entry);
      this.#unskipped = count - 1;
      this.#left = count - 1;
      if (count > 1) this.#slot = this.#run.first;
      const { valueBytes, valueView, valueStart } = this.entry;
      if (isLive(valueBytes, valueView, valueStart, this.#wallMs)) {
        this.#remaining--;
        this.#endDead(true);
        return AT_ENTRY;
      }
      this.#dead++;
      if (isExpiring(valueBytes, valueStart)) this.#hasExpired = true;
      if (this.#showNext()) {
        this.#endDead(true);
        return AT_ENTRY;
      }
      this.#skipped += count + SKIPS_PER_RUN;
      if (this.#skipped >= SKIPS_PER_STOP) {
        this.#skipped = 0;
        this.#isPaused = true;
        return NEEDS_LOAD;
      }
      position = this.#goOn();
    }
    if (position === NEEDS_LOAD) return NEEDS_LOAD;
    this.#isEnded = true;
    this.#endDead(false);
    return AT_END;
  }

  /** Moves to the next entry that is not known to be dead. */
  #goOn(): Position {
    return this.#dead < this.#nextLook ? this.#advance() : this.#advanceOverDead();
  }

  /** As `#advance`, after many tombstones; skips what is known to be dead. */
  #advanceOverDead(): Position {
    const dead = this.#deadRanges;
    if (dead === undefined) return this.#advance();
    if (this.#unskipped > 0) {
      // To the last one of the run, so that a skip never goes back.
      this.sources.skip(this.#unskipped);
      this.#unskipped = 0;
    }
    this.#nextLook = this.#dead + MANY_TOMBSTONES;
    const { reverse } = this.#range;
    const { keyView, keyStart, keyEnd } = this.sources.entry;
    if (this.#deadWalk === undefined) {
      const from = this.#isAtOrigin
        ? this.#origin
        : keyCopy(keyView, keyStart, keyEnd, reverse ? 1 : 0);
      this.#deadWalk = dead.begin(from, reverse, this.#sequence);
    }
    const range = dead.holding(keyView, keyStart, keyEnd, this.#sequence);
    if (range === undefined) return this.sources.advance();
    const bound = reverse ? range.lower : range.upper;
    return bound === undefined ? AT_END : this.sources.seek(bound.view, 0, bound.bytes.length);
  }

  /**
   * Remembers the tombstones that were walked over, if there were many, up to the shown entry or
   * the end.
   */
  #endDead(isShown: boolean): void {
    const isAtOrigin = this.#isAtOrigin;
    this.#isAtOrigin = false;
    const count = this.#dead;
    const dead = this.#deadRanges;
    if (count === 0 || dead === undefined) return;
    if (this.#hasExpired) return this.#abandonDead();
    this.#dead = 0;
    this.#nextLook = MANY_TOMBSTONES;
    dead.walked += count;
    const { lower, upper, reverse } = this.#range;
    let walk = this.#deadWalk;
    this.#deadWalk = undefined;
    if (count >= MANY_TOMBSTONES && isAtOrigin) {
      walk ??= dead.begin(this.#origin, reverse, this.#sequence);
    }
    if (walk === undefined) return;
    const { keyView, keyStart, keyEnd } = this.entry;
    if (isShown) dead.end(walk, keyCopy(keyView, keyStart, keyEnd, reverse ? 1 : 0));
    else dead.end(walk, reverse ? lower : upper);
  }

  #abandonDead(): void {
    this.#dead = 0;
    this.#hasExpired = false;
    this.#nextLook = MANY_TOMBSTONES;
    if (this.#deadWalk !== undefined) this.#deadRanges?.abandon(this.#deadWalk);
    this.#deadWalk = undefined;
  }
}

/** Makes the walk of a cursor or a count over what a lease shows. */
export type OpenScan = (
  state: StoreState,
  lease: Lease,
  range: ResolvedRange,
  keysOnly: boolean,
) => EntryScan;

/** A walk over what a lease shows, and nothing else. */
export const openScan: OpenScan = (state, lease, range, keysOnly) => {
  const { verifyChecksums } = state.options;
  return new EntryScan(lease, range, verifyChecksums, keysOnly, state.deadRanges);
};

/** Where runs end: before the upper bound, in reverse at the lower one. */
function runBoundOf({ lower, upper, reverse }: ResolvedRange): RunBound | undefined {
  const bound = reverse ? lower : upper;
  if (bound === undefined) return undefined;
  return { view: bound.view, start: 0, end: bound.bytes.length, isIncluded: reverse };
}

function openSources(
  view: ReadView,
  sequence: number,
  range: ResolvedRange,
  options: Pick<TableScanOptions, "verifyChecksums" | "keysOnly" | "progress">,
  own: NewestSource | undefined,
): EntryCursor {
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
  for (let level = 0; level < levels.length; level++) {
    const tables = levels[level]!;
    if (tables.length === 0) continue;
    if (level === 0) {
      for (const table of tables) {
        if (endsBefore(table, range) || startsBehind(table, range)) continue;
        if (isHidden(table, mask)) continue;
        add(new TableCursor(table.reader, scan));
        mask = joinSpans(mask, spansIn(table.metadata.deletedSpans, range));
      }
    } else {
      let relevant = tablesInRange(tables, range);
      if (mask.length > 0) relevant = relevant.filter((table) => !isHidden(table, mask));
      if (relevant.length === 0) continue;
      add(concatenation(relevant, scan));
      // In the order of the keys: the tables of a level do not overlap.
      const spans = relevant.flatMap(({ metadata }) => spansIn(metadata.deletedSpans, range));
      mask = joinSpans(mask, spans);
    }
  }
  if (sources.length === 0) sources.push(new MergingCursor([], reverse));
  return sources.length === 1 ? sources[0]! : new MergingCursor(sources, reverse);
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
