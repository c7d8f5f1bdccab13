/**
 * The public cursor: turns the entries of a scan into keys and values, for `for...of`, `for await`
 * and explicit calls.
 *
 * A step that finds its entry in memory is made in the call, asynchronously too; it waits only for
 * loads. The cursor holds a lease on a read view. It releases it at the end, on `break`, `return`
 * and `throw`, by `close`, or when the cursor is garbage.
 */

import { requireCount } from "../../contract/cursor_base.ts";
import { ClosedError } from "../../errors.ts";
import {
  AT_END,
  AT_ENTRY,
  type EntryCursor,
  NEEDS_LOAD,
  type Position,
} from "../../iterator/entry_cursor.ts";
import type { Key } from "../../value/value.ts";
import { throwIfAborted } from "../../contract/abort_signal.ts";
import { EmbeddedCursorBase } from "./embedded_cursor.ts";
import type { TakeItem, TakeItems } from "./entry_decoder.ts";
import { type EntryScan, type OpenScan, openScan } from "./entry_scan.ts";
import {
  boundKey,
  isInRange,
  type Range,
  type ResolvedRange,
  resolveRange,
  successor,
} from "../state/range.ts";
import type { Lease } from "../state/read_view.ts";
import type { StoreState } from "../state/store_state.ts";
import { OPERATIONS_PER_PAUSE, type Turns } from "../state/turns.ts";

/**
 * What a cursor must release. Neither field may lead to the cursor; a range's signal may, by a
 * listener.
 */
interface Holdings {
  /**
   * Undefined after the store was closed: then nothing must be released, and it may become garbage.
   */
  sources: EntryCursor | undefined;
  readonly lease: Lease;
}

/** Releases what cursors hold that were dropped without being closed. */
const abandoned = new FinalizationRegistry<Holdings>(({ sources, lease }) => {
  sources?.release?.();
  lease.release();
});

/** What a cursor needs besides the scan. */
export interface CursorSource<T> {
  /** The entries. */
  readonly scan: EntryScan;
  /** Keeps what the scan reads. */
  readonly lease: Lease;
  /** The range of the scan. */
  readonly range: ResolvedRange;
  /** Keeps the event loop turning. */
  readonly turns: Turns;
  /** Makes an item from the scan's entry. */
  readonly take: TakeItem<T>;
}

/**
 * Opens a cursor on a store as it is, or as a snapshot's lease shows it. With `keysOnly`, `take`
 * must not use values.
 */
export function openCursor<T>(
  state: StoreState,
  given: Range | undefined,
  items: TakeItems<T>,
  snapshot?: Lease,
  keysOnly = false,
  open: OpenScan = openScan,
): StoreCursor<T> {
  state.requireReadable(snapshot);
  const range = resolveRange(given);
  const lease = state.lease(snapshot);
  const take = items[range.keyEncoding ?? state.options.keyEncoding];
  const scan = open(state, lease, range, keysOnly);
  return new StoreCursor({ scan, lease, range, turns: state.turns, take });
}

/**
 * Iterates over a range, once. At its end it keeps its lease, because it may seek again. Only if a
 * loop or `toArray` has reached the end, it releases the lease: then nothing more is wanted.
 */
export class StoreCursor<T> extends EmbeddedCursorBase<T> {
  readonly #scan: EntryScan;
  readonly #lease: Lease;
  readonly #range: ResolvedRange;
  readonly #signal: AbortSignal | undefined;
  readonly #turns: Turns;
  readonly #takeItem: TakeItem<T>;
  #isFinished = false;
  #isClosed = false;
  /** Whether its end closes it, because a loop uses it. */
  #isLooped = false;
  /** Whether the scan's last move waits for a load. */
  #isPending = false;
  /**
   * Settles with the last step that is under way: calls that overlap are answered in their order.
   */
  #last: Promise<void> | undefined;

  /** Made by `entries`, `keys` and `values`. */
  constructor(source: CursorSource<T>) {
    super();
    this.#scan = source.scan;
    this.#lease = source.lease;
    this.#range = source.range;
    this.#signal = source.range.signal;
    this.#turns = source.turns;
    this.#takeItem = source.take;
    const holdings: Holdings = { sources: source.scan.sources, lease: source.lease };
    source.lease.holdings = holdings;
    abandoned.register(this, holdings, this);
  }

  /** Iterates asynchronously; blocks are read without blocking the thread. */
  override [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    this.#isLooped = true;
    return this;
  }

  override async nextMany(count: number): Promise<T[]> {
    requireCount(count, 1);
    return await this.#collect(count);
  }

  override toArray(): Promise<T[]> {
    this.#isLooped = true;
    return this.#collect(Infinity);
  }

  override seek(key: Key): void {
    const bound = boundKey(key);
    this.#lease.requireHeld("cursor");
    this.#requireIdle();
    this.#isPending = false;
    if (!isInRange(bound, this.#range)) this.#scan.end();
    else this.#scan.seek(this.#range.reverse ? successor(bound) : bound);
  }

  override closeSync(): void {
    this.#isClosed = true;
    this.#finish();
  }

  override returnSync(): void {
    this.#finish();
  }

  override nextSync(): IteratorResult<T, undefined> {
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
      if (position === AT_END) return this.#atEnd();
      return { done: false, value: this.#takeItem(this.#scan.entry) };
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  async #collect(count: number): Promise<T[]> {
    const items: T[] = [];
    while (items.length < count) {
      const step = this.#next();
      // An item in memory needs no await, which would cost a turn of the microtask queue.
      const { done, value } = isPromise(step) ? await step : step;
      if (done) break;
      items.push(value);
    }
    return items;
  }

  override next(): Promise<IteratorResult<T, undefined>> {
    try {
      const step = this.#next();
      return isPromise(step) ? step : Promise.resolve(step);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The next step, after those that are under way. */
  #next(): IteratorResult<T, undefined> | Promise<IteratorResult<T, undefined>> {
    const ahead = this.#last;
    const result = ahead === undefined ? this.#step() : ahead.then(() => this.#step());
    if (!isPromise(result)) return result;
    // Later calls only wait: a failure belongs to its own call. This runs before the code that
    // waits for the result, so a caller that has the result finds the cursor idle.
    const settled = (): void => {
      if (this.#last === last) this.#last = undefined;
    };
    const last = result.then(settled, settled);
    this.#last = last;
    return result;
  }

  /** One step of an asynchronous iteration; a Promise only if it can't be made at once. */
  #step(): IteratorResult<T, undefined> | Promise<IteratorResult<T, undefined>> {
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

  /** Lets the turn pass that is due, and loads the missing pieces for a step. */
  async #load(turn: Promise<void> | undefined): Promise<IteratorResult<T, undefined>> {
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

  #resultAt(position: Position): IteratorResult<T, undefined> {
    if (position !== AT_ENTRY) return this.#atEnd();
    return { done: false, value: this.#takeItem(this.#scan.entry) };
  }

  #requireIdle(): void {
    if (this.#last !== undefined) {
      throw new TypeError("Cannot use the cursor synchronously: an asynchronous step is under way");
    }
  }

  /** The answer of a finished cursor. */
  #end(): IteratorResult<T, undefined> {
    if (this.#isClosed) throw new ClosedError("cursor");
    return { done: true, value: undefined };
  }

  #check(): void {
    throwIfAborted(this.#signal);
    this.#lease.requireHeld("cursor");
  }

  #atEnd(): IteratorResult<T, undefined> {
    if (this.#isLooped) this.#finish();
    return { done: true, value: undefined };
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    abandoned.unregister(this);
    this.#scan.release();
    this.#lease.release();
  }
}

/** Not by the class: the global Promise may differ from that of asynchronous functions. */
function isPromise<T>(
  step: IteratorResult<T> | Promise<IteratorResult<T>>,
): step is Promise<IteratorResult<T>> {
  return "then" in step;
}
