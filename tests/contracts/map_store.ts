/** A store over a sorted array, written from the contract alone: what anybody else would write. */

import * as contract from "../../contract.ts";
import type { Key, Operation, Range, Value } from "../../contract.ts";

type Pair = [string | Uint8Array, Value];
type Row = { readonly key: Uint8Array; readonly value: Value; readonly expiresAt: number };

/**
 * Sorted rows as of one moment; a write replaces them. Closed by their snapshot and by the store.
 */
class MapReader extends contract.ReaderBase implements contract.Snapshot {
  rows: readonly Row[] = [];
  closed: "store" | "snapshot" | undefined;
  store: MapReader = this;
  /** The time by which it judges what has expired; that of the clock if it has none. */
  time: number | undefined;

  requireOpen(): void {
    const closed = this.store.closed ?? this.closed;
    if (closed !== undefined) throw new contract.ClosedError(closed);
  }

  get live(): Row[] {
    const now = this.time ?? Date.now();
    return this.rows.filter(({ expiresAt }) => expiresAt > now);
  }

  row(key: Uint8Array): Row | undefined {
    return this.live.find((row) => contract.compareKeys(row.key, key) === 0);
  }

  find(key: Uint8Array): Value | undefined {
    const row = this.row(key);
    return row && contract.copyValue(row.value);
  }

  override async getEntry(
    key: Key,
    options?: contract.EntryOptions,
  ): Promise<contract.Entry | undefined> {
    const entry = await super.getEntry(key, options);
    const { expiresAt = Infinity } = entry && this.row(contract.keyBytes(key)) || {};
    return entry === undefined || expiresAt === Infinity ? entry : { ...entry, expiresAt };
  }

  override async getMany(keys: readonly Key[]): Promise<(Value | undefined)[]> {
    this.requireOpen();
    return await Promise.resolve(
      contract.keyList(keys).map((key) => this.find(contract.keyBytes(key))),
    );
  }

  override entries(range?: Range): contract.Cursor<Pair> {
    this.requireOpen();
    return new MapCursor(this.store, this.live, contract.boundsOf(range));
  }

  close(): void {
    this.closed ??= "snapshot";
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

class MapCursor extends contract.CursorBase<Pair> {
  readonly store: MapReader;
  readonly rows: readonly Row[];
  readonly bounds: contract.Bounds;
  left: Row[] | undefined;
  shown = 0;

  constructor(store: MapReader, rows: readonly Row[], bounds: contract.Bounds) {
    super();
    this.store = store;
    this.bounds = bounds;
    const inside = rows.filter(({ key }) => contract.isInBounds(key, bounds));
    this.rows = bounds.reverse ? inside.reverse() : inside;
    this.left = [...this.rows];
  }

  requireOpen(): Row[] {
    if (this.left === undefined) throw new contract.ClosedError("cursor");
    this.store.requireOpen();
    return this.left;
  }

  override async next(): Promise<IteratorResult<Pair, undefined>> {
    const left = this.requireOpen();
    this.bounds.signal?.throwIfAborted();
    const row = this.shown < this.bounds.limit ? left.shift() : undefined;
    if (row === undefined) return { done: true, value: undefined };
    this.shown++;
    const key = this.bounds.keyEncoding === "bytes"
      ? row.key.slice()
      : new TextDecoder().decode(row.key);
    const pair: Pair = [key, contract.copyValue(row.value)];
    return await Promise.resolve({ done: false, value: pair });
  }

  override seek(key: Key): void {
    const target = contract.keyBytes(key);
    const sign = this.bounds.reverse ? -1 : 1;
    this.requireOpen();
    this.left = contract.isInBounds(target, this.bounds)
      ? this.rows.filter((row) => sign * contract.compareKeys(row.key, target) >= 0)
      : [];
  }

  override close(): Promise<void> {
    this.left = undefined;
    return Promise.resolve();
  }
}

/** The store. */
export class MapStore extends contract.StoreBase {
  readonly #now = new MapReader();
  readonly #feed = new contract.CommitFeed();
  #isTransaction = false;
  readonly #written: Operation[] = [];

  override get status(): contract.StoreStatus {
    return this.#now.closed === undefined ? "open" : "closed";
  }

  override getMany(keys: readonly Key[]): Promise<(Value | undefined)[]> {
    return this.#now.getMany(keys);
  }

  override getEntry(
    key: Key,
    options?: contract.EntryOptions,
  ): Promise<contract.Entry | undefined> {
    return this.#now.getEntry(key, options);
  }

  override entries(range?: Range): contract.Cursor<Pair> {
    return this.#now.entries(range);
  }

  override async write(
    given: readonly Operation[] | contract.Batch,
    options?: contract.WriteOptions,
  ): Promise<void> {
    this.#now.requireOpen();
    contract.wantsSync(options);
    const operations: Operation[] = [];
    for (const operation of contract.OperationBatch.operationsOf(given)) {
      if (operation.type === "deleteRange") {
        const bounds = contract.boundsOf(operation.range);
        operations.push(operation);
        this.#now.rows = this.#now.rows.filter(({ key }) => !contract.isInBounds(key, bounds));
        continue;
      }
      const key = contract.keyBytes(operation.key);
      operations.push({ ...operation, key });
      const rows = this.#now.rows.filter((row) => contract.compareKeys(row.key, key) !== 0);
      if (operation.type === "put") {
        const { value, expiresAt = Infinity } = operation;
        rows.push({ key, value, expiresAt: Number(expiresAt) });
      }
      this.#now.rows = rows.sort((a, b) => contract.compareKeys(a.key, b.key));
    }
    if (this.#isTransaction) this.#written.push(...operations);
    this.#feed.publish(operations);
    await Promise.resolve();
  }

  override async update(
    key: Key,
    change: (old: Value | undefined) => Value | undefined,
    options?: contract.PutOptions,
  ): Promise<Value | undefined> {
    this.#now.requireOpen();
    const given = contract.putOptions(options, Date.now).expiresAt;
    const row = this.#now.row(contract.keyBytes(key));
    const value = change(row && contract.copyValue(row.value));
    const expiresAt = given ?? row?.expiresAt ?? Infinity;
    if (value === undefined) await this.delete(key);
    else await this.put(key, value, { expiresAt });
    return value;
  }

  override async transaction<T>(
    body: (transaction: contract.Transaction) => T | Promise<T>,
    options?: contract.TransactionOptions,
  ): Promise<T> {
    contract.requireBody(body);
    const { retries, signal } = contract.transactionOptions(options);
    for (let attempt = 1;; attempt++) {
      this.#now.requireOpen();
      signal?.throwIfAborted();
      const { rows } = this.#now;
      const fork = new MapStore();
      fork.#now.rows = rows;
      fork.#now.time = Date.now();
      fork.#isTransaction = true;
      let result: T;
      try {
        result = await body(new MapTransaction(fork, attempt));
      } finally {
        await fork.close();
      }
      this.#now.requireOpen();
      signal?.throwIfAborted();
      if (fork.#now.rows === rows) return result;
      if (this.#now.rows === rows) {
        this.#now.rows = fork.#now.rows;
        this.#feed.publish(fork.#written);
        return result;
      }
      // Any other commit counts: it may have written what was read.
      const reason = "there was another commit meanwhile";
      if (attempt > retries) throw new contract.ConflictError({ reason }, attempt);
    }
  }

  override snapshot(): MapReader {
    this.#now.requireOpen();
    const { rows } = this.#now;
    return Object.assign(new MapReader(), { rows, store: this.#now, time: Date.now() });
  }

  override watch(range?: contract.WatchRange, options?: contract.WatchOptions): contract.Watch {
    this.#now.requireOpen();
    return this.#feed.open(range, options);
  }

  override async close(): Promise<void> {
    this.#now.closed = "store";
    this.#feed.close();
    await Promise.resolve();
  }
}

/** A fork of the store, whose rows become the store's. */
class MapTransaction extends contract.TransactionBase {
  readonly fork: MapStore;
  override readonly attempt: number;

  constructor(fork: MapStore, attempt: number) {
    super();
    this.fork = fork;
    this.attempt = attempt;
  }

  override getMany(keys: readonly Key[]): Promise<(Value | undefined)[]> {
    return this.fork.getMany(keys);
  }

  override getEntry(
    key: Key,
    options?: contract.EntryOptions,
  ): Promise<contract.Entry | undefined> {
    return this.fork.getEntry(key, options);
  }

  override entries(range?: Range): contract.Cursor<Pair> {
    return this.fork.entries(range);
  }

  override write(
    operations: readonly Operation[] | contract.Batch,
    options?: contract.WriteOptions,
  ): Promise<void> {
    return this.fork.write(operations, options);
  }

  override update(
    key: Key,
    change: (old: Value | undefined) => Value | undefined,
    options?: contract.PutOptions,
  ): Promise<Value | undefined> {
    return this.fork.update(key, change, options);
  }
}
