/** Watches for stores whose commits have no form other than their operations. */

import type { KeyEncoding } from "./range.ts";
import { type Bounds, boundsOf, compareKeys, copyValue, isInBounds } from "./rules.ts";
import { decodeUtf8 } from "./utf8.ts";
import type { Key } from "./value.ts";
import { type Watch, type WatchOptions, type WatchRange, watchRange } from "./watch.ts";
import { WatchQueue } from "./watch_queue.ts";
import type { DeletedRange } from "./range.ts";
import type { Operation } from "./writer.ts";

/** The size of a commit, for the limit in bytes: only the number of operations is known. */
const BYTES_PER_OPERATION = 100;

/**
 * Reports the commits of a store to its watches.
 *
 * @example
 * ```ts
 * import { CommitFeed } from "@tinykvs/core/contract";
 *
 * const feed = new CommitFeed();
 * const watch = feed.open({ prefix: "a" });
 * feed.publish([{ type: "put", key: Uint8Array.of(0x61), value: 1 }]);
 * console.log((await watch.next()).value?.operations); // [ { type: 'put', key: 'a', value: 1 } ]
 * ```
 */
export class CommitFeed {
  readonly #keyEncoding: KeyEncoding;
  readonly #watches = new Map<WatchQueue<readonly Operation[]>, Bounds>();

  /** Starts without watches. A watch shows keys as text by default. */
  constructor(keyEncoding: KeyEncoding = "utf8") {
    this.#keyEncoding = keyEncoding;
  }

  /** Starts a watch. @throws {TypeError | RangeError} the range or an option is not valid */
  open(range?: WatchRange, options?: WatchOptions): Watch {
    const bounds = boundsOf(watchRange(range));
    const encoding = bounds.keyEncoding ?? this.#keyEncoding;
    const shown = (key: Uint8Array): string | Uint8Array =>
      encoding === "bytes" ? key.slice() : new TextDecoder().decode(key);
    // The first key after a prefix, for example, need not be text.
    const shownBound = (bound: Uint8Array): Key =>
      (encoding === "bytes" ? undefined : decodeUtf8(bound)) ?? bound.slice();
    const watch: WatchQueue<readonly Operation[]> = new WatchQueue<readonly Operation[]>({
      show: (operations) => ({
        operations: operations.map((operation): Operation => {
          if (operation.type === "deleteRange") return partOf(operation, bounds, shownBound)!;
          const key = shown(operation.key as Uint8Array);
          return operation.type === "put"
            ? { ...operation, key, value: copyValue(operation.value) }
            : { type: "delete", key };
        }),
      }),
      onEnd: () => this.#watches.delete(watch),
    }, options);
    this.#watches.set(watch, bounds);
    return watch;
  }

  /**
   * Passes a commit to the watches whose range it touches. Its keys are bytes. The feed owns the
   * operations from now on.
   */
  publish(operations: readonly Operation[]): void {
    for (const [watch, bounds] of [...this.#watches]) {
      const touching = operations.filter((operation) =>
        operation.type === "deleteRange"
          ? partOf(operation, bounds) !== undefined
          : isInBounds(operation.key as Uint8Array, bounds)
      );
      if (touching.length === 0) continue;
      const bytes = touching.length * BYTES_PER_OPERATION;
      if (watch.note(bytes)) watch.push(touching, bytes);
    }
  }

  /** Ends every watch, when the store is closed. */
  close(): void {
    for (const watch of [...this.#watches.keys()]) watch.finish();
  }
}

/** The part of a deletion that lies in the range of a watch, or undefined. */
function partOf(
  { range }: Extract<Operation, { type: "deleteRange" }>,
  watched: Pick<Bounds, "lower" | "upper">,
  shown: (bound: Uint8Array) => Key = (bound) => bound,
): Operation | undefined {
  const deleted = boundsOf(range);
  const lowers = [deleted.lower, watched.lower].filter((key) => key !== undefined);
  const uppers = [deleted.upper, watched.upper].filter((key) => key !== undefined);
  const lower = lowers.sort(compareKeys).at(-1);
  const upper = uppers.sort(compareKeys)[0];
  if (upper !== undefined && compareKeys(lower ?? new Uint8Array(0), upper) >= 0) return undefined;
  const part: DeletedRange = {};
  if (lower !== undefined && lower.length > 0) part.gte = shown(lower);
  if (upper !== undefined) part.lt = shown(upper);
  return { type: "deleteRange", range: part };
}
