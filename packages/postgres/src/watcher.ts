/**
 * Watches of one handle. While somebody watches, every write leaves its commits in the log, in
 * their order. The watcher reads the log when NOTIFY wakes it, after each write of this handle, and
 * from time to time.
 */

import {
  type Bounds,
  type Commit,
  isInBounds,
  type KeyEncoding,
  LaggedError,
  type Operation,
  type Watch,
  type WatchOptions,
  WatchQueue,
} from "@tinykvs/core/contract";
import type { Backend } from "./backend.ts";
import type { Driver, Row } from "./driver.ts";
import { shownError } from "./errors.ts";
import type { Lane } from "./lane.ts";
import { Listener } from "./listener.ts";
import { type Change, decodeCommits, isEmpty, shownOperation } from "./operations.ts";

/** The rows of the log that one statement reads. */
const LOG_ROWS = 100;
/** How often the server is told that somebody watches: see LEASE_SECONDS in ddl.ts. */
const RENEW_MS = 15_000;

type Queue = WatchQueue<readonly Change[]>;

interface Entry {
  readonly queue: Queue;
  readonly bounds: Bounds;
  /** Commits up to this number were made before the watch. Undefined: it has not begun. */
  from: bigint | undefined;
}

/** How a watcher learns of commits. */
export interface WatcherOptions {
  readonly driver: Driver;
  readonly channel: string;
  /** Whether to use LISTEN. */
  readonly listen: boolean;
  /** How often the log is read if nothing wakes the watcher. */
  readonly pollMs: number;
}

/** The watches. */
export class Watcher {
  readonly #backend: Backend;
  readonly #lane: Lane;
  readonly #pollMs: number;
  /** Undefined: the log is only read from time to time. */
  readonly #listener: Listener | undefined;
  readonly #entries = new Set<Entry>();
  /** The number of the last commit that was read. */
  #position = 0n;
  #isActive = false;
  #reading: Promise<void> | undefined;
  #isDirty = false;
  #timers: ReturnType<typeof setInterval>[] = [];

  constructor(
    backend: Backend,
    lane: Lane,
    { driver, channel, listen, pollMs }: WatcherOptions,
  ) {
    this.#backend = backend;
    this.#lane = lane;
    this.#pollMs = pollMs;
    if (listen && driver.listen !== undefined) {
      this.#listener = new Listener(driver, channel, () => this.#wake());
    }
    lane.onCommit = (seq) => this.#catchUp(seq);
  }

  /** Starts a watch, at this place in the order of the handle's writes. */
  open(
    bounds: Bounds,
    options: WatchOptions | undefined,
    encoding: KeyEncoding,
  ): Watch {
    const shown = bounds.keyEncoding ?? encoding;
    const queue: Queue = new WatchQueue<readonly Change[]>({
      show: (changes): Commit => ({
        operations: changes.map((change) => shownOperation(change, bounds, shown))
          .filter((operation): operation is Operation => operation !== undefined),
      }),
      onEnd: () => this.#remove(entry),
    }, options);
    const entry: Entry = { queue, bounds, from: undefined };
    this.#entries.add(entry);
    this.#lane.barrier(() => this.#begin(entry)).catch((error) => queue.fail(error));
    return new OrderedWatch(queue, this.#lane);
  }

  /** Ends all watches, after the commits that were made. */
  async close(): Promise<void> {
    if (this.#isActive) await this.#read().catch(() => {});
    for (const { queue } of [...this.#entries]) queue.finish();
    await this.#stop();
  }

  async #begin(entry: Entry): Promise<void> {
    if (!this.#entries.has(entry)) return;
    const { statements, pool } = this.#backend;
    const [row] = await pool.read("watch", statements.watch, []);
    const seq = BigInt(row![0] as string);
    entry.from = seq;
    if (this.#isActive) return;
    this.#isActive = true;
    this.#position = seq;
    this.#timers = [
      setInterval(() => {
        this.#wake();
        void this.#listener?.wake();
      }, this.#pollMs),
      setInterval(() => void this.#renew().catch(() => {}), RENEW_MS),
    ];
    await this.#listener?.start();
  }

  /** Something may be new. */
  #wake(): void {
    this.#read().catch(() => {});
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry);
    if (this.#entries.size === 0) void this.#stop();
  }

  async #stop(): Promise<void> {
    this.#isActive = false;
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    await this.#listener?.stop();
  }

  /** Reads up to a commit of this handle. The commit has succeeded, whatever happens here. */
  async #catchUp(seq: bigint): Promise<void> {
    try {
      while (this.#isActive && this.#position < seq) {
        const before = this.#position;
        await this.#read();
        if (this.#position === before) return;
      }
    } catch {
      // The timer reads it.
    }
  }

  /** Reads what is new. Calls that overlap share the reading, and one more after it. */
  #read(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#isDirty = true;
      return this.#reading;
    }
    this.#reading = this.#readAll().finally(() => this.#reading = undefined);
    return this.#reading;
  }

  async #readAll(): Promise<void> {
    const { pool, statements } = this.#backend;
    do {
      this.#isDirty = false;
      for (;;) {
        const rows: readonly Row[] = await pool.once(statements.log, [
          String(this.#position),
          String(LOG_ROWS),
        ]);
        for (const [number, commits] of rows) {
          const seq = BigInt(number as string);
          this.#position = seq;
          for (const changes of decodeCommits(commits as Uint8Array)) {
            this.#publish(seq, changes);
          }
        }
        if (rows.length < LOG_ROWS) break;
      }
    } while (this.#isDirty && this.#isActive);
  }

  #publish(seq: bigint, changes: readonly Change[]): void {
    for (const { queue, bounds, from } of [...this.#entries]) {
      if (from === undefined || seq <= from) continue;
      const touching = changes.filter((change) =>
        "id" in change ? isInBounds(change.key, bounds) : meets(change, bounds)
      );
      if (touching.length === 0) continue;
      let bytes = 0;
      for (const change of touching) {
        bytes += 64 +
          ("id" in change ? change.key.length + (change.value?.length ?? 0) : 0);
      }
      if (queue.note(bytes)) queue.push(touching, bytes);
    }
  }

  async #renew(): Promise<void> {
    const { pool, statements } = this.#backend;
    void this.#listener?.wake();
    let row: Row | undefined;
    try {
      [row] = await pool.read("watch", statements.renew, []);
    } catch (error) {
      // The lease may last until the next time.
      void shownError("watch", error);
      return;
    }
    const isInTime = row![0] === true;
    if (isInTime && BigInt(row![1] as string) <= this.#position) return;
    const error = new LaggedError("because the server was not reached in time");
    for (const { queue } of [...this.#entries]) queue.fail(error);
  }
}

/** A watch whose `close` has a place in the order of writes. */
class OrderedWatch implements Watch {
  readonly #queue: Queue;
  readonly #lane: Lane;

  constructor(queue: Queue, lane: Lane) {
    this.#queue = queue;
    this.#lane = lane;
  }

  next(): Promise<IteratorResult<Commit, undefined>> {
    return this.#queue.next();
  }

  return(value?: unknown): Promise<IteratorResult<Commit, undefined>> {
    return this.#queue.return(value);
  }

  throw(error?: unknown): Promise<IteratorResult<Commit, undefined>> {
    return this.#queue.throw(error);
  }

  close(): void {
    const end = (): Promise<void> => {
      this.#queue.close();
      return Promise.resolve();
    };
    this.#lane.barrier(end).catch(end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

function meets(
  range: { lower: Uint8Array; upper: Uint8Array | undefined },
  bounds: Bounds,
): boolean {
  return shownOperation(range, bounds, "bytes") !== undefined &&
    !isEmpty(bounds);
}
