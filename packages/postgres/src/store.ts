/** The store: the contract over one table. */

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
  requireBody,
  StoreBase,
  type StoreStatus,
  type Transaction,
  type TransactionOptions,
  transactionOptions,
  type Value,
  wantsSync,
  type Watch,
  type WatchOptions,
  type WatchRange,
  watchRange,
  type WriteOptions,
} from "@tinykvs/core/contract";
import type { Backend } from "./backend.ts";
import { operationsOf, TimedBatch } from "./batch.ts";
import type { Conditional, Place } from "./conditional.ts";
import * as conditional from "./conditional.ts";
import { throwIfAborted, unlessAborted } from "./cursor.ts";
import { GatheredReads } from "./gathered_reads.ts";
import { CONFLICT, Lane } from "./lane.ts";
import { Moments } from "./moment.ts";
import { type Change, changesOf, idOf, requireSize } from "./operations.ts";
import { Patience } from "./pool.ts";
import {
  countBy,
  cursorAt,
  entryEncoding,
  entryOf,
  keysAt,
  PostgresSnapshot,
  storableKey,
} from "./reader.ts";
import { PostgresTransaction, type TransactionWork } from "./transaction.ts";
import { decodeValue } from "./value_codec.ts";
import { Watcher, type WatcherOptions } from "./watcher.ts";

/** The number of expired entries that are removed at a time. */
const SWEEP_ROWS = 1000;

/** A store in a table of PostgreSQL. Made by {@linkcode openPostgres}. */
export class PostgresStore extends StoreBase {
  readonly #backend: Backend;
  readonly #lane: Lane;
  readonly #reads: GatheredReads;
  readonly #moments: Moments;
  readonly #watcher: Watcher;
  readonly #encoding: KeyEncoding;
  readonly #sweeper: ReturnType<typeof setInterval> | undefined;
  #status: StoreStatus = "open";
  #closing: Promise<void> | undefined;

  /** Made by {@linkcode openPostgres}. */
  constructor(
    backend: Backend,
    { keyEncoding, sweepIntervalMs, watcher }: {
      readonly keyEncoding: KeyEncoding;
      readonly sweepIntervalMs: number;
      readonly watcher: WatcherOptions;
    },
  ) {
    super();
    this.#backend = backend;
    this.#lane = new Lane(backend);
    this.#reads = new GatheredReads(backend);
    this.#moments = new Moments(backend, this.#lane);
    this.#watcher = new Watcher(backend, this.#lane, watcher);
    this.#encoding = keyEncoding;
    if (sweepIntervalMs !== Infinity) {
      this.#sweeper = setInterval(
        () => void this.sweep().catch(() => {}),
        sweepIntervalMs,
      );
      (this.#sweeper as { unref?(): void }).unref?.();
    }
  }

  override get status(): StoreStatus {
    return this.#status;
  }

  /** The number of connections to the server, without the one that waits for notifications. */
  get connections(): number {
    return this.#backend.pool.size;
  }

  override async get(key: Key): Promise<Value | undefined> {
    this.#requireOpen();
    const bytes = storableKey(key);
    if (!this.#lane.isIdle) await this.#lane.before([idOf(bytes)]);
    const found = await this.#reads.find(bytes);
    return found && decodeValue(found.value);
  }

  override async getEntry(
    key: Key,
    options?: EntryOptions,
  ): Promise<Entry | undefined> {
    this.#requireOpen();
    const encoding = entryEncoding(options) ?? this.#encoding;
    const bytes = storableKey(key);
    if (!this.#lane.isIdle) await this.#lane.before([idOf(bytes)]);
    const found = await this.#reads.find(bytes);
    return found && entryOf(bytes, found, encoding);
  }

  override async getMany(keys: readonly Key[]): Promise<(Value | undefined)[]> {
    this.#requireOpen();
    const bytes = keyList(keys).map(storableKey);
    if (bytes.length === 0) return [];
    const ids = bytes.map(idOf);
    await this.#lane.before(ids);
    const found = await this.#backend.stored(bytes);
    const now = this.#backend.now();
    return ids.map((id) => {
      const stored = found.get(id);
      const isThere = stored !== undefined &&
        stored.expiresAt > now;
      return isThere ? decodeValue(stored.value) : undefined;
    });
  }

  override entries(range?: Range): Cursor<[Key, Value]> {
    this.#requireOpen();
    const moment = this.#moments.take();
    return cursorAt(
      this.#backend,
      moment,
      this.#backend.now(),
      range,
      this.#encoding,
      () => this.#requireOpen(),
    );
  }

  override keys(range?: Range): Cursor<Key> {
    this.#requireOpen();
    const moment = this.#moments.take();
    return keysAt(
      this.#backend,
      moment,
      this.#backend.now(),
      range,
      this.#encoding,
      () => this.#requireOpen(),
    );
  }

  override async count(range?: Range): Promise<number> {
    this.#requireOpen();
    const bounds = boundsOf(range);
    await this.#lane.beforeAll();
    const { pool, statements, now } = this.#backend;
    return await countBy(
      bounds,
      statements,
      now(),
      (statement, parameters) => pool.read("count", statement, parameters),
    );
  }

  override async put(
    key: Key,
    value: Value,
    options?: PutOptions,
  ): Promise<void> {
    this.#requireOpen();
    const { sync, expiresAt = Infinity } = putOptions(
      options,
      this.#backend.now,
    );
    const bytes = storableKey(key);
    const change = {
      key: bytes,
      id: idOf(bytes),
      value: conditional.storableValue(value),
      expiresAt,
    };
    await this.#write([change], sync);
  }

  override async write(
    given: readonly Operation[] | Batch,
    options?: WriteOptions,
  ): Promise<void> {
    this.#requireOpen();
    const sync = wantsSync(options);
    await this.#write(changesOf(operationsOf(given, this.#backend.now)), sync);
  }

  override batch(): Batch {
    return new TimedBatch(this.#backend.now, async (operations, options) => {
      this.#requireOpen();
      const sync = wantsSync(options);
      await this.#write(changesOf(operations), sync);
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

  override async transaction<T>(
    body: (transaction: Transaction) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> {
    requireBody(body);
    const { retries, signal, sync } = transactionOptions(options);
    const patience = new Patience(Infinity);
    for (let attempt = 1;; attempt++) {
      this.#requireOpen();
      throwIfAborted(signal);
      const moment = this.#moments.take();
      const transaction = new PostgresTransaction(
        this.#backend,
        moment,
        attempt,
        this.#encoding,
        () => this.#requireOpen(),
      );
      let cause: string;
      try {
        const result = await body(transaction);
        const work = await transaction.finish();
        this.#requireOpen();
        throwIfAborted(signal);
        transaction.end();
        if (work.changes.length > 0) await this.#commit(work, sync);
        return result;
      } catch (error) {
        if (error !== CONFLICT && !moment.isLost) throw error;
        cause = error === CONFLICT
          ? "another commit has written to what it had read"
          : (error as Error).message;
      } finally {
        transaction.end();
      }
      if (attempt > retries) {
        throw new ConflictError({ reason: cause }, attempt);
      }
      await unlessAborted(patience.wait(), signal);
    }
  }

  override snapshot(): PostgresSnapshot {
    this.#requireOpen();
    const moment = this.#moments.take();
    return new PostgresSnapshot(
      this.#backend,
      moment,
      this.#encoding,
      () => this.#requireOpen(),
    );
  }

  override watch(range?: WatchRange, options?: WatchOptions): Watch {
    this.#requireOpen();
    const bounds: Bounds = boundsOf(watchRange(range));
    return this.#watcher.open(bounds, options, this.#encoding);
  }

  /**
   * Removes entries that expired at least `sweepDelayMs` ago, at most `limit`, and returns their
   * number. The store does it from time to time.
   */
  async sweep(limit: number = SWEEP_ROWS): Promise<number> {
    this.#requireOpen();
    const { pool, statements, now, sweepDelayMs } = this.#backend;
    const until = now() - sweepDelayMs;
    // Those of this handle that have not begun yet judge by an earlier time.
    await this.#moments.fixed();
    this.#requireOpen();
    const rows = await pool.read("sweep", statements.sweep, [String(until), String(limit)]);
    return rows.length;
  }

  override close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#status = "closing";
    clearInterval(this.#sweeper);
    const { pool, statements, session } = this.#backend;
    await this.#lane.close();
    await this.#watcher.close();
    this.#moments.close();
    // Otherwise the row is removed later.
    if (session !== null) {
      await pool.once(statements.forget, [session]).catch(() => {});
    }
    await pool.close();
    this.#status = "closed";
  }

  async #write(changes: readonly Change[], sync: boolean): Promise<void> {
    requireSize(changes);
    if (changes.length === 0) return;
    this.#moments.fix();
    await this.#lane.write(changes, sync);
  }

  async #modify<T>(
    key: Key,
    options: PutOptions | undefined,
    make: (place: Place) => Conditional<T>,
  ): Promise<T> {
    this.#requireOpen();
    const { sync, expiresAt } = putOptions(options, this.#backend.now);
    const bytes = storableKey(key);
    const id = idOf(bytes);
    const work = make({ key: bytes, id, expiresAt });
    this.#moments.fix();
    await this.#lane.modify(bytes, id, (old) => work.modify(old), sync);
    return work.result();
  }

  async #commit(
    { changes, reads, scans, time }: TransactionWork,
    sync: boolean,
  ): Promise<void> {
    requireSize(changes);
    this.#moments.fix();
    // A key that is read and written is checked by its row's lock, without the store's.
    const written = new Set(
      changes.map((change) => "id" in change ? change.id : ""),
    );
    const isRead = new Map(reads.map((read) => [idOf(read.key), read]));
    const expected = [...isRead].filter(([id]) => written.has(id)).map((
      [, read],
    ) => read);
    await this.#lane.commit({
      commits: [changes],
      expected: scans.length === 0 && expected.length === reads.length ? expected : [],
      reads: scans.length === 0 && expected.length === reads.length ? [] : reads,
      scans,
      time,
      sync,
    });
  }

  #requireOpen(): void {
    if (this.#status !== "open") throw new ClosedError("store");
  }
}
