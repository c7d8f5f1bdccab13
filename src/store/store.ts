/**
 * The facade: the public methods of an open store. It checks arguments, picks the path, and owns the
 * order in which a store is closed; everything else is in the paths beside it.
 */

import { isBytes } from "../bytes/is_bytes.ts";
import type { Entry } from "../contract/reader.ts";
import { StoreBase } from "../contract/store_base.ts";
import { markOf } from "../class_marks.ts";
import { ClosedError } from "../errors.ts";
import { ownFields } from "../options.ts";
import { describeValue, type Key, type Value } from "../value/value.ts";
import type { ValueTypeName } from "../value/value.ts";
import { Background } from "./background.ts";
import {
  BATCH_FORM,
  BATCH_FORM_HERE,
  EmbeddedBatch,
  type Operation,
  type WriteOptions,
} from "./batch.ts";
import { type CheckpointOptions, makeCheckpoint } from "./checkpoint.ts";
import { closedState } from "./closed_state.ts";
import { closeStore, closeStoreSync, type StoreParts } from "./closing.ts";
import { ConditionalWrites } from "./conditional_writes.ts";
import { openCursor } from "./cursor.ts";
import type { EmbeddedCursor } from "./embedded_cursor.ts";
import { EntryDecoder } from "./entry_decoder.ts";
import { boundKey, type Range, resolveRange, type ScanOptions } from "./range.ts";
import { areThere, type DecodeEntry, isPresent, ReadPath } from "./read_path.ts";
import type { EmbeddedReader } from "./reader.ts";
import type { SharedStore } from "./shared_store.ts";
import { EmbeddedSnapshot } from "./snapshot.ts";
import { collectStats, type Stats } from "./stats.ts";
import type { StoreState, StoreStatus } from "./store_state.ts";
import { countEntries, countEntriesSync, visitEntries } from "./visit_entries.ts";
import { requireKnownNames, surplusArgument } from "../contract/write_options.ts";
import { WritePath } from "./write_path.ts";

/** The part of the key space that `compact` works on; both bounds are included. */
export interface CompactRange {
  /** The first key. Default: the first of the store. */
  start?: Key;
  /** The last key. Default: the last of the store. */
  end?: Key;
}

/**
 * An open store. Made by {@linkcode open} and {@linkcode openSync}.
 *
 * Calls may overlap freely. Writes take effect in the order of the calls, at once for later reads of
 * this process; when their promises resolve they are as durable as `walSync` promises. A call that
 * fails has changed nothing, unless it fails in the log: then the store takes no more writes and has
 * to be reopened, and whether the last writes are in it shows only then.
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
export class EmbeddedStore extends StoreBase implements EmbeddedReader {
  // The first five are replaced where a handle is closed and its store goes on.
  #state: StoreState;
  #background: Background;
  #writes: WritePath;
  #reads: ReadPath;
  #conditional: ConditionalWrites;
  readonly #decoder: EntryDecoder;
  readonly #decodeValue: DecodeEntry<Value>;
  readonly #parts: StoreParts;
  readonly #share: SharedStore | undefined;
  #closing: Promise<void> | undefined;

  /** Made by `open`; `share` counts the handles, where there may be several. */
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
   * Stores a value, replacing the key's old one. Resolves when the write is as durable as `walSync`, or
   * `options.sync`, asks for.
   *
   * @throws {TypeError | RangeError} the key or the value can't be stored, or the options are not valid
   * @throws {BackgroundError} an earlier write failed, and the store has to be reopened
   */
  override put(key: Key, value: Value, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("put", arguments[3], 3));
    return this.#writes.put(key, value, options);
  }

  /** As `put`; does not return before the write is durable, and may help with background work. */
  putSync(key: Key, value: Value, options?: WriteOptions): void {
    if (arguments.length > 3) throw surplusArgument("putSync", arguments[3], 3);
    this.#writes.putSync(key, value, options);
  }

  /** Removes a key; that it is not there is no error. Resolves as `put` does. */
  override delete(key: Key, options?: WriteOptions): Promise<void> {
    if (arguments.length > 2) return Promise.reject(surplusArgument("delete", arguments[2], 2));
    return this.#writes.delete(key, options);
  }

  /** As `delete`. */
  deleteSync(key: Key, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("deleteSync", arguments[2], 2);
    this.#writes.deleteSync(key, options);
  }

  /** Removes a key; says whether it was there. */
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

  /** Stores a value if the key has none; says whether it did. No other write comes in between. */
  override putIfNotExists(key: Key, value: Value, options?: WriteOptions): Promise<boolean> {
    if (arguments.length > 3) {
      return Promise.reject(surplusArgument("putIfNotExists", arguments[3], 3));
    }
    return this.#conditional.putIfNotExists(key, value, options);
  }

  /** As `putIfNotExists`. */
  putIfNotExistsSync(key: Key, value: Value, options?: WriteOptions): boolean {
    if (arguments.length > 3) throw surplusArgument("putIfNotExistsSync", arguments[3], 3);
    return this.#conditional.putIfNotExistsSync(key, value, options);
  }

  /**
   * Replaces the key's value if it equals `expected`; says whether it did. No other write comes in
   * between. Equal are values of the same stored type with the same bytes: 1 and 1n are not, NaN and NaN
   * are, and in a record the order of the properties counts.
   */
  override putIfEquals(
    key: Key,
    value: Value,
    expected: Value,
    options?: WriteOptions,
  ): Promise<boolean> {
    if (arguments.length > 4) {
      return Promise.reject(surplusArgument("putIfEquals", arguments[4], 4));
    }
    return this.#conditional.putIfEquals(key, value, expected, options);
  }

  /** As `putIfEquals`. */
  putIfEqualsSync(key: Key, value: Value, expected: Value, options?: WriteOptions): boolean {
    if (arguments.length > 4) throw surplusArgument("putIfEqualsSync", arguments[4], 4);
    return this.#conditional.putIfEqualsSync(key, value, expected, options);
  }

  /**
   * Adds `by`, 1 by default, to the int64 that the key has; a missing key counts as 0. Resolves to the
   * sum. No other write comes in between.
   *
   * @throws {TypeMismatchError} the key's value is no int64
   * @throws {TypeError} `by` is neither a bigint nor a safe integer
   * @throws {RangeError} the sum is outside int64; nothing changes
   */
  override increment(key: Key, by: bigint | number = 1n, options?: WriteOptions): Promise<bigint> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("increment", arguments[3], 3));
    return this.#conditional.increment(key, by, options);
  }

  /** As `increment`. */
  incrementSync(key: Key, by: bigint | number = 1n, options?: WriteOptions): bigint {
    if (arguments.length > 3) throw surplusArgument("incrementSync", arguments[3], 3);
    return this.#conditional.incrementSync(key, by, options);
  }

  /**
   * Stores what `change` makes of the key's value; undefined stands for no value, both ways. Resolves to
   * what `change` returned. No other write comes in between. `change` is not awaited.
   *
   * @throws {TypeError | RangeError} what it returns can't be stored, or it has written to the key itself
   */
  override update(
    key: Key,
    change: (old: Value | undefined) => Value | undefined,
    options?: WriteOptions,
  ): Promise<Value | undefined> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("update", arguments[3], 3));
    return this.#conditional.update(key, change, options);
  }

  /** As `update`. */
  updateSync(
    key: Key,
    change: (old: Value | undefined) => Value | undefined,
    options?: WriteOptions,
  ): Value | undefined {
    if (arguments.length > 3) throw surplusArgument("updateSync", arguments[3], 3);
    return this.#conditional.updateSync(key, change, options);
  }

  /**
   * Applies several puts and deletes as one: all of them or none, also after a crash.
   *
   * @throws {TypeError | RangeError} an operation is none or has a field that is unknown, its key or value
   * can't be stored, or the options are not valid; then nothing is applied
   */
  override write(
    operations: readonly Operation[] | EmbeddedBatch,
    options?: WriteOptions,
  ): Promise<void> {
    try {
      if (arguments.length > 2) throw surplusArgument("write", arguments[2], 2);
      return this.#writes.write(batchOf(operations, this.#writes), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `write`. */
  writeSync(operations: readonly Operation[] | EmbeddedBatch, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("writeSync", arguments[2], 2);
    this.#writes.writeSync(batchOf(operations, this.#writes), options);
  }

  /** Starts an empty batch, to be filled and written: `store.batch().put("a", 1).write()`. */
  override batch(): EmbeddedBatch {
    // An array of operations would be forgotten: `write` takes those.
    if (arguments.length > 0) throw surplusArgument("batch", arguments[0], 0);
    const memory = this.#writes.takeBatchMemory();
    return new EmbeddedBatch((batch, options) => this.#writes.write(batch, options), memory);
  }

  /**
   * The key's value, or undefined where there is none. What is not in memory is read at once where the
   * system's page cache seems to have it (reads take microseconds), and by a thread where a disk takes its time.
   *
   * @throws {CorruptionError} what is stored can't be read
   */
  override get(key: Key): Promise<Value | undefined> {
    return this.#reads.get(key, this.#decodeValue);
  }

  /** As `get`; reads synchronously what is not in memory. */
  getSync(key: Key): Value | undefined {
    return this.#reads.getSync(key, this.#decodeValue);
  }

  /**
   * The key with all that is stored for it, or undefined if there is nothing.
   *
   * @throws {StoreError} code `KEY_ENCODING`: keys are text here, and this one is not UTF-8
   */
  override getEntry(key: Key): Promise<Entry | undefined> {
    return this.#reads.get(key, this.#decoder.entry);
  }

  /** As `getEntry`. */
  getEntrySync(key: Key): Entry | undefined {
    return this.#reads.getSync(key, this.#decoder.entry);
  }

  /** The values of several keys as of one moment, in their order, undefined for those that are missing. */
  override getMany(keys: readonly Key[]): Promise<(Value | undefined)[]> {
    return this.#reads.getMany(keys, this.#decodeValue);
  }

  /** As `getMany`. */
  getManySync(keys: readonly Key[]): (Value | undefined)[] {
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
  override entries(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<[Uint8Array, Value]>;
  /** Iterates over keys and values, with the keys as text. */
  override entries(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<[string, Value]>;
  /** Iterates over keys and values in the order of the keys' bytes. */
  override entries(range?: Range): EmbeddedCursor<[string | Uint8Array, Value]>;
  override entries(range?: Range): EmbeddedCursor<[string | Uint8Array, Value]> {
    return openCursor(this.#state, range, this.#decoder.pairs);
  }

  /** Iterates over keys, as bytes. */
  override keys(range: Range & { keyEncoding: "bytes" }): EmbeddedCursor<Uint8Array>;
  /** Iterates over keys, as text. */
  override keys(range: Range & { keyEncoding: "utf8" }): EmbeddedCursor<string>;
  /** Iterates over keys. */
  override keys(range?: Range): EmbeddedCursor<string | Uint8Array>;
  override keys(range?: Range): EmbeddedCursor<string | Uint8Array> {
    return openCursor(this.#state, range, this.#decoder.keys, undefined, true);
  }

  /** Iterates over values, in the order of their keys. */
  override values(range?: Range): EmbeddedCursor<Value> {
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

  /**
   * The store as it is now, to read from whatever is written later. Reads and copies nothing; close it
   * when it is not needed any more.
   *
   * @throws {ClosedError} the store is closed
   */
  override snapshot(): EmbeddedSnapshot {
    return new EmbeddedSnapshot(this.#state, this.#reads, this.#decoder);
  }

  /**
   * Calls `visit` for every key with the prefix, in order, until it returns false.
   *
   * The fastest way to read many entries asynchronously: there is no promise for an entry.
   *
   * @throws {TypeError} `visit` is no function, or an option is not valid
   */
  scanPrefix(
    prefix: Key,
    visit: (key: Uint8Array, value: Value) => boolean | void,
    options: ScanOptions & { keyEncoding: "bytes" },
  ): Promise<void>;
  /** As above, with keys as the store's `keyEncoding` or that of the options says. */
  scanPrefix(
    prefix: Key,
    visit: (key: string | Uint8Array, value: Value) => boolean | void,
    options?: ScanOptions,
  ): Promise<void>;
  async scanPrefix(prefix: Key, visit: Visit, options?: ScanOptions): Promise<void> {
    await this.#visit({ prefix }, visit, options);
  }

  /** Calls `visit` for every key from `start` (included) to `end` (not included), until it returns false. */
  scanRange(
    start: Key,
    end: Key,
    visit: (key: Uint8Array, value: Value) => boolean | void,
    options: ScanOptions & { keyEncoding: "bytes" },
  ): Promise<void>;
  /** As above, with keys as the store's `keyEncoding` or that of the options says. */
  scanRange(
    start: Key,
    end: Key,
    visit: (key: string | Uint8Array, value: Value) => boolean | void,
    options?: ScanOptions,
  ): Promise<void>;
  async scanRange(start: Key, end: Key, visit: Visit, options?: ScanOptions): Promise<void> {
    await this.#visit({ gte: start, lt: end }, visit, options);
  }

  /** Writes what is in memory to a table. Resolves when the table is durable and the log is gone. */
  async flush(): Promise<void> {
    if (arguments.length > 0) throw surplusArgument("flush", arguments[0], 0);
    this.#state.requireWritable();
    this.#writes.rotate();
    await this.#background.flushed();
  }

  /** Makes everything durable that was written before the call. */
  async sync(): Promise<void> {
    if (arguments.length > 0) throw surplusArgument("sync", arguments[0], 0);
    this.#state.requireWritable();
    await this.#writes.sync();
  }

  /**
   * Flushes, then merges the tables of a range, by default of the whole store, so that every key is in
   * one table only and nothing deleted is left. Tables that are like that already are not rewritten.
   *
   * @throws {TypeError | RangeError} the range has an unknown name, or a bound can't be a key
   */
  async compact(range: CompactRange = {}): Promise<void> {
    if (arguments.length > 1) throw surplusArgument("compact", arguments[1], 1);
    const { start, end } = compactBounds(range);
    const smallest = start === undefined ? undefined : boundKey(start).view;
    const largest = end === undefined ? undefined : boundKey(end).view;
    await this.flush();
    await this.#background.compact({ smallest, largest });
  }

  /**
   * Writes the store as it is at the call to another directory, which must be empty or not exist, while
   * reads and writes go on. Resolves when all of it is durable: {@linkcode open} opens it, or, with the
   * format "go-v0.4", Go TinyKVS v0.4 does. What fails on the way, or is aborted, leaves no files.
   * `directory` is a path or a `file:` URL, as for {@linkcode open}.
   *
   * @throws {StoreError} code `ALREADY_EXISTS`: the directory is not empty; code `TYPE_MISMATCH`: a
   * record, which Go v0.4 can't read
   * @throws {CorruptionError} what is stored can't be read
   * @throws {ClosedError} the store was closed meanwhile
   */
  checkpoint(directory: string | URL, options?: CheckpointOptions): Promise<void> {
    if (arguments.length > 2) return Promise.reject(surplusArgument("checkpoint", arguments[2], 2));
    return makeCheckpoint(this.#state, directory, options);
  }

  /** Statistics of the store. */
  stats(): Stats {
    this.#state.requireOpen();
    return collectStats(this.#state, this.#background);
  }

  /**
   * Waits for writes under way, flushes, and releases everything. Further use gets a ClosedError;
   * closing again is legal.
   *
   * Of a store that was opened with `shared: true` only this handle is closed, when what was written is durable; the
   * store is with its last handle, and cursors and snapshots that another one has made go on until then.
   *
   * @throws {BackgroundError} the store had failed before; it is closed all the same
   */
  override close(): Promise<void> {
    this.#closing ??= this.#share === undefined
      ? closeStore(this.#parts)
      : this.#leave(this.#share);
    return this.#closing;
  }

  /** As `close`. Promises of writes under way resolve afterwards. */
  closeSync(): void {
    // A shared store may have been closed under this handle, because it had failed: that is told here.
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

  /** From here on this handle is one on a closed store, whatever others do with the one that it had. */
  #detach(): StoreState {
    const state = closedState(this.#state);
    this.#state = state;
    this.#background = new Background(state);
    this.#writes = new WritePath(state, this.#background);
    this.#reads = new ReadPath(state);
    this.#conditional = new ConditionalWrites(state, this.#reads, this.#writes, this.#decoder);
    return state;
  }

  /** The value, which must be stored as `type`. */
  protected override getStored(key: Key, type: ValueTypeName): Promise<Value | undefined> {
    return this.#reads.get(key, this.#decoder.stored(type));
  }

  #visit(bounds: Range, visit: Visit, options: ScanOptions | undefined): Promise<void> {
    if (typeof visit !== "function") {
      throw new TypeError(
        `Cannot scan: found ${describeValue(visit)}, expected a function to call`,
      );
    }
    const range = resolveRange(options === undefined ? bounds : scanRange(options, bounds));
    const encoding = range.keyEncoding ?? this.#state.options.keyEncoding;
    const takeKey = this.#decoder.keys[encoding];
    const takeValue = this.#decoder.values[encoding];
    return visitEntries(
      this.#state,
      range,
      (scan) => visit(takeKey(scan.entry), takeValue(scan.entry)),
    );
  }
}

// For either form of keys: the overloads tell callers which one they get.
// deno-lint-ignore no-explicit-any
type Visit = (key: any, value: Value) => boolean | void;

/** The bounds of a scan with its options, in which no bounds may be. */
function scanRange(options: ScanOptions, bounds: Range): Range {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot scan: found ${describeValue(options)}, expected options`);
  }
  for (const name of ["prefix", "gte", "gt", "lte", "lt"]) {
    if (Object.hasOwn(options, name)) {
      throw new TypeError(`Cannot scan: unknown option "${name}"; entries() takes such bounds`);
    }
  }
  return { ...options, ...bounds };
}

/** The range's own fields. */
function compactBounds(range: CompactRange): CompactRange {
  if (typeof range !== "object" || range === null || isBytes(range)) {
    throw new TypeError(
      `Cannot compact: found ${describeValue(range)}, expected a range such as { start, end }`,
    );
  }
  for (const name of Object.keys(range)) {
    if (name !== "start" && name !== "end") {
      throw new TypeError(`Cannot compact: unknown name "${name}", expected "start" or "end"`);
    }
  }
  return ownFields(range);
}

function batchOf(
  operations: readonly Operation[] | EmbeddedBatch,
  writes: WritePath,
): EmbeddedBatch {
  if (operations instanceof EmbeddedBatch) return operations;
  const form = markOf(operations, BATCH_FORM);
  if (form !== undefined) {
    throw new TypeError(
      `Cannot write: the batch was made by another version of @tinykvs/core, in form ${
        String(form)
      }, expected form ${BATCH_FORM_HERE}; make it by the batch() of this store`,
    );
  }
  if (!Array.isArray(operations)) {
    throw new TypeError(
      `Cannot write: found ${
        describeValue(operations)
      }, expected an array of operations or a batch`,
    );
  }
  const batch = new EmbeddedBatch(undefined, writes.takeBatchMemory());
  for (const [at, operation] of (operations as readonly Operation[]).entries()) {
    if (operation?.type === "put") {
      requireKnownNames(operation, at);
      batch.put(operation.key, operation.value);
    } else if (operation?.type === "delete") {
      requireKnownNames(operation, at);
      batch.delete(operation.key);
    } else {
      const found = describeValue((operation as { type?: unknown } | undefined)?.type);
      throw new TypeError(
        `Cannot write operation ${at}: its type is ${found}, expected "put" or "delete"`,
      );
    }
  }
  return batch;
}
