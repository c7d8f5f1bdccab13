/**
 * A sub of the embedded store: what every sub has, with the synchronous calls of the engine. All of it is made of the
 * store's calls and of the contract's `Keyspace`.
 */

import type { Entry, EntryOptions, Reader, Snapshot } from "../../contract/reader.ts";
import type { Range } from "../../contract/range.ts";
import type { AnySub, Store, SubOptions } from "../../contract/store.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "../../contract/sub/key_codec.ts";
import { Keyspace } from "../../contract/sub/keyspace.ts";
import { subTargetOf } from "../../contract/sub/sub_batch.ts";
import { inTarget, nestedPath, SubStore } from "../../contract/sub/sub_store.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "../../contract/sub/value_codec.ts";
import type { Batch, Operation, WriteOptions, Writer } from "../../contract/writer.ts";
import { addInt64, int64Of } from "../../contract/writer_base.ts";
import { TypeMismatchError } from "../../errors.ts";
import { type Key, type Value, valueTypeName } from "../../contract/value.ts";
import type { EmbeddedCursor } from "../read/embedded_cursor.ts";
import type { EmbeddedReader } from "../read/reader.ts";
import { EmbeddedSubReader, EmbeddedSubReads, EmbeddedSubSnapshot } from "./embedded_sub_reader.ts";
import type { EmbeddedSub } from "./embedded_sub.ts";
import type { EmbeddedWriter } from "./embedded_writer.ts";

/** The store that a sub is of. */
export interface EmbeddedParent extends Store, EmbeddedReader, EmbeddedWriter {
  snapshot(): EmbeddedReader & Snapshot;
  entries(range?: Range): EmbeddedCursor<[string | Uint8Array, Value]>;
  keys(range?: Range): EmbeddedCursor<string | Uint8Array>;
  values(range?: Range): EmbeddedCursor<Value>;
}

/** A part of the embedded store; its class is no part of the API, the interface is. */
export class EmbeddedSubStore<K, V, KeyOut, ValueIn> extends SubStore<K, V, KeyOut, ValueIn>
  implements EmbeddedSub<K, V, KeyOut, ValueIn> {
  readonly #store: EmbeddedParent;
  readonly #target: EmbeddedReader & EmbeddedWriter;
  readonly #reads: EmbeddedSubReads<K, V, KeyOut, ValueIn>;

  /** Made by `store.sub(...)`; it reads and writes `target`. */
  constructor(
    store: EmbeddedParent,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    target: EmbeddedReader & EmbeddedWriter = store,
  ) {
    super(store, space, target);
    this.#store = store;
    this.#target = target;
    this.#reads = new EmbeddedSubReads(target, space, () => this.requireOpen());
  }

  /** As `get`; reads synchronously what is not in memory. */
  getSync(key: K): V | undefined {
    return this.#reads.get(key);
  }

  /** As `getEntry`. */
  getEntrySync(key: K, options?: EntryOptions): Entry<KeyOut, V> | undefined {
    return this.#reads.getEntry(key, options);
  }

  /** As `getMany`. */
  getManySync(keys: readonly K[]): (V | undefined)[] {
    return this.#reads.getMany(keys);
  }

  /** As `has`. */
  hasSync(key: K): boolean {
    return this.#reads.has(key);
  }

  /** As `hasMany`. */
  hasManySync(keys: readonly K[]): boolean[] {
    return this.#reads.hasMany(keys);
  }

  /** As `count`. */
  countSync(range?: Range<K>): number {
    return this.#reads.count(range);
  }

  /** Iterates over keys and values, in the order of the keys. */
  override entries(range?: Range<K>): EmbeddedCursor<[KeyOut, V], K> {
    return this.#reads.entries(range);
  }

  /** Iterates over keys. */
  override keys(range?: Range<K>): EmbeddedCursor<KeyOut, K> {
    return this.#reads.keys(range);
  }

  /** Iterates over values, in the order of their keys. */
  override values(range?: Range<K>): EmbeddedCursor<V, K> {
    return this.#reads.values(range);
  }

  /** As `put`; does not return before the write is durable, and may help with background work. */
  putSync(key: K, value: ValueIn, ...rest: [options?: WriteOptions]): void {
    this.requireOpen();
    this.#target.putSync(this.space.key(key), this.space.value(value), ...rest);
  }

  /** As `delete`. */
  deleteSync(key: K, ...rest: [options?: WriteOptions]): void {
    this.requireOpen();
    this.#target.deleteSync(this.space.key(key), ...rest);
  }

  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: K, ...rest: [options?: WriteOptions]): boolean {
    this.requireOpen();
    return this.#target.deleteIfExistsSync(this.space.key(key), ...rest);
  }

  /** As `write`. */
  writeSync(
    operations: readonly Operation<K, ValueIn>[] | Batch<K, ValueIn>,
    ...rest: [options?: WriteOptions]
  ): void {
    this.requireOpen();
    this.#target.writeSync(this.operationsOf(operations), ...rest);
  }

  /** As `putIfNotExists`. */
  putIfNotExistsSync(key: K, value: ValueIn, ...rest: [options?: WriteOptions]): boolean {
    this.requireOpen();
    return this.#target.putIfNotExistsSync(
      this.space.key(key),
      this.space.value(value),
      ...rest,
    );
  }

  /** As `putIfEquals`. */
  putIfEqualsSync(
    key: K,
    value: ValueIn,
    expected: ValueIn,
    ...rest: [options?: WriteOptions]
  ): boolean {
    this.requireOpen();
    const { space } = this;
    return this.#target.putIfEqualsSync(
      space.key(key),
      space.value(value),
      space.value(expected),
      ...rest,
    );
  }

  /** As `increment`. */
  incrementSync(key: K, by: bigint | number = 1n, ...rest: [options?: WriteOptions]): bigint {
    this.requireOpen();
    if (this.space.hasStoreValues) {
      return this.#target.incrementSync(this.space.key(key), by, ...rest);
    }
    const added = int64Of(by);
    return this.updateSync(key, (found) => {
      const old = found as Value | undefined ?? 0n;
      if (typeof old !== "bigint") throw new TypeMismatchError(valueTypeName(old), "int64");
      return addInt64(old, added) as ValueIn;
    }, ...rest) as bigint;
  }

  /** As `update`. */
  updateSync(
    key: K,
    change: (old: V | undefined) => ValueIn | undefined,
    ...rest: [options?: WriteOptions]
  ): V | undefined {
    this.requireOpen();
    const own = this.space.key(key);
    const stored = this.#target.updateSync(own, this.changeOf(change, own), ...rest);
    return this.space.valueIfAny(stored, own);
  }

  /** See {@linkcode Store.snapshot}. */
  override snapshot(): EmbeddedSubSnapshot<K, V, KeyOut, ValueIn> {
    this.requireOpen();
    const snapshot = this.#store.snapshot();
    return new EmbeddedSubSnapshot(snapshot, this.space, () => this.requireOpen());
  }

  /** See {@linkcode Sub.in}. */
  override in(batch: Batch): Batch<K, ValueIn>;
  /** See {@linkcode Sub.in}. */
  override in(
    target: EmbeddedReader & EmbeddedWriter,
  ): EmbeddedReader<K, V, KeyOut> & EmbeddedWriter<K, V, ValueIn>;
  /** See {@linkcode Sub.in}. */
  override in(target: EmbeddedReader): EmbeddedReader<K, V, KeyOut>;
  /** See {@linkcode Sub.in}. */
  override in(target: Reader & Writer): Reader<K, V, KeyOut> & Writer<K, V, ValueIn>;
  /** See {@linkcode Sub.in}. */
  override in(target: Reader): Reader<K, V, KeyOut>;
  // deno-lint-ignore no-explicit-any
  override in(given: Reader | Batch): any {
    const own = subTargetOf(given) ?? given;
    const { getSync, putSync } = (own ?? {}) as Partial<EmbeddedReader & EmbeddedWriter>;
    if (typeof getSync !== "function") return inTarget(this.space, given);
    return typeof putSync === "function"
      ? new EmbeddedSubStore(this.#store, this.space, own as EmbeddedReader & EmbeddedWriter)
      : new EmbeddedSubReader(own as EmbeddedReader, this.space, () => {});
  }

  /** See {@linkcode Store.sub}. */
  override sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): EmbeddedSub<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** See {@linkcode Store.sub}. */
  override sub<V extends Value>(path: string | readonly string[]): EmbeddedSub<Key, V>;
  // deno-lint-ignore no-explicit-any
  override sub(path: string | readonly string[], options?: SubOptions): any {
    return embeddedSubOf(this.#store, nestedPath(this.path, path), options);
  }
}

/** A sub of the embedded store. @throws {TypeError | RangeError} the path or an option is not valid */
export function embeddedSubOf(
  store: EmbeddedParent,
  path: string | readonly string[],
  options?: SubOptions,
): AnySub {
  return new EmbeddedSubStore(store, new Keyspace(path, options));
}
