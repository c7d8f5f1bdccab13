/**
 * The public cursor: turns the entries of a scan into keys and values, for `for...of`, `for await`
 * and explicit calls.
 *
 * An asynchronous iteration is filled in chunks: everything that is in memory is taken in one
 * synchronous stretch, and a Promise is made for a chunk that has to be loaded, not for an entry.
 * The cursor holds a lease on a read view; it is given back at the end, on `break`, `return` and
 * `throw`, by `close`, or when the cursor is garbage.
 */

import { ClosedError } from "../errors.ts";
import { AT_END, AT_ENTRY, NEEDS_LOAD, type Position } from "../iterator/entry_cursor.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { Key } from "../value/value.ts";
import type { EntryScan } from "./entry_scan.ts";
import { boundKey, type ResolvedRange, successor } from "./range.ts";
import type { Lease } from "./read_view.ts";
import type { Turns } from "./turns.ts";

/** A chunk of an asynchronous iteration is closed at this many items or bytes. */
const CHUNK_ITEMS = 128;
const CHUNK_BYTES = 256 * 1024;
/** The signal is looked at once in so many steps, and the event loop gets a turn if one is due. */
const CHECK_EVERY = 64;

/** Cursors that were dropped without being closed give their leases back here. */
const abandoned = new FinalizationRegistry<Lease>((lease) => lease.release());

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
  /** Makes an item of an entry, whose bytes are only valid during the call. */
  readonly decode: (entry: EntryView) => T;
}

/**
 * Iterates over a range, once: `for (const item of cursor)`, `for await (const item of cursor)`, or by
 * calls. Entries written after the cursor was made are not seen. Close a cursor that is not iterated
 * to its end: until then it keeps the tables that it reads from being deleted.
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
  readonly #decode: (entry: EntryView) => T;
  #steps = 0;
  #isFinished = false;
  #isClosed = false;
  /** Whether the scan's last move waits for a load. */
  #isPending = false;
  /** Items that were taken ahead of an asynchronous iteration. */
  #chunk: T[] = [];
  #chunkAt = 0;
  /** The fill that is under way: calls that overlap are served one after the other. */
  #filling: Promise<unknown> | undefined;

  /** Made by `entries`, `keys` and `values`. */
  constructor(source: CursorSource<T>) {
    this.#scan = source.scan;
    this.#lease = source.lease;
    this.#reverse = source.range.reverse;
    this.#signal = source.range.signal;
    this.#turns = source.turns;
    this.#decode = source.decode;
    abandoned.register(this, source.lease, this);
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
      next: () => this.#next(),
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
    const items: T[] = [];
    while (items.length < count) {
      const { done, value } = await this.#next();
      if (done) break;
      items.push(value);
    }
    return items;
  }

  /** All items that are left. They have to fit into memory. */
  async toArray(): Promise<T[]> {
    const items: T[] = [];
    for await (const item of this) items.push(item);
    return items;
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
    this.#dropChunk();
    this.#isPending = false;
    this.#scan.seek(this.#reverse ? successor(bound) : bound);
  }

  /** Gives everything back that the cursor holds. Closing twice is legal. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#dropChunk();
    this.#finish();
    return Promise.resolve();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #nextSync(): IteratorResult<T> {
    if (this.#chunkAt < this.#chunk.length) {
      return { done: false, value: this.#chunk[this.#chunkAt++]! };
    }
    if (this.#isFinished) return this.#end();
    this.#requireIdle();
    try {
      this.#check();
      let position: Position = this.#isPending ? NEEDS_LOAD : this.#scan.next();
      this.#isPending = false;
      while (position === NEEDS_LOAD) {
        this.#scan.loadSync();
        position = this.#scan.resume();
      }
      if (position === AT_END) return this.#finishWith(undefined);
      return { done: false, value: this.#decode(this.#scan.entry) };
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  #next(): Promise<IteratorResult<T>> {
    // Overlapping calls keep their order.
    if (this.#filling !== undefined) return this.#filling.then(() => this.#next());
    if (this.#chunkAt < this.#chunk.length) {
      return Promise.resolve({ done: false, value: this.#chunk[this.#chunkAt++]! });
    }
    let turn: Promise<void> | undefined;
    try {
      if (this.#isFinished) return Promise.resolve(this.#end());
      this.#check();
      turn = this.#turns.due();
      if (turn === undefined && !this.#isPending) {
        this.#fillFromMemory(this.#scan.next());
        if (this.#chunk.length > 0 || this.#isFinished) return this.#next();
      }
    } catch (error) {
      this.#finish();
      return Promise.reject(error);
    }
    const settled = this.#fill(turn).then(() => this.#filled(), (error: unknown) => {
      this.#filled();
      this.#finish();
      throw error;
    });
    // Those who wait for their turn only wait: the failure belongs to the call that began the fill.
    this.#filling = settled.then(() => undefined, () => undefined);
    return settled.then(() => this.#next());
  }

  #filled(): void {
    this.#filling = undefined;
  }

  /** Loads what is missing until there is at least one item or no more. */
  async #fill(turn: Promise<void> | undefined): Promise<void> {
    if (turn !== undefined) {
      await turn;
      this.#lease.requireHeld("cursor");
      if (!this.#isPending) this.#fillFromMemory(this.#scan.next());
    }
    while (this.#chunk.length === 0 && !this.#isFinished) {
      await this.#scan.load();
      this.#lease.requireHeld("cursor");
      this.#fillFromMemory(this.#scan.resume());
    }
  }

  /** Takes items as long as they are in memory and the chunk has room. */
  #fillFromMemory(first: Position): void {
    this.#dropChunk();
    const scan = this.#scan;
    let bytes = 0;
    let position = first;
    while (position === AT_ENTRY) {
      const { entry } = scan;
      this.#chunk.push(this.#decode(entry));
      bytes += entry.valueEnd - entry.valueStart;
      if (this.#chunk.length >= CHUNK_ITEMS || bytes >= CHUNK_BYTES) break;
      position = scan.next();
    }
    this.#isPending = position === NEEDS_LOAD;
    if (position === AT_END) this.#finish();
  }

  #dropChunk(): void {
    this.#chunk = [];
    this.#chunkAt = 0;
  }

  #requireIdle(): void {
    if (this.#filling !== undefined) {
      throw new TypeError("Cannot use the cursor synchronously: an asynchronous step is under way");
    }
  }

  /** What a finished cursor answers. */
  #end(): IteratorResult<T> {
    if (this.#isClosed) throw new ClosedError("cursor");
    return { done: true, value: undefined };
  }

  #check(): void {
    if ((this.#steps++ & (CHECK_EVERY - 1)) === 0) this.#signal?.throwIfAborted();
    this.#lease.requireHeld("cursor");
  }

  #finishWith(value: undefined): IteratorResult<T> {
    this.#dropChunk();
    this.#finish();
    return { done: true, value };
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    abandoned.unregister(this);
    this.#lease.release();
  }
}
