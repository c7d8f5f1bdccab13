/**
 * The rules for keys, values and ranges as functions, for implementations of the contract. The
 * embedded engine keeps the same rules in its encoders, which are faster.
 */

import { dateAt, msOfDate } from "./clock.ts";
import { type KeyEncoding, ownRange, type Range } from "./range.ts";
import { encodeUtf8 } from "./utf8.ts";
import {
  describeValue,
  isBytes,
  type Key,
  MAX_KEY_BYTES,
  MAX_RECORD_DEPTH,
  MAX_VALUE_BYTES,
  type RecordItem,
  type RecordValue,
  type Value,
} from "./value.ts";

/**
 * The keys of a call that takes several. A text would be taken for a list of its characters.
 *
 * @throws {TypeError} it is a text
 */
export function keyList<K>(keys: readonly K[]): readonly K[] {
  if (typeof keys !== "string") return keys;
  throw new TypeError(`Cannot read several keys: found ${describeValue(keys)}, expected an array`);
}

/**
 * The bytes of a key, a copy.
 *
 * @throws {TypeError} it is neither a string nor a Uint8Array, or holds a lone surrogate
 * @throws {RangeError} it is longer than {@linkcode MAX_KEY_BYTES}
 */
export function keyBytes(key: Key): Uint8Array {
  if (typeof key === "string") {
    if (!key.isWellFormed()) throw new TypeError("Cannot encode key: it holds a lone surrogate");
  } else if (!isBytes(key)) {
    throw new TypeError(
      `Cannot encode key: found ${describeValue(key)}, expected a string or a Uint8Array`,
    );
  }
  const bytes = typeof key === "string" ? encodeUtf8(key) : new Uint8Array(key);
  if (bytes.length <= MAX_KEY_BYTES) return bytes;
  throw new RangeError(
    `Cannot encode key: its length is ${bytes.length} bytes, expected at most ${MAX_KEY_BYTES}`,
  );
}

/** The order of keys: negative if `a` comes first, 0 if they are equal. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** A range as bytes: `lower` is included, `upper` is not. */
export interface Bounds {
  /** The first key that may be in the range, or undefined for no bound. */
  readonly lower: Uint8Array | undefined;
  /** The first key after the range, or undefined for no bound. */
  readonly upper: Uint8Array | undefined;
  /** From the largest key to the smallest. */
  readonly reverse: boolean;
  /** At most this many entries. */
  readonly limit: number;
  /** Ends the iteration. */
  readonly signal: AbortSignal | undefined;
  /** What reads return for keys, if the range says so. */
  readonly keyEncoding: KeyEncoding | undefined;
}

/**
 * Checks a range and brings it to one form.
 *
 * @throws {TypeError | RangeError} it is not a valid range
 */
export function boundsOf(range: Range = {}): Bounds {
  const own = ownRange(range);
  const { prefix, gte, gt, lte, lt, reverse = false, limit = Infinity, signal, keyEncoding } = own;
  const lowers: Uint8Array[] = [];
  const uppers: Uint8Array[] = [];
  if (prefix !== undefined) {
    const start = keyBytes(prefix);
    lowers.push(start);
    let length = start.length;
    while (length > 0 && start[length - 1] === 0xff) length--;
    const end = start.slice(0, length);
    if (length > 0) {
      end[length - 1]!++;
      uppers.push(end);
    }
  }
  if (gte !== undefined) lowers.push(keyBytes(gte));
  if (gt !== undefined) lowers.push(keyAfter(keyBytes(gt)));
  if (lt !== undefined) uppers.push(keyBytes(lt));
  if (lte !== undefined) uppers.push(keyAfter(keyBytes(lte)));
  lowers.sort(compareKeys);
  uppers.sort(compareKeys);
  return { lower: lowers.at(-1), upper: uppers[0], reverse, limit, signal, keyEncoding };
}

/** Whether a key lies between the bounds. */
export function isInBounds(key: Uint8Array, { lower, upper }: Bounds): boolean {
  return (lower === undefined || compareKeys(key, lower) >= 0) &&
    (upper === undefined || compareKeys(key, upper) < 0);
}

/** The first key that comes after the given one. */
function keyAfter(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1);
  after.set(key);
  return after;
}

/**
 * A deep copy of a value that belongs to the caller.
 *
 * @throws {TypeError} it can't be stored
 * @throws {RangeError} a bigint is outside int64, a text or bytes are too long, or a record is
 *   nested too deep
 */
export function copyValue(value: Value): Value {
  switch (typeof value) {
    case "number":
    case "boolean":
      return value;
    case "bigint":
      if (BigInt.asIntN(64, value) === value) return value;
      throw new RangeError("Cannot encode the value: the bigint is outside -2^63 to 2^63 - 1");
    default:
      if (isRecord(value)) return copyItem(value, 0) as RecordValue;
      if (typeof value === "string" || isBytes(value)) return copyItem(value, 0) as Value;
      throw notStorable(value);
  }
}

/** Whether two values are stored as the same type with the same bytes. */
export function isSameValue(a: RecordItem, b: RecordItem): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return Object.is(a, b);
  }
  if (isBytes(a) || isBytes(b)) return isBytes(a) && isBytes(b) && compareKeys(a, b) === 0;
  const [time, otherTime] = [msOfDate(a), msOfDate(b)];
  if (time !== undefined || otherTime !== undefined) return time === otherTime;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return left.length === right.length && left.every(([name, item], at) => {
    const [otherName, other] = right[at]!;
    return name === otherName && isSameValue(item as RecordItem, other as RecordItem);
  });
}

function copyItem(item: RecordItem, depth: number): RecordItem {
  switch (typeof item) {
    case "number":
    case "boolean":
    case "undefined":
      return item;
    case "bigint":
      if (BigInt.asIntN(64, item) === item || BigInt.asUintN(64, item) === item) return item;
      throw new RangeError("Cannot encode the value: a bigint is outside -2^63 to 2^64 - 1");
    case "string":
      if (!item.isWellFormed()) {
        throw new TypeError("Cannot encode the value: a string holds a lone surrogate");
      }
      requireLength(item.length);
      return item;
    case "object":
      if (item === null) return null;
      if (isBytes(item)) {
        requireLength(item.length);
        return new Uint8Array(item);
      }
      if (isRecord(item)) return copyRecord(item, depth + 1);
      return copyDate(item);
  }
  throw notStorable(item);
}

function copyDate(item: RecordItem): RecordItem {
  const ms = msOfDate(item);
  if (ms === undefined) throw notStorable(item);
  if (!Number.isNaN(ms)) return dateAt(ms);
  throw new TypeError("Cannot encode the value: it holds an invalid Date");
}

function copyRecord(record: RecordValue, depth: number): RecordValue {
  if (depth > MAX_RECORD_DEPTH) {
    throw new RangeError(
      `Cannot encode the value: it is nested more than ${MAX_RECORD_DEPTH} deep`,
    );
  }
  if (Array.isArray(record)) {
    return Array.from(record as readonly RecordItem[], (item) => {
      if (item === undefined) throw notStorable(item);
      return copyItem(item, depth);
    });
  }
  const copy: Record<string, RecordItem> = {};
  for (const [name, item] of Object.entries(record)) {
    if (item === undefined) continue;
    // Not by assignment, which for "__proto__" would set the prototype.
    const value = copyItem(item, depth);
    Object.defineProperty(copy, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return copy;
}

function isRecord(value: unknown): value is RecordValue {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  // The prototype of plain objects, of any realm, has no prototype itself.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function requireLength(length: number): void {
  if (length <= MAX_VALUE_BYTES) return;
  throw new RangeError(
    `Cannot encode the value: its length is ${length}, expected at most ${MAX_VALUE_BYTES} bytes`,
  );
}

function notStorable(found: unknown): TypeError {
  return new TypeError(
    `Cannot encode the value: found ${describeValue(found)}, expected a string, number, bigint, ` +
      "boolean, Uint8Array, array or plain object",
  );
}
