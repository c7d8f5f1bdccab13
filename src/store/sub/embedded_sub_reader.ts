/** The synchronous reads of a sub of the embedded store, and the sub in a snapshot. */

import type { Entry, EntryOptions, Snapshot } from "../../contract/reader.ts";
import type { Range } from "../../contract/range.ts";
import { ofType } from "../../contract/reader_base.ts";
import { keyList } from "../../contract/rules.ts";
import type { Keyspace } from "../../contract/sub/keyspace.ts";
import { SubReader } from "../../contract/sub/sub_reader.ts";
import type { EmbeddedCursor, EmbeddedCursorBase } from "../read/embedded_cursor.ts";
import type { RecordValue, Value, ValueTypeName } from "../../contract/value.ts";
import type { EmbeddedReader } from "../read/reader.ts";
import { parsedJson } from "../state/typed_calls.ts";
import { EmbeddedSubCursor } from "./embedded_sub_cursor.ts";

/**
 * The synchronous reads, and cursors for both kinds of loops. They work on a store, a snapshot or a
 * transaction.
 */
export class EmbeddedSubReads<K, V, KeyOut, ValueIn> {
  readonly #target: EmbeddedReader;
  readonly #space: Keyspace<K, V, KeyOut, ValueIn>;
  readonly #requireOpen: () => void;

  /** `requireOpen` throws if the sub was closed. */
  constructor(
    target: EmbeddedReader,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen: () => void,
  ) {
    this.#target = target;
    this.#space = space;
    this.#requireOpen = requireOpen;
  }

  get(key: K): V | undefined {
    this.#requireOpen();
    const own = this.#space.key(key);
    return this.#space.valueIfAny(this.#target.getSync(own), own);
  }

  getEntry(key: K, options?: EntryOptions): Entry<KeyOut, V> | undefined {
    this.#requireOpen();
    const own = this.#space.key(key);
    const { keyEncoding } = this.#space;
    const entry = this.#target.getEntrySync(
      own,
      keyEncoding === undefined ? options : { ...options, keyEncoding },
    );
    if (entry === undefined) return undefined;
    const shown = this.#space.keyOf(keyEncoding === undefined ? entry.key : own);
    return { ...entry, key: shown, value: this.#space.valueOf(entry.value, own) };
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    this.#requireOpen();
    const own = Array.from(keyList(keys), (key) => this.#space.key(key));
    const values = this.#target.getManySync(own);
    return values.map((value, at) => this.#space.valueIfAny(value, own[at]!));
  }

  /** The value, which must be stored as `type`; in a sub with its own values, be of that type. */
  stored(key: K, type: ValueTypeName): Value | undefined {
    if (!this.#space.hasStoreValues) return ofType(this.get(key) as Value | undefined, type, key);
    this.#requireOpen();
    const own = this.#space.key(key);
    switch (type) {
      case "string":
        return this.#target.getStringSync(own);
      case "int64":
        return this.#target.getInt64Sync(own);
      case "float64":
        return this.#target.getFloat64Sync(own);
      case "bool":
        return this.#target.getBoolSync(own);
      case "bytes":
        return this.#target.getBytesSync(own);
      case "record":
        return this.#target.getMapSync(own);
    }
  }

  has(key: K): boolean {
    this.#requireOpen();
    return this.#target.hasSync(this.#space.key(key));
  }

  hasMany(keys: readonly K[]): boolean[] {
    this.#requireOpen();
    return this.#target.hasManySync(Array.from(keyList(keys), (key) => this.#space.key(key)));
  }

  count(range?: Range<K>): number {
    this.#requireOpen();
    return this.#target.countSync(this.#space.range(range));
  }

  entries(range?: Range<K>): EmbeddedCursor<[KeyOut, V], K> {
    this.#requireOpen();
    const space = this.#space;
    return this.#cursor(
      this.#target.entries(space.range(range)),
      ([key, value]) => [space.keyOf(key), space.valueOf(value, key)],
    );
  }

  keys(range?: Range<K>): EmbeddedCursor<KeyOut, K> {
    this.#requireOpen();
    const space = this.#space;
    return this.#cursor(this.#target.keys(space.range(range)), (key) => space.keyOf(key));
  }

  values(range?: Range<K>): EmbeddedCursor<V, K> {
    this.#requireOpen();
    const space = this.#space;
    const own = space.range(range);
    if (space.hasStoreValues) return this.#cursor(this.#target.values(own), (value) => value as V);
    // Keeps the keys, because errors name them.
    return this.#cursor(
      this.#target.entries(own),
      ([key, value]) => space.valueOf(value, key),
    );
  }

  #cursor<S, T>(cursor: EmbeddedCursor<S>, take: (item: S) => T): EmbeddedCursor<T, K> {
    return new EmbeddedSubCursor(cursor as EmbeddedCursorBase<S>, {
      key: (key: K) => this.#space.key(key),
      take,
      requireOpen: this.#requireOpen,
    });
  }
}

/** A sub of the embedded store that can only be read. */
export class EmbeddedSubReader<K, V, KeyOut, ValueIn> extends SubReader<K, V, KeyOut, ValueIn>
  implements EmbeddedReader<K, V, KeyOut> {
  readonly #reads: EmbeddedSubReads<K, V, KeyOut, ValueIn>;

  /** Over a reader of the store. */
  constructor(
    target: EmbeddedReader,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen: () => void,
  ) {
    super(target, space, requireOpen);
    this.#reads = new EmbeddedSubReads(target, space, requireOpen);
  }

  getSync(key: K): V | undefined {
    return this.#reads.get(key);
  }

  getEntrySync(key: K, options?: EntryOptions): Entry<KeyOut, V> | undefined {
    return this.#reads.getEntry(key, options);
  }

  getManySync(keys: readonly K[]): (V | undefined)[] {
    return this.#reads.getMany(keys);
  }

  hasSync(key: K): boolean {
    return this.#reads.has(key);
  }

  hasManySync(keys: readonly K[]): boolean[] {
    return this.#reads.hasMany(keys);
  }

  countSync(range?: Range<K>): number {
    return this.#reads.count(range);
  }

  getStringSync(key: K): string | undefined {
    return this.#reads.stored(key, "string") as string | undefined;
  }

  getInt64Sync(key: K): bigint | undefined {
    return this.#reads.stored(key, "int64") as bigint | undefined;
  }

  getFloat64Sync(key: K): number | undefined {
    return this.#reads.stored(key, "float64") as number | undefined;
  }

  getBoolSync(key: K): boolean | undefined {
    return this.#reads.stored(key, "bool") as boolean | undefined;
  }

  getBytesSync(key: K): Uint8Array | undefined {
    return this.#reads.stored(key, "bytes") as Uint8Array | undefined;
  }

  getJsonSync<T = unknown>(key: K): T | undefined {
    return parsedJson<T>(this.getStringSync(key));
  }

  getMapSync<T extends RecordValue = RecordValue>(key: K): T | undefined {
    return this.#reads.stored(key, "record") as T | undefined;
  }

  override entries(range?: Range<K>): EmbeddedCursor<[KeyOut, V], K> {
    return this.#reads.entries(range);
  }

  override keys(range?: Range<K>): EmbeddedCursor<KeyOut, K> {
    return this.#reads.keys(range);
  }

  override values(range?: Range<K>): EmbeddedCursor<V, K> {
    return this.#reads.values(range);
  }
}

/** A sub of the embedded store in a snapshot. */
export class EmbeddedSubSnapshot<K, V, KeyOut, ValueIn>
  extends EmbeddedSubReader<K, V, KeyOut, ValueIn>
  implements Snapshot<K, V, KeyOut> {
  readonly #snapshot: EmbeddedReader & Snapshot;

  /** Over a snapshot of the store, which it owns. */
  constructor(
    snapshot: EmbeddedReader & Snapshot,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen: () => void,
  ) {
    super(snapshot, space, requireOpen);
    this.#snapshot = snapshot;
  }

  /** Closes the snapshot of the store. */
  close(): void {
    this.#snapshot.close();
  }

  /** As `close`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
