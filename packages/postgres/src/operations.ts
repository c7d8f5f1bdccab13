/** Operations in the form in which they are sent. */

import {
  type Bounds,
  boundsOf,
  type DeletedRange,
  isInBounds,
  type Key,
  type KeyEncoding,
  type Operation,
  StoreError,
  type Value,
} from "@tinykvs/core/contract";
import { ownedBytes } from "./owned_bytes.ts";
import { decodeText } from "./text.ts";
import { decodeValue, encodeValue } from "./value_codec.ts";

/** The longest key in bytes: an entry of PostgreSQL's index has at most 2704 bytes. */
export const MAX_POSTGRES_KEY_BYTES = 2048;

/** The longest encoded value in bytes, type included. */
export const MAX_POSTGRES_VALUE_BYTES: number = 128 * 1024 * 1024;

/** The most bytes of keys and values in one batch or transaction. */
export const MAX_POSTGRES_WRITE_BYTES: number = 192 * 1024 * 1024;

/** What a write does to one key. */
export interface KeyChange {
  readonly key: Uint8Array;
  /** The key as text of one character a byte, to find it in a map. */
  readonly id: string;
  /** The encoded value, or undefined to delete. */
  readonly value: Uint8Array | undefined;
  /** When the value expires, in ms since 1970; Infinity for never. */
  readonly expiresAt: number;
}

/** The removal of all keys of a range. */
export interface RangeChange {
  readonly lower: Uint8Array;
  readonly upper: Uint8Array | undefined;
}

/** One operation. */
export type Change = KeyChange | RangeChange;

/** The key as text of one character a byte. */
export function idOf(key: Uint8Array): string {
  const { length } = key;
  let id = "";
  let at = 0;
  // Four at a time: a spread would make an iterator, which takes three times as long.
  for (; at + 4 <= length; at += 4) {
    id += String.fromCharCode(key[at]!, key[at + 1]!, key[at + 2]!, key[at + 3]!);
  }
  for (; at < length; at++) id += String.fromCharCode(key[at]!);
  return id;
}

/** A key that can be stored. @throws {RangeError} it is too long */
export function checkedKey(key: Uint8Array): Uint8Array {
  if (key.length <= MAX_POSTGRES_KEY_BYTES) return key;
  throw new RangeError(
    `Cannot encode key: its length is ${key.length} bytes, expected at most ` +
      `${MAX_POSTGRES_KEY_BYTES}, because an entry of PostgreSQL's index has at most 2704`,
  );
}

/** @throws {RangeError} the text or the bytes are too long to be stored */
export function requireLength(value: Value): void {
  const isLong = typeof value === "string" || value instanceof Uint8Array;
  if (isLong) requireValueLength(value.length + 1);
}

/** An encoded value that can be stored. @throws {RangeError} it is too long */
export function checkedValue(value: Uint8Array): Uint8Array {
  requireValueLength(value.length);
  return value;
}

function requireValueLength(length: number): void {
  if (length <= MAX_POSTGRES_VALUE_BYTES) return;
  throw new RangeError(
    `Cannot encode the value: its length is ${length} bytes, expected at most ` +
      `${MAX_POSTGRES_VALUE_BYTES}`,
  );
}

/**
 * The changes of operations that `OperationBatch` has checked and copied.
 *
 * @throws {RangeError} a key or a value is too long
 */
export function changesOf(operations: readonly Operation[]): Change[] {
  return operations.map((operation): Change => {
    if (operation.type === "deleteRange") {
      const { lower = new Uint8Array(), upper } = boundsOf(operation.range);
      return { lower, upper };
    }
    const key = checkedKey(operation.key as Uint8Array);
    const id = idOf(key);
    if (operation.type === "delete") {
      return { key, id, value: undefined, expiresAt: Infinity };
    }
    const value = checkedValue(encodeValue(operation.value));
    return {
      key,
      id,
      value,
      expiresAt: Number(operation.expiresAt ?? Infinity),
    };
  });
}

/** The bytes that a change takes. */
export function sizeOf(change: Change): number {
  return "id" in change
    ? change.key.length + (change.value?.length ?? 0)
    : change.lower.length + (change.upper?.length ?? 0);
}

/** @throws {RangeError} the changes of one write are too large to be sent */
export function requireSize(changes: readonly Change[]): void {
  let bytes = 0;
  for (const change of changes) bytes += sizeOf(change);
  if (bytes <= MAX_POSTGRES_WRITE_BYTES) return;
  throw new RangeError(
    `Cannot write: the keys and values have ${bytes} bytes, expected at most ` +
      `${MAX_POSTGRES_WRITE_BYTES} in one write`,
  );
}

/** Whether a range removal covers a key. */
export function covers(
  { lower, upper }: RangeChange,
  key: Uint8Array,
): boolean {
  return compare(key, lower) >= 0 &&
    (upper === undefined || compare(key, upper) < 0);
}

/** The order of keys. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** The first key after this one. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const after = new Uint8Array(key.length + 1);
  after.set(key);
  return after;
}

/** Whether bounds hold no key at all. */
export function isEmpty(
  { lower, upper }: Pick<Bounds, "lower" | "upper">,
): boolean {
  return upper !== undefined && compare(lower ?? new Uint8Array(), upper) >= 0;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A key as reads show it; it may be a part of the bytes.
 *
 * @throws {StoreError} it is not UTF-8, and shall be text
 */
export function shownKey(
  bytes: Uint8Array,
  encoding: KeyEncoding,
  start = 0,
  end: number = bytes.length,
): string | Uint8Array {
  if (encoding === "bytes") return ownedBytes(bytes, start, end);
  try {
    return decodeText(bytes, start, end);
  } catch (cause) {
    throw new StoreError(
      "KEY_ENCODING",
      `Cannot show a key of ${end - start} bytes as text: it is not UTF-8; read it with ` +
        'keyEncoding "bytes"',
      { cause },
    );
  }
}

/** A bound as watches show it. The first key after a prefix, for example, need not be text. */
function shownBound(bound: Uint8Array, encoding: KeyEncoding): Key {
  if (encoding === "bytes") return new Uint8Array(bound);
  try {
    return decoder.decode(bound);
  } catch {
    return new Uint8Array(bound);
  }
}

/** The commits of one write as bytes, for the log. */
export function encodeCommits(
  commits: readonly (readonly Change[])[],
): Uint8Array {
  let length = 4;
  for (const commit of commits) {
    length += 4;
    for (const change of commit) length += 17 + sizeOf(change);
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const number = (value: number): void => {
    view.setUint32(at, value);
    at += 4;
  };
  const append = (part: Uint8Array): void => {
    bytes.set(part, at);
    at += part.length;
  };
  number(commits.length);
  for (const commit of commits) {
    number(commit.length);
    for (const change of commit) {
      const isKey = "id" in change;
      const [first, second] = isKey ? [change.key, change.value] : [change.lower, change.upper];
      bytes[at++] = isKey ? 0 : 1;
      number(first.length);
      number(second === undefined ? 0 : second.length + 1);
      view.setFloat64(at, isKey ? change.expiresAt : Infinity);
      at += 8;
      append(first);
      if (second !== undefined) append(second);
    }
  }
  return bytes;
}

/** The reverse of `encodeCommits`. */
export function decodeCommits(bytes: Uint8Array): Change[][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const number = (): number => {
    at += 4;
    return view.getUint32(at - 4);
  };
  const take = (length: number): Uint8Array => {
    at += length;
    return bytes.slice(at - length, at);
  };
  return Array.from(
    { length: number() },
    () =>
      Array.from({ length: number() }, (): Change => {
        const isKey = bytes[at++] === 0;
        const firstLength = number();
        const secondLength = number();
        const expiresAt = view.getFloat64(at);
        at += 8;
        const first = take(firstLength);
        const second = secondLength === 0 ? undefined : take(secondLength - 1);
        return isKey
          ? { key: first, id: idOf(first), value: second, expiresAt }
          : { lower: first, upper: second };
      }),
  );
}

/** A change as watches show it: `within` are the bounds of the watch. Undefined: it is outside. */
export function shownOperation(
  change: Change,
  within: Bounds,
  encoding: KeyEncoding,
): Operation | undefined {
  if (!("id" in change)) {
    const lower = within.lower !== undefined && compare(within.lower, change.lower) > 0
      ? within.lower
      : change.lower;
    const upper = within.upper === undefined ||
        (change.upper !== undefined && compare(change.upper, within.upper) < 0)
      ? change.upper
      : within.upper;
    if (isEmpty({ lower, upper })) return undefined;
    const range: DeletedRange = {};
    if (lower.length > 0) range.gte = shownBound(lower, encoding);
    if (upper !== undefined) range.lt = shownBound(upper, encoding);
    return { type: "deleteRange", range };
  }
  if (!isInBounds(change.key, within)) return undefined;
  const key = shownKey(change.key, encoding);
  if (change.value === undefined) return { type: "delete", key };
  const put: Operation = { type: "put", key, value: decodeValue(change.value) };
  return change.expiresAt === Infinity ? put : { ...put, expiresAt: change.expiresAt };
}
