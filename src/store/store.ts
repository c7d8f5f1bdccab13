/**
 * The facade: the public methods of an open store, and the order in which it is closed. Everything
 * else is in the folders beside it.
 *
 * This file is long because it is the one place with every call of the store and the text that
 * users read about it. A call only refuses surplus arguments here, and chooses a path. All calls
 * share the private parts that `close` replaces, so files by kinds of calls would need a chain of
 * classes with these parts open to each other.
 */

import type { Entry, EntryOptions } from "../contract/reader.ts";
import { type Watch, type WatchOptions, type WatchRange, watchRange } from "../contract/watch.ts";
import { StoreBase } from "../contract/store_base.ts";
import type { SubOptions } from "../contract/sub/sub_options.ts";
import type { TransactionOptions } from "../contract/transaction.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "../contract/sub/key_codec.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "../contract/sub/value_codec.ts";
import { ClosedError } from "../errors.ts";
import type { Key, RecordValue, Value, ValueTypeName } from "../value/value.ts";
import { Background } from "./background/background.ts";
import { prefixRange } from "../contract/range.ts";
import type { DeletedRange } from "../contract/range.ts";
import { compactBounds, type CompactRange } from "./background/compact_range.ts";
import type { PutOptions } from "../contract/writer.ts";
import {
  batchOf,
  type BatchTarget,
  EmbeddedBatch,
  type Operation,
  type WriteOptions,
} from "./write/batch.ts";
import { type CheckpointOptions, makeCheckpoint, makeCheckpointSync } from "./copy/checkpoint.ts";
import { closedState } from "./state/closed_state.ts";
import { closeStore, closeStoreSync, type StoreParts } from "./closing.ts";
import { ConditionalWrites } from "./write/conditional_writes.ts";
import { type Visit, visitRange } from "./read/callback_scans.ts";
import { openCursor } from "./read/cursor.ts";
import type { EmbeddedCursor } from "./read/embedded_cursor.ts";
import { EntryDecoder } from "./read/entry_decoder.ts";
import type { Range, ScanOptions } from "./state/range.ts";
import { areThere, type DecodeEntry, isPresent, ReadPath } from "./read/read_path.ts";
import type { EmbeddedReader } from "./read/reader.ts";
import type { SharedStore } from "./shared_store.ts";
import { EmbeddedSnapshot } from "./read/snapshot.ts";
import { getStream } from "./read/value_stream.ts";
import { collectStats, type Stats } from "./stats.ts";
import type { EmbeddedSub } from "./sub/embedded_sub.ts";
import { type EmbeddedParent, embeddedSubOf } from "./sub/embedded_sub_store.ts";
import type { EmbeddedTransaction } from "./transaction/transaction.ts";
import { Transactions } from "./transaction/transactions.ts";
import { Watches } from "./watch/watch_hub.ts";
import type { StoreState, StoreStatus } from "./state/store_state.ts";
import {
  requireEvent,
  type StoreEventListener,
  type StoreEventMap,
  type StoreListenerOptions,
} from "./state/store_events.ts";
import { putStream } from "./write/stream_put.ts";
import { writableInto, type WritableOptions } from "./write/writable.ts";
import { type ApproximateSize, approximateSize } from "./upkeep/approximate_size.ts";
import { type KeyPlace, listTables, locate, locateSync, type TableInfo } from "./upkeep/locate.ts";
import { verifyOpenStore, verifyOpenStoreSync } from "./upkeep/verify.ts";
import type { VerifyOptions, VerifyReport } from "./upkeep/verify_report.ts";
import { countEntries, countEntriesSync } from "./read/visit_entries.ts";
import {
  boolOf,
  bytesOf,
  float64Of,
  int64Of,
  jsonOf,
  recordOf,
  stringOf,
} from "../contract/typed_values.ts";
import { surplusArgument } from "../contract/write_options.ts";
import { parsedJson } from "./state/typed_calls.ts";
import { WritePath } from "./write/write_path.ts";

/**
 * An open store. Made by {@linkcode open} and {@linkcode openSync}.
 *
 * Calls may overlap freely. Writes take effect in the order of the calls, at once for later reads
 * of this process. When their promises resolve, they are as durable as `walSync` promises. A call
 * that fails has changed nothing, unless the log has failed: then the store takes no more writes,
 * and only reopening it shows whether the last writes are in it.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("name", "Alice");
 * console.log(await store.get("name")); // Alice
 * ```
 */
export class EmbeddedStore<KeyOut extends Key = Key, V extends Value = Value>
  extends StoreBase<KeyOut, V>
  implements EmbeddedReader<Key, V, KeyOut> {
  // The first seven are replaced if a handle is closed and its store stays open.
  #state: StoreState;
  #background: Background;
  #writes: WritePath;
  /** Of its batches. A shared handle that is closed has another `#writes`. */
  readonly #batchTarget: BatchTarget = {
    write: (batch, options) => this.#writes.write(batch, options),
    writeSync: (batch, options) => this.#writes.writeSync(batch, options),
  };
  #reads: ReadPath;
  #conditional: ConditionalWrites<V>;
  #transactions: Transactions<KeyOut, V>;
  #watches: Watches<KeyOut, V>;
  readonly #decoder: EntryDecoder<KeyOut, V>;
  readonly #decodeValue: DecodeEntry<V>;
  readonly #parts: StoreParts;
  readonly #share: SharedStore | undefined;
  #closing: Promise<void> | undefined;

  /** Made by `open`; `share` counts the handles if there may be several. */
  constructor(parts: StoreParts, share?: SharedStore) {
    super();
    const { state } = parts;
    this.#parts = parts;
    this.#share = share;
    this.#state = state;
    this.#background = parts.background;
    this.#writes = parts.writes;
    this.#reads = parts.reads;
    this.#decoder = new EntryDecoder(state.directory, state.options);
    this.#decodeValue = this.#decoder.value;
    this.#conditional = new ConditionalWrites(state, this.#reads, this.#writes, this.#decoder);
    this.#transactions = new Transactions(state, this.#reads, this.#writes, this.#decoder);
    this.#watches = new Watches(state, this.#decoder);
  }

  /** The store's directory, as an absolute path. */
  get path(): string {
    return this.#state.directory;
  }

  /** Whether the store is open, being closed, or closed. */
  override get status(): StoreStatus {
    return this.#state.status;
  }

  /**
   * Stores a value, replacing the key's old one. Resolves when the write is as durable as
   * `walSync`, or `options.sync`, asks for.
   *
   * @throws {TypeError | RangeError} the key or the value can't be stored, or the options are not
   *   valid
   * @throws {BackgroundError} an earlier write failed, and the store must be reopened
   */
  override put(key: Key, value: Value, options?: PutOptions): Promise<void> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("put", arguments[3], 3));
    return this.#writes.put(key, value, options);
  }

  /** As `put`; does not return before the write is durable, and may help with background work. */
  putSync(key: Key, value: Value, options?: PutOptions): void {
    if (arguments.length > 3) throw surplusArgument("putSync", arguments[3], 3);
    this.#writes.putSync(key, value, options);
  }

  /** Removes a key. A missing key is not an error. Resolves as `put` does. */
  override delete(key: Key, options?: WriteOptions): Promise<void> {
    if (arguments.length > 2) return Promise.reject(surplusArgument("delete", arguments[2], 2));
    return this.#writes.delete(key, options);
  }

  /** As `delete`. */
  deleteSync(key: Key, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("deleteSync", arguments[2], 2);
    this.#writes.deleteSync(key, options);
  }

  /**
   * Removes all keys of a range, as one write. It costs the same for ten keys and ten million:
   * nothing is read, and the space comes back on its own. Resolves as `put` does.
   *
   * @throws {TypeError | RangeError} it is not a range, or has a limit
   *
   * @example
   * ```ts
   * import { memoryFileSystem, open } from "@tinykvs/core";
   *
   * await using store = await open("/db", { fileSystem: memoryFileSystem() });
   * await store.batch().put("log:1", "a").put("log:2", "b").put("log:3", "c").write();
   * await store.deleteRange({ gte: "log:", lt: "log:3" });
   * console.log(await store.keys().toArray()); // [ "log:3" ]
   * await store.batch().deleteRange({ prefix: "log:" }).put("log:4", "d").write();
   * console.log(await store.keys().toArray()); // [ "log:4" ]
   * ```
   */
  override deleteRange(range: DeletedRange, options?: WriteOptions): Promise<void> {
    if (arguments.length > 2) {
      return Promise.reject(surplusArgument("deleteRange", arguments[2], 2));
    }
    return this.#writes.deleteRange(range, options);
  }

  /** As `deleteRange`. */
  deleteRangeSync(range: DeletedRange, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("deleteRangeSync", arguments[2], 2);
    this.#writes.deleteRangeSync(range, options);
  }

  /** Removes all keys that start with the prefix, as `deleteRange` does. */
  override async deletePrefix(prefix: Key, options?: WriteOptions): Promise<void> {
    if (arguments.length > 2) throw surplusArgument("deletePrefix", arguments[2], 2);
    await this.#writes.deleteRange(prefixRange(prefix), options);
  }

  /** As `deletePrefix`. */
  deletePrefixSync(prefix: Key, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("deletePrefixSync", arguments[2], 2);
    this.#writes.deleteRangeSync(prefixRange(prefix), options);
  }

  /** Removes all keys, as `deleteRange` does. */
  override clear(options?: WriteOptions): Promise<void> {
    if (arguments.length > 1) return Promise.reject(surplusArgument("clear", arguments[1], 1));
    return this.#writes.deleteRange({}, options);
  }

  /** As `clear`. */
  clearSync(options?: WriteOptions): void {
    if (arguments.length > 1) throw surplusArgument("clearSync", arguments[1], 1);
    this.#writes.deleteRangeSync({}, options);
  }

  /** Removes a key; resolves to whether it was there. */
  override deleteIfExists(key: Key, options?: WriteOptions): Promise<boolean> {
    if (arguments.length > 2) {
      return Promise.reject(surplusArgument("deleteIfExists", arguments[2], 2));
    }
    return this.#conditional.deleteIfExists(key, options);
  }

  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: Key, options?: WriteOptions): boolean {
    if (arguments.length > 2) throw surplusArgument("deleteIfExistsSync", arguments[2], 2);
    return this.#conditional.deleteIfExistsSync(key, options);
  }

  /**
   * Stores a value if the key has none; resolves to whether it did. No other write comes in
   * between.
   */
  override putIfNotExists(key: Key, value: Value, options?: PutOptions): Promise<boolean> {
    if (arguments.length > 3) {
      return Promise.reject(surplusArgument("putIfNotExists", arguments[3], 3));
    }
    return this.#conditional.putIfNotExists(key, value, options);
  }

  /** As `putIfNotExists`. */
  putIfNotExistsSync(key: Key, value: Value, options?: PutOptions): boolean {
    if (arguments.length > 3) throw surplusArgument("putIfNotExistsSync", arguments[3], 3);
    return this.#conditional.putIfNotExistsSync(key, value, options);
  }

  /**
   * Replaces the key's value if it equals `expected`; resolves to whether it did. No other write
   * comes in between. Values are equal if they are stored with the same type and the same bytes: 1
   * and 1n are not, NaN and NaN are, and in a record the order of the properties counts.
   */
  override putIfEquals(
    key: Key,
    value: Value,
    expected: Value,
    options?: PutOptions,
  ): Promise<boolean> {
    if (arguments.length > 4) {
      return Promise.reject(surplusArgument("putIfEquals", arguments[4], 4));
    }
    return this.#conditional.putIfEquals(key, value, expected, options);
  }

  /** As `putIfEquals`. */
  putIfEqualsSync(key: Key, value: Value, expected: Value, options?: PutOptions): boolean {
    if (arguments.length > 4) throw surplusArgument("putIfEqualsSync", arguments[4], 4);
    return this.#conditional.putIfEqualsSync(key, value, expected, options);
  }

  /**
   * Adds `by`, 1 by default, to the key's int64; a missing key counts as 0. Resolves to the sum. No
   * other write comes in between.
   *
   * @throws {TypeMismatchError} the key's value is not an int64
   * @throws {TypeError} `by` is neither a bigint nor a safe integer
   * @throws {RangeError} the sum is outside int64; nothing changes
   */
  override increment(key: Key, by: bigint | number = 1n, options?: PutOptions): Promise<bigint> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("increment", arguments[3], 3));
    return this.#conditional.increment(key, by, options);
  }

  /** As `increment`. */
  incrementSync(key: Key, by: bigint | number = 1n, options?: PutOptions): bigint {
    if (arguments.length > 3) throw surplusArgument("incrementSync", arguments[3], 3);
    return this.#conditional.incrementSync(key, by, options);
  }

  /**
   * Stores the result of `change` for the key's value. For both of them undefined means "no value".
   * Resolves to what `change` returned. No other write comes in between. `change` is not awaited.
   *
   * @throws {TypeError | RangeError} the result can't be stored, or `change` has written to the key
   *   itself
   */
  override update(
    key: Key,
    change: (old: V | undefined) => Value | undefined,
    options?: PutOptions,
  ): Promise<Value | undefined> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("update", arguments[3], 3));
    return this.#conditional.update(key, change, options);
  }

  /** As `update`. */
  updateSync(
    key: Key,
    change: (old: V | undefined) => Value | undefined,
    options?: PutOptions,
  ): Value | undefined {
    if (arguments.length > 3) throw surplusArgument("updateSync", arguments[3], 3);
    return this.#conditional.updateSync(key, change, options);
  }

  /**
   * Applies several puts, deletes and deletions of ranges as one, in their order: all of them or
   * none, also after a crash.
   *
   * @throws {TypeError | RangeError} an element is not an operation or has an unknown field, its
   *   key or value can't be stored, or the options are not valid; then nothing is applied
   */
  override write(
    operations: readonly Operation[] | EmbeddedBatch,
    options?: WriteOptions,
  ): Promise<void> {
    try {
      if (arguments.length > 2) throw surplusArgument("write", arguments[2], 2);
      return this.#writes.write(batchOf(operations, () => this.#writes.takeBatchMemory()), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `write`. */
  writeSync(operations: readonly Operation[] | EmbeddedBatch, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("writeSync", arguments[2], 2);
    this.#writes.writeSync(batchOf(operations, () => this.#writes.takeBatchMemory()), options);
  }

  /** Starts an empty batch, to fill and write: `store.batch().put("a", 1).writeSync()`. */
  override batch(): EmbeddedBatch {
    // An array of operations would be ignored here: `write` takes those.
    if (arguments.length > 0) throw surplusArgument("batch", arguments[0], 0);
    const memory = this.#writes.takeBatchMemory();
    return new EmbeddedBatch(this.#batchTarget, memory);
  }

  /**
   * The key's value, or undefined if there is none. If a piece is not in memory, it is read at once
   * if the system's page cache is likely to have it (reads take microseconds), and by a thread if
   * the disk is slow.
   *
   * @throws {CorruptionError} the stored value can't be read
   */
  override get(key: Key): Promise<V | undefined> {
    return this.#reads.get(key, this.#decodeValue);
  }

  /** As `get`; reads synchronously if a piece is not in memory. */
  getSync(key: Key): V | undefined {
    return this.#reads.getSync(key, this.#decodeValue);
  }

  /**
   * The key with everything that is stored for it, or undefined if there is nothing.
   *
   * @throws {StoreError} code `KEY_ENCODING`: keys are text here, and this one is not UTF-8
   */
  override getEntry(key: Key, options?: EntryOptions): Promise<Entry<KeyOut, V> | undefined> {
    return this.#reads.get(key, this.#decoder.entryFor(options));
  }

  /** As `getEntry`. */
  getEntrySync(key: Key, options?: EntryOptions): Entry<KeyOut, V> | undefined {
    return this.#reads.getSync(key, this.#decoder.entryFor(options));
  }

  /** The values of several keys as of one moment, in their order; undefined for a missing key. */
  override getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    return this.#reads.getMany(keys, this.#decodeValue);
  }

  /** As `getMany`. */
  getManySync(keys: readonly Key[]): (V | undefined)[] {
    return this.#reads.getManySync(keys, this.#decodeValue);
  }

  /** Whether the key has a value. */
  override async has(key: Key): Promise<boolean> {
    return await this.#reads.get(key, isPresent) === true;
  }

  /** As `has`. */
  hasSync(key: Key): boolean {
    return this.#reads.getSync(key, isPresent) === true;
  }

  /** Whether each of several keys has a value, as of one moment, in their order. */
  override async hasMany(keys: readonly Key[]): Promise<boolean[]> {
    return areThere(await this.#reads.getMany(keys, isPresent));
  }

  /** As `hasMany`. */
  hasManySync(keys: readonly Key[]): boolean[] {
    return areThere(this.#reads.getManySync(keys, isPresent));
  }

  /** Iterates over keys and values, with the keys as bytes. */
  override entries(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<[Uint8Array, V]>;
  /** Iterates over keys and values, with the keys as text. */
  override entries(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<[string, V]>;
  /** Iterates over keys and values in the order of the keys' bytes. */
  override entries(range?: Range): EmbeddedCursor<[KeyOut, V]>;
  // deno-lint-ignore no-explicit-any
  override entries(range?: Range): EmbeddedCursor<any> {
    return openCursor(this.#state, range, this.#decoder.pairs);
  }

  /** Iterates over keys, as bytes. */
  override keys(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<Uint8Array>;
  /** Iterates over keys, as text. */
  override keys(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<string>;
  /** Iterates over keys. */
  override keys(range?: Range): EmbeddedCursor<KeyOut>;
  // deno-lint-ignore no-explicit-any
  override keys(range?: Range): EmbeddedCursor<any> {
    return openCursor(this.#state, range, this.#decoder.keys, undefined, true);
  }

  /** Iterates over values, in the order of their keys. */
  override values(range?: Range): EmbeddedCursor<V> {
    return openCursor(this.#state, range, this.#decoder.values);
  }

  /** The number of keys in a range. Reads them all. */
  override count(range?: Range): Promise<number> {
    return countEntries(this.#state, range);
  }

  /** As `count`. */
  countSync(range?: Range): number {
    return countEntriesSync(this.#state, range);
  }

  /** As `getString`. */
  getStringSync(key: Key): string | undefined {
    return this.#storedSync(key, "string") as string | undefined;
  }

  /** As `getInt64`. */
  getInt64Sync(key: Key): bigint | undefined {
    return this.#storedSync(key, "int64") as bigint | undefined;
  }

  /** As `getFloat64`. */
  getFloat64Sync(key: Key): number | undefined {
    return this.#storedSync(key, "float64") as number | undefined;
  }

  /** As `getBool`. */
  getBoolSync(key: Key): boolean | undefined {
    return this.#storedSync(key, "bool") as boolean | undefined;
  }

  /** As `getBytes`. */
  getBytesSync(key: Key): Uint8Array | undefined {
    return this.#storedSync(key, "bytes") as Uint8Array | undefined;
  }

  /** As `getJson`. */
  getJsonSync<T = unknown>(key: Key): T | undefined {
    return parsedJson<T>(this.getStringSync(key));
  }

  /** As `getMap`. */
  getMapSync<T extends RecordValue = RecordValue>(key: Key): T | undefined {
    return this.#storedSync(key, "record") as T | undefined;
  }

  /** As `putString`. */
  putStringSync(key: Key, value: string, options?: PutOptions): void {
    if (arguments.length > 3) throw surplusArgument("putStringSync", arguments[3], 3);
    this.putSync(key, stringOf(value), options);
  }

  /** As `putInt64`. */
  putInt64Sync(key: Key, value: bigint | number, options?: PutOptions): void {
    if (arguments.length > 3) throw surplusArgument("putInt64Sync", arguments[3], 3);
    this.putSync(key, int64Of(value), options);
  }

  /** As `putFloat64`. */
  putFloat64Sync(key: Key, value: number, options?: PutOptions): void {
    if (arguments.length > 3) throw surplusArgument("putFloat64Sync", arguments[3], 3);
    this.putSync(key, float64Of(value), options);
  }

  /** As `putBool`. */
  putBoolSync(key: Key, value: boolean, options?: PutOptions): void {
    if (arguments.length > 3) throw surplusArgument("putBoolSync", arguments[3], 3);
    this.putSync(key, boolOf(value), options);
  }

  /** As `putBytes`. */
  putBytesSync(key: Key, value: Uint8Array, options?: PutOptions): void {
    if (arguments.length > 3) throw surplusArgument("putBytesSync", arguments[3], 3);
    this.putSync(key, bytesOf(value), options);
  }

  /** As `putJson`. */
  putJsonSync(key: Key, value: unknown, options?: PutOptions): void {
    if (arguments.length > 3) throw surplusArgument("putJsonSync", arguments[3], 3);
    this.putSync(key, jsonOf(value), options);
  }

  /** As `putMap`. */
  putMapSync(key: Key, value: RecordValue, options?: PutOptions): void {
    if (arguments.length > 3) throw surplusArgument("putMapSync", arguments[3], 3);
    this.putSync(key, recordOf(value), options);
  }

  /**
   * Runs `body`, whose reads and writes by its transaction take effect as one; resolves to what it
   * returns when that is as durable as a write. A body that throws, or rejects, leaves nothing.
   *
   * If another commit has written to what the body has read (keys, missing keys, ranges as far as
   * they were scanned), `body` runs again after a pause. One that only reads never conflicts.
   *
   * @throws {ConflictError} that happened each time, or the transaction is larger than is allowed
   * @throws {ClosedError} the store is closed, or was closed meanwhile
   * @throws {TypeError | RangeError} `body` is no function, or an option is not valid
   */
  override transaction<T>(
    body: (transaction: EmbeddedTransaction<KeyOut, V>) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> {
    if (arguments.length > 2) {
      return Promise.reject(surplusArgument("transaction", arguments[2], 2));
    }
    return this.#transactions.run(body, options);
  }

  /**
   * As `transaction`, without interruption: nobody else can write meanwhile, so the body runs once.
   *
   * @throws {ConflictError} the body has written to the store what it had read by its transaction
   * @throws {TypeError} the body returns a promise, or is run in the body of another
   * `transactionSync`
   */
  transactionSync<T>(
    body: (transaction: EmbeddedTransaction<KeyOut, V>) => T,
    options?: TransactionOptions,
  ): T {
    if (arguments.length > 2) throw surplusArgument("transactionSync", arguments[2], 2);
    return this.#transactions.runSync(body, options);
  }

  /**
   * A read-only view of the store at this moment. Reads and copies nothing. Close it when you no
   * longer need it.
   *
   * @throws {ClosedError} the store is closed
   */
  override snapshot(): EmbeddedSnapshot<KeyOut, V> {
    return new EmbeddedSnapshot(this.#state, this.#reads, this.#decoder);
  }

  /**
   * A part of the store with keys and values of its own, and of the caller's types: see
   * {@linkcode Sub}. Nothing is written to make it.
   *
   * @throws {TypeError | RangeError} the path or an option is not valid
   */
  override sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): EmbeddedSub<KeyGiven<KC>, ValueShown<VC, V>, KeyShown<KC, KeyOut>, ValueGiven<VC>>;
  /**
   * A part of the store whose values the caller claims to be of a type. The claim is not checked; a
   * schema is.
   *
   * @throws {TypeError | RangeError} the path is not valid
   */
  override sub<V extends Value>(path: string | readonly string[]): EmbeddedSub<Key, V, KeyOut>;
  // deno-lint-ignore no-explicit-any
  override sub(path: string | readonly string[], options?: SubOptions): any {
    return embeddedSubOf(this as unknown as EmbeddedParent, path, options);
  }

  /**
   * Shows every commit from now on that touches the range, in order and whole, when it is as
   * durable as `walSync` promises. Ends when the store is closed. Costs nothing while nobody
   * watches.
   *
   * @throws {TypeError | RangeError} the range or an option is not valid
   * @throws {ClosedError} the store is closed
   * @throws {StoreError} code `READ_ONLY`: a read-only handle sees no commits
   * @throws {BackgroundError} an earlier write failed: there will be no commit
   */
  override watch(range: WatchRange = {}, options?: WatchOptions): Watch<KeyOut, V> {
    if (arguments.length > 2) throw surplusArgument("watch", arguments[2], 2);
    return this.#watches.open(watchRange(range), options);
  }

  /**
   * Calls `visit` for every key with the prefix, in order, until it returns false.
   *
   * The fastest way to read many entries asynchronously: no promise is made for an entry.
   *
   * @throws {TypeError} `visit` is not a function, or an option is not valid
   */
  scanPrefix(
    prefix: Key,
    visit: (key: Uint8Array, value: Value) => boolean | void,
    options: ScanOptions & { keyEncoding: "bytes" },
  ): Promise<void>;
  /** As above, with keys in the store's `keyEncoding` or that of the options. */
  scanPrefix(
    prefix: Key,
    visit: (key: string | Uint8Array, value: Value) => boolean | void,
    options?: ScanOptions,
  ): Promise<void>;
  async scanPrefix(prefix: Key, visit: Visit, options?: ScanOptions): Promise<void> {
    await visitRange(this.#state, this.#decoder, { prefix }, visit, options);
  }

  /**
   * Calls `visit` for every key from `start` (included) to `end` (not included), until it returns
   * false.
   */
  scanRange(
    start: Key,
    end: Key,
    visit: (key: Uint8Array, value: Value) => boolean | void,
    options: ScanOptions & { keyEncoding: "bytes" },
  ): Promise<void>;
  /** As above, with keys in the store's `keyEncoding` or that of the options. */
  scanRange(
    start: Key,
    end: Key,
    visit: (key: string | Uint8Array, value: Value) => boolean | void,
    options?: ScanOptions,
  ): Promise<void>;
  async scanRange(start: Key, end: Key, visit: Visit, options?: ScanOptions): Promise<void> {
    await visitRange(this.#state, this.#decoder, { gte: start, lt: end }, visit, options);
  }

  /** Writes the memtables to tables. Resolves when these are durable and the logs are deleted. */
  async flush(): Promise<void> {
    if (arguments.length > 0) throw surplusArgument("flush", arguments[0], 0);
    this.#state.requireWritable();
    this.#writes.rotate();
    await this.#background.flushed();
  }

  /** As `flush`. */
  flushSync(): void {
    if (arguments.length > 0) throw surplusArgument("flushSync", arguments[0], 0);
    this.#state.requireWritable();
    this.#writes.rotate();
    this.#background.flushedSync();
  }

  /** Makes every write before the call durable. */
  async sync(): Promise<void> {
    if (arguments.length > 0) throw surplusArgument("sync", arguments[0], 0);
    this.#state.requireWritable();
    await this.#writes.sync();
  }

  /** As `sync`. */
  syncSync(): void {
    if (arguments.length > 0) throw surplusArgument("syncSync", arguments[0], 0);
    this.#state.requireWritable();
    this.#writes.syncSync();
  }

  /**
   * Flushes, and then merges the tables of a range, by default of the whole store. After that every
   * key is in only one table, and no deleted entry is left. Tables that are already like that are
   * not rewritten.
   *
   * @throws {TypeError | RangeError} the range has an unknown name, or a bound can't be a key
   *
   * @example
   * ```ts
   * import { memoryFileSystem, open } from "@tinykvs/core";
   *
   * await using store = await open("/db", { fileSystem: memoryFileSystem() });
   * await store.put("log:1", "hello");
   * await store.compact({ prefix: "log:" });
   * console.log(store.tables()[0]!.entries); // 1
   * ```
   */
  async compact(range: CompactRange = {}): Promise<void> {
    if (arguments.length > 1) throw surplusArgument("compact", arguments[1], 1);
    const bounds = compactBounds(range);
    await this.flush();
    await this.#background.compact(bounds);
  }

  /** As `compact`. */
  compactSync(range: CompactRange = {}): void {
    if (arguments.length > 1) throw surplusArgument("compactSync", arguments[1], 1);
    const bounds = compactBounds(range);
    this.flushSync();
    this.#background.compactSync(bounds);
  }

  /**
   * Writes the store as it is at the call to another directory, which must be empty or not exist,
   * while reads and writes go on. Resolves when all of it is durable: {@linkcode open} opens it,
   * or, with the format "go-v0.4", Go TinyKVS v0.4 does. A checkpoint that fails or is aborted
   * leaves no files. `directory` is a path or a `file:` URL, as for {@linkcode open}.
   *
   * @throws {StoreError} code `ALREADY_EXISTS`: the directory is not empty; code `TYPE_MISMATCH`: a
   *   record, which Go v0.4 can't read
   * @throws {CorruptionError} stored data can't be read
   * @throws {ClosedError} the store was closed meanwhile
   */
  checkpoint(directory: string | URL, options?: CheckpointOptions): Promise<void> {
    if (arguments.length > 2) return Promise.reject(surplusArgument("checkpoint", arguments[2], 2));
    return makeCheckpoint(this.#state, directory, options);
  }

  /** As `checkpoint`; `signal` counts at the call only. */
  checkpointSync(directory: string | URL, options?: CheckpointOptions): void {
    if (arguments.length > 2) throw surplusArgument("checkpointSync", arguments[2], 2);
    makeCheckpointSync(this.#state, directory, options);
  }

  /**
   * What a range takes, about: from the indexes of the tables, without reading a block. The range's
   * limit and direction do not matter. What is overwritten or deleted counts until a compaction has
   * dropped it.
   *
   * Large values are spread evenly over the entries of their table. So the bytes of a range that
   * begins or ends inside of a table may be off by all large values of this table.
   *
   * @throws {TypeError | RangeError} it is no range
   */
  approximateSize(range?: Range): ApproximateSize {
    if (arguments.length > 1) throw surplusArgument("approximateSize", arguments[1], 1);
    return approximateSize(this.#state, range);
  }

  /**
   * The tables of the store, by level: all of them, or those whose keys enclose a key of the range.
   * Reads no file.
   *
   * @throws {TypeError | RangeError} it is no range
   *
   * @example
   * ```ts
   * import { memoryFileSystem, open } from "@tinykvs/core";
   *
   * await using store = await open("/db", { fileSystem: memoryFileSystem() });
   * await store.put("name", "Alice");
   * await store.flush();
   * console.log(store.tables().map(({ level, entries }) => `L${level}: ${entries}`)); // ["L0: 1"]
   * ```
   */
  tables(range?: Range): TableInfo[] {
    if (arguments.length > 1) throw surplusArgument("tables", arguments[1], 1);
    return listTables(this.#state, range);
  }

  /**
   * Where the entries of a key are: in which memtables, tables and blocks, the newest first. A
   * lookup stops at the first entry. This call goes on to the older ones, which no compaction has
   * dropped yet, and also names the tables that were searched and do not hold the key.
   *
   * @throws {CorruptionError} a table can't be read
   * @throws {ClosedError} the store was closed meanwhile
   *
   * @example
   * ```ts
   * import { memoryFileSystem, open } from "@tinykvs/core";
   *
   * await using store = await open("/db", { fileSystem: memoryFileSystem() });
   * await store.put("name", "Alice");
   * await store.flush();
   * await store.delete("name");
   * console.log((await store.locate("name")).map(({ place, type }) => `${place} ${type}`));
   * // ["memtable tombstone", "table string"]
   * ```
   */
  locate(key: Key): Promise<KeyPlace[]> {
    if (arguments.length > 1) return Promise.reject(surplusArgument("locate", arguments[1], 1));
    return locate(this.#state, key);
  }

  /** As `locate`, synchronously. */
  locateSync(key: Key): KeyPlace[] {
    if (arguments.length > 1) throw surplusArgument("locateSync", arguments[1], 1);
    return locateSync(this.#state, key);
  }

  /**
   * Reads and checks every byte of the store's tables, logs and manifest, as of the call, while
   * reads and writes go on. What is wrong is told by the report, all of it; the verification fails
   * only if it can't go on. Of a read-only store the tables are checked.
   *
   * @throws {TypeError} an option is not valid
   * @throws {ClosedError} the store was closed meanwhile
   */
  verify(options?: VerifyOptions): Promise<VerifyReport> {
    if (arguments.length > 1) return Promise.reject(surplusArgument("verify", arguments[1], 1));
    return verifyOpenStore(this.#state, options);
  }

  /** As `verify`; `signal` counts at the call only. */
  verifySync(options?: VerifyOptions): VerifyReport {
    if (arguments.length > 1) throw surplusArgument("verifySync", arguments[1], 1);
    return verifyOpenStoreSync(this.#state, options);
  }

  /**
   * Tells of the store's background: "flush", "compaction", "stall" (writes had to wait) and
   * "error" (the store has failed). As that of every `EventTarget`. Listeners are called after what
   * they are told of, and may use the store.
   *
   * @throws {TypeError} there is no such event, or the listener is no function
   */
  addEventListener<T extends keyof StoreEventMap>(
    type: T,
    listener: StoreEventListener<T>,
    options?: StoreListenerOptions | boolean,
  ): void {
    requireEvent(type, listener);
    this.#state.requireOpen();
    this.#state.listen().add(type, listener, options);
  }

  /** Ends what `addEventListener` has begun. */
  removeEventListener<T extends keyof StoreEventMap>(
    type: T,
    listener: StoreEventListener<T>,
    options?: StoreListenerOptions | boolean,
  ): void {
    requireEvent(type, listener);
    this.#state.events?.remove(type, listener, options);
  }

  /**
   * A stream that writes keys and values into the store, in batches of `batchBytes`, the next one
   * when the one before is as durable as `walSync` promises. Each batch is atomic, the stream is
   * not: what is aborted has written the batches before. The other way:
   * `ReadableStream.from(store.entries())`.
   *
   * @throws {TypeError | RangeError} an option is not valid
   */
  writable(options?: WritableOptions): WritableStream<[Key, Value]> {
    if (arguments.length > 1) throw surplusArgument("writable", arguments[1], 1);
    this.#state.requireWritable();
    return writableInto(() => this.batch(), options);
  }

  /**
   * Stores the bytes of a stream as the key's value, with bounded memory. Resolves as `put` does.
   * The write takes effect at the end of the stream, and until then readers see the old value. A
   * stream that fails, or is longer than a value may be, leaves nothing. `getBytes` reads such a
   * value, too.
   *
   * @throws {TypeError} the key or an option is not valid, it is no stream, or it is locked, or a
   *   chunk is no Uint8Array
   * @throws {RangeError} the value is longer than 1 GiB less 70 bytes
   * @throws what the stream failed with
   * @throws {ClosedError} the store was closed before the end; the stream is cancelled
   * @throws {IoError} the value could not be written; nothing was stored, unless the log failed
   *
   * @example
   * ```ts
   * import { memoryFileSystem, open } from "@tinykvs/core";
   *
   * await using store = await open("/db", { fileSystem: memoryFileSystem() });
   * const picture = new Blob(["a", "large", "picture"]);
   * await store.putStream("picture", picture.stream());
   * const stream = store.getStream("picture");
   * console.log(await new Response(stream).text()); // alargepicture
   * ```
   */
  putStream(
    key: Key,
    stream: ReadableStream<Uint8Array>,
    options?: PutOptions,
  ): Promise<void> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("putStream", arguments[3], 3));
    return putStream(this.#state, this.#writes, key, stream, options);
  }

  /**
   * The bytes of a key's value as a stream, or undefined for a missing key. The stream shows the
   * value as it is at the call, whatever is written later. Its last chunk comes only if the
   * checksum of the whole value is right; otherwise the stream fails.
   *
   * The key is searched in the call, and may take a read of a block. Read the stream to its end, or
   * cancel it: until then the value's file stays. After the store is closed the stream fails with a
   * ClosedError. A value that was compressed is unpacked in memory; those of `putStream` are not
   * compressed.
   *
   * @throws {TypeMismatchError} the value is not bytes
   * @throws {TypeError | RangeError} it can't be a key
   */
  getStream(key: Key): ReadableStream<Uint8Array> | undefined {
    if (arguments.length > 1) throw surplusArgument("getStream", arguments[1], 1);
    return getStream(this.#state, this.#reads, this.#decoder, key);
  }

  /** Statistics of the store. */
  stats(): Stats {
    this.#state.requireOpen();
    return collectStats(this.#state, this.#background);
  }

  /**
   * Waits for writes under way, flushes, and releases everything. Further use gets a ClosedError; a
   * second close does nothing.
   *
   * If the store was opened with `shared: true`, only this handle is closed, after its writes are
   * durable. The store closes with its last handle; cursors and snapshots of the other handles work
   * until then.
   *
   * @throws {BackgroundError} the store had failed before; it is closed anyway
   */
  override close(): Promise<void> {
    this.#closing ??= this.#share === undefined
      ? closeStore(this.#parts)
      : this.#leave(this.#share);
    return this.#closing;
  }

  /** As `close`. Promises of writes under way resolve afterwards. */
  closeSync(): void {
    // A shared store that had failed may have been closed under this handle: this call reports it.
    if (this.#share === undefined || this.#closing !== undefined) {
      if (this.status === "closed") return;
      if (this.status === "closing") throw new ClosedError("store");
    }
    this.#closing = Promise.resolve();
    if (this.#share === undefined) closeStoreSync(this.#parts);
    else this.#leaveSync(this.#share);
  }

  /** As `close`. */
  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #leave(share: SharedStore): Promise<void> {
    const closed = this.#detach();
    try {
      await share.leave();
    } finally {
      closed.status = "closed";
    }
  }

  #leaveSync(share: SharedStore): void {
    const closed = this.#detach();
    try {
      share.leaveSync();
    } finally {
      closed.status = "closed";
    }
  }

  /**
   * From here on this handle is one on a closed store, whatever others do with the store that it
   * had.
   */
  #detach(): StoreState {
    const state = closedState(this.#state);
    this.#transactions.close();
    this.#watches.close();
    this.#state = state;
    this.#background = new Background(state);
    this.#writes = new WritePath(state, this.#background);
    this.#reads = new ReadPath(state);
    this.#conditional = new ConditionalWrites(state, this.#reads, this.#writes, this.#decoder);
    this.#transactions = new Transactions(state, this.#reads, this.#writes, this.#decoder);
    this.#watches = new Watches(state, this.#decoder);
    return state;
  }

  /** The value, which must be stored as `type`. */
  protected override getStored(key: Key, type: ValueTypeName): Promise<Value | undefined> {
    return this.#reads.get(key, this.#decoder.stored(type));
  }

  #storedSync(key: Key, type: ValueTypeName): Value | undefined {
    return this.#reads.getSync(key, this.#decoder.stored(type));
  }
}
