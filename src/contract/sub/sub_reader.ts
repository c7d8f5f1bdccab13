/**
 * The reads of a sub, on anything that reads its store: the store itself, a snapshot or a
 * transaction.
 */

import type { Cursor } from "../cursor.ts";
import type { Range } from "../range.ts";
import { ReaderBase } from "../reader_base.ts";
import type { Entry, EntryOptions, Reader, Snapshot } from "../reader.ts";
import { keyList } from "../rules.ts";
import type { Value, ValueTypeName } from "../value.ts";
import type { Keyspace } from "./keyspace.ts";
import { SubCursor } from "./sub_cursor.ts";

/** The reads of a sub that are the same on a store, a snapshot and a transaction. */
export class SubReads<K, V, KeyOut, ValueIn> {
  readonly #target: Reader;
  readonly #space: Keyspace<K, V, KeyOut, ValueIn>;
  readonly #requireOpen: () => void;

  /** `requireOpen` throws if the sub was closed. */
  constructor(
    target: Reader,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen: () => void,
  ) {
    this.#target = target;
    this.#space = space;
    this.#requireOpen = requireOpen;
  }

  async get(key: K): Promise<V | undefined> {
    this.#requireOpen();
    const own = this.#space.key(key);
    return this.#space.valueIfAny(await this.#target.get(own), own);
  }

  async getEntry(key: K, options?: EntryOptions): Promise<Entry<KeyOut, V> | undefined> {
    this.#requireOpen();
    const own = this.#space.key(key);
    const { keyEncoding } = this.#space;
    const entry = await this.#target.getEntry(
      own,
      keyEncoding === undefined ? options : { ...options, keyEncoding },
    );
    if (entry === undefined) return undefined;
    // A sub with its own kind of keys decodes the key that it asked for: the store may show it in
    // another form.
    const shown = this.#space.keyOf(keyEncoding === undefined ? entry.key : own);
    return { ...entry, key: shown, value: this.#space.valueOf(entry.value, own) };
  }

  async getMany(keys: readonly K[]): Promise<(V | undefined)[]> {
    this.#requireOpen();
    const own = Array.from(keyList(keys), (key) => this.#space.key(key));
    const values = await this.#target.getMany(own);
    if (this.#space.hasStoreValues) return values as (V | undefined)[];
    return values.map((value, at) => this.#space.valueIfAny(value, own[at]!));
  }

  async has(key: K): Promise<boolean> {
    this.#requireOpen();
    return await this.#target.has(this.#space.key(key));
  }

  async hasMany(keys: readonly K[]): Promise<boolean[]> {
    this.#requireOpen();
    return await this.#target.hasMany(Array.from(keyList(keys), (key) => this.#space.key(key)));
  }

  async count(range?: Range<K>): Promise<number> {
    this.#requireOpen();
    return await this.#target.count(this.#space.range(range));
  }

  entries(range?: Range<K>): Cursor<[KeyOut, V], K> {
    this.#requireOpen();
    const space = this.#space;
    return this.#cursor(
      this.#target.entries(space.range(range)),
      ([key, value]) => [space.keyOf(key), space.valueOf(value, key)],
    );
  }

  keys(range?: Range<K>): Cursor<KeyOut, K> {
    this.#requireOpen();
    const space = this.#space;
    return this.#cursor(this.#target.keys(space.range(range)), (key) => space.keyOf(key));
  }

  values(range?: Range<K>): Cursor<V, K> {
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

  async stored(key: K, type: ValueTypeName): Promise<Value | undefined> {
    this.#requireOpen();
    const own = this.#space.key(key);
    switch (type) {
      case "string":
        return await this.#target.getString(own);
      case "int64":
        return await this.#target.getInt64(own);
      case "float64":
        return await this.#target.getFloat64(own);
      case "bool":
        return await this.#target.getBool(own);
      case "bytes":
        return await this.#target.getBytes(own);
      case "record":
        return await this.#target.getMap(own);
    }
  }

  #cursor<S, T>(cursor: Cursor<S>, take: (item: S) => T): Cursor<T, K> {
    return new SubCursor(cursor, {
      key: (key) => this.#space.key(key),
      take,
      requireOpen: this.#requireOpen,
    });
  }
}

/** A sub that can only be read. */
export class SubReader<K, V, KeyOut, ValueIn> extends ReaderBase<K, V, KeyOut> {
  /** The reader that it works on. */
  readonly subTarget: Reader;
  readonly #reads: SubReads<K, V, KeyOut, ValueIn>;
  readonly #space: Keyspace<K, V, KeyOut, ValueIn>;

  /** Over a reader of the store. */
  constructor(
    target: Reader,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen: () => void = () => {},
  ) {
    super();
    this.subTarget = target;
    this.#space = space;
    this.#reads = new SubReads(target, space, requireOpen);
  }

  override get(key: K): Promise<V | undefined> {
    return this.#reads.get(key);
  }

  override getEntry(key: K, options?: EntryOptions): Promise<Entry<KeyOut, V> | undefined> {
    return this.#reads.getEntry(key, options);
  }

  override getMany(keys: readonly K[]): Promise<(V | undefined)[]> {
    return this.#reads.getMany(keys);
  }

  override has(key: K): Promise<boolean> {
    return this.#reads.has(key);
  }

  override hasMany(keys: readonly K[]): Promise<boolean[]> {
    return this.#reads.hasMany(keys);
  }

  override entries(range?: Range<K>): Cursor<[KeyOut, V], K> {
    return this.#reads.entries(range);
  }

  override keys(range?: Range<K>): Cursor<KeyOut, K> {
    return this.#reads.keys(range);
  }

  override values(range?: Range<K>): Cursor<V, K> {
    return this.#reads.values(range);
  }

  override count(range?: Range<K>): Promise<number> {
    return this.#reads.count(range);
  }

  protected override getStored(key: K, type: ValueTypeName): Promise<Value | undefined> {
    return this.#space.hasStoreValues ? this.#reads.stored(key, type) : super.getStored(key, type);
  }
}

/** A sub in a snapshot. */
export class SubSnapshot<K, V, KeyOut, ValueIn> extends SubReader<K, V, KeyOut, ValueIn>
  implements Snapshot<K, V, KeyOut> {
  readonly #snapshot: Snapshot;

  /** Over a snapshot of the store, which it owns. */
  constructor(
    snapshot: Snapshot,
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
