/**
 * A Level database: it implements abstract-level 3 on a store.
 *
 * Level calls the methods whose names begin with an underscore, after it has checked arguments and
 * encoded keys and values. They are not for users.
 */

import {
  type AbstractBatchOperation,
  type AbstractBatchOptions,
  type AbstractChainedBatch,
  AbstractLevel,
} from "abstract-level";
import type { Store } from "../../contract/store.ts";
import type { Reader } from "../../contract/reader.ts";
import { CorruptionError, IoError, LockedError, StoreError } from "../../errors.ts";
import type { Options } from "../../options.ts";
import { open } from "../../store/open.ts";
import type { EmbeddedStore } from "../../store/store.ts";
import { destroy } from "../../store/upkeep/destroy.ts";
import { repair } from "../../store/upkeep/repair.ts";
import type { RepairReport } from "../../store/upkeep/repair_report.ts";
import { clearRange } from "../clear_range.ts";
import { type Data, type Format, toStore, valueIn } from "./formats.ts";
import { deleteData, LevelBatch, putData, writeOptions } from "./level_batch.ts";
import { LevelError, notOpen } from "./level_errors.ts";
import { LevelIterator, LevelKeyIterator, LevelValueIterator } from "./level_iterators.ts";
import { type LevelRange, storeRange } from "./level_range.ts";
import { addAll, isQuick, type QuickDatabase } from "./quick_batch.ts";
import { requireLocation, splitOptions, type TinyLevelOptions } from "./level_options.ts";
import { LevelSnapshot } from "./level_snapshot.ts";

/** The options of a read or write that Level passes on. */
interface CallOptions {
  keyEncoding?: string;
  valueEncoding?: string;
  snapshot?: unknown;
  sync?: unknown;
}

/** Some of the options that Level passes on when it opens a database. */
interface OpenOptions {
  createIfMissing: boolean;
  errorIfExists: boolean;
}

/** One operation of a batch, encoded by Level. */
type LevelOperation =
  | { type: "put"; key: Data; value: Data; sublevel?: unknown }
  | { type: "del"; key: Data; sublevel?: unknown };

/** The calls that only an embedded store has. */
type Embedded = Pick<EmbeddedStore, "getSync" | "compact" | "approximateSize">;

/**
 * A database of the Level ecosystem on a store of TinyKVS. Programs for an abstract-level 3
 * database can use it.
 *
 * Stores text as text and other values as bytes. Text can be read as bytes, and bytes as text. The
 * location is the directory of a store, or an open store. An open store stays the caller's, and
 * closing the database leaves it open.
 *
 * @example
 * ```ts
 * import { memoryFileSystem } from "@tinykvs/core";
 * import { TinyLevel } from "@tinykvs/core/level";
 *
 * await using db = new TinyLevel<string, { age: number }>("/db", {
 *   valueEncoding: "json",
 *   fileSystem: memoryFileSystem(),
 * });
 * await db.put("alice", { age: 30 });
 * for await (const [name, { age }] of db.iterator({ gte: "a" })) {
 *   console.log(name, age); // alice 30
 * }
 * ```
 */
export class TinyLevel<K = string, V = string> extends AbstractLevel<string | Uint8Array, K, V> {
  readonly #location: string | URL | Store;
  readonly #options: Options;
  #store: Store | undefined;

  /**
   * Makes a database, which opens by itself. Call `open()` to see its errors.
   *
   * @throws {TypeError} the value cannot be a location
   */
  constructor(
    location: string | URL | Store,
    options?: TinyLevelOptions<K, V>,
  ) {
    requireLocation(location);
    const { store, level } = splitOptions(options);
    const isGiven = isStore(location);
    const isEmbedded = !isGiven ||
      typeof (location as Partial<Embedded>).getSync === "function";
    super({
      encodings: { utf8: true, view: true },
      has: true,
      getSync: isEmbedded,
      createIfMissing: !isGiven,
      errorIfExists: !isGiven,
      explicitSnapshots: true,
      implicitSnapshots: true,
      signals: { iterators: true },
      additionalMethods: isEmbedded ? { approximateSize: true, compactRange: true } : {},
    } as never, level);
    this.#options = store;
    this.#location = location;
    if (isGiven) this.#store = location;
  }

  /** The location as given, a path or URL. For an open store, its path if it has one. */
  get location(): string {
    const given = this.#location as
      | string
      | URL
      | (Store & { readonly path?: string });
    if (typeof given === "string") return given;
    return "href" in given ? given.href : given.path ?? "";
  }

  /** Applies operations as one: all of them or none, even after a crash. */
  override batch(
    operations: AbstractBatchOperation<typeof this, K, V>[],
  ): Promise<void>;
  /** As above, with encodings for its operations, or with `sync`. */
  override batch<BatchK = K, BatchV = V>(
    operations: AbstractBatchOperation<typeof this, BatchK, BatchV>[],
    options: AbstractBatchOptions<BatchK, BatchV>,
  ): Promise<void>;
  /** Starts an empty batch. */
  override batch(): AbstractChainedBatch<typeof this, K, V>;
  override batch(
    operations?: AbstractBatchOperation<typeof this, K, V>[],
    options?: AbstractBatchOptions<K, V>,
  ): Promise<void> | AbstractChainedBatch<typeof this, K, V> {
    if (arguments.length === 0) return super.batch();
    const quick = this as unknown as QuickDatabase;
    if (isQuick(quick, operations, options)) {
      try {
        const batch = this.#openStore.batch();
        if (addAll(quick, operations!, options ?? {}, batch)) {
          return batch.write(writeOptions(options as CallOptions | undefined));
        }
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return super.batch(operations!, options!);
  }

  /** Deletes a database that nobody has open: the files that a store owns, and nothing else. */
  static destroy(location: string | URL): Promise<void> {
    return destroy(location);
  }

  /** Saves what can be read of a database that does not open. Reports what it has done. */
  static repair(location: string | URL): Promise<RepairReport> {
    return repair(location);
  }

  /**
   * Estimates the number of bytes from one key up to and not including another: in memory and,
   * compressed, in tables.
   *
   * @throws {LevelError} code LEVEL_NOT_SUPPORTED: the store is not an embedded one
   */
  async approximateSize(start: K, end: K, options?: { keyEncoding?: string }): Promise<number> {
    if (this.status === "opening") {
      return await this.deferAsync(() => this.approximateSize(start, end, options));
    }
    const [gte, lt] = this.#bounds("approximateSize", start, end, options);
    return this.#embedded("approximateSize").approximateSize({ gte, lt }).bytes;
  }

  /**
   * Compacts the keys between two keys, both included.
   *
   * @throws {LevelError} code LEVEL_NOT_SUPPORTED: the store is not an embedded one
   */
  async compactRange(start: K, end: K, options?: { keyEncoding?: string }): Promise<void> {
    if (this.status === "opening") {
      return await this.deferAsync(() => this.compactRange(start, end, options));
    }
    const [from, to] = this.#bounds("compactRange", start, end, options);
    await this.#embedded("compactRange").compact({ start: from, end: to });
  }

  /**
   * Opens the store.
   *
   * @internal
   */
  protected async _open(options: OpenOptions): Promise<void> {
    if (isStore(this.#location)) return;
    const { createIfMissing, errorIfExists } = options;
    const given = { ...this.#options, ...splitOptions(options).store };
    try {
      this.#store = await open(this.#location, {
        walSync: "interval",
        flushOnClose: false,
        ...given,
        createIfMissing,
        errorIfExists,
      });
    } catch (error) {
      throw levelError(error);
    }
  }

  /**
   * Closes the store.
   *
   * @internal
   */
  protected async _close(): Promise<void> {
    if (isStore(this.#location)) return;
    const store = this.#store;
    await store?.close();
    this.#store = undefined;
  }

  /**
   * Reads a value.
   *
   * @internal
   */
  protected async _get(
    key: Data,
    options: CallOptions,
  ): Promise<Data | undefined> {
    const value = await this.#reader(options).get(toStore(key));
    return value === undefined ? undefined : valueIn(options.valueEncoding as Format, value);
  }

  /**
   * Reads a value synchronously.
   *
   * @internal
   */
  protected _getSync(key: Data, options: CallOptions): Data | undefined {
    const reader = this.#reader(options) as Reader & Partial<Embedded>;
    if (reader.getSync === undefined) throw unsupported("getSync");
    const value = reader.getSync(toStore(key));
    return value === undefined ? undefined : valueIn(options.valueEncoding as Format, value);
  }

  /**
   * Reads several values.
   *
   * @internal
   */
  protected async _getMany(
    keys: Data[],
    options: CallOptions,
  ): Promise<(Data | undefined)[]> {
    const values = await this.#reader(options).getMany(keys.map(toStore));
    const format = options.valueEncoding as Format;
    return values.map((value) => value === undefined ? undefined : valueIn(format, value));
  }

  /**
   * Whether a key has a value.
   *
   * @internal
   */
  protected _has(key: Data, options: CallOptions): Promise<boolean> {
    return this.#reader(options).has(toStore(key));
  }

  /**
   * Whether several keys have values.
   *
   * @internal
   */
  protected _hasMany(keys: Data[], options: CallOptions): Promise<boolean[]> {
    return this.#reader(options).hasMany(keys.map(toStore));
  }

  /**
   * Stores a value.
   *
   * @internal
   */
  protected _put(key: Data, value: Data, options: CallOptions): Promise<void> {
    return this.#openStore.put(
      toStore(key),
      toStore(value),
      writeOptions(options),
    );
  }

  /**
   * Removes a key.
   *
   * @internal
   */
  protected _del(key: Data, options: CallOptions): Promise<void> {
    return this.#openStore.delete(toStore(key), writeOptions(options));
  }

  /**
   * Applies operations as one.
   *
   * @internal
   */
  protected _batch(
    operations: LevelOperation[],
    options: CallOptions,
  ): Promise<void> {
    const batch = this.#openStore.batch();
    for (const operation of operations) {
      if (operation.type === "put") {
        putData(batch, operation.key, operation.value);
      } else deleteData(batch, operation.key);
    }
    return batch.write(writeOptions(options));
  }

  /**
   * Starts a batch.
   *
   * @internal
   */
  protected _chainedBatch(): LevelBatch {
    return new LevelBatch(
      this as AbstractLevel<Data, unknown, unknown>,
      this.#openStore,
    );
  }

  /**
   * Deletes a range.
   *
   * @internal
   */
  protected _clear(options: LevelRange & CallOptions): Promise<void> {
    const range = storeRange(options);
    return clearRange(
      this.#openStore,
      this.#reader(options),
      range,
      writeOptions(options),
    );
  }

  /**
   * Opens an iterator.
   *
   * @internal
   */
  protected _iterator(options: LevelRange): LevelIterator {
    const reader = this.#reader(options);
    return new LevelIterator(
      this as AbstractLevel<Data, unknown, unknown>,
      reader,
      options,
    );
  }

  /**
   * Opens an iterator over keys.
   *
   * @internal
   */
  protected _keys(options: LevelRange): LevelKeyIterator {
    const reader = this.#reader(options);
    return new LevelKeyIterator(
      this as AbstractLevel<Data, unknown, unknown>,
      reader,
      options,
    );
  }

  /**
   * Opens an iterator over values.
   *
   * @internal
   */
  protected _values(options: LevelRange): LevelValueIterator {
    const reader = this.#reader(options);
    return new LevelValueIterator(
      this as AbstractLevel<Data, unknown, unknown>,
      reader,
      options,
    );
  }

  /**
   * Takes a snapshot.
   *
   * @internal
   */
  protected _snapshot(options: unknown): LevelSnapshot {
    return new LevelSnapshot(this.#openStore, options);
  }

  get #openStore(): Store {
    if (this.#store === undefined) throw notOpen("a method");
    return this.#store;
  }

  #reader(options: { snapshot?: unknown }): Reader {
    return LevelSnapshot.readerOf(this.#openStore, options.snapshot);
  }

  /** The bounds of a call that Level does not have itself. */
  #bounds(call: string, start: K, end: K, options?: { keyEncoding?: string }): [Data, Data] {
    if (this.status !== "open") throw notOpen(call);
    if (start === undefined || end === undefined) {
      throw new TypeError(`Cannot call ${call}(): the arguments 'start' and 'end' are required`);
    }
    const encoding = this.keyEncoding(options?.keyEncoding as never);
    const encode = (key: K): Data => toStore(encoding.encode(key as never) as Data);
    return [encode(start), encode(end)];
  }

  #embedded(call: string): Embedded {
    const store = this.#openStore as Store & Partial<Embedded>;
    if (store.compact === undefined) throw unsupported(call);
    return store as Store & Embedded;
  }
}

/** Whether the location is an open store. */
function isStore(location: string | URL | Store): location is Store {
  return typeof location === "object" && !("href" in location);
}

function unsupported(call: string): LevelError {
  return new LevelError(
    "LEVEL_NOT_SUPPORTED",
    `The store does not support ${call}()`,
  );
}

/** Wraps an error of the store. `cause` has the code that programs for Level expect. */
function levelError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  const code = error instanceof LockedError
    ? "LEVEL_LOCKED"
    : error instanceof CorruptionError
    ? "LEVEL_CORRUPTION"
    : error instanceof IoError
    ? "LEVEL_IO_ERROR"
    : undefined;
  return code === undefined ? error : new LevelError(code, error.message, { cause: error });
}
