/**
 * Values of libraries that store more than a store can hold at top level, for example null or a
 * Date.
 *
 * Text, numbers, booleans, bigints and bytes are stored unchanged. Anything else is stored in an
 * array of two items: a mark, and the value. Any other record was stored by somebody else, and is
 * itself the value.
 */

import { isBytes } from "../bytes/is_bytes.ts";
import type { RecordItem, Value } from "../contract/value.ts";
import { ownBuffer } from "./own_buffer.ts";

/** The first item of the array. It distinguishes such an array from the user's own arrays. */
const MARK = "tinykvs value 1";

/** Makes the form of a value that the store holds. */
export function wrap(value: unknown): Value {
  const isPlain = ["string", "number", "boolean", "bigint"].includes(typeof value);
  return isPlain || isBytes(value) ? value as Value : [MARK, value as RecordItem];
}

/** The value. */
export function unwrap(stored: Value | undefined): unknown {
  const isWrapped = Array.isArray(stored) && stored.length === 2 && stored[0] === MARK;
  const value: unknown = isWrapped ? stored[1] : stored;
  return isBytes(value) ? ownBuffer(value) : value;
}
