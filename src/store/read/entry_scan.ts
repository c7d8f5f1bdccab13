/**
 * Walks the live entries of a range in a read view. It merges memtables, level 0 and the levels
 * below, drops tombstones, and obeys the bounds and the limit. It is synchronous like every cursor;
 * the public cursor (cursor.ts) drives it and turns entries into values.
 */

import { compareRanges } from "../../bytes/compare.ts";
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
import { isLive } from "../../iterator/visibility.ts";
import {
  type LargeValue,
  showLargeValue,
  type ValueReader,
  type ValueRequest,
} from "../../sstable/value_reader.ts";
import { isExpiring } from "../../value/expiry.ts";
import { TYPE_MSGPACK } from "../../value/value.ts";
import { isReference } from "../../value/value_reference.ts";
import type { ScanProgress } from "../../sstable/read_window.ts";
import { type DeadRanges, type DeadWalk, keyCopy, MANY_TOMBSTONES } from "../state/dead_ranges.ts";
import type { Lease } from "../state/read_view.ts";
import type { BoundKey, ResolvedRange } from "../state/range.ts";
import type { StoreState } from "../state/store_state.ts";
import { type NewestSource, openSources } from "./scan_sources.ts";

/**
 * A move stops half-way after it has skipped this many entries since the last stop: nobody may hold
 * the event loop.
 */
const SKIPS_PER_STOP = 1024;
/** Taking a run, which may decode a block, counts as this many skipped entries. */
const SKIPS_PER_RUN = 31;

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
  readonly #values: ValueReader;
  readonly #keysOnly: boolean;
  /** The large value that the entry refers to, while it is not read. */
  #request: ValueRequest | undefined;
  #value: LargeValue | undefined;
  /** The memory of the entry, while a large value is shown in place of its reference. */
  #replaced: Pick<EntryView, "valueBytes" | "valueView"> | undefined;
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
  /** Whether one of them is not a tombstone, but has expired: at earlier times it was live. */
  #hasExpired = false;
  /** Whether whole tables were left out because all of their entries are over. */
  readonly #skipsExpired: boolean;
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
    this.#values = view.values;
    this.#keysOnly = keysOnly;
    this.#sequence = sequence;
    this.#wallMs = wallMs;
    this.#deadRanges = deadRanges;
    this.#range = range;
    this.#remaining = range.limit;
    this.#bound = runBoundOf(range);
    const { cursor, skipsExpired } = openSources(
      { view, sequence, wallMs },
      range,
      { verifyChecksums, keysOnly, progress: this.#progress },
      own,
    );
    this.sources = cursor;
    this.#skipsExpired = skipsExpired;
  }

  /**
   * Moves to the next live entry; the first call moves to the first. A move that skips many deleted
   * entries stops half-way and answers `NEEDS_LOAD`: its caller checks signals and turns, and calls
   * `resume`. The shown bytes stay valid until the next move, whatever is written or read in
   * between.
   */
  next(): Position {
    if (this.#replaced !== undefined) this.#restore();
    if (this.#remaining <= 0) return AT_END;
    if (this.#left > 0) {
      const position = this.#showNext();
      if (position !== AT_END) return position;
    }
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
    this.#forgetValue();
    this.#abandonDead();
  }

  /** Makes the next call of `next` find the end, until the next seek. */
  end(): void {
    this.#isEnded = true;
    this.#left = 0;
    this.#unskipped = 0;
    this.#forgetValue();
  }

  /** Loads what the last move missed, if it missed anything. */
  loadSync(): void {
    if (this.#request !== undefined) this.#value = this.#values.readSync(this.#request);
    else if (!this.#isPaused) this.sources.loadSync();
  }

  /** Loads what the last move missed, if it missed anything. */
  load(): Promise<void> {
    if (this.#request !== undefined) return this.#loadValue(this.#request);
    return this.#isPaused ? Promise.resolve() : this.sources.load();
  }

  /** Continues after a load. */
  resume(): Position {
    if (this.#request !== undefined) return this.#showValue();
    if (!this.#isPaused) return this.#settle(this.sources.resume());
    this.#isPaused = false;
    return this.#settle(this.#goOn());
  }

  /** Releases the memory that it holds. It must not be moved any more. */
  release(): void {
    this.#isEnded = true;
    this.#forgetValue();
    this.#abandonDead();
    this.sources.release?.();
  }

  /** The entry is the next one; `NEEDS_LOAD` if its value is wanted and in another file. */
  #found(): Position {
    const { valueBytes, valueStart } = this.entry;
    if (this.#keysOnly || !isReference(valueBytes, valueStart)) return AT_ENTRY;
    this.#request = this.#values.requestOf(this.entry);
    return NEEDS_LOAD;
  }

  async #loadValue(request: ValueRequest): Promise<void> {
    const value = await this.#values.read(request);
    // Nobody may have moved the scan meanwhile.
    if (this.#request === request) this.#value = value;
  }

  #showValue(): Position {
    const { valueBytes, valueView } = this.entry;
    this.#replaced = { valueBytes, valueView };
    showLargeValue(this.entry, this.#value!);
    this.#request = undefined;
    this.#value = undefined;
    return AT_ENTRY;
  }

  /** Goes back to the memory of the run, of which only offsets change. */
  #restore(): void {
    const { valueBytes, valueView } = this.#replaced!;
    this.entry.valueBytes = valueBytes;
    this.entry.valueView = valueView;
    this.#replaced = undefined;
  }

  #forgetValue(): void {
    this.#request = undefined;
    this.#value = undefined;
    this.#replaced = undefined;
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
      const range = dead.startingAt(bound, reverse, this.#sequence, this.#wallMs);
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

  /** Shows the next live entry of the run; `AT_END` if there is none in it. */
  #showNext(): Position {
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
      return bytes[valueStart]! <= TYPE_MSGPACK ? AT_ENTRY : this.#found();
    }
    this.#left = 0;
    this.#dead += dead;
    return AT_END;
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
        return this.#found();
      }
      this.#dead++;
      if (isExpiring(valueBytes, valueStart)) this.#hasExpired = true;
      const shown = this.#showNext();
      if (shown !== AT_END) {
        this.#endDead(true);
        return shown;
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
    const range = dead.holding(keyView, keyStart, keyEnd, this.#sequence, this.#wallMs);
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
    const fromMs = this.#hasExpired || this.#skipsExpired ? this.#wallMs : 0;
    this.#hasExpired = false;
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
    if (isShown) dead.end(walk, keyCopy(keyView, keyStart, keyEnd, reverse ? 1 : 0), fromMs);
    else dead.end(walk, reverse ? lower : upper, fromMs);
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
