/** Cursors over a moment of the table, and over it with the writes of a transaction. */

import {
  type Bounds,
  ClosedError,
  compareKeys,
  CursorBase,
  isInBounds,
  type Key,
  keyBytes,
} from "@tinykvs/core/contract";
import type { Row } from "./driver.ts";
import { keyAfter } from "./operations.ts";
import { type PageReader, PageSource } from "./page_source.ts";

/** What a cursor needs from its reader. */
export interface CursorHome<T> extends PageReader {
  /** Whether values are shown. */
  readonly withValues: boolean;
  /** The item for a row. */
  show(row: Row): T;
  /** @throws {ClosedError} the store or the transaction has ended */
  requireOpen(): void;
  /** Called once. */
  onClose(): void;
}

/** A cursor over pages. */
export class PageCursor<T> extends CursorBase<T> {
  readonly #home: CursorHome<T>;
  readonly #bounds: Bounds;
  readonly #source: PageSource;
  #shown = 0;
  #isOutside = false;
  #isClosed = false;
  #queue: Promise<unknown> | undefined;

  constructor(home: CursorHome<T>, bounds: Bounds) {
    super();
    this.#home = home;
    this.#bounds = bounds;
    this.#source = new PageSource(home, bounds, home.withValues);
  }

  override next(): Promise<IteratorResult<T, undefined>> {
    try {
      this.#requireOpen();
      // One promise for an item that is in memory: the time of a scan is that of its items.
      const step = this.#stepInMemory();
      if (step !== undefined) return Promise.resolve(step);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#inTurn(async () => {
      for (;;) {
        this.#requireOpen();
        if (this.#isOver()) return { done: true, value: undefined };
        const row = this.#source.take();
        if (row !== undefined) return this.#step(row);
        if (!await this.#load()) return { done: true, value: undefined };
      }
    });
  }

  override [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    const loop = super[Symbol.asyncIterator]();
    const next = loop.next;
    loop.next = () => {
      try {
        this.#requireOpen();
        const step = this.#stepInMemory();
        return step === undefined ? next() : Promise.resolve(step);
      } catch (error) {
        return Promise.reject(error);
      }
    };
    return loop;
  }

  override async nextMany(count: number): Promise<T[]> {
    if (!(Number.isSafeInteger(count) && count >= 1)) {
      return await super.nextMany(count);
    }
    return await this.#inTurn(async () => {
      const items: T[] = [];
      while (items.length < count) {
        this.#requireOpen();
        if (this.#isOver()) break;
        const wanted = Math.min(
          count - items.length,
          this.#bounds.limit - this.#shown,
        );
        const rows = this.#source.takeMany(wanted);
        for (const row of rows) items.push(this.#home.show(row));
        this.#shown += rows.length;
        if (items.length < count && rows.length === 0 && !await this.#load()) {
          break;
        }
      }
      return items;
    });
  }

  override async toArray(): Promise<T[]> {
    try {
      const all: T[] = [];
      for (;;) {
        const some = await this.nextMany(4096);
        for (const item of some) all.push(item);
        if (some.length < 4096) return all;
      }
    } finally {
      await this.close();
    }
  }

  override seek(key: Key): void {
    const target = keyBytes(key);
    this.#requireOpen();
    this.#isOutside = !isInBounds(target, this.#bounds);
    const { lower, upper, reverse, limit } = this.#bounds;
    const wanted = limit - this.#shown;
    if (this.#isOutside) return;
    if (reverse) this.#source.restart(lower, keyAfter(target), wanted);
    else this.#source.restart(target, upper, wanted);
  }

  override close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#home.onClose();
    }
    return Promise.resolve();
  }

  /** The next item, if its row is in memory and no call waits before this one. */
  #stepInMemory(): IteratorResult<T, undefined> | undefined {
    if (this.#queue !== undefined || this.#isOver()) return undefined;
    const row = this.#source.take();
    return row && this.#step(row);
  }

  #step(row: Row): IteratorResult<T, undefined> {
    this.#shown++;
    return { done: false, value: this.#home.show(row) };
  }

  #isOver(): boolean {
    return this.#isOutside || this.#shown >= this.#bounds.limit;
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new ClosedError("cursor");
    this.#home.requireOpen();
    throwIfAborted(this.#bounds.signal);
  }

  #load(): Promise<boolean> {
    return unlessAborted(this.#source.load(), this.#bounds.signal);
  }

  /** Runs `step` after those before it. */
  #inTurn<R>(step: () => Promise<R>): Promise<R> {
    const result = this.#queue === undefined ? step() : this.#queue.then(step, step);
    const settled = (): void => {
      if (this.#queue === own) this.#queue = undefined;
    };
    const own: Promise<void> = result.then(settled, settled);
    this.#queue = own;
    return result;
  }
}

/** Throws the reason of a signal that was aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw signal.reason ??
    new DOMException("This operation was aborted", "AbortError");
}

/** Waits for a result, but no longer than until the signal is aborted. */
export async function unlessAborted<T>(
  result: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await result;
  throwIfAborted(signal);
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      try {
        throwIfAborted(signal);
      } catch (reason) {
        reject(reason);
      }
    };
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort!);
  }
}

/** The sign of the order of two keys in the direction of a scan. */
export function orderOf(
  a: Uint8Array,
  b: Uint8Array,
  reverse: boolean,
): number {
  return reverse ? compareKeys(b, a) : compareKeys(a, b);
}
