/**
 * Finds what deleted spans make superfluous, from metadata alone: tables that a newer one hides as
 * a whole are dropped without being read. So the space of a deleted range comes back at once,
 * however large it is; only the tables at its two ends must be rewritten (tombstones.ts).
 */

import {
  compareKeys,
  copyOfKey,
  holdsAll,
  joinSpans,
  type KeySpan,
  NO_SPANS,
  spansMeeting,
} from "../iterator/key_spans.ts";
import type { TableMetadata } from "../version/table_metadata.ts";
import type { Compaction, CompactionInput } from "./compaction.ts";
import type { Levels } from "./plan.ts";

/** Whether spans hide every entry of a table. */
export function isHidden(
  { smallestView, largestView }: TableMetadata,
  spans: readonly KeySpan[],
): boolean {
  return spans.length > 0 && holdsAll(spans, smallestView, largestView);
}

/** The compaction that drops every table that newer tables hide, if there is one. */
export function pickHidden(levels: Levels): Compaction | undefined {
  if (!levels.some((tables) => tables.some(hasSpans))) return undefined;
  let mask: readonly KeySpan[] = NO_SPANS;
  const inputs: CompactionInput[] = [];
  for (const [level, tables] of levels.entries()) {
    const hidden: TableMetadata[] = [];
    let own = mask;
    for (const table of tables) {
      // In level 0, each table is newer than the next one.
      if (isHidden(table, level === 0 ? own : mask)) hidden.push(table);
      else own = joinSpans(own, table.deletedSpans);
    }
    mask = own;
    if (hidden.length > 0) inputs.push({ level, tables: hidden });
  }
  if (inputs.length === 0) return undefined;
  return { kind: "drop", inputs, outputLevel: 0, maxFileSizeBytes: 0, deeper: [] };
}

/** Whether a table has deleted spans. */
export function hasSpans({ deletedSpans }: TableMetadata): boolean {
  return deletedSpans.length > 0;
}

/** The spans that a table of some levels may have keys of. The others hide nothing any more. */
export function neededSpans(
  spans: readonly KeySpan[],
  deeper: readonly (readonly TableMetadata[])[],
): readonly KeySpan[] {
  return spans.filter((span) =>
    deeper.some((tables) =>
      tables.some(({ smallestView, largestView }) =>
        compareKeys(smallestView, span.upper) < 0 && compareKeys(span.lower, largestView) <= 0
      )
    )
  );
}

/** Divides spans among the tables that a merge writes. */
export class SpanCutter {
  #rest: readonly KeySpan[];

  /** Starts with all spans of the merge. */
  constructor(spans: readonly KeySpan[]) {
    this.#rest = spans;
  }

  /** The spans that are left, for the last table. */
  get rest(): readonly KeySpan[] {
    return this.#rest;
  }

  /**
   * Takes the spans of a table that ends with the entry `lastKey`. A span that goes on is cut right
   * after this key: then no key lies between the two parts, and the tables' bounds do not overlap.
   */
  takeThrough(lastKey: DataView): readonly KeySpan[] {
    const cut = copyOfKey(lastKey, 0, lastKey.byteLength, 1);
    const { to } = spansMeeting(this.#rest, lastKey, lastKey);
    const taken = this.#rest.slice(0, to);
    const left = this.#rest.slice(to);
    const last = taken.at(-1);
    if (last !== undefined && compareKeys(last.upper, cut) > 0) {
      taken[taken.length - 1] = { lower: last.lower, upper: cut };
      left.unshift({ lower: cut, upper: last.upper });
    }
    this.#rest = left;
    return taken;
  }
}

/**
 * About how many entries of a table some spans hide: what part of the table's bounds they cover,
 * with the keys taken as numbers.
 */
export function hiddenEntries(table: TableMetadata, spans: readonly KeySpan[]): number {
  const { smallestView, largestView, entryCount } = table;
  const { from, to } = spansMeeting(spans, smallestView, largestView);
  if (from >= to) return 0;
  const shared = sharedBytes(smallestView, largestView);
  const [low, high] = [positionOf(smallestView, shared), positionOf(largestView, shared)];
  const clamp = (key: DataView, otherwise: number): number =>
    compareKeys(key, smallestView) <= 0
      ? low
      : compareKeys(key, largestView) > 0
      ? high
      : high === low
      ? otherwise
      : positionOf(key, shared);
  let covered = 0;
  for (const { lower, upper } of spans.slice(from, to)) {
    covered += clamp(upper, high) - clamp(lower, low);
  }
  if (high === low) return isHidden(table, spans) ? entryCount : entryCount / 2;
  return entryCount * Math.min(1, covered / (high - low));
}

function sharedBytes(a: DataView, b: DataView): number {
  const most = Math.min(a.byteLength, b.byteLength);
  let length = 0;
  while (length < most && a.getUint8(length) === b.getUint8(length)) length++;
  return length;
}

/** The first bytes of a key after a prefix, as a number. */
function positionOf(key: DataView, from: number): number {
  let position = 0;
  for (let at = from; at < from + 6; at++) {
    position = position * 256 + (at < key.byteLength ? key.getUint8(at) : 0);
  }
  return position;
}
