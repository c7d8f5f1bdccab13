/** The range that `store.compact` takes, and what it means to the background. */

import { isBytes } from "../../bytes/is_bytes.ts";
import { ownFields } from "../../options.ts";
import { describeValue, type Key } from "../../value/value.ts";
import { boundKey, type Range, resolveRange } from "../state/range.ts";

/**
 * The part of the key space that `compact` works on: the bounds of a range, or a first and a last
 * key. Without any it is the whole store.
 */
export interface CompactRange extends Pick<Range, "prefix" | "gte" | "gt" | "lte" | "lt"> {
  /** The first key; not beside the bounds of a range. */
  start?: Key;
  /** The last key; not beside the bounds of a range. */
  end?: Key;
}

const BOUNDS: readonly string[] = ["prefix", "gte", "gt", "lte", "lt"];

/** Two bounds, both included; undefined stands for the end of the store on that side. */
export interface CompactBounds {
  /** The first key. */
  readonly smallest: DataView | undefined;
  /** The last key. */
  readonly largest: DataView | undefined;
}

/**
 * The bounds of a range.
 *
 * @throws {TypeError | RangeError} the range has an unknown name, or a bound can't be a key
 */
export function compactBounds(range: CompactRange): CompactBounds {
  const { start, end, ...bounds } = fieldsOf(range);
  if (start === undefined && end === undefined) {
    const { lower, upper } = resolveRange(bounds);
    // The first key after the range is one too many, which does no harm.
    return { smallest: lower?.view, largest: upper?.view };
  }
  const [bound] = Object.entries(bounds).find(([, key]) => key !== undefined) ?? [];
  if (bound !== undefined) {
    throw new TypeError(
      `Cannot compact: the range has "${bound}" beside "start" or "end", expected either`,
    );
  }
  return {
    smallest: start === undefined ? undefined : boundKey(start).view,
    largest: end === undefined ? undefined : boundKey(end).view,
  };
}

function fieldsOf(range: CompactRange): CompactRange {
  if (typeof range !== "object" || range === null || isBytes(range)) {
    throw new TypeError(
      `Cannot compact: found ${describeValue(range)}, expected a range such as { prefix }`,
    );
  }
  for (const name of Object.keys(range)) {
    if (name === "start" || name === "end" || BOUNDS.includes(name)) continue;
    throw new TypeError(
      `Cannot compact: unknown name "${name}", expected "prefix", "gte", "gt", "lte" or "lt"`,
    );
  }
  return ownFields(range);
}
