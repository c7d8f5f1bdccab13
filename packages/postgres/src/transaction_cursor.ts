/**
 * Cursors of a transaction: the entries of its moment, with its own writes in between. Each notes
 * which part of the range it has read, and what it found there.
 */

import { createHash } from "node:crypto";
import {
  type Bounds,
  ClosedError,
  CursorBase,
  isInBounds,
  type Key,
  keyBytes,
} from "@tinykvs/core/contract";
import { orderOf, throwIfAborted, unlessAborted } from "./cursor.ts";
import type { Row } from "./driver.ts";
import { covers, keyAfter, type KeyChange, type RangeChange } from "./operations.ts";
import { type PageReader, PageSource } from "./page_source.ts";
import type { Scanned } from "./write_request.ts";

/** What a cursor needs from its transaction. */
export interface TransactionHome<T> extends PageReader {
  readonly withValues: boolean;
  /** The transaction's writes at the time of the cursor. */
  readonly written: Promise<{
    readonly changes: readonly KeyChange[];
    readonly removed: readonly RangeChange[];
  }>;
  show(key: Uint8Array, value: Uint8Array): T;
  /** @throws {ClosedError} the transaction has ended */
  requireOpen(): void;
  record(scanned: Scanned): void;
  onClose(): void;
}

/** A part of the range that was read without a seek in between. */
class Stretch {
  readonly #lower: Uint8Array | undefined;
  readonly #upper: Uint8Array | undefined;
  readonly #reverse: boolean;
  readonly #hash = createHash("sha256");
  #count = 0;
  /** The last key that was passed. */
  last: Uint8Array | undefined;
  /** Whether everything up to the bound was read. */
  isComplete = false;

  constructor(
    lower: Uint8Array | undefined,
    upper: Uint8Array | undefined,
    reverse: boolean,
  ) {
    this.#lower = lower;
    this.#upper = upper;
    this.#reverse = reverse;
  }

  add(version: string): void {
    this.#count++;
    this.#hash.update(`${version},`);
  }

  finish(): Scanned | undefined {
    if (this.last === undefined && !this.isComplete) return undefined;
    let lower = this.#lower ?? new Uint8Array();
    let upper = this.#upper;
    if (!this.isComplete) {
      if (this.#reverse) lower = this.last!;
      else upper = keyAfter(this.last!);
    }
    const digest = `${this.#count}:${this.#hash.digest("hex")}`;
    return { lower, upper, reverse: this.#reverse, digest };
  }
}

/** The cursor. */
export class TransactionCursor<T> extends CursorBase<T> {
  readonly #home: TransactionHome<T>;
  readonly #bounds: Bounds;
  readonly #source: PageSource;
  #stretch: Stretch;
  /** The writes in the range, in its order; of which the first that was not passed is at `#at`. */
  #written: readonly KeyChange[] | undefined;
  #at = 0;
  #removed: readonly RangeChange[] = [];
  /** An entry of the moment that comes later than what was shown last. */
  #next: Row | undefined;
  #shown = 0;
  #isOutside = false;
  #target: Uint8Array | undefined;
  #isClosed = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(home: TransactionHome<T>, bounds: Bounds) {
    super();
    this.#home = home;
    this.#bounds = bounds;
    // A write of the transaction may hide an entry, so the limit does not bound the pages.
    this.#source = new PageSource(
      home,
      { ...bounds, limit: Infinity },
      home.withValues,
    );
    this.#stretch = new Stretch(bounds.lower, bounds.upper, bounds.reverse);
  }

  override next(): Promise<IteratorResult<T, undefined>> {
    const step = this.#queue.then(() => this.#step());
    this.#queue = step.catch(() => {});
    return step;
  }

  override seek(key: Key): void {
    const target = keyBytes(key);
    this.#requireOpen();
    this.record();
    const { lower, upper, reverse } = this.#bounds;
    this.#isOutside = !isInBounds(target, this.#bounds);
    this.#next = undefined;
    this.#target = target;
    if (this.#written !== undefined) this.#skipTo(target);
    const from = reverse ? lower : target;
    const to = reverse ? keyAfter(target) : upper;
    this.#stretch = new Stretch(from, to, reverse);
    if (!this.#isOutside) this.#source.restart(from, to, Infinity);
  }

  override close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.record();
      this.#home.onClose();
    }
    return Promise.resolve();
  }

  /** Notes what was read since the last call. */
  record(): void {
    const scanned = this.#isOutside ? undefined : this.#stretch.finish();
    this.#stretch = new Stretch(
      this.#bounds.lower,
      this.#bounds.upper,
      this.#bounds.reverse,
    );
    if (scanned !== undefined) this.#home.record(scanned);
  }

  async #step(): Promise<IteratorResult<T, undefined>> {
    const { reverse, limit, signal } = this.#bounds;
    this.#requireOpen();
    if (this.#written === undefined) await this.#begin();
    while (!this.#isOutside && this.#shown < limit) {
      this.#requireOpen();
      if (this.#next === undefined) {
        const stretch = this.#stretch;
        this.#next = this.#source.take();
        if (this.#next === undefined && !stretch.isComplete) {
          const hasMore = await unlessAborted(this.#source.load(), signal);
          // A seek meanwhile begins again.
          if (stretch === this.#stretch && !hasMore) stretch.isComplete = true;
          continue;
        }
      }
      const row = this.#next;
      const own = this.#written![this.#at];
      if (row === undefined && own === undefined) {
        return { done: true, value: undefined };
      }
      const order = row === undefined
        ? 1
        : own === undefined
        ? -1
        : orderOf(row[0] as Uint8Array, own.key, reverse);
      if (row !== undefined && order <= 0) {
        this.#stretch.add(row[2] as string);
        this.#stretch.last = row[0] as Uint8Array;
        this.#next = undefined;
      }
      if (order < 0) {
        const key = row![0] as Uint8Array;
        if (this.#removed.some((range) => covers(range, key))) continue;
        this.#shown++;
        return {
          done: false,
          value: this.#home.show(key, row![1] as Uint8Array),
        };
      }
      this.#at++;
      this.#stretch.last = own!.key;
      const { key, value, expiresAt } = own!;
      if (value === undefined || expiresAt <= this.#home.time) continue;
      this.#shown++;
      return { done: false, value: this.#home.show(key, value) };
    }
    return { done: true, value: undefined };
  }

  async #begin(): Promise<void> {
    const { reverse } = this.#bounds;
    const { changes, removed } = await this.#home.written;
    this.#removed = removed;
    this.#written = changes.filter(({ key }) => isInBounds(key, this.#bounds))
      .sort((a, b) => orderOf(a.key, b.key, reverse));
    if (this.#target !== undefined) this.#skipTo(this.#target);
  }

  #skipTo(target: Uint8Array): void {
    const written = this.#written!;
    const at = written.findIndex(({ key }) => orderOf(key, target, this.#bounds.reverse) >= 0);
    this.#at = at === -1 ? written.length : at;
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new ClosedError("cursor");
    this.#home.requireOpen();
    throwIfAborted(this.#bounds.signal);
  }
}
