/**
 * Ranges of keys as users give them, checked and brought to one form: an inclusive lower bound and an
 * exclusive upper one, as bytes.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { compareRanges } from "../bytes/compare.ts";
import { ownFields } from "../options.ts";
import { encodeKey } from "../value/key_codec.ts";
import type { Key } from "../value/value.ts";

/** Which entries, in which order. All bounds given must hold. */
export interface Range {
  /** Only keys that start with these bytes. */
  prefix?: Key;
  /** Only keys at or after this one. */
  gte?: Key;
  /** Only keys after this one. */
  gt?: Key;
  /** Only keys at or before this one. */
  lte?: Key;
  /** Only keys before this one. */
  lt?: Key;
  /** From the largest key to the smallest. Default false. */
  reverse?: boolean;
  /** At most this many entries, an integer from 0, or Infinity. Default Infinity. */
  limit?: number;
  /** Ends the iteration: the next step rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** A key as bytes with a view on them. */
export interface BoundKey {
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** A view on the same bytes. */
  readonly view: DataView;
}

/** A checked range. */
export interface ResolvedRange {
  /** The first key that may be in it, or undefined for no bound. */
  readonly lower: BoundKey | undefined;
  /** The first key behind it, or undefined for no bound. */
  readonly upper: BoundKey | undefined;
  /** From the largest key to the smallest. */
  readonly reverse: boolean;
  /** At most this many entries. */
  readonly limit: number;
  /** Ends the iteration. */
  readonly signal: AbortSignal | undefined;
}

const NAMES: ReadonlySet<string> = new Set([
  "prefix",
  "gte",
  "gt",
  "lte",
  "lt",
  "reverse",
  "limit",
  "signal",
]);

/**
 * Checks a range.
 *
 * @throws {TypeError} it is no object, has an unknown name, or a bound is not a key
 * @throws {RangeError} the limit is not an integer from 0 or Infinity, or a bound is too long
 */
export function resolveRange(range: Range | undefined): ResolvedRange {
  if (range === undefined) {
    return {
      lower: undefined,
      upper: undefined,
      reverse: false,
      limit: Infinity,
      signal: undefined,
    };
  }
  if (typeof range !== "object" || range === null) {
    throw new TypeError(`Cannot use the range: found ${typeof range}, expected an object`);
  }
  for (const name of Object.keys(range)) {
    if (!NAMES.has(name)) throw new TypeError(`Cannot use the range: unknown name "${name}"`);
  }
  const { prefix, gte, gt, lte, lt, reverse = false, limit = Infinity, signal } = ownFields(range);
  if (typeof reverse !== "boolean") {
    throw new TypeError(`Cannot use the range: "reverse" is ${typeof reverse}, expected a boolean`);
  }
  if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 0)) {
    throw new RangeError(
      `Cannot use the range: "limit" is ${limit}, expected an integer from 0 or Infinity`,
    );
  }
  let lower: BoundKey | undefined;
  let upper: BoundKey | undefined;
  if (prefix !== undefined) {
    const start = boundKey(prefix);
    lower = start;
    upper = prefixEnd(start.bytes);
  }
  if (gte !== undefined) lower = later(lower, boundKey(gte));
  if (gt !== undefined) lower = later(lower, successor(boundKey(gt)));
  if (lt !== undefined) upper = earlier(upper, boundKey(lt));
  if (lte !== undefined) upper = earlier(upper, successor(boundKey(lte)));
  return { lower, upper, reverse, limit, signal };
}

/** A key as a bound. The bytes are a copy. */
export function boundKey(key: Key): BoundKey {
  const writer = new ByteWriter(typeof key === "string" ? key.length + 8 : 64);
  encodeKey(key, writer);
  return boundOf(writer.bytes.slice(0, writer.length));
}

/** The first key that comes after the given one: the key and a zero byte. */
export function successor(key: BoundKey): BoundKey {
  const bytes = new Uint8Array(key.bytes.length + 1);
  bytes.set(key.bytes);
  return boundOf(bytes);
}

function boundOf(bytes: Uint8Array): BoundKey {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** The first key that comes after every key with the prefix, or undefined where there is none. */
function prefixEnd(prefix: Uint8Array): BoundKey | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const bytes = prefix.slice(0, length);
  bytes[length - 1]!++;
  return boundOf(bytes);
}

function later(a: BoundKey | undefined, b: BoundKey): BoundKey {
  return a !== undefined && compareBounds(a, b) >= 0 ? a : b;
}

function earlier(a: BoundKey | undefined, b: BoundKey): BoundKey {
  return a !== undefined && compareBounds(a, b) <= 0 ? a : b;
}

function compareBounds(a: BoundKey, b: BoundKey): number {
  return compareRanges(a.view, 0, a.bytes.length, b.view, 0, b.bytes.length);
}
