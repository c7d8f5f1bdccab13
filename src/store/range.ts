/**
 * Ranges of keys as users give them, checked and brought to one form: an inclusive lower bound and an
 * exclusive upper one, as bytes.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { compareRanges } from "../bytes/compare.ts";
import { encodeKey } from "../value/key_codec.ts";
import { describeValue, type Key } from "../value/value.ts";
import { checkSignal } from "./abort_signal.ts";

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
  /**
   * What this read returns for keys: text, or bytes. Default: as the store was opened. A key that is not
   * UTF-8 can only be read as bytes.
   *
   * @example
   * ```ts
   * import { memoryFileSystem, open } from "@tinykvs/core";
   *
   * await using store = await open("/db", { fileSystem: memoryFileSystem() });
   * await store.put("text", 1);
   * await store.put(Uint8Array.of(0xff), 2); // not UTF-8: store.keys() ends there with an error
   * for (const key of store.keys({ keyEncoding: "bytes" })) {
   *   const text = new TextDecoder().decode(key);
   *   if (text.includes("\ufffd")) await store.delete(key);
   * }
   * console.log(await store.keys().toArray()); // ["text"]
   * ```
   */
  keyEncoding?: KeyEncoding;
}

/** What of a {@linkcode Range} a scan by prefix, or from key to key, may be told. */
export type ScanOptions = Pick<Range, "reverse" | "limit" | "signal" | "keyEncoding">;

/** What reads return for keys: text, or bytes. */
export type KeyEncoding = "utf8" | "bytes";

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
  /** What keys become, if that differs from what the store's options say. */
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
 * @throws {TypeError} it is no object, has an unknown name, a bound is not a key, or a value has another type
 * @throws {RangeError} the limit is not an integer from 0 or Infinity, or a bound is too long
 */
export function resolveRange(range: Range | undefined): ResolvedRange {
  if (range === undefined) return UNBOUNDED;
  if (typeof range !== "object" || range === null) {
    throw new TypeError(`Cannot use the range: found ${typeof range}, expected an object`);
  }
  const { prefix, gte, gt, lte, lt, reverse = false, limit = Infinity, signal, keyEncoding } =
    ownBounds(range);
  if (typeof reverse !== "boolean") {
    throw new TypeError(`Cannot use the range: "reverse" is ${typeof reverse}, expected a boolean`);
  }
  if (limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 0)) {
    throw new RangeError(
      `Cannot use the range: "limit" is ${limit}, expected an integer from 0 or Infinity`,
    );
  }
  if (keyEncoding !== undefined && keyEncoding !== "utf8" && keyEncoding !== "bytes") {
    const found = typeof keyEncoding === "string"
      ? JSON.stringify((keyEncoding as string).slice(0, 64))
      : describeValue(keyEncoding);
    throw new TypeError(
      `Cannot use the range: "keyEncoding" is ${found}, expected "utf8" or "bytes"`,
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
  checkSignal(signal, "Cannot use the range");
  return { lower, upper, reverse, limit, signal, keyEncoding };
}

/** The fields of a range, all of them present, so that none is looked for in a prototype. */
type Given = { [name in keyof Required<Range>]: Range[name] | undefined };

/**
 * The range's own fields, each read once. A switch, and no copy of the object to take them from: an object
 * without a prototype is a hash table to V8, and costs half a microsecond here.
 *
 * @throws {TypeError} it has an unknown one
 */
function ownBounds(range: Range): Given {
  const names = Object.keys(range);
  for (const name of names) {
    if (!isName(name)) throw new TypeError(`Cannot use the range: unknown name "${name}"`);
  }
  const own: Given = {
    prefix: undefined,
    gte: undefined,
    gt: undefined,
    lte: undefined,
    lt: undefined,
    reverse: undefined,
    limit: undefined,
    signal: undefined,
    keyEncoding: undefined,
  };
  for (const name of names as (keyof Range)[]) own[name] = range[name] as undefined;
  return own;
}

function isName(name: string): name is keyof Range {
  switch (name) {
    case "prefix":
    case "gte":
    case "gt":
    case "lte":
    case "lt":
    case "reverse":
    case "limit":
    case "signal":
    case "keyEncoding":
      return true;
    default:
      return false;
  }
}

/** A key as a bound. The bytes are a copy. */
export function boundKey(key: Key): BoundKey {
  // Text runs no code of the caller while it is encoded; an object that passes for bytes might.
  const isShort = typeof key === "string" && key.length <= SHORT_TEXT;
  const writer = isShort ? textWriter : new ByteWriter(64);
  writer.length = 0;
  encodeKey(key, writer);
  return boundOf(writer.bytes, writer.length, 0);
}

/** The first key that comes after the given one: the key and a zero byte. */
export function successor(key: BoundKey): BoundKey {
  return boundOf(key.bytes, key.bytes.length, 1);
}

/** Where bounds lie: small ones side by side, which saves two allocations outside of the heap for each. */
const SLAB_BYTES = 4096;
const SLAB_BOUND_MAX = 128;
let slab = new Uint8Array(0);
let slabUsed = 0;
/** Text up to this long is encoded here first: how many bytes it takes is not known before. */
const SHORT_TEXT = 128;
const textWriter = new ByteWriter(3 * SHORT_TEXT);

/** A copy of `bytes[0, length)` with some zero bytes behind it. */
function boundOf(bytes: Uint8Array, length: number, zeros: number): BoundKey {
  const size = length + zeros;
  let memory: Uint8Array<ArrayBuffer>;
  let at = 0;
  if (size > SLAB_BOUND_MAX) {
    memory = new Uint8Array(size);
  } else {
    if (slabUsed + size > slab.length) {
      slab = new Uint8Array(SLAB_BYTES);
      slabUsed = 0;
    }
    memory = slab;
    at = slabUsed;
    slabUsed += size;
  }
  const { buffer } = memory;
  const own = new Uint8Array(buffer, at, size);
  if (size > SLAB_BOUND_MAX) own.set(bytes.subarray(0, length));
  else for (let i = 0; i < length; i++) own[i] = bytes[i]!;
  return { bytes: own, view: new DataView(buffer, at, size) };
}

/** The first key that comes after every key with the prefix, or undefined where there is none. */
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

function compareBounds(a: BoundKey, b: BoundKey): number {
  return compareRanges(a.view, 0, a.bytes.length, b.view, 0, b.bytes.length);
}
