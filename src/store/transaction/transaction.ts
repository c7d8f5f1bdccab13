/**
 * A transaction of the embedded store, as its body sees it: the calls, each in two forms.
 * transaction_work.ts does what they say, and transactions.ts commits it.
 *
 * This file is long because it has every call of a transaction. A call only refuses surplus
 * arguments here, and chooses a path.
 */

import type { Entry, EntryOptions } from "../../contract/reader.ts";
import type { SubOptions } from "../../contract/sub/sub_options.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "../../contract/sub/key_codec.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "../../contract/sub/value_codec.ts";
import { keyList } from "../../contract/rules.ts";
import { prefixRange } from "../../contract/range.ts";
import { TransactionBase } from "../../contract/transaction_base.ts";
import {
  boolOf,
  bytesOf,
  float64Of,
  int64Of,
  jsonOf,
  recordOf,
  stringOf,
} from "../../contract/typed_values.ts";
import { surplusArgument } from "../../contract/write_options.ts";
import type { Key, RecordValue, Value, ValueTypeName } from "../../value/value.ts";
import { openCursor } from "../read/cursor.ts";
import type { EmbeddedCursor } from "../read/embedded_cursor.ts";
import { areThere, isPresent } from "../read/read_path.ts";
import type { EmbeddedReader } from "../read/reader.ts";
import { countEntries, countEntriesSync } from "../read/visit_entries.ts";
import type { DeletedRange } from "../../contract/range.ts";
import type { Range } from "../state/range.ts";
import type { EmbeddedTransactionSub } from "../sub/embedded_sub.ts";
import {
  embeddedTransactionSubOf,
  type ParentTransaction,
} from "../sub/embedded_sub_transaction.ts";
import type { EmbeddedWriter } from "../sub/embedded_writer.ts";
import { parsedJson } from "../state/typed_calls.ts";
import { EmbeddedBatch, type Operation, type WriteOptions } from "../write/batch.ts";
import type { PutOptions } from "../../contract/writer.ts";
import { addition, creation, ownKey, replacement } from "../write/decisions.ts";
import type { TransactionWork } from "./transaction_work.ts";

/** What a write of a transaction resolves with. The call itself has done the work. */
const DONE = Promise.resolve();

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
  readonly #work: TransactionWork<KeyOut, V>;

  /** Made by `store.transaction`. */
  constructor(work: TransactionWork<KeyOut, V>) {
    super();
    this.attempt = work.attempt;
    this.#work = work;
  }

  /**
   * The key's value, or undefined if there is none.
   *
   * @throws {ClosedError} the transaction has ended, or the store was closed
   * @throws {CorruptionError} the stored bytes cannot be read
   */
  override get(key: Key): Promise<V | undefined> {
    return this.#work.read(key, this.#work.decoder.value);
  }

  /** As `get`. Blocks on the disk if the value is not in memory. */
  getSync(key: Key): V | undefined {
    return this.#work.readSync(key, this.#work.decoder.value);
  }

  /**
   * The key with its value and all else that is stored for it, or undefined if the key has no
   * value.
   */
  override getEntry(key: Key, options?: EntryOptions): Promise<Entry<KeyOut, V> | undefined> {
    return this.#work.read(key, this.#work.decoder.entryFor(options));
  }

  /** As `getEntry`. */
  getEntrySync(key: Key, options?: EntryOptions): Entry<KeyOut, V> | undefined {
    return this.#work.readSync(key, this.#work.decoder.entryFor(options));
  }

  /** The values of several keys, in the order of the keys. Undefined stands for a missing key. */
  override getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    return this.#work.readMany(keys, this.#work.decoder.value);
  }

  /** As `getMany`. */
  getManySync(keys: readonly Key[]): (V | undefined)[] {
    this.#work.requireOpen();
    return Array.from(keyList(keys), (key) => this.getSync(key));
  }

  /** Whether the key has a value. */
  override async has(key: Key): Promise<boolean> {
    return await this.#work.read(key, isPresent) === true;
  }

  /** As `has`. */
  hasSync(key: Key): boolean {
    return this.#work.readSync(key, isPresent) === true;
  }

  /** Whether each of several keys has a value, in the order of the keys. */
  override async hasMany(keys: readonly Key[]): Promise<boolean[]> {
    return areThere(await this.#work.readMany(keys, isPresent));
  }

  /** As `hasMany`. */
  hasManySync(keys: readonly Key[]): boolean[] {
    this.#work.requireOpen();
    return Array.from(keyList(keys), (key) => this.hasSync(key));
  }

  /** Iterates over keys and values, with the keys as bytes. */
  override entries(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<[Uint8Array, V]>;
  /** Iterates over keys and values, with the keys as text. */
  override entries(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<[string, V]>;
  /** Iterates over keys and values in the order of the keys' bytes. */
  override entries(range?: Range): EmbeddedCursor<[KeyOut, V]>;
  // deno-lint-ignore no-explicit-any
  override entries(range?: Range): EmbeddedCursor<any> {
    this.#work.requireOpen();
    return openCursor(
      this.#work.state,
      range,
      this.#work.decoder.pairs,
      this.#work.lease,
      false,
      this.#work.openScan,
    );
  }

  /** Iterates over keys, as bytes. */
  override keys(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<Uint8Array>;
  /** Iterates over keys, as text. */
  override keys(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<string>;
  /** Iterates over keys. */
  override keys(range?: Range): EmbeddedCursor<KeyOut>;
  // deno-lint-ignore no-explicit-any
  override keys(range?: Range): EmbeddedCursor<any> {
    this.#work.requireOpen();
    return openCursor(
      this.#work.state,
      range,
      this.#work.decoder.keys,
      this.#work.lease,
      true,
      this.#work.openScan,
    );
  }

  /** Iterates over values, in the order of their keys. */
  override values(range?: Range): EmbeddedCursor<V> {
    this.#work.requireOpen();
    return openCursor(
      this.#work.state,
      range,
      this.#work.decoder.values,
      this.#work.lease,
      false,
      this.#work.openScan,
    );
  }

  /** Counts the keys in a range by reading them all. */
  override async count(range?: Range): Promise<number> {
    this.#work.requireOpen();
    return await countEntries(this.#work.state, range, this.#work.lease, this.#work.openScan);
  }

  /** As `count`. */
  countSync(range?: Range): number {
    this.#work.requireOpen();
    return countEntriesSync(this.#work.state, range, this.#work.lease, this.#work.openScan);
  }

  /**
   * Stores a value when the transaction commits, in place of the key's old one. `sync` asks for a
   * durable commit.
   *
   * @throws {TypeError | RangeError} the key or the value cannot be stored, or the options are not
   * valid
   * @throws {ConflictError} the transaction has written more than the limit
   */
  override put(key: Key, value: Value, options?: PutOptions): Promise<void> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("put", arguments[3], 3));
    try {
      this.putSync(key, value, options);
      return DONE;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `put`. */
  putSync(key: Key, value: Value, options?: PutOptions): void {
    if (arguments.length > 3) throw surplusArgument("putSync", arguments[3], 3);
    this.#work.put(key, value, options);
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
    this.#work.delete(key, options);
  }

  /**
   * Removes all keys of a range when the transaction commits. It reads none of them, so it does not
   * conflict with writes to them.
   */
  override async deleteRange(range: DeletedRange, options?: WriteOptions): Promise<void> {
    if (arguments.length > 2) throw surplusArgument("deleteRange", arguments[2], 2);
    this.deleteRangeSync(range, options);
    await DONE;
  }

  /** As `deleteRange`. */
  deleteRangeSync(range: DeletedRange, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("deleteRangeSync", arguments[2], 2);
    this.#work.deleteRange(range, options);
  }

  /** Removes all keys that start with the prefix when the transaction commits. */
  override async deletePrefix(prefix: Key, options?: WriteOptions): Promise<void> {
    if (arguments.length > 2) throw surplusArgument("deletePrefix", arguments[2], 2);
    this.deletePrefixSync(prefix, options);
    await DONE;
  }

  /** As `deletePrefix`. */
  deletePrefixSync(prefix: Key, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("deletePrefixSync", arguments[2], 2);
    this.#work.deleteRange(prefixRange(prefix), options);
  }

  /** Removes all keys when the transaction commits. */
  override async clear(options?: WriteOptions): Promise<void> {
    if (arguments.length > 1) throw surplusArgument("clear", arguments[1], 1);
    this.clearSync(options);
    await DONE;
  }

  /** As `clear`. */
  clearSync(options?: WriteOptions): void {
    if (arguments.length > 1) throw surplusArgument("clearSync", arguments[1], 1);
    this.#work.deleteRange({}, options);
  }

  /** Adds several operations. If one of them cannot be written, adds none. */
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
    this.#work.write(operations, options);
  }

  /** Starts an empty batch. Its `write` adds the operations to the transaction. */
  override batch(): EmbeddedBatch {
    if (arguments.length > 0) throw surplusArgument("batch", arguments[0], 0);
    return new EmbeddedBatch(this);
  }

  /** Removes a key. Returns whether the key had a value. */
  override deleteIfExists(key: Key, options?: WriteOptions): Promise<boolean> {
    return this.#work.deleteIfExists(key, options);
  }

  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: Key, options?: WriteOptions): boolean {
    return this.#work.deleteIfExistsSync(key, options);
  }

  /** Stores a value if the key has none. Returns whether it has stored the value. */
  override putIfNotExists(key: Key, value: Value, options?: PutOptions): Promise<boolean> {
    return this.#work.apply(
      key,
      options,
      (key, expiresAt) => creation(key, value, expiresAt),
      false,
    );
  }

  /** As `putIfNotExists`. */
  putIfNotExistsSync(key: Key, value: Value, options?: PutOptions): boolean {
    return this.#work.applySync(key, options, (time) => creation(key, value, time), false);
  }

  /**
   * Replaces the key's value if it equals `expected`. Returns whether it has replaced the value.
   */
  override putIfEquals(
    key: Key,
    value: Value,
    expected: Value,
    options?: PutOptions,
  ): Promise<boolean> {
    return this.#work.apply(key, options, (key, time) => replacement(key, value, expected, time));
  }

  /** As `putIfEquals`. */
  putIfEqualsSync(key: Key, value: Value, expected: Value, options?: PutOptions): boolean {
    return this.#work.applySync(key, options, (time) => replacement(key, value, expected, time));
  }

  /** Adds to the int64 value of the key. A missing key counts as 0. Resolves to the sum. */
  override increment(key: Key, by: bigint | number = 1n, options?: PutOptions): Promise<bigint> {
    return this.#work.apply(
      key,
      options,
      (key, time) => addition(key, by, this.#work.decoder, time),
    );
  }

  /** As `increment`. */
  incrementSync(key: Key, by: bigint | number = 1n, options?: PutOptions): bigint {
    return this.#work.applySync(
      key,
      options,
      (time) => addition(key, by, this.#work.decoder, time),
    );
  }

  /**
   * Stores what `change` returns for the key's value. Undefined means "no value", both as the
   * argument and as the result.
   */
  override update(
    key: Key,
    change: (old: V | undefined) => Value | undefined,
    options?: PutOptions,
  ): Promise<Value | undefined> {
    return this.#work.apply(key, options, (key, time) => this.#work.change(key, change, time));
  }

  /** As `update`. */
  updateSync(
    key: Key,
    change: (old: V | undefined) => Value | undefined,
    options?: PutOptions,
  ): Value | undefined {
    const own = ownKey(key);
    return this.#work.applySync(own, options, (time) => this.#work.change(own, change, time));
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

  /** The value. The store must hold it as `type`. */
  protected override getStored(key: Key, type: ValueTypeName): Promise<Value | undefined> {
    return this.#work.read(key, this.#work.decoder.stored(type));
  }

  #storedSync(key: Key, type: ValueTypeName): Value | undefined {
    return this.#work.readSync(key, this.#work.decoder.stored(type));
  }
}
