/**
 * Stretches of keys that have no live entry. Scans find them when they walk over many tombstones,
 * and the next scan skips them. So a queue that takes its first entry again and again does not walk
 * over all deleted ones.
 *
 * A stretch means: from its sequence number on until now, no key in it has a value. Deletes,
 * flushes and compactions keep that true. A put makes it false for one key, so every put is noted
 * here before it can be seen, and cuts the stretch in two. A scan of an older state than the
 * stretch does not use it.
 *
 * If a scan has passed expired values, the stretch is dead only for readers whose time is not
 * before that of the scan: a snapshot may have begun earlier, and a clock may be set back.
 *
 * A scan may be paused while it walks over tombstones, and puts may come meanwhile. So it announces
 * the walk when it begins, and the puts since then bound what the walk has found.
 */

import { compareRanges } from "../../bytes/compare.ts";
import type { BoundKey } from "./range.ts";

/** A scan walks over fewer tombstones than this each time. */
export const MANY_TOMBSTONES = 8;
/** Stretches that are remembered. */
const MAX_RANGES = 16;
/** Walks that are under way and followed. */
const MAX_WALKS = 8;
/** A stretch that was cut this often since a scan last used it is forgotten. */
const MAX_CUTS = 16;

const EMPTY: BoundKey = { bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)) };

/** Keys from `lower` on and before `upper`, of which none has a value. */
export interface DeadRange {
  /** The first key. */
  readonly lower: BoundKey;
  /** The first key after it, or undefined for no bound. */
  readonly upper: BoundKey | undefined;
  /** The states that it is true for: those of this sequence number and later ones. */
  readonly sequence: number;
  /** The times of readers that it is true for: this one and later ones. */
  readonly fromMs: number;
  /** When a scan last used it, counted in uses. */
  usedAt: number;
  /** How often a put has cut it since then. */
  cuts: number;
}

/** A walk over tombstones that is under way. */
export class DeadWalk {
  /**
   * Where it began: forward the first key, in reverse the first key after it (undefined: no bound).
   */
  readonly from: BoundKey | undefined;
  /** The direction. */
  readonly reverse: boolean;
  /** The state that is walked over. */
  readonly sequence: number;
  /** The key nearest to the start of the walk that was put since it began. */
  #nearest: BoundKey | undefined;

  /** Internal: `DeadRanges.begin` makes it. */
  constructor(from: BoundKey | undefined, reverse: boolean, sequence: number) {
    this.from = from;
    this.reverse = reverse;
    this.sequence = sequence;
  }

  /** Where the walk counts as ended because of puts, or undefined. */
  get nearest(): BoundKey | undefined {
    return this.#nearest;
  }

  /** Notes a put. */
  note(key: DataView, start: number, end: number): void {
    const { from, reverse } = this;
    const sign = reverse ? -1 : 1;
    if (from !== undefined) {
      const order = compareWith(from, key, start, end);
      if (reverse ? order <= 0 : order > 0) return;
    }
    const nearest = this.#nearest;
    if (nearest !== undefined && sign * compareWith(nearest, key, start, end) <= 0) return;
    this.#nearest = keyCopy(key, start, end, 0);
  }
}

/** The stretches of one store. */
export class DeadRanges {
  /** Tombstones that scans have walked over. */
  walked = 0;
  readonly #newestSequence: () => number;
  /** By key, disjoint, and not adjacent. */
  #ranges: DeadRange[] = [];
  #walks: DeadWalk[] = [];
  #uses = 0;

  /** Starts empty; `newestSequence` returns the sequence number of the newest visible entry. */
  constructor(newestSequence: () => number) {
    this.#newestSequence = newestSequence;
  }

  /** Whether puts need not be noted, and nothing can be skipped. */
  get isEmpty(): boolean {
    return this.#ranges.length === 0 && this.#walks.length === 0;
  }

  /** Notes that a key is about to get a value. */
  notePut(key: DataView, start: number, end: number): void {
    for (const walk of this.#walks) walk.note(key, start, end);
    const at = this.#indexAt(key, start, end);
    const range = this.#ranges[at];
    if (range === undefined || endsAtOrBefore(range, key, start, end)) return;
    const { lower, upper, sequence, fromMs, usedAt } = range;
    const cuts = range.cuts + 1;
    const parts: DeadRange[] = [];
    if (cuts <= MAX_CUTS) {
      const middle = keyCopy(key, start, end, 0);
      if (compareKeys(lower, middle) < 0) {
        parts.push({ lower, upper: middle, sequence, fromMs, usedAt, cuts });
      }
      const next = keyCopy(key, start, end, 1);
      if (upper === undefined || compareKeys(next, upper) < 0) {
        parts.push({ lower: next, upper, sequence, fromMs, usedAt, cuts });
      }
    }
    this.#ranges.splice(at, 1, ...parts);
    this.#forgetOldest();
  }

  /** The stretch that holds a key, for a scan of the state `sequence` at the time `wallMs`. */
  holding(
    key: DataView,
    start: number,
    end: number,
    sequence: number,
    wallMs: number,
  ): DeadRange | undefined {
    const range = this.#ranges[this.#indexAt(key, start, end)];
    if (range === undefined || endsAtOrBefore(range, key, start, end)) return undefined;
    return this.#used(range, sequence, wallMs);
  }

  /** The stretch at which a scan starts: at `bound` forward, before it in reverse. */
  startingAt(
    bound: BoundKey | undefined,
    reverse: boolean,
    sequence: number,
    wallMs: number,
  ): DeadRange | undefined {
    if (!reverse) {
      const { view, bytes } = bound ?? EMPTY;
      return this.holding(view, 0, bytes.length, sequence, wallMs);
    }
    const range = this.#ranges.findLast(({ lower }) =>
      bound === undefined || compareKeys(lower, bound) < 0
    );
    if (range === undefined) return undefined;
    const { upper } = range;
    const reaches = upper === undefined || (bound !== undefined && compareKeys(bound, upper) <= 0);
    return reaches ? this.#used(range, sequence, wallMs) : undefined;
  }

  /**
   * Announces a walk over tombstones. Undefined if something was written since the walked state, so
   * that nobody knows what is still true.
   */
  begin(
    from: BoundKey | undefined,
    reverse: boolean,
    sequence: number,
  ): DeadWalk | undefined {
    if (this.#newestSequence() !== sequence) return undefined;
    const walk = new DeadWalk(from ?? (reverse ? undefined : EMPTY), reverse, sequence);
    // If a cursor was dropped during its walk, the walk stays here until others need the place.
    if (this.#walks.length === MAX_WALKS) this.#walks.shift();
    this.#walks.push(walk);
    return walk;
  }

  /**
   * Ends a walk, and remembers what it has found: forward no live entry before `to`, in reverse
   * none from `to` on. Undefined is no bound. That is true for readers from the time `fromMs` on.
   */
  end(walk: DeadWalk, to: BoundKey | undefined, fromMs: number): void {
    if (!this.#drop(walk)) return;
    const { from, reverse, nearest, sequence } = walk;
    if (reverse) {
      let lower = to ?? EMPTY;
      if (nearest !== undefined) {
        const next = keyCopy(nearest.view, 0, nearest.bytes.length, 1);
        if (compareKeys(lower, next) < 0) lower = next;
      }
      this.#add(lower, from, sequence, fromMs);
    } else {
      let upper = to;
      if (nearest !== undefined && (upper === undefined || compareKeys(nearest, upper) < 0)) {
        upper = nearest;
      }
      this.#add(from!, upper, sequence, fromMs);
    }
  }

  /** Ends a walk that has found nothing. */
  abandon(walk: DeadWalk): void {
    this.#drop(walk);
  }

  /** False if the walk is no longer followed. */
  #drop(walk: DeadWalk): boolean {
    const at = this.#walks.indexOf(walk);
    if (at < 0) return false;
    this.#walks.splice(at, 1);
    return true;
  }

  #used(range: DeadRange, sequence: number, wallMs: number): DeadRange | undefined {
    if (range.sequence > sequence || range.fromMs > wallMs) return undefined;
    range.usedAt = ++this.#uses;
    range.cuts = 0;
    return range;
  }

  /** Joins a stretch with those that it overlaps or touches. */
  #add(lower: BoundKey, upper: BoundKey | undefined, sequence: number, fromMs: number): void {
    if (upper !== undefined && compareKeys(lower, upper) >= 0) return;
    const ranges = this.#ranges;
    let at = 0;
    while (at < ranges.length) {
      const before = ranges[at]!.upper;
      if (before === undefined || compareKeys(before, lower) >= 0) break;
      at++;
    }
    let end = at;
    for (; end < ranges.length; end++) {
      const met = ranges[end]!;
      if (upper !== undefined && compareKeys(met.lower, upper) > 0) break;
      if (compareKeys(met.lower, lower) < 0) lower = met.lower;
      if (
        upper !== undefined && (met.upper === undefined || compareKeys(met.upper, upper) > 0)
      ) upper = met.upper;
      sequence = Math.max(sequence, met.sequence);
      fromMs = Math.max(fromMs, met.fromMs);
    }
    const joined: DeadRange = { lower, upper, sequence, fromMs, usedAt: ++this.#uses, cuts: 0 };
    ranges.splice(at, end - at, joined);
    this.#forgetOldest();
  }

  /** Of those that were last used at the same time, the one with the most cuts goes first. */
  #forgetOldest(): void {
    while (this.#ranges.length > MAX_RANGES) {
      let oldest = this.#ranges[0]!;
      for (const range of this.#ranges) {
        if (
          range.usedAt < oldest.usedAt ||
          (range.usedAt === oldest.usedAt && range.cuts > oldest.cuts)
        ) oldest = range;
      }
      this.#ranges.splice(this.#ranges.indexOf(oldest), 1);
    }
  }

  /** Index of the last stretch that begins at or before a key, or -1. */
  #indexAt(key: DataView, start: number, end: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareWith(this.#ranges[middle]!.lower, key, start, end) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/**
 * A copy of a key, with some zero bytes after it: with one of them, it is the first key after the
 * key.
 */
export function keyCopy(key: DataView, start: number, end: number, zeros: 0 | 1): BoundKey {
  const bytes = new Uint8Array(end - start + zeros);
  bytes.set(new Uint8Array(key.buffer, key.byteOffset + start, end - start));
  return { bytes, view: new DataView(bytes.buffer) };
}

function endsAtOrBefore(
  { upper }: DeadRange,
  key: DataView,
  start: number,
  end: number,
): boolean {
  return upper !== undefined && compareWith(upper, key, start, end) <= 0;
}

function compareWith(bound: BoundKey, key: DataView, start: number, end: number): number {
  return compareRanges(bound.view, 0, bound.bytes.length, key, start, end);
}

function compareKeys(a: BoundKey, b: BoundKey): number {
  return compareWith(a, b.view, 0, b.bytes.length);
}
