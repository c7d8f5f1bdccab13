/** Ranges of keys as users give them. */

import { checkSignal, throwIfAborted } from "./abort_signal.ts";
import { describeValue, type Key } from "./value.ts";

/**
 * A key, or, if keys are tuples of known parts, any number of its first parts: they sort before all
 * that they begin.
 */
export type Beginning<K> = K extends readonly [infer First, ...infer Rest]
  ? readonly [] | readonly [First, ...Beginning<Rest>]
  : K;

/** Which entries, in which order. All given bounds must be met. `K` is the type of the keys. */
export interface Range<K = Key> {
  /** Only keys that start with these bytes. */
  prefix?: Beginning<K>;
  /** Only keys at or after this one. */
  gte?: Beginning<K>;
  /** Only keys after this one. */
  gt?: Beginning<K>;
  /** Only keys at or before this one. */
  lte?: Beginning<K>;
  /** Only keys before this one. */
  lt?: Beginning<K>;
  /** From the largest key to the smallest. Default false. */
  reverse?: boolean;
  /** At most this many entries, an integer from 0, or Infinity. Default Infinity. */
  limit?: number;
  /** Ends the iteration: the next step rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * What this read returns for keys: text, or bytes. Default: as the store was opened. A key that
   * is not UTF-8 can only be read as bytes.
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

/** The fields of a {@linkcode Range} that a scan by prefix, or from key to key, accepts. */
export type ScanOptions = Pick<Range, "reverse" | "limit" | "signal" | "keyEncoding">;

/**
 * The bounds of a range whose keys are removed. An empty object means all keys.
 *
 * @example
 * ```ts
 * import { type DeletedRange, memoryFileSystem, open } from "@tinykvs/core";
 *
 * const old: DeletedRange = { gte: "log:", lt: "log:2026" };
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("log:2025-12-31", "bye");
 * await store.deleteRange(old);
 * console.log(await store.count()); // 0
 * ```
 */
export type DeletedRange<K = Key> = Pick<Range<K>, "prefix" | "gte" | "gt" | "lte" | "lt">;

/** What reads return for keys: text, or bytes. */
export type KeyEncoding = "utf8" | "bytes";

/** The fields of a range, all of them present, so that no prototype is searched for one. */
export interface OwnRange<K = Key> {
  /** Only keys that start with these bytes. */
  prefix: Beginning<K> | undefined;
  /** Only keys at or after this one. */
  gte: Beginning<K> | undefined;
  /** Only keys after this one. */
  gt: Beginning<K> | undefined;
  /** Only keys at or before this one. */
  lte: Beginning<K> | undefined;
  /** Only keys before this one. */
  lt: Beginning<K> | undefined;
  /** From the largest key to the smallest. */
  reverse: boolean | undefined;
  /** At most this many entries. */
  limit: number | undefined;
  /** Ends the iteration. */
  signal: AbortSignal | undefined;
  /** What the read returns for keys. */
  keyEncoding: KeyEncoding | undefined;
}

function unknownName(name: string): TypeError {
  return new TypeError(
    `Cannot use the range: unknown name "${name}", expected "prefix", "gte", "gt", "lte", "lt", ` +
      '"reverse", "limit", "signal" or "keyEncoding"',
  );
}

/**
 * The range's own fields, each read once. The bounds are not checked.
 *
 * A switch, and not a copy of the object: to V8, an object without a prototype is a hash table,
 * which is slow here.
 *
 * @throws {TypeError} it is not an object, has an unknown name, or `reverse`, `signal` or
 *   `keyEncoding` is not valid
 * @throws {RangeError} the limit is not an integer from 0 or Infinity
 */
export function ownRange<K = Key>(range: Range<K>): OwnRange<K> {
  if (typeof range !== "object" || range === null) {
    throw new TypeError(`Cannot use the range: found ${typeof range}, expected an object`);
  }
  const names = Object.keys(range);
  for (const name of names) {
    if (!isName(name)) throw unknownName(name);
  }
  const own: OwnRange<K> = {
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
  if (keyEncoding !== undefined) requireKeyEncoding(keyEncoding, "use the range");
  checkSignal(own.signal, "Cannot use the range");
  return own;
}

/**
 * The bounds of a range whose keys are to be deleted.
 *
 * A limit is refused. A deletion of a range costs the same for any number of keys, because it does
 * not look for them. With a limit it would have to. The message says what to do instead.
 *
 * @throws {TypeError} it is not a range, or has a limit
 */
export function deletedRange<K = Key>(range: Range<K>): DeletedRange<K> {
  if (range === undefined) {
    throw new TypeError(
      "Cannot delete the range: found undefined, expected a range; {} is all keys",
    );
  }
  const { limit, signal, prefix, gte, gt, lte, lt } = ownRange(range);
  if (limit !== undefined && limit !== Infinity) {
    throw new TypeError(
      `Cannot delete the range: "limit" is ${limit}, but a deletion does not count keys; ` +
        "read the keys with the limit, and delete those",
    );
  }
  throwIfAborted(signal);
  const bounds: DeletedRange<K> = {};
  if (prefix !== undefined) bounds.prefix = prefix;
  if (gte !== undefined) bounds.gte = gte;
  if (gt !== undefined) bounds.gt = gt;
  if (lte !== undefined) bounds.lte = lte;
  if (lt !== undefined) bounds.lt = lt;
  return bounds;
}

/**
 * The range of all keys that start with a prefix.
 *
 * @throws {TypeError} there is no prefix: the range would be all keys
 */
export function prefixRange<K = Key>(prefix: Beginning<K>): DeletedRange<K> {
  if (prefix !== undefined) return { prefix };
  throw new TypeError(
    "Cannot delete the prefix: found undefined, expected a key; clear() is all keys",
  );
}

/** @throws {TypeError} it is neither "utf8" nor "bytes" */
export function requireKeyEncoding(found: KeyEncoding, action: string): void {
  if (found === "utf8" || found === "bytes") return;
  const shown = typeof found === "string"
    ? JSON.stringify((found as string).slice(0, 64))
    : describeValue(found);
  throw new TypeError(
    `Cannot ${action}: "keyEncoding" is ${shown}, expected "utf8" or "bytes"`,
  );
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
