/** Watching: every commit that touches a range, as it happens. */

import { checkSignal } from "./abort_signal.ts";
import { ownRange, type Range } from "./range.ts";
import { describeValue, type Key, type Value } from "./value.ts";
import type { Operation } from "./writer.ts";

/** How many commits a watch may be behind by default. */
const DEFAULT_LIMIT = 10_000;

/** The keys that are watched, and the form in which they are shown. */
export type WatchRange<K = Key> = Pick<
  Range<K>,
  "prefix" | "gte" | "gt" | "lte" | "lt" | "keyEncoding"
>;

/** What {@linkcode Store.watch} may be told. Anything else is a `TypeError`. */
export interface WatchOptions {
  /** Ends the watch: the next step rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * How many commits its reader may be behind, an integer from 1. Default 10,000. One more, and the
   * watch ends with a {@linkcode LaggedError}.
   */
  limit?: number;
}

/** One commit: a single write, a batch or a transaction. */
export interface Commit<K = Key, V = Value> {
  /**
   * What it did to keys of the range, in the order in which it was written: all of it.
   * `store.write` takes it. A key may occur more than once; then the last one counts.
   */
  readonly operations: readonly Operation<K, V>[];
}

/**
 * Shows commits in their order, from the call of `watch` on. Leave the loop, call `return`, or let
 * `await using` end it: until then commits are kept for it, up to its limit.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await using users = store.watch({ prefix: "user:" });
 * await store.put("other", 1);
 * await store.batch().put("user:1", "Alice").put("other", 2).delete("user:2").write();
 * for await (const { operations } of users) {
 *   for (const { type, key } of operations) console.log(type, key); // put user:1 | delete user:2
 *   break;
 * }
 * ```
 */
export interface Watch<K = Key, V = Value>
  extends AsyncIterableIterator<Commit<K, V>>, AsyncDisposable {
  /**
   * The next commit; the end when the store is closed. Calls may overlap; they are answered in
   * their order.
   */
  next(): Promise<IteratorResult<Commit<K, V>, undefined>>;
  /** Ends the watch; what was not read yet is dropped. */
  return(value?: unknown): Promise<IteratorResult<Commit<K, V>, undefined>>;
  /** Ends the watch and rejects with the error. */
  throw(error?: unknown): Promise<IteratorResult<Commit<K, V>, undefined>>;
  /** Ends the watch after the commits that were made before this call, which can still be read. */
  close(): void;
  /** The watch itself. */
  [Symbol.asyncIterator](): Watch<K, V>;
}

/**
 * Checks what is to be watched. The bounds are not checked.
 *
 * @throws {TypeError} it is no range, or says more than which keys
 */
export function watchRange<K>(range: WatchRange<K> = {}): WatchRange<K> {
  const { reverse, limit, signal } = ownRange(range as Range<K>);
  const surplus = { reverse, limit, signal };
  for (const [name, value] of Object.entries(surplus)) {
    if (value === undefined) continue;
    throw new TypeError(
      `Cannot watch the range: it has "${name}", expected bounds; "signal" and "limit" are options`,
    );
  }
  return range;
}

/**
 * Checks the options of a watch, and fills in what is missing. Only own fields count.
 *
 * @throws {TypeError} they are no object, have an unknown name, or the signal is none
 * @throws {RangeError} `limit` is not an integer from 1
 */
export function watchOptions(
  options: WatchOptions = {},
): { readonly signal: AbortSignal | undefined; readonly limit: number } {
  if (Object.prototype.toString.call(options) !== "[object Object]") {
    throw new TypeError(
      `Cannot use the watch options: found ${describeValue(options)}, ` +
        "expected an object such as { limit: 100 }",
    );
  }
  for (const name of Object.keys(options)) {
    if (name === "signal" || name === "limit") continue;
    throw new TypeError(`Cannot use the watch options: unknown name "${name}"`);
  }
  const own: WatchOptions = { ...options };
  const { signal, limit = DEFAULT_LIMIT } = own;
  if (!(Number.isSafeInteger(limit) && limit >= 1)) {
    throw new RangeError(
      `Cannot use the watch options: "limit" is ${
        describeValue(limit)
      }, expected an integer from 1`,
    );
  }
  checkSignal(signal, "Cannot use the watch options");
  return { signal, limit };
}
