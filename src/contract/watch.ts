/** Watches: each one shows every commit that touches a range, as it happens. */

import { checkSignal } from "./abort_signal.ts";
import { ownRange, type Range } from "./range.ts";
import { describeValue, type Key, type Value } from "./value.ts";
import type { Operation } from "./writer.ts";

/** The default limit of commits that the reader has not read yet. */
const DEFAULT_LIMIT = 10_000;

/** The keys to watch, and the form in which to show them. */
export type WatchRange<K = Key> = Pick<
  Range<K>,
  "prefix" | "gte" | "gt" | "lte" | "lt" | "keyEncoding"
>;

/** The options of {@linkcode Store.watch}. An unknown option is a `TypeError`. */
export interface WatchOptions {
  /** Ends the watch. Its next step rejects with the signal's reason. */
  signal?: AbortSignal;
  /**
   * The number of commits that may wait for the reader, an integer from 1. Default 10,000. One more
   * commit ends the watch with a {@linkcode LaggedError}.
   */
  limit?: number;
}

/** One commit: a single write, a batch or a transaction. */
export interface Commit<K = Key, V = Value> {
  /**
   * All that the commit did to keys of the range, in the order of writing. `store.write` accepts
   * this array. If a key occurs more than once, its last operation counts.
   */
  readonly operations: readonly Operation<K, V>[];
}

/**
 * Shows commits in their order, starting at the call of `watch`. The watch keeps unread commits, up
 * to its limit, until it ends. To end it, leave the loop, call `return`, or use `await using`.
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
 *   for (const operation of operations) {
 *     if (operation.type === "deleteRange") console.log("all of", operation.range);
 *     else console.log(operation.type, operation.key); // put user:1 | delete user:2
 *   }
 *   break;
 * }
 * ```
 */
export interface Watch<K = Key, V = Value>
  extends AsyncIterableIterator<Commit<K, V>>, AsyncDisposable {
  /**
   * The next commit, or the end when the store is closed. Calls may overlap. They are answered in
   * their order.
   */
  next(): Promise<IteratorResult<Commit<K, V>, undefined>>;
  /** Ends the watch, and drops the commits that were not read. */
  return(value?: unknown): Promise<IteratorResult<Commit<K, V>, undefined>>;
  /** Ends the watch and rejects with the error. */
  throw(error?: unknown): Promise<IteratorResult<Commit<K, V>, undefined>>;
  /** Ends the watch after the commits that were made before this call. They can still be read. */
  close(): void;
  /** The watch itself. */
  [Symbol.asyncIterator](): Watch<K, V>;
}

/**
 * Checks the range of a watch, except its bounds. For those who implement {@linkcode Store}.
 *
 * @example
 * ```ts
 * import { boundsOf, watchRange } from "@tinykvs/core/contract";
 *
 * console.log(boundsOf(watchRange({ gte: "a", lt: "b" })).upper); // Uint8Array(1) [ 98 ]
 * ```
 *
 * @throws {TypeError} it is not a range, or has fields other than the bounds and the key encoding
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
 * Checks the options of a watch, and fills in the defaults. Only own fields count.
 *
 * @throws {TypeError} the options are not an object, have an unknown name, or the signal is not a
 * signal
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
