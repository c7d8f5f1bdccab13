/** The result of a scan: an iterator that can seek, can be read in groups, and must be closed. */

import type { Key } from "./value.ts";

/**
 * Goes through the items of a range once, in the order of the keys or in reverse. It shows one
 * moment: later writes are not seen.
 *
 * It is closed by `close`, by disposal, by `return` and `throw` (so by `break` and by an error in
 * the body of a loop), by the end of a `for await` loop, and by `toArray`. Otherwise close it
 * yourself: until then it may keep the files that it reads from. Its memory is bounded. `K` is the
 * type of the keys that it can seek.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import type { Cursor } from "@tinykvs/core/contract";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.batch().put("a", 1).put("b", 2).put("c", 3).write();
 * await using keys: Cursor<string | Uint8Array> = store.keys();
 * keys.seek("b");
 * console.log(await keys.nextMany(10)); // [ "b", "c" ]
 * ```
 */
export interface Cursor<T, K = Key> extends AsyncIterableIterator<T>, AsyncDisposable {
  /** The next item. Calls may overlap; they are answered in their order. */
  next(): Promise<IteratorResult<T, undefined>>;
  /** Closes the cursor. */
  return(value?: unknown): Promise<IteratorResult<T, undefined>>;
  /** Closes the cursor and rejects with the error. */
  throw(error?: unknown): Promise<IteratorResult<T, undefined>>;
  /** The cursor itself, which closes when the loop over it ends. */
  [Symbol.asyncIterator](): AsyncIterableIterator<T>;
  /**
   * Moves to the first entry at or after `key` in the direction of the cursor; the next item is
   * from there. A key outside the range ends the cursor. It may seek until it is closed, also after
   * its end. Items that were shown before count towards the limit.
   *
   * @throws {TypeError | RangeError} `key` can't be a key
   * @throws {ClosedError} the cursor was closed
   */
  seek(key: K): void;
  /**
   * The next items, at most `count`; fewer only at the end.
   *
   * @throws {RangeError} `count` is not an integer from 1
   * @throws {ClosedError} the cursor or the store was closed
   */
  nextMany(count: number): Promise<T[]>;
  /** All items that are left, which must fit into memory. Closes the cursor. */
  toArray(): Promise<T[]>;
  /**
   * A cursor over the results of `change` for each item. It takes its items from this one, and
   * closes it. `change` is not awaited.
   */
  map<U>(change: (item: T, index: number) => U): Cursor<U, K>;
  /**
   * A cursor over the items that `wanted` returns true for. It takes its items from this one, and
   * closes it.
   */
  filter(wanted: (item: T, index: number) => boolean): Cursor<T, K>;
  /**
   * A cursor over at most `count` items. It takes its items from this one, and closes it.
   *
   * @throws {RangeError} `count` is not an integer from 0
   */
  take(count: number): Cursor<T, K>;
  /**
   * A cursor over the items after the next `count`. It takes its items from this one, and closes
   * it.
   *
   * @throws {RangeError} `count` is not an integer from 0
   */
  drop(count: number): Cursor<T, K>;
  /**
   * Releases everything that the cursor holds. Further use gets a ClosedError; a second close does
   * nothing.
   */
  close(): Promise<void>;
}
