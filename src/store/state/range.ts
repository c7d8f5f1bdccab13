/**
 * Ranges of keys as users give them, checked and brought to one form: an inclusive lower bound and
 * an exclusive upper one, as bytes.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { compareRanges } from "../../bytes/compare.ts";
import { Slab } from "../../bytes/slab.ts";
import { deletedRange, type KeyEncoding, ownRange, type Range } from "../../contract/range.ts";
import { encodeKey } from "../../value/key_codec.ts";
import type { Key } from "../../value/value.ts";

export type { KeyEncoding, Range, ScanOptions } from "../../contract/range.ts";

/** A key as bytes with a view of them. */
export interface BoundKey {
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** A view of the same bytes. */
  readonly view: DataView;
}

/** A checked range. */
export interface ResolvedRange {
  /** The first key that may be in it, or undefined for no bound. */
  readonly lower: BoundKey | undefined;
  /** The first key after it, or undefined for no bound. */
  readonly upper: BoundKey | undefined;
  /** From the largest key to the smallest. */
  readonly reverse: boolean;
  /** At most this many entries. */
  readonly limit: number;
  /** Ends the iteration. */
  readonly signal: AbortSignal | undefined;
  /** What reads return for keys, if that differs from the store's options. */
  readonly keyEncoding: KeyEncoding | undefined;
}

const UNBOUNDED: ResolvedRange = {
  lower: undefined,
  upper: undefined,
  reverse: false,
  limit: Infinity,
  signal: undefined,
  keyEncoding: undefined,
};

/**
 * Checks a range.
 *
 * @throws {TypeError} it is not an object, has an unknown name, a bound is not a key, or a value
 *   has another type
 * @throws {RangeError} the limit is not an integer from 0 or Infinity, or a bound is too long
 */
export function resolveRange(range: Range | undefined): ResolvedRange {
  if (range === undefined) return UNBOUNDED;
  const {
    prefix,
    gte,
    gt,
    lte,
    lt,
    reverse = false,
    limit = Infinity,
    signal,
    keyEncoding,
  } = ownRange(range);
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
  return { lower, upper, reverse, limit, signal, keyEncoding };
}

/**
 * As `resolveRange`, for a deletion, which has no direction and no limit.
 *
 * @throws {TypeError} also if there is no range, or it has a limit
 */
export function resolveDeletedRange(range: Range): ResolvedRange {
  return resolveRange(deletedRange(range));
}

/** A key as a bound. The bytes are a copy. */
export function boundKey(key: Key): BoundKey {
  // Encoding text runs no code of the caller; an object that imitates bytes might.
  const isShort = typeof key === "string" && key.length <= SHORT_TEXT;
  const writer = isShort ? textWriter : new ByteWriter(64);
  writer.length = 0;
  encodeKey(key, writer);
  return boundOf(writer.bytes, writer.length, 0);
}

/** Whether a key lies between the bounds of a range. */
export function isInRange(key: BoundKey, { lower, upper }: ResolvedRange): boolean {
  return (lower === undefined || compareBounds(key, lower) >= 0) &&
    (upper === undefined || compareBounds(key, upper) < 0);
}

/** The first key after the given one: the key and a zero byte. */
export function successor(key: BoundKey): BoundKey {
  return boundOf(key.bytes, key.bytes.length, 1);
}

/**
 * The memory of bounds. Small ones lie side by side, which saves two allocations outside of the
 * heap for each.
 */
const slab = new Slab(4096);
const SLAB_BOUND_MAX = 128;
/**
 * Text up to this length is encoded here first, because its number of bytes is not known before.
 */
const SHORT_TEXT = 128;
const textWriter = new ByteWriter(3 * SHORT_TEXT);

/** A copy of `bytes[0, length)` with some zero bytes after it. */
function boundOf(bytes: Uint8Array, length: number, zeros: number): BoundKey {
  const size = length + zeros;
  let memory: Uint8Array<ArrayBuffer>;
  let at = 0;
  if (size > SLAB_BOUND_MAX) {
    memory = new Uint8Array(size);
  } else {
    at = slab.take(size);
    memory = slab.bytes;
  }
  const { buffer } = memory;
  const own = new Uint8Array(buffer, at, size);
  if (size > SLAB_BOUND_MAX) own.set(bytes.subarray(0, length));
  else for (let i = 0; i < length; i++) own[i] = bytes[i]!;
  return { bytes: own, view: new DataView(buffer, at, size) };
}

/** The first key after every key with the prefix, or undefined if there is none. */
function prefixEnd(prefix: Uint8Array): BoundKey | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const end = boundOf(prefix, length, 0);
  end.bytes[length - 1]!++;
  return end;
}

function later(a: BoundKey | undefined, b: BoundKey): BoundKey {
  return a !== undefined && compareBounds(a, b) >= 0 ? a : b;
}

function earlier(a: BoundKey | undefined, b: BoundKey): BoundKey {
  return a !== undefined && compareBounds(a, b) <= 0 ? a : b;
}

/** The order of two bounds. */
export function compareBounds(a: BoundKey, b: BoundKey): number {
  return compareRanges(a.view, 0, a.bytes.length, b.view, 0, b.bytes.length);
}
