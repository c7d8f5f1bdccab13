/** The range that `store.compact` takes, and what it means to the background. */

import { isBytes } from "../../bytes/is_bytes.ts";
import { ownFields } from "../../options.ts";
import { describeValue, type Key } from "../../value/value.ts";
import { boundKey } from "../state/range.ts";

/** The part of the key space that `compact` works on; both bounds are included. */
export interface CompactRange {
  /** The first key. Default: the first of the store. */
  start?: Key;
  /** The last key. Default: the last of the store. */
  end?: Key;
}

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
  const { start, end } = fieldsOf(range);
  return {
    smallest: start === undefined ? undefined : boundKey(start).view,
    largest: end === undefined ? undefined : boundKey(end).view,
  };
}

function fieldsOf(range: CompactRange): CompactRange {
  if (typeof range !== "object" || range === null || isBytes(range)) {
    throw new TypeError(
      `Cannot compact: found ${describeValue(range)}, expected a range such as { start, end }`,
    );
  }
  for (const name of Object.keys(range)) {
    if (name !== "start" && name !== "end") {
      throw new TypeError(`Cannot compact: unknown name "${name}", expected "start" or "end"`);
    }
  }
  return ownFields(range);
}
