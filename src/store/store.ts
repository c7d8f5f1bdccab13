/**
 * The facade: the public methods of an open store. It checks arguments, picks the path, and owns the
 * order in which a store is closed; everything else is in the paths beside it.
 */

import { isBytes } from "../bytes/is_bytes.ts";
import { ClosedError, DecodeError } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import { ownFields } from "../options.ts";
import type { FileLock } from "../platform/file_system.ts";
import { describeValue, type Key, type RecordValue, type Value } from "../value/value.ts";
import type { ValueTypeName } from "../value/value.ts";
import { expectType, valueTypeAt } from "../value/value_codec.ts";
import { Background } from "./background.ts";
import { Batch, type Operation } from "./batch.ts";
import { type CheckpointOptions, makeCheckpoint } from "./checkpoint.ts";
import { closeStore, closeStoreSync, type StoreParts } from "./closing.ts";
import { type Cursor, openCursor } from "./cursor.ts";
import { EntryDecoder } from "./entry_decoder.ts";
import { boundKey, type Range, resolveRange, type ScanOptions } from "./range.ts";
import { corruptValue, type DecodeEntry, isPresent, ReadPath } from "./read_path.ts";
import type { Reader } from "./reader.ts";
import { Snapshot } from "./snapshot.ts";
import { collectStats, type Stats } from "./stats.ts";
import type { StoreState, StoreStatus } from "./store_state.ts";
import { countEntries, visitEntries } from "./visit_entries.ts";
import { surplusArgument, type WriteOptions } from "./write_options.ts";
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
export class Store implements Reader, AsyncDisposable {
  readonly #state: StoreState;
  readonly #background: Background;
  readonly #writes: WritePath;
  readonly #reads: ReadPath;
  readonly #lock: FileLock | undefined;
  readonly #decoder: EntryDecoder;
  readonly #decodeValue: DecodeEntry<Value>;
  #closing: Promise<void> | undefined;

  /** Made by `open`. */
  constructor(state: StoreState, lock: FileLock | undefined) {
    this.#state = state;
    this.#lock = lock;
    this.#background = new Background(state);
    this.#writes = new WritePath(state, this.#background);
    this.#reads = new ReadPath(state);
    this.#decoder = new EntryDecoder(state.directory, state.options);
    this.#decodeValue = this.#decoder.value;
    if (!state.options.readOnly) this.#background.kick();
  }

  /** The store's directory, as an absolute path. */
  get path(): string {
    return this.#state.directory;
  }

  /** Whether the store is open, being closed, or closed. */
  get status(): StoreStatus {
    return this.#state.status;
  }

  /**
   * Stores a value, replacing the key's old one. Resolves when the write is as durable as `walSync`, or
   * `options.sync`, asks for.
   *
   * @throws {TypeError | RangeError} the key or the value can't be stored, or the options are not valid
   * @throws {BackgroundError} an earlier write failed, and the store has to be reopened
   */
  put(key: Key, value: Value, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) return Promise.reject(surplusArgument("put", arguments[3], 3));
    return this.#writes.put(key, value, options);
  }

  /** As `put`; does not return before the write is durable, and may help with background work. */
  putSync(key: Key, value: Value, options?: WriteOptions): void {
    if (arguments.length > 3) throw surplusArgument("putSync", arguments[3], 3);
    this.#writes.putSync(key, value, options);
  }

  /** Removes a key; that it is not there is no error. Resolves as `put` does. */
  delete(key: Key, options?: WriteOptions): Promise<void> {
    if (arguments.length > 2) return Promise.reject(surplusArgument("delete", arguments[2], 2));
    return this.#writes.delete(key, options);
  }

  /** As `delete`. */
  deleteSync(key: Key, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("deleteSync", arguments[2], 2);
    this.#writes.deleteSync(key, options);
  }

  /**
   * Applies several puts and deletes as one: all of them or none, also after a crash.
   *
   * @throws {TypeError | RangeError} an operation is none or has a field that is unknown, its key or value
   * can't be stored, or the options are not valid; then nothing is applied
   */
  write(operations: readonly Operation[] | Batch, options?: WriteOptions): Promise<void> {
    try {
      if (arguments.length > 2) throw surplusArgument("write", arguments[2], 2);
      return this.#writes.write(batchOf(operations, this.#writes), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `write`. */
  writeSync(operations: readonly Operation[] | Batch, options?: WriteOptions): void {
    if (arguments.length > 2) throw surplusArgument("writeSync", arguments[2], 2);
    this.#writes.writeSync(batchOf(operations, this.#writes), options);
  }

  /** Starts an empty batch, to be filled and written: `store.batch().put("a", 1).write()`. */
  batch(): Batch {
    // An array of operations would be forgotten: `write` takes those.
    if (arguments.length > 0) throw surplusArgument("batch", arguments[0], 0);
    const memory = this.#writes.takeBatchMemory();
    return new Batch((batch, options) => this.#writes.write(batch, options), memory);
  }

  /**
   * The key's value, or undefined where there is none. What is not in memory is read at once where the
   * system's page cache seems to have it (reads take microseconds), and by a thread where a disk takes its time.
   *
   * @throws {CorruptionError} what is stored can't be read
   */
  get(key: Key): Promise<Value | undefined> {
    return this.#reads.get(key, this.#decodeValue);
  }

  /** As `get`; reads synchronously what is not in memory. */
  getSync(key: Key): Value | undefined {
    return this.#reads.getSync(key, this.#decodeValue);
  }

  /** The values of several keys as of one moment, in their order, undefined for those that are missing. */
  getMany(keys: readonly Key[]): Promise<(Value | undefined)[]> {
    return this.#reads.getMany(keys, this.#decodeValue);
  }

  /** Whether the key has a value. */
  async has(key: Key): Promise<boolean> {
    return await this.#reads.get(key, isPresent) === true;
  }

  /** As `has`. */
  hasSync(key: Key): boolean {
    return this.#reads.getSync(key, isPresent) === true;
  }

  /** Iterates over keys and values, with the keys as bytes. */
  entries(range: Range & { keyEncoding: "bytes" }): Cursor<[Uint8Array, Value]>;
  /** Iterates over keys and values, with the keys as text. */
  entries(range: Range & { keyEncoding: "utf8" }): Cursor<[string, Value]>;
  /** Iterates over keys and values in the order of the keys' bytes. */
  entries(range?: Range): Cursor<[string | Uint8Array, Value]>;
  entries(range?: Range): Cursor<[string | Uint8Array, Value]> {
    return openCursor(this.#state, range, this.#decoder.pairs);
  }

  /** Iterates over keys, as bytes. */
  keys(range: Range & { keyEncoding: "bytes" }): Cursor<Uint8Array>;
  /** Iterates over keys, as text. */
  keys(range: Range & { keyEncoding: "utf8" }): Cursor<string>;
  /** Iterates over keys. */
  keys(range?: Range): Cursor<string | Uint8Array>;
  keys(range?: Range): Cursor<string | Uint8Array> {
    return openCursor(this.#state, range, this.#decoder.keys);
  }

  /** Iterates over values, in the order of their keys. */
  values(range?: Range): Cursor<Value> {
    return openCursor(this.#state, range, this.#decoder.values);
  }

  /** The number of keys in a range. Reads them all. */
  count(range?: Range): Promise<number> {
    return countEntries(this.#state, range);
  }

  /**
   * The store as it is now, to read from whatever is written later. Reads and copies nothing; close it
   * when it is not needed any more.
   *
   * @throws {ClosedError} the store is closed
   */
  snapshot(): Snapshot {
    return new Snapshot(this.#state, this.#reads, this.#decoder);
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

  /** Stores a string. @throws {TypeError} it is none */
  async putString(key: Key, value: string, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putString", arguments[3], 3);
    requireType(typeof value === "string", value, "a string");
    await this.put(key, value, options);
  }

  /** The string that the key has. @throws {TypeMismatchError} its value is of another type */
  getString(key: Key): Promise<string | undefined> {
    return this.#getTyped<string>(key, "string");
  }

  /** Stores an int64. @throws {TypeError} it is neither a bigint nor an integer */
  async putInt64(key: Key, value: bigint | number, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putInt64", arguments[3], 3);
    const isInteger = typeof value === "bigint" || Number.isSafeInteger(value);
    requireType(isInteger, value, "a bigint or a safe integer");
    await this.put(key, BigInt(value), options);
  }

  /** The int64 that the key has. @throws {TypeMismatchError} its value is of another type */
  getInt64(key: Key): Promise<bigint | undefined> {
    return this.#reads.get(key, (entry) => {
      this.#requireStored(entry, "int64");
      return entry.valueView.getBigInt64(entry.valueStart + 1, true);
    });
  }

  /** Stores a float64. @throws {TypeError} it is no number */
  async putFloat64(key: Key, value: number, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putFloat64", arguments[3], 3);
    requireType(typeof value === "number", value, "a number");
    await this.put(key, value, options);
  }

  /** The float64 that the key has. @throws {TypeMismatchError} its value is of another type */
  getFloat64(key: Key): Promise<number | undefined> {
    return this.#getTyped<number>(key, "float64");
  }

  /** Stores a boolean. @throws {TypeError} it is none */
  async putBool(key: Key, value: boolean, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putBool", arguments[3], 3);
    requireType(typeof value === "boolean", value, "a boolean");
    await this.put(key, value, options);
  }

  /** The boolean that the key has. @throws {TypeMismatchError} its value is of another type */
  getBool(key: Key): Promise<boolean | undefined> {
    return this.#getTyped<boolean>(key, "bool");
  }

  /** Stores bytes. @throws {TypeError} it is no Uint8Array */
  async putBytes(key: Key, value: Uint8Array, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putBytes", arguments[3], 3);
    requireType(isBytes(value), value, "a Uint8Array");
    await this.put(key, value, options);
  }

  /** The bytes that the key has, a copy. @throws {TypeMismatchError} its value is of another type */
  getBytes(key: Key): Promise<Uint8Array | undefined> {
    return this.#getTyped<Uint8Array>(key, "bytes");
  }

  /** Stores a value as JSON text, as `JSON.stringify` makes it. @throws {TypeError} it makes none */
  async putJson(key: Key, value: unknown, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putJson", arguments[3], 3);
    const text: string | undefined = JSON.stringify(value);
    requireType(text !== undefined, value, "a value that JSON can express");
    await this.put(key, text, options);
  }

  /**
   * What the key's JSON text says. The type is the caller's claim; it is not checked.
   *
   * @throws {TypeMismatchError} the key's value is no string
   * @throws {SyntaxError} the string is no JSON
   */
  async getJson<T = unknown>(key: Key): Promise<T | undefined> {
    const text = await this.getString(key);
    return text === undefined ? undefined : JSON.parse(text) as T;
  }

  /** Stores a plain object or an array as a MessagePack record. @throws {TypeError} it is neither */
  async putMap(key: Key, value: RecordValue, options?: WriteOptions): Promise<void> {
    if (arguments.length > 3) throw surplusArgument("putMap", arguments[3], 3);
    requireType(
      typeof value === "object" && value !== null && !isBytes(value),
      value,
      "an object",
    );
    await this.put(key, value, options);
  }

  /** The record that the key has. @throws {TypeMismatchError} its value is of another type */
  getMap<T extends RecordValue = RecordValue>(key: Key): Promise<T | undefined> {
    return this.#getTyped<T>(key, "record");
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
   * @throws {BackgroundError} the store had failed before; it is closed all the same
   */
  close(): Promise<void> {
    this.#closing ??= closeStore(this.#parts());
    return this.#closing;
  }

  /** As `close`. Promises of writes under way resolve afterwards. */
  closeSync(): void {
    if (this.status === "closed") return;
    if (this.status === "closing") throw new ClosedError("store");
    this.#closing = Promise.resolve();
    closeStoreSync(this.#parts());
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #parts(): StoreParts {
    return {
      state: this.#state,
      writes: this.#writes,
      background: this.#background,
      lock: this.#lock,
    };
  }

  #getTyped<T extends Value>(key: Key, type: ValueTypeName): Promise<T | undefined> {
    return this.#reads.get(key, (entry) => {
      this.#requireStored(entry, type);
      return this.#decodeValue(entry) as T;
    });
  }

  #requireStored(entry: EntryView, type: ValueTypeName): void {
    const { valueBytes, valueStart, valueEnd } = entry;
    try {
      expectType(valueTypeAt(valueBytes, valueStart, valueEnd), type);
    } catch (error) {
      if (error instanceof DecodeError) throw corruptValue(this.path, error);
      throw error;
    }
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
      (scan) => visit(takeKey(scan), takeValue(scan)),
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

function requireType(isRight: boolean, value: unknown, expected: string): void {
  if (isRight) return;
  throw new TypeError(
    `Cannot store the value: found ${describeValue(value)}, expected ${expected}`,
  );
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

/**
 * Refuses what an operation has besides: an option of the whole write, or of another library. Not by
 * `Object.keys`, which would make an array for each operation.
 */
function requireKnownNames(operation: Operation, at: number): void {
  for (const name in operation) {
    if (name === "type" || name === "key") continue;
    if (name === "value") {
      if (operation.type === "put" || (operation as { value?: unknown }).value === undefined) {
        continue;
      }
    }
    if (!Object.hasOwn(operation, name)) continue;
    throw new TypeError(`Cannot write operation ${at}: a ${operation.type} has no "${name}"`);
  }
}

function batchOf(operations: readonly Operation[] | Batch, writes: WritePath): Batch {
  if (operations instanceof Batch) return operations;
  if (!Array.isArray(operations)) {
    throw new TypeError(
      `Cannot write: found ${
        describeValue(operations)
      }, expected an array of operations or a batch`,
    );
  }
  const batch = new Batch(undefined, writes.takeBatchMemory());
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
