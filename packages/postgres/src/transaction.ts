/**
 * Transactions: reads of one moment, and writes that are kept until the commit. The commit checks,
 * while no other write is under way, that everything that was read is still so.
 */

import {
  type Batch,
  type Bounds,
  boundsOf,
  ClosedError,
  ConflictError,
  type Cursor,
  type Entry,
  type EntryOptions,
  type Key,
  type KeyEncoding,
  keyList,
  type Operation,
  type PutOptions,
  putOptions,
  type Range,
  TransactionBase,
  type Value,
  wantsSync,
  type WriteOptions,
} from "@tinykvs/core/contract";
import type { Backend } from "./backend.ts";
import { operationsOf, TimedBatch } from "./batch.ts";
import type { Conditional, Place } from "./conditional.ts";
import * as conditional from "./conditional.ts";
import { throwIfAborted, unlessAborted } from "./cursor.ts";
import type { Stored } from "./lane.ts";
import type { Moment } from "./moment.ts";
import {
  type Change,
  changesOf,
  covers,
  idOf,
  isEmpty,
  type KeyChange,
  type RangeChange,
  shownKey,
  sizeOf,
} from "./operations.ts";
import { entryEncoding, entryOf, rangeParameters, storableKey, storedAt } from "./reader.ts";
import { TransactionCursor } from "./transaction_cursor.ts";
import { decodeValue } from "./value_codec.ts";
import type { Expected, Scanned } from "./write_request.ts";

/** The most bytes that a transaction writes. */
const MAX_WRITTEN_BYTES = 64 * 1024 * 1024;
/** The most keys and ranges that a transaction reads. */
const MAX_READS = 100_000;

/** What a commit needs to know. */
export interface TransactionWork {
  readonly changes: readonly Change[];
  readonly reads: readonly Expected[];
  readonly scans: readonly Scanned[];
  readonly time: number;
}

/** One run of the body. */
export class PostgresTransaction extends TransactionBase {
  override readonly attempt: number;
  readonly #backend: Backend;
  readonly #moment: Moment;
  /** The time by which it judges what has expired. Others who share the moment have their own. */
  readonly #time: number;
  readonly #encoding: KeyEncoding;
  readonly #requireStore: () => void;
  readonly #written = new Map<string, KeyChange>();
  readonly #changes: Change[] = [];
  /** Ranges that were deleted. Keys that were put there later are in `#written`. */
  readonly #removed: RangeChange[] = [];
  #writtenBytes = 0;
  readonly #reads = new Map<string, Expected>();
  readonly #scans: Scanned[] = [];
  readonly #cursors = new Set<TransactionCursor<unknown>>();
  /** The calls that write, one after the other. */
  #chain: Promise<unknown> = Promise.resolve();
  #isOver = false;
  #isReleased = false;

  /** Keeps the moment until it ends. */
  constructor(
    backend: Backend,
    moment: Moment,
    attempt: number,
    encoding: KeyEncoding,
    requireStore: () => void,
  ) {
    super();
    moment.retain();
    this.#backend = backend;
    this.#moment = moment;
    this.#time = backend.now();
    this.attempt = attempt;
    this.#encoding = encoding;
    this.#requireStore = requireStore;
  }

  /** Waits for writes that were not awaited, and ends it. */
  async finish(): Promise<TransactionWork> {
    this.#isOver = true;
    await this.#chain;
    for (const cursor of this.#cursors) cursor.record();
    return {
      changes: this.#changes,
      reads: [...this.#reads.values()],
      scans: this.#scans,
      time: this.#time,
    };
  }

  /** Ends it and releases the moment; a second call does nothing. */
  end(): void {
    this.#isOver = true;
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#moment.release();
  }

  override async get(key: Key): Promise<Value | undefined> {
    this.#requireOpen();
    const stored = await this.#read(storableKey(key));
    return stored && decodeValue(stored.value);
  }

  override async getEntry(
    key: Key,
    options?: EntryOptions,
  ): Promise<Entry | undefined> {
    this.#requireOpen();
    const encoding = entryEncoding(options) ?? this.#encoding;
    const bytes = storableKey(key);
    const stored = await this.#read(bytes);
    return stored && entryOf(bytes, stored, encoding);
  }

  override async getMany(keys: readonly Key[]): Promise<(Value | undefined)[]> {
    this.#requireOpen();
    const bytes = keyList(keys).map(storableKey);
    await this.#chain;
    const found = await this.#readAll(bytes);
    return bytes.map((key) => {
      const stored = found.get(idOf(key));
      return stored && decodeValue(stored.value);
    });
  }

  override entries(range?: Range): Cursor<[Key, Value]> {
    const bounds = this.#boundsOf(range);
    const encoding = bounds.keyEncoding ?? this.#encoding;
    return this.#scan(
      bounds,
      true,
      (key, value) => [shownKey(key, encoding), decodeValue(value)],
    );
  }

  override keys(range?: Range): Cursor<Key> {
    const bounds = this.#boundsOf(range);
    const encoding = bounds.keyEncoding ?? this.#encoding;
    return this.#scan(bounds, false, (key) => shownKey(key, encoding));
  }

  override async count(range?: Range): Promise<number> {
    const bounds = this.#boundsOf(range);
    throwIfAborted(bounds.signal);
    await this.#chain;
    if (isEmpty(bounds) || bounds.limit === 0) return 0;
    if (bounds.limit !== Infinity || this.#changes.length > 0) {
      let count = 0;
      for await (const _ of this.#scan(bounds, false, () => undefined)) count++;
      return count;
    }
    const { statements } = this.#backend;
    const parameters = rangeParameters(bounds, this.#time);
    const [row] = await unlessAborted(
      this.#moment.read("count", statements.digest, parameters),
      bounds.signal,
    );
    this.#record({
      lower: bounds.lower ?? new Uint8Array(),
      upper: bounds.upper,
      reverse: false,
      digest: `${row![0]}:${row![1]}`,
    });
    return Number(row![0]);
  }

  override write(
    given: readonly Operation[] | Batch,
    options?: WriteOptions,
  ): Promise<void> {
    return this.#inOrder(() => {
      wantsSync(options);
      const changes = changesOf(operationsOf(given, this.#backend.now));
      return () => this.#apply(changes);
    });
  }

  override batch(): Batch {
    return new TimedBatch(
      this.#backend.now,
      (operations, options) => this.write(operations, options),
    );
  }

  override put(key: Key, value: Value, options?: PutOptions): Promise<void> {
    return this.#inOrder(() => {
      const { expiresAt = Infinity } = putOptions(options, this.#backend.now);
      const bytes = storableKey(key);
      const id = idOf(bytes);
      const change = {
        key: bytes,
        id,
        value: conditional.storableValue(value),
        expiresAt,
      };
      return () => this.#apply([change]);
    });
  }

  override deleteIfExists(key: Key, options?: WriteOptions): Promise<boolean> {
    return this.#modify(
      key,
      options,
      (place) => conditional.deleteIfExists(place),
    );
  }

  override putIfNotExists(
    key: Key,
    value: Value,
    options?: PutOptions,
  ): Promise<boolean> {
    return this.#modify(
      key,
      options,
      (place) => conditional.putIfNotExists(place, conditional.storableValue(value)),
    );
  }

  override putIfEquals(
    key: Key,
    value: Value,
    expected: Value,
    options?: PutOptions,
  ): Promise<boolean> {
    return this.#modify(key, options, (place) =>
      conditional.putIfEquals(
        place,
        conditional.storableValue(value),
        conditional.storableValue(expected),
      ));
  }

  override increment(
    key: Key,
    by: bigint | number = 1n,
    options?: PutOptions,
  ): Promise<bigint> {
    return this.#modify(
      key,
      options,
      (place) => conditional.increment(place, by),
    );
  }

  override update(
    key: Key,
    change: (old: Value | undefined) => Value | undefined,
    options?: PutOptions,
  ): Promise<Value | undefined> {
    return this.#modify(
      key,
      options,
      (place) => conditional.update(place, change),
    );
  }

  #modify<T>(
    key: Key,
    options: WriteOptions | undefined,
    make: (place: Place) => Conditional<T>,
  ): Promise<T> {
    return this.#inOrder(() => {
      const { expiresAt } = putOptions(options, this.#backend.now);
      const bytes = storableKey(key);
      const id = idOf(bytes);
      const work = make({ key: bytes, id, expiresAt });
      return async () => {
        const found = await this.#readAll([bytes]);
        const change = work.modify(found.get(id));
        if (change !== undefined) this.#apply([change]);
        return work.result();
      };
    });
  }

  /** Checks the arguments at once; the rest runs after the writes before it. */
  async #inOrder<T>(prepare: () => () => T | Promise<T>): Promise<T> {
    this.#requireOpen();
    const step = prepare();
    const result = this.#chain.then(step);
    this.#chain = result.catch(() => {});
    return await result;
  }

  #apply(changes: readonly Change[]): void {
    for (const change of changes) {
      this.#writtenBytes += sizeOf(change);
      this.#changes.push(change);
      if ("id" in change) this.#written.set(change.id, change);
      else {
        this.#removed.push(change);
        for (const [id, { key }] of this.#written) {
          if (covers(change, key)) this.#written.delete(id);
        }
      }
    }
    if (this.#writtenBytes > MAX_WRITTEN_BYTES) {
      throw new ConflictError({
        reason: `it writes more than ${MAX_WRITTEN_BYTES} bytes, which is the limit`,
      }, this.attempt);
    }
  }

  async #read(key: Uint8Array): Promise<Stored | undefined> {
    await this.#chain;
    return (await this.#readAll([key])).get(idOf(key));
  }

  /** What the transaction sees for keys: its writes, then its moment. */
  async #readAll(keys: readonly Uint8Array[]): Promise<Map<string, Stored>> {
    const time = this.#time;
    const found = new Map<string, Stored>();
    const rest = new Map<string, Uint8Array>();
    for (const key of keys) {
      const id = idOf(key);
      const written = this.#written.get(id);
      if (written === undefined) {
        if (!this.#removed.some((range) => covers(range, key))) {
          rest.set(id, key);
        }
      } else if (written.value !== undefined) {
        found.set(id, {
          value: written.value,
          version: "",
          expiresAt: written.expiresAt,
        });
      }
    }
    if (rest.size > 0) {
      const stored = await storedAt(this.#backend, this.#moment, [
        ...rest.values(),
      ]);
      for (const [id, key] of rest) {
        const one = stored.get(id);
        this.#reads.set(id, { key, version: one?.version ?? "0" });
        if (one !== undefined) found.set(id, one);
      }
      this.#requireReads();
    }
    for (const [id, { expiresAt }] of found) {
      if (expiresAt <= time) found.delete(id);
    }
    return found;
  }

  #scan<T>(
    bounds: Bounds,
    withValues: boolean,
    show: (key: Uint8Array, value: Uint8Array) => T,
  ): Cursor<T> {
    const cursor: TransactionCursor<T> = new TransactionCursor<T>({
      statements: this.#backend.statements,
      time: this.#time,
      read: (statement, parameters) => this.#moment.read("scan", statement, parameters),
      // Writes that were issued before, and none that comes later.
      written: this.#chain.then(() => ({
        changes: [...this.#written.values()],
        removed: [...this.#removed],
      })),
      withValues,
      show,
      requireOpen: () => this.#requireOpen(),
      record: (scanned) => this.#record(scanned),
      onClose: () => this.#cursors.delete(cursor as TransactionCursor<unknown>),
    }, bounds);
    this.#cursors.add(cursor as TransactionCursor<unknown>);
    return cursor;
  }

  #boundsOf(range: Range | undefined): Bounds {
    this.#requireOpen();
    return boundsOf(range);
  }

  #record(scanned: Scanned): void {
    this.#scans.push(scanned);
    this.#requireReads();
  }

  #requireReads(): void {
    if (this.#reads.size + this.#scans.length <= MAX_READS) return;
    throw new ConflictError({
      reason: `it reads more than ${MAX_READS} keys and ranges, which is the limit`,
    }, this.attempt);
  }

  #requireOpen(): void {
    this.#requireStore();
    if (this.#isOver) throw new ClosedError("transaction");
  }
}
