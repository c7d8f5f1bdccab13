/**
 * Snapshots: read-only views of a store at one moment. Made by `store.snapshot()`.
 *
 * A snapshot is a lease on the read view and sequence number at its creation. Memtables keep every
 * version of a key and tables never change, so nothing is copied and compaction does not need to
 * know. It costs what it keeps: its memtables stay in memory, shared with the other snapshots of
 * the same time, and the files of tables that compaction has replaced stay on disk.
 */

import type { Entry, EntryOptions, Snapshot } from "../../contract/reader.ts";
import { ReaderBase } from "../../contract/reader_base.ts";
import type { Key, RecordValue, Value, ValueTypeName } from "../../value/value.ts";
import { openCursor } from "./cursor.ts";
import type { EmbeddedCursor } from "./embedded_cursor.ts";
import type { EntryDecoder } from "./entry_decoder.ts";
import type { Range } from "../state/range.ts";
import { areThere, isPresent, type ReadPath } from "./read_path.ts";
import type { EmbeddedReader } from "./reader.ts";
import type { Lease } from "../state/read_view.ts";
import type { StoreState } from "../state/store_state.ts";
import { parsedJson } from "../state/typed_calls.ts";
import { countEntries, countEntriesSync } from "./visit_entries.ts";

/** Releases the leases of snapshots that were dropped without being closed. */
const abandoned = new FinalizationRegistry<Lease>((lease) => lease.release());

/**
 * A read-only view of a store at the moment of {@linkcode EmbeddedStore.snapshot}.
 *
 * Close it when you no longer need it, or let `using` do that: until then its content stays in
 * memory and on disk. Closing the store ends its snapshots. Closing a snapshot does not end the
 * cursors that it has opened, or the reads that it has begun. It does not keep the process alive.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("balance", 100);
 * {
 *   using snapshot = store.snapshot();
 *   await store.put("balance", 50);
 *   console.log(await snapshot.get("balance"), await store.get("balance")); // 100 50
 * }
 * ```
 */
export class EmbeddedSnapshot<KeyOut extends Key = Key, V extends Value = Value>
  extends ReaderBase<Key, V, KeyOut>
  implements Snapshot<Key, V, KeyOut>, EmbeddedReader<Key, V, KeyOut> {
  readonly #state: StoreState;
  readonly #lease: Lease;
  readonly #reads: ReadPath;
  readonly #decoder: EntryDecoder<KeyOut, V>;

  /** Made by `store.snapshot()`. */
  constructor(state: StoreState, reads: ReadPath, decoder: EntryDecoder<KeyOut, V>) {
    super();
    state.requireOpen();
    this.#state = state;
    this.#lease = state.lease();
    this.#reads = reads;
    this.#decoder = decoder;
    abandoned.register(this, this.#lease, this);
  }

  /**
   * The value that the key had, or undefined if there was none.
   *
   * @throws {ClosedError} the snapshot or the store was closed
   * @throws {CorruptionError} the stored value can't be read
   */
  override get(key: Key): Promise<V | undefined> {
    return this.#reads.get(key, this.#decoder.value, this.#lease);
  }

  /** As `get`; reads synchronously if a piece is not in memory. */
  getSync(key: Key): V | undefined {
    return this.#reads.getSync(key, this.#decoder.value, this.#lease);
  }

  /** The key with what it had, or undefined if there was nothing. */
  override getEntry(key: Key, options?: EntryOptions): Promise<Entry<KeyOut, V> | undefined> {
    return this.#reads.get(key, this.#decoder.entryFor(options), this.#lease);
  }

  /** As `getEntry`. */
  getEntrySync(key: Key, options?: EntryOptions): Entry<KeyOut, V> | undefined {
    return this.#reads.getSync(key, this.#decoder.entryFor(options), this.#lease);
  }

  /** The values of several keys, in their order; undefined for a missing key. */
  override getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    return this.#reads.getMany(keys, this.#decoder.value, this.#lease);
  }

  /** As `getMany`. */
  getManySync(keys: readonly Key[]): (V | undefined)[] {
    return this.#reads.getManySync(keys, this.#decoder.value, this.#lease);
  }

  /** Whether the key had a value. */
  override async has(key: Key): Promise<boolean> {
    return await this.#reads.get(key, isPresent, this.#lease) === true;
  }

  /** As `has`. */
  hasSync(key: Key): boolean {
    return this.#reads.getSync(key, isPresent, this.#lease) === true;
  }

  /** Whether each of several keys had a value, in their order. */
  override async hasMany(keys: readonly Key[]): Promise<boolean[]> {
    return areThere(await this.#reads.getMany(keys, isPresent, this.#lease));
  }

  /** As `hasMany`. */
  hasManySync(keys: readonly Key[]): boolean[] {
    return areThere(this.#reads.getManySync(keys, isPresent, this.#lease));
  }

  /** Iterates over keys and values, with the keys as bytes. */
  override entries(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<[Uint8Array, V]>;
  /** Iterates over keys and values, with the keys as text. */
  override entries(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<[string, V]>;
  /** Iterates over keys and values in the order of the keys' bytes. */
  override entries(range?: Range): EmbeddedCursor<[KeyOut, V]>;
  // deno-lint-ignore no-explicit-any
  override entries(range?: Range): EmbeddedCursor<any> {
    return openCursor(this.#state, range, this.#decoder.pairs, this.#lease);
  }

  /** Iterates over keys, as bytes. */
  override keys(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<Uint8Array>;
  /** Iterates over keys, as text. */
  override keys(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<string>;
  /** Iterates over keys. */
  override keys(range?: Range): EmbeddedCursor<KeyOut>;
  // deno-lint-ignore no-explicit-any
  override keys(range?: Range): EmbeddedCursor<any> {
    return openCursor(this.#state, range, this.#decoder.keys, this.#lease, true);
  }

  /** Iterates over values, in the order of their keys. */
  override values(range?: Range): EmbeddedCursor<V> {
    return openCursor(this.#state, range, this.#decoder.values, this.#lease);
  }

  /** The number of keys in a range. Reads them all. */
  override count(range?: Range): Promise<number> {
    return countEntries(this.#state, range, this.#lease);
  }

  /** As `count`. */
  countSync(range?: Range): number {
    return countEntriesSync(this.#state, range, this.#lease);
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

  /**
   * Releases everything that the snapshot holds. Further use gets a ClosedError; a second close
   * does nothing.
   */
  close(): void {
    abandoned.unregister(this);
    this.#lease.release();
  }

  /** As `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The value, which must be stored as `type`. */
  protected override getStored(key: Key, type: ValueTypeName): Promise<Value | undefined> {
    return this.#reads.get(key, this.#decoder.stored(type), this.#lease);
  }

  #storedSync(key: Key, type: ValueTypeName): Value | undefined {
    return this.#reads.getSync(key, this.#decoder.stored(type), this.#lease);
  }
}
