/**
 * The public cursor: turns the entries of a scan into keys and values, for `for...of`, `for await`
 * and explicit calls.
 *
 * A step that finds its entry in memory is made in the call, asynchronously too; only a load is waited for.
 * The cursor holds a lease on a read view; it is given back at the end, on `break`, `return` and
 * `throw`, by `close`, or when the cursor is garbage.
 */

import { ClosedError } from "../errors.ts";
import {
  AT_END,
  AT_ENTRY,
  type EntryCursor,
  NEEDS_LOAD,
  type Position,
} from "../iterator/entry_cursor.ts";
import type { Key } from "../value/value.ts";
import { throwIfAborted } from "./abort_signal.ts";
import type { TakeItem, TakeItems } from "./entry_decoder.ts";
import { EntryScan } from "./entry_scan.ts";
import { boundKey, type Range, type ResolvedRange, resolveRange, successor } from "./range.ts";
import type { Lease } from "./read_view.ts";
import type { StoreState } from "./store_state.ts";
import { OPERATIONS_PER_PAUSE, type Turns } from "./turns.ts";

/** What a cursor has to give back. Neither may lead to the cursor: a range's signal may, by a listener. */
interface Holdings {
  readonly sources: EntryCursor;
  readonly lease: Lease;
}

/** Cursors that were dropped without being closed give back here what they hold. */
const abandoned = new FinalizationRegistry<Holdings>(({ sources, lease }) => {
  sources.release?.();
  lease.release();
});

/** What a cursor needs to know besides the scan. */
export interface CursorSource<T> {
  /** The entries. */
  readonly scan: EntryScan;
  /** Keeps what the scan reads. */
  readonly lease: Lease;
  /** The range of the scan. */
  readonly range: ResolvedRange;
  /** Keeps the event loop turning. */
  readonly turns: Turns;
  /** Makes an item of the entry that the scan stands on. */
  readonly take: TakeItem<T>;
}

/** Opens a cursor on a store as it is, or as a snapshot's lease shows it. */
export function openCursor<T>(
  state: StoreState,
  given: Range | undefined,
  items: TakeItems<T>,
  snapshot?: Lease,
): Cursor<T> {
  state.requireReadable(snapshot);
  const range = resolveRange(given);
  const lease = state.lease(snapshot);
  const { verifyChecksums, keyEncoding } = state.options;
  const take = items[range.keyEncoding ?? keyEncoding];
  const scan = new EntryScan(lease.view, lease.sequence, range, verifyChecksums);
  return new Cursor({ scan, lease, range, turns: state.turns, take });
}

/**
 * Iterates over a range, once: `for (const item of cursor)`, `for await (const item of cursor)`, or by
 * calls. Entries written after the cursor was made are not seen. Close a cursor that is not iterated
 * to its end: until then it keeps the tables that it reads from being deleted.
 *
 * A step that fails ends the cursor: what was shown before it stays right, and later steps find the end.
 * A key that is not UTF-8 fails every cursor that is to show it as text (code `KEY_ENCODING`). One with
 * `keyEncoding: "bytes"` in its range shows it, and one that begins behind it, by `gt`, goes on.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("user:1", "Alice");
 * for await (const [key, value] of store.entries({ prefix: "user:" })) console.log(key, value);
 * for (const key of store.keys({ reverse: true, limit: 10 })) console.log(key);
 * ```
 */
export class Cursor<T> implements AsyncIterable<T>, Iterable<T>, AsyncDisposable {
  readonly #scan: EntryScan;
  readonly #lease: Lease;
  readonly #reverse: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #turns: Turns;
  readonly #takeItem: TakeItem<T>;
  #isFinished = false;
  #isClosed = false;
  /** Whether the scan's last move waits for a load. */
  #isPending = false;
  /** Settles with the last step that is under way: calls that overlap are served in their order. */
  #last: Promise<void> | undefined;

  /** Made by `entries`, `keys` and `values`. */
  constructor(source: CursorSource<T>) {
    this.#scan = source.scan;
    this.#lease = source.lease;
    this.#reverse = source.range.reverse;
    this.#signal = source.range.signal;
    this.#turns = source.turns;
    this.#takeItem = source.take;
    abandoned.register(this, { sources: source.scan.sources, lease: source.lease }, this);
  }

  /** Iterates synchronously; blocks are read synchronously where they are not in memory. */
  [Symbol.iterator](): Iterator<T> {
    return {
      next: () => this.#nextSync(),
      return: () => this.#finishWith(undefined),
    };
  }

  /** Iterates asynchronously; blocks are read without blocking the thread. */
  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: () => this.#nextAsync(),
      return: () => Promise.resolve(this.#finishWith(undefined)),
    };
  }

  /**
   * The next items, at most `count`; fewer only at the end, and none behind it.
   *
   * @throws {RangeError} `count` is not an integer from 1
   * @throws {ClosedError} the cursor or the store was closed
   */
  async nextMany(count: number): Promise<T[]> {
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new RangeError(`Cannot read items: the count is ${count}, expected an integer from 1`);
    }
    return await this.#collect(count);
  }

  /** All items that are left. They have to fit into memory. */
  toArray(): Promise<T[]> {
    return this.#collect(Infinity);
  }

  /**
   * Goes to the first entry at or behind `key` in the direction of the cursor, backwards too, within
   * its range; the next item is from there.
   *
   * @throws {TypeError | RangeError} `key` can't be a key
   * @throws {ClosedError} the cursor was closed, or was iterated to its end
   */
  seek(key: Key): void {
    const bound = boundKey(key);
    this.#lease.requireHeld("cursor");
    this.#requireIdle();
    this.#isPending = false;
    this.#scan.seek(this.#reverse ? successor(bound) : bound);
  }

  /** Gives everything back that the cursor holds. Closing twice is legal. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#finish();
    return Promise.resolve();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #nextSync(): IteratorResult<T> {
    if (this.#isFinished) return this.#end();
    this.#requireIdle();
    try {
      this.#check();
      let position: Position = this.#isPending ? NEEDS_LOAD : this.#scan.next();
      this.#isPending = false;
      while (position === NEEDS_LOAD) {
        this.#scan.loadSync();
        this.#check();
        position = this.#scan.resume();
      }
      if (position === AT_END) return this.#finishWith(undefined);
      return { done: false, value: this.#takeItem(this.#scan) };
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  async #collect(count: number): Promise<T[]> {
    const items: T[] = [];
    while (items.length < count) {
      const step = this.#next();
      // What is in memory needs no await: 50 ns and a turn of the microtask queue for each item.
      const { done, value } = step instanceof Promise ? await step : step;
      if (done) break;
      items.push(value);
    }
    return items;
  }

  #nextAsync(): Promise<IteratorResult<T>> {
    try {
      const step = this.#next();
      return step instanceof Promise ? step : Promise.resolve(step);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The next step, behind those that are under way. */
  #next(): IteratorResult<T> | Promise<IteratorResult<T>> {
    const ahead = this.#last;
    const result = ahead === undefined ? this.#step() : ahead.then(() => this.#step());
    if (!(result instanceof Promise)) return result;
    // Those behind it only wait: a failure belongs to the call that it happened to. This runs before
    // anybody who waits for the result does, so a caller that has it finds the cursor idle.
    const settled = (): void => {
      if (this.#last === last) this.#last = undefined;
    };
    const last = result.then(settled, settled);
    this.#last = last;
    return result;
  }

  /** One step of an asynchronous iteration, a Promise only where it can't be made at once. */
  #step(): IteratorResult<T> | Promise<IteratorResult<T>> {
    if (this.#isFinished) return this.#end();
    try {
      this.#check();
      const turn = this.#turns.due();
      if (turn === undefined && !this.#isPending) {
        const position = this.#scan.next();
        if (position !== NEEDS_LOAD) return this.#resultAt(position);
        this.#isPending = true;
      }
      return this.#load(turn);
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  /** Lets the turn pass that is due, and loads what is missing for a step. */
  async #load(turn: Promise<void> | undefined): Promise<IteratorResult<T>> {
    try {
      if (turn !== undefined) {
        await turn;
        this.#check();
      }
      let position: Position = this.#isPending ? NEEDS_LOAD : this.#scan.next();
      while (position === NEEDS_LOAD) {
        this.#isPending = true;
        await this.#scan.load();
        this.#check();
        const turn = this.#turns.due(OPERATIONS_PER_PAUSE);
        if (turn !== undefined) {
          await turn;
          this.#check();
        }
        position = this.#scan.resume();
      }
      this.#isPending = false;
      return this.#resultAt(position);
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  #resultAt(position: Position): IteratorResult<T> {
    if (position !== AT_ENTRY) return this.#finishWith(undefined);
    return { done: false, value: this.#takeItem(this.#scan) };
  }

  #requireIdle(): void {
    if (this.#last !== undefined) {
      throw new TypeError("Cannot use the cursor synchronously: an asynchronous step is under way");
    }
  }

  /** What a finished cursor answers. */
  #end(): IteratorResult<T> {
    if (this.#isClosed) throw new ClosedError("cursor");
    return { done: true, value: undefined };
  }

  #check(): void {
    throwIfAborted(this.#signal);
    this.#lease.requireHeld("cursor");
  }

  #finishWith(value: undefined): IteratorResult<T> {
    this.#finish();
    return { done: true, value };
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    abandoned.unregister(this);
    this.#scan.release();
    this.#lease.release();
  }
}
