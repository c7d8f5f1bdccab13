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
import { EntryScan } from "./entry_scan.ts";
import { boundKey, type Range, type ResolvedRange, resolveRange, successor } from "./range.ts";
import type { Lease } from "./read_view.ts";
import type { StoreState } from "./store_state.ts";
import type { Turns } from "./turns.ts";

/** A chunk of an asynchronous iteration is closed at this many items or bytes. */
const CHUNK_ITEMS = 128;
const CHUNK_BYTES = 256 * 1024;

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

/** Opens a cursor on a store as it is, or as a snapshot's lease shows it. */
export function openCursor<T>(
  state: StoreState,
  given: Range | undefined,
  decode: (entry: EntryView) => T,
  snapshot?: Lease,
): Cursor<T> {
  state.requireReadable(snapshot);
  const range = resolveRange(given);
  const lease = state.lease(snapshot);
  const { verifyChecksums } = state.options;
  const scan = new EntryScan(lease.view, lease.sequence, range, verifyChecksums);
  return new Cursor({ scan, lease, range, turns: state.turns, decode });
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
  #isFinished = false;
  #isClosed = false;
  /** Whether the scan's last move waits for a load. */
  #isPending = false;
  /** Items that were taken ahead of an asynchronous iteration. */
  #chunk: T[] = [];
  #chunkAt = 0;
  /** What comes behind the chunk, where it is known; the lease is held until it is reached. */
  #behindChunk: "end" | { readonly error: unknown } | undefined;
  /** Settles with the last step that is under way: calls that overlap are served in their order. */
  #last: Promise<void> | undefined;

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
    const unused = this.#chunk.length - this.#chunkAt;
    this.#dropChunk();
    this.#isPending = false;
    this.#scan.seek(this.#reverse ? successor(bound) : bound, unused);
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
      const taken = this.#take();
      if (taken !== undefined) return taken;
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
    const ahead = this.#last;
    let result: IteratorResult<T> | Promise<IteratorResult<T>>;
    if (ahead !== undefined) {
      result = ahead.then(() => this.#step());
    } else {
      try {
        result = this.#step();
      } catch (error) {
        return Promise.reject(error);
      }
      if (!(result instanceof Promise)) return Promise.resolve(result);
    }
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
      let taken = this.#take();
      if (taken !== undefined) return taken;
      // The items since the last look at the clock are the chunk that was just used up.
      const turn = this.#turns.due(Math.max(1, this.#chunk.length));
      if (turn === undefined && !this.#isPending) {
        this.#fillFromMemory(this.#scan.next());
        taken = this.#take();
        if (taken !== undefined) return taken;
      }
      return this.#fill(turn);
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  /** Loads what is missing until there is at least one item or no more. */
  async #fill(turn: Promise<void> | undefined): Promise<IteratorResult<T>> {
    try {
      this.#dropChunk();
      if (turn !== undefined) {
        await turn;
        this.#check();
        if (!this.#isPending) this.#fillFromMemory(this.#scan.next());
      }
      for (;;) {
        const taken = this.#take();
        if (taken !== undefined) return taken;
        await this.#scan.load();
        this.#check();
        this.#fillFromMemory(this.#scan.resume());
      }
    } catch (error) {
      this.#finish();
      throw error;
    }
  }

  /** What was taken ahead: the next item, then the failure or the end behind the items, if known. */
  #take(): IteratorResult<T> | undefined {
    if (this.#chunkAt < this.#chunk.length) {
      return { done: false, value: this.#chunk[this.#chunkAt++]! };
    }
    if (this.#behindChunk === undefined) return undefined;
    if (this.#behindChunk === "end") return this.#finishWith(undefined);
    throw this.#behindChunk.error;
  }

  /** Takes items as long as they are in memory and the chunk has room. */
  #fillFromMemory(first: Position): void {
    this.#dropChunk();
    this.#isPending = false;
    const scan = this.#scan;
    let bytes = 0;
    let position = first;
    try {
      while (position === AT_ENTRY) {
        const { entry } = scan;
        this.#chunk.push(this.#decode(entry));
        bytes += entry.valueEnd - entry.valueStart;
        if (this.#chunk.length >= CHUNK_ITEMS || bytes >= CHUNK_BYTES) return;
        position = scan.next();
      }
    } catch (error) {
      // The items before it are good, and come first as in a synchronous iteration.
      this.#behindChunk = { error };
      return;
    }
    if (position === NEEDS_LOAD) this.#isPending = true;
    else this.#behindChunk = "end";
  }

  #dropChunk(): void {
    if (this.#chunk.length > 0) this.#chunk = [];
    this.#chunkAt = 0;
    this.#behindChunk = undefined;
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
    if (this.#signal !== undefined) this.#signal.throwIfAborted();
    this.#lease.requireHeld("cursor");
  }

  #finishWith(value: undefined): IteratorResult<T> {
    this.#finish();
    return { done: true, value };
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#dropChunk();
    abandoned.unregister(this);
    this.#scan.release();
    this.#lease.release();
  }
}
