/** Ranges of keys as users give them. */

import { checkSignal } from "./abort_signal.ts";
import { describeValue, type Key } from "./value.ts";

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

/** The fields of a range, all of them present, so that none is looked for in a prototype. */
export interface OwnRange {
  /** Only keys that start with these bytes. */
  prefix: Key | undefined;
  /** Only keys at or after this one. */
  gte: Key | undefined;
  /** Only keys after this one. */
  gt: Key | undefined;
  /** Only keys at or before this one. */
  lte: Key | undefined;
  /** Only keys before this one. */
  lt: Key | undefined;
  /** From the largest key to the smallest. */
  reverse: boolean | undefined;
  /** At most this many entries. */
  limit: number | undefined;
  /** Ends the iteration. */
  signal: AbortSignal | undefined;
  /** What the read returns for keys. */
  keyEncoding: KeyEncoding | undefined;
}

/**
 * The range's own fields, each read once. The bounds are not checked.
 *
 * A switch, and no copy of the object to take them from: an object without a prototype is a hash table
 * to V8, and costs half a microsecond here.
 *
 * @throws {TypeError} it is no object, has an unknown name, or `reverse`, `signal` or
 * `keyEncoding` is not valid
 * @throws {RangeError} the limit is not an integer from 0 or Infinity
 */
export function ownRange(range: Range): OwnRange {
  if (typeof range !== "object" || range === null) {
    throw new TypeError(`Cannot use the range: found ${typeof range}, expected an object`);
  }
  const names = Object.keys(range);
  for (const name of names) {
    if (!isName(name)) throw new TypeError(`Cannot use the range: unknown name "${name}"`);
  }
  const own: OwnRange = {
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
  const { reverse, limit, keyEncoding } = own;
  if (reverse !== undefined && typeof reverse !== "boolean") {
    throw new TypeError(`Cannot use the range: "reverse" is ${typeof reverse}, expected a boolean`);
  }
  if (limit !== undefined && limit !== Infinity && !(Number.isSafeInteger(limit) && limit >= 0)) {
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
  checkSignal(own.signal, "Cannot use the range");
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
