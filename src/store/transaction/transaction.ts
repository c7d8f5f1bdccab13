/**
 * A transaction of the embedded store, as its body sees it. It reads its own writes first, and then
 * the store as of one moment. It keeps its writes in memory. transactions.ts checks what it has
 * read and commits what it has written.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import type { Entry, EntryOptions } from "../../contract/reader.ts";
import type { SubOptions } from "../../contract/sub/sub_options.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "../../contract/sub/key_codec.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "../../contract/sub/value_codec.ts";
import { TransactionBase } from "../../contract/transaction_base.ts";
import { surplusArgument, wantsSync } from "../../contract/write_options.ts";
import { type ConflictCause, ConflictError } from "../../errors.ts";
import { emptyEntryView, type EntryView } from "../../iterator/entry_cursor.ts";
import { isLive } from "../../iterator/visibility.ts";
import type { Key, Value, ValueTypeName } from "../../value/value.ts";
import { openCursor } from "../read/cursor.ts";
import type { EmbeddedCursor } from "../read/embedded_cursor.ts";
import type { EntryDecoder } from "../read/entry_decoder.ts";
import type { OpenScan } from "../read/entry_scan.ts";
import { areThere, type DecodeEntry, isPresent, type ReadPath } from "../read/read_path.ts";
import type { EmbeddedReader } from "../read/reader.ts";
import { countEntries, countEntriesSync } from "../read/visit_entries.ts";
import type { Range } from "../state/range.ts";
import type { Lease } from "../state/read_view.ts";
import type { StoreState } from "../state/store_state.ts";
import type { EmbeddedTransactionSub } from "../sub/embedded_sub.ts";
import {
  embeddedTransactionSubOf,
  type ParentTransaction,
} from "../sub/embedded_sub_transaction.ts";
import type { EmbeddedWriter } from "../sub/embedded_writer.ts";
import { batchOf, EmbeddedBatch, type Operation, type WriteOptions } from "../write/batch.ts";
import {
  addition,
  alteration,
  type Change,
  changedBeside,
  creation,
  type Decide,
  deletion,
  ownKey,
  replacement,
  requireChange,
} from "../write/decisions.ts";
import { MAX_READ_BYTES, type ReadSet } from "./read_set.ts";
import { type ScanOwner, TrackedScan } from "./tracked_scan.ts";
import type { WriteSet } from "./write_set.ts";

/** The most bytes that a transaction may write. */
const MAX_WRITE_BYTES = 64 * 1024 * 1024;

/** What a write of a transaction resolves with. The call itself has done the work. */
const DONE = Promise.resolve();

/** Why a transaction cannot commit, and whether another run of its body may succeed. */
export interface Conflict extends ConflictCause {
  /** Whether to run the body again. */
  readonly mayPass: boolean;
}

/** What every transaction of a handle shares. */
export interface TransactionParts<KeyOut extends Key, V extends Value> {
  /** The store's state. */
  readonly state: StoreState;
  /** Reads what the lease shows. */
  readonly reads: ReadPath;
  /** Decodes entries to values. */
  readonly decoder: EntryDecoder<KeyOut, V>;
}

/**
 * A {@linkcode Transaction} of the embedded store, with a synchronous form of every call. The body
 * of a transaction reads from it and writes to it.
 *
 * @example
 * ```ts
 * import { type EmbeddedTransaction, memoryFileSystem, open } from "@tinykvs/core";
 *
 * function take(tx: EmbeddedTransaction): string | undefined {
 *   const [first] = tx.keys({ prefix: "queue:", limit: 1 });
 *   if (first === undefined) return undefined;
 *   tx.deleteSync(first);
 *   tx.incrementSync("taken");
 *   return String(first);
 * }
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.batch().put("queue:1", "a").put("queue:2", "b").write();
 * console.log(store.transactionSync(take), store.getSync("taken")); // queue:1 1n
 * ```
 */
export class EmbeddedTransaction<KeyOut extends Key = Key, V extends Value = Value>
  extends TransactionBase<KeyOut, V>
  implements EmbeddedReader<Key, V, KeyOut>, EmbeddedWriter<Key, V, Value> {
  /** The number of this run of the body, from 1. */
  override readonly attempt: number;
  readonly #state: StoreState;
  readonly #reads: ReadPath;
  readonly #decoder: EntryDecoder<KeyOut, V>;
  readonly #lease: Lease;
  readonly #readSet: ReadSet;
  readonly #writeSet: WriteSet;
  /** Whether a write has asked for a durable commit. */
  #isSynced = false;
  /** The number of writes that still have to read. */
  #pending = 0;
  #onSettled: (() => void) | undefined;
  /** Why the transaction can no longer commit. */
  #failure: Conflict | undefined;

  /** Made by `store.transaction`. */
  constructor(
    parts: TransactionParts<KeyOut, V>,
    lease: Lease,
    readSet: ReadSet,
    writeSet: WriteSet,
    attempt: number,
  ) {
    super();
    this.attempt = attempt;
    this.#state = parts.state;
    this.#reads = parts.reads;
    this.#decoder = parts.decoder;
    this.#lease = lease;
    this.#readSet = readSet;
    this.#writeSet = writeSet;
  }

  /**
   * The key's value, or undefined if there is none.
   *
   * @throws {ClosedError} the transaction has ended, or the store was closed
   * @throws {CorruptionError} the stored bytes cannot be read
   */
  override get(key: Key): Promise<V | undefined> {
    return this.#read(key, this.#decoder.value);
  }

  /** As `get`. Blocks on the disk if the value is not in memory. */
  getSync(key: Key): V | undefined {
    return this.#readSync(key, this.#decoder.value);
  }

  /**
   * The key with its value and all else that is stored for it, or undefined if the key has no
   * value.
   */
  override getEntry(key: Key, options?: EntryOptions): Promise<Entry<KeyOut, V> | undefined> {
    return this.#read(key, this.#decoder.entryFor(options));
  }

  /** As `getEntry`. */
  getEntrySync(key: Key, options?: EntryOptions): Entry<KeyOut, V> | undefined {
    return this.#readSync(key, this.#decoder.entryFor(options));
  }

  /** The values of several keys, in the order of the keys. Undefined stands for a missing key. */
  override getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    return this.#readMany(keys, this.#decoder.value);
  }

  /** As `getMany`. */
  getManySync(keys: readonly Key[]): (V | undefined)[] {
    this.#requireOpen();
    return Array.from(keys, (key) => this.getSync(key));
  }

  /** Whether the key has a value. */
  override async has(key: Key): Promise<boolean> {
    return await this.#read(key, isPresent) === true;
  }

  /** As `has`. */
  hasSync(key: Key): boolean {
    return this.#readSync(key, isPresent) === true;
  }

  /** Whether each of several keys has a value, in the order of the keys. */
  override async hasMany(keys: readonly Key[]): Promise<boolean[]> {
    return areThere(await this.#readMany(keys, isPresent));
  }

  /** As `hasMany`. */
  hasManySync(keys: readonly Key[]): boolean[] {
    this.#requireOpen();
    return Array.from(keys, (key) => this.hasSync(key));
  }

  /** Iterates over keys and values, with the keys as bytes. */
  override entries(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<[Uint8Array, V]>;
  /** Iterates over keys and values, with the keys as text. */
  override entries(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<[string, V]>;
  /** Iterates over keys and values in the order of the keys' bytes. */
  override entries(range?: Range): EmbeddedCursor<[KeyOut, V]>;
  // deno-lint-ignore no-explicit-any
  override entries(range?: Range): EmbeddedCursor<any> {
    this.#requireOpen();
    return openCursor(this.#state, range, this.#decoder.pairs, this.#lease, false, this.#openScan);
  }

  /** Iterates over keys, as bytes. */
  override keys(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<Uint8Array>;
  /** Iterates over keys, as text. */
  override keys(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<string>;
  /** Iterates over keys. */
  override keys(range?: Range): EmbeddedCursor<KeyOut>;
  // deno-lint-ignore no-explicit-any
  override keys(range?: Range): EmbeddedCursor<any> {
    this.#requireOpen();
    return openCursor(this.#state, range, this.#decoder.keys, this.#lease, true, this.#openScan);
  }

  /** Iterates over values, in the order of their keys. */
  override values(range?: Range): EmbeddedCursor<V> {
    this.#requireOpen();
    return openCursor(this.#state, range, this.#decoder.values, this.#lease, false, this.#openScan);
  }

  /** Counts the keys in a range by reading them all. */
  override async count(range?: Range): Promise<number> {
    this.#requireOpen();
    return await countEntries(this.#state, range, this.#lease, this.#openScan);
  }

  /** As `count`. */
  countSync(range?: Range): number {
    this.#requireOpen();
    return countEntriesSync(this.#state, range, this.#lease, this.#openScan);
  }

  /**
   * Stores a value when the transaction commits, in place of the key's old one. `sync` asks for a
   * durable commit.
   *
   * @throws {TypeError | RangeError} the key or the value cannot be stored, or the options are not
   * valid
   * @throws {ConflictError} the transaction has written more than the limit
   */
  override put(key: Key, value: Value, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("put", arguments[3], 3));
    try {
      this.putSync(key, value, options);
      return DONE;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `put`. */
  putSync(key: Key, value: Value, options?: WriteOptions): void {
    if (arguments.length > 3) throw surplusArgument("putSync", arguments[3], 3);
    this.#beginWrite(options);
    this.#writeSet.put(key, value);
    this.#limit();
  }

  /** Removes a key when the transaction commits. A missing key is not an error. */
  override delete(key: Key, options?: WriteOptions): Promise<void> {
    if (arguments.length > 2) return Promise.reject(surplusArgument("delete", arguments[2], 2));
    try {
      this.deleteSync(key, options);
      return DONE;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `delete`. */
  deleteSync(key: Key, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("deleteSync", arguments[2], 2);
    this.#beginWrite(options);
    this.#writeSet.delete(key);
    this.#limit();
  }

  /** Adds several puts and deletes. If one of them cannot be written, adds none. */
  override write(
    operations: readonly Operation[] | EmbeddedBatch,
    options?: WriteOptions,
  ): Promise<void> {
    if (arguments.length > 2) return Promise.reject(surplusArgument("write", arguments[2], 2));
    try {
      this.writeSync(operations, options);
      return DONE;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `write`. */
  writeSync(operations: readonly Operation[] | EmbeddedBatch, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("writeSync", arguments[2], 2);
    this.#beginWrite(options);
    const batch = batchOf(operations, () => new ByteWriter(256));
    // Getters of a value may have ended the transaction.
    this.#requireOpen();
    const { length } = batch;
    this.#writeSet.append(batch.finish(), length);
    this.#limit();
  }

  /** Starts an empty batch. Its `write` adds the operations to the transaction. */
  override batch(): EmbeddedBatch {
    if (arguments.length > 0) throw surplusArgument("batch", arguments[0], 0);
    return new EmbeddedBatch((batch, options) => this.write(batch, options));
  }

  /** Removes a key. Returns whether the key had a value. */
  override deleteIfExists(key: Key, options?: WriteOptions): Promise<boolean> {
    return this.#apply(key, options, (key) => deletion(key));
  }

  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: Key, options?: WriteOptions): boolean {
    return this.#applySync(key, options, deletion(key));
  }

  /** Stores a value if the key has none. Returns whether it has stored the value. */
  override putIfNotExists(key: Key, value: Value, options?: WriteOptions): Promise<boolean> {
    return this.#apply(key, options, (key) => creation(key, value));
  }

  /** As `putIfNotExists`. */
  putIfNotExistsSync(key: Key, value: Value, options?: WriteOptions): boolean {
    return this.#applySync(key, options, creation(key, value));
  }

  /**
   * Replaces the key's value if it equals `expected`. Returns whether it has replaced the value.
   */
  override putIfEquals(
    key: Key,
    value: Value,
    expected: Value,
    options?: WriteOptions,
  ): Promise<boolean> {
    return this.#apply(key, options, (key) => replacement(key, value, expected));
  }

  /** As `putIfEquals`. */
  putIfEqualsSync(key: Key, value: Value, expected: Value, options?: WriteOptions): boolean {
    return this.#applySync(key, options, replacement(key, value, expected));
  }

  /** Adds to the int64 value of the key. A missing key counts as 0. Resolves to the sum. */
  override increment(key: Key, by: bigint | number = 1n, options?: WriteOptions): Promise<bigint> {
    return this.#apply(key, options, (key) => addition(key, by, this.#decoder));
  }

  /** As `increment`. */
  incrementSync(key: Key, by: bigint | number = 1n, options?: WriteOptions): bigint {
    return this.#applySync(key, options, addition(key, by, this.#decoder));
  }

  /**
   * Stores what `change` returns for the key's value. Undefined means "no value", both as the
   * argument and as the result.
   */
  override update(
    key: Key,
    change: (old: V | undefined) => Value | undefined,
    options?: WriteOptions,
  ): Promise<Value | undefined> {
    return this.#apply(key, options, (key) => this.#change(key, change));
  }

  /** As `update`. */
  updateSync(
    key: Key,
    change: (old: V | undefined) => Value | undefined,
    options?: WriteOptions,
  ): Value | undefined {
    const own = ownKey(key);
    return this.#applySync(own, options, this.#change(own, change));
  }

  /**
   * Opens a part of the store in this transaction, as {@linkcode EmbeddedStore.sub} opens one in
   * the store. For a sub that is already open, `sub.in(transaction)` keeps the sub's types of keys
   * and values.
   *
   * @throws {TypeError | RangeError} the path or an option is not valid
   */
  override sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): EmbeddedTransactionSub<KeyGiven<KC>, ValueShown<VC, V>, KeyShown<KC, KeyOut>, ValueGiven<VC>>;
  /** A part of the store. The caller states the type of its values, and nobody checks it. */
  override sub<V extends Value>(
    path: string | readonly string[],
  ): EmbeddedTransactionSub<Key, V, KeyOut>;
  // deno-lint-ignore no-explicit-any
  override sub(path: string | readonly string[], options?: SubOptions): any {
    return embeddedTransactionSubOf(this as unknown as ParentTransaction, path, options);
  }

  /**
   * Resolves when every write that has started has read what it needs. Internal, as is everything
   * below.
   *
   * @internal
   */
  writesSettled(): Promise<void> | undefined {
    if (this.#pending === 0) return undefined;
    return new Promise((resolve) => this.#onSettled = resolve);
  }

  /**
   * Why the transaction cannot commit at this moment, or undefined. The answer holds until the next
   * `await`.
   *
   * @internal
   * @throws {ClosedError} the store was closed
   */
  conflict(): Conflict | undefined {
    this.#requireOpen();
    if (this.#failure !== undefined) return this.#failure;
    const { lastSequence, recent, view } = this.#state;
    const { sequence } = this.#lease;
    if (this.#writeSet.count === 0 || lastSequence === sequence) return undefined;
    if (this.#readSet.isFull) {
      const mebibytes = MAX_READ_BYTES / 1024 / 1024;
      return {
        reason: `it has written, and read so much that ${mebibytes} MiB do not hold the keys`,
        mayPass: false,
      };
    }
    if (this.#readSet.isEmpty) return undefined;
    const memtables = recent.since(view.memtables, sequence);
    if (memtables === undefined) {
      return { reason: "more was committed since it began than is kept to compare", mayPass: true };
    }
    const cause = this.#readSet.conflictWith(memtables, sequence);
    return cause && { ...cause, mayPass: true };
  }

  /**
   * Takes what there is to commit, or undefined. The transaction may write nothing after this call.
   *
   * @internal
   */
  takeWrites(): { readonly batch: EmbeddedBatch; readonly isSynced: boolean } | undefined {
    if (this.#writeSet.count === 0) return undefined;
    return { batch: this.#writeSet.finish(), isSynced: this.#isSynced };
  }

  /** The value. The store must hold it as `type`. */
  protected override getStored(key: Key, type: ValueTypeName): Promise<Value | undefined> {
    return this.#read(key, this.#decoder.stored(type));
  }

  /** Makes the scans that also show the transaction's writes. */
  get #openScan(): OpenScan {
    const owner: ScanOwner = { readSet: this.#readSet, requireOpen: () => this.#requireOpen() };
    return (state, lease, range, keysOnly) => {
      const own = this.#writeSet.cursor(range.reverse);
      return new TrackedScan(owner, own, state, lease, range, keysOnly);
    };
  }

  #requireOpen(): void {
    this.#lease.requireHeld("transaction");
  }

  /**
   * Finds the transaction's own entry of a key. If there is none, notes that the key is read from
   * the store.
   */
  #findOwn(key: Key): EntryView | undefined {
    this.#requireOpen();
    const readSet = this.#readSet;
    const start = readSet.encode(key);
    const { view, length } = readSet.keys;
    if (this.#writeSet.find(view, start, length)) return this.#writeSet.entry;
    readSet.note();
    return undefined;
  }

  #read<T>(key: Key, decode: DecodeEntry<T>): Promise<T | undefined> {
    try {
      const own = this.#findOwn(key);
      if (own !== undefined) return Promise.resolve(decoded(own, decode));
      return this.#reads.get(key, decode, this.#lease);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #readSync<T>(key: Key, decode: DecodeEntry<T>): T | undefined {
    const own = this.#findOwn(key);
    if (own !== undefined) return decoded(own, decode);
    return this.#reads.getSync(key, decode, this.#lease);
  }

  async #readMany<T>(
    keys: readonly Key[],
    decode: DecodeEntry<T>,
  ): Promise<(T | undefined)[]> {
    this.#requireOpen();
    const results: (T | undefined)[] = [];
    const others: Key[] = [];
    const places: number[] = [];
    for (const key of keys) {
      const own = this.#findOwn(key);
      if (own === undefined) {
        places.push(results.length);
        others.push(key);
      }
      results.push(own && decoded(own, decode));
    }
    const found = await this.#reads.getMany(others, decode, this.#lease);
    for (const [at, place] of places.entries()) results[place] = found[at];
    return results;
  }

  #beginWrite(options: WriteOptions | undefined): void {
    const isSynced = wantsSync(options);
    this.#requireOpen();
    this.#state.requireWritable();
    if (this.#failure !== undefined) throw new ConflictError(this.#failure, this.attempt);
    if (isSynced) this.#isSynced = true;
  }

  #limit(): void {
    if (this.#writeSet.sizeBytes <= MAX_WRITE_BYTES) return;
    const reason = `it has written more than ${MAX_WRITE_BYTES / 1024 / 1024} MiB`;
    this.#failure = { reason, mayPass: false };
    throw new ConflictError(this.#failure, this.attempt);
  }

  async #apply<T>(
    given: Key,
    options: WriteOptions | undefined,
    decideOn: (key: Key) => Decide<T>,
  ): Promise<T> {
    this.#beginWrite(options);
    const key = ownKey(given);
    const decide = decideOn(key);
    let base: EntryView | undefined;
    if (this.#findOwn(key) === undefined) {
      // The transaction does not commit before this write has finished, even if its body does not
      // wait for it.
      this.#pending++;
      try {
        base = await this.#reads.get(key, copyOf, this.#lease);
      } finally {
        if (--this.#pending === 0) this.#onSettled?.();
      }
    }
    return this.#decide(key, base, decide);
  }

  #applySync<T>(key: Key, options: WriteOptions | undefined, decide: Decide<T>): T {
    this.#beginWrite(options);
    const own = this.#findOwn(key);
    const base = own === undefined ? this.#reads.getSync(key, copyOf, this.#lease) : undefined;
    return this.#decide(key, base, decide);
  }

  /**
   * Decides by the transaction's own entry if there is one, which a later call may have added.
   * Otherwise decides by the store's entry.
   */
  #decide<T>(key: Key, base: EntryView | undefined, decide: Decide<T>): T {
    // The read may have finished after the end of the transaction. The sets then belong to another
    // one.
    this.#requireOpen();
    const own = this.#ownEntry(key);
    const { result, batch } = decide(own === undefined ? base : live(own));
    if (batch !== undefined) {
      // The function of an update may have ended the transaction.
      this.#requireOpen();
      this.#writeSet.append(batch.finish(), 1);
      this.#limit();
    }
    return result;
  }

  #ownEntry(key: Key): EntryView | undefined {
    const start = this.#readSet.encode(key);
    const { view, length } = this.#readSet.keys;
    return this.#writeSet.find(view, start, length) ? this.#writeSet.entry : undefined;
  }

  #change(key: Key, change: Change<V>): Decide<Value | undefined> {
    requireChange(change);
    return (entry) => {
      const before = this.#writeSet.sizeBytes;
      const decide = alteration(key, change, this.#decoder, () => {
        const start = this.#readSet.encode(key);
        const { view, length } = this.#readSet.keys;
        if (this.#writeSet.hasSince(before, view, start, length)) throw changedBeside();
      });
      return decide(entry);
    };
  }
}

/** The entry of a key, if the key has a value. */
function live(entry: EntryView): EntryView | undefined {
  return isLive(entry.valueBytes, entry.valueStart) ? entry : undefined;
}

function decoded<T>(entry: EntryView, decode: DecodeEntry<T>): T | undefined {
  return isLive(entry.valueBytes, entry.valueStart) ? decode(entry) : undefined;
}

/** A copy of a value, which later reads and writes do not change. */
function copyOf({ valueBytes, valueStart, valueEnd }: EntryView): EntryView {
  const copy = emptyEntryView();
  copy.valueBytes = valueBytes.slice(valueStart, valueEnd);
  copy.valueView = new DataView(copy.valueBytes.buffer);
  copy.valueEnd = valueEnd - valueStart;
  return copy;
}
