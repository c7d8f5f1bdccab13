/**
 * What a transaction does. Reads see the transaction's own writes and are remembered. Writes are
 * kept in memory, up to a limit. It also answers whether the transaction may still commit.
 * transaction.ts has the calls of the user; transactions.ts begins, commits and repeats.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { keyList } from "../../contract/rules.ts";
import { finiteTime, putOptions } from "../../contract/put_options.ts";
import { wantsSync } from "../../contract/write_options.ts";
import type { PutOptions } from "../../contract/writer.ts";
import { type ConflictCause, ConflictError } from "../../errors.ts";
import { emptyEntryView, type EntryView } from "../../iterator/entry_cursor.ts";
import { isLive } from "../../iterator/visibility.ts";
import type { Key, Value } from "../../value/value.ts";
import type { EntryDecoder } from "../read/entry_decoder.ts";
import type { OpenScan } from "../read/entry_scan.ts";
import { type DecodeEntry, isPresent, type ReadPath } from "../read/read_path.ts";
import type { Lease } from "../state/read_view.ts";
import type { Range } from "../state/range.ts";
import type { StoreState } from "../state/store_state.ts";
import { batchOf, type EmbeddedBatch, type Operation, type WriteOptions } from "../write/batch.ts";
import {
  alteration,
  type Change,
  changedBeside,
  type Decide,
  deletion,
  ownKey,
  requireChange,
} from "../write/decisions.ts";
import { MAX_READ_BYTES, type ReadSet } from "./read_set.ts";
import { type ScanOwner, TrackedScan } from "./tracked_scan.ts";
import type { WriteSet } from "./write_set.ts";

/** The most bytes that a transaction may write. */
const MAX_WRITE_BYTES = 64 * 1024 * 1024;

/** Stands for an entry of which only the presence counts. */
const PRESENT: EntryView = emptyEntryView();

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

/** The reads and writes of one run of a transaction's body. */
export class TransactionWork<KeyOut extends Key = Key, V extends Value = Value> {
  /** The number of this run of the body, from 1. */
  readonly attempt: number;
  /** The store's state. */
  readonly state: StoreState;
  /** Decodes entries to values. */
  readonly decoder: EntryDecoder<KeyOut, V>;
  /** The moment of the store that it reads. */
  readonly lease: Lease;
  readonly #reads: ReadPath;
  readonly #readSet: ReadSet;
  readonly #writeSet: WriteSet;
  /** Whether a write has asked for a durable commit. */
  #isSynced = false;
  /** The number of writes that still have to read. */
  #pending = 0;
  #onSettled: (() => void) | undefined;
  /** Why the transaction can no longer commit. */
  #failure: Conflict | undefined;

  /** Starts without reads and writes; both sets are empty. */
  constructor(
    parts: TransactionParts<KeyOut, V>,
    lease: Lease,
    readSet: ReadSet,
    writeSet: WriteSet,
    attempt: number,
  ) {
    this.attempt = attempt;
    this.state = parts.state;
    this.#reads = parts.reads;
    this.decoder = parts.decoder;
    this.lease = lease;
    this.#readSet = readSet;
    this.#writeSet = writeSet;
    writeSet.startOn(lease.view);
  }

  /** Stores a value when the transaction commits. */
  put(key: Key, value: Value, options: PutOptions | undefined): void {
    // Most puts have no options. They make no closure for the time.
    let expiresAt: number | undefined;
    if (options === undefined) this.#beginWrite(false);
    else expiresAt = finiteTime(this.#beginPut(options));
    this.#writeSet.put(key, value, expiresAt);
    this.#limit();
  }

  /** Removes a key when the transaction commits. */
  delete(key: Key, options: WriteOptions | undefined): void {
    this.#beginWrite(wantsSync(options));
    this.#writeSet.delete(key);
    this.#limit();
  }

  /** Removes all keys of a range when the transaction commits. */
  deleteRange(range: Range, options: WriteOptions | undefined): void {
    this.#beginWrite(wantsSync(options));
    this.#writeSet.deleteRange(range);
    this.#limit();
  }

  /** Adds several operations, all or none. */
  write(operations: readonly Operation[] | EmbeddedBatch, options: WriteOptions | undefined): void {
    this.#beginWrite(wantsSync(options));
    const batch = batchOf(operations, () => new ByteWriter(256));
    // Getters of a value may have ended the transaction.
    this.requireOpen();
    this.#writeSet.append(batch);
    this.#limit();
  }

  /** Resolves when every write that has started has read what it needs. */
  writesSettled(): Promise<void> | undefined {
    if (this.#pending === 0) return undefined;
    return new Promise((resolve) => this.#onSettled = resolve);
  }

  /**
   * Why the transaction cannot commit at this moment, or undefined. The answer holds until the next
   * `await`.
   *
   * @throws {ClosedError} the store was closed
   */
  conflict(): Conflict | undefined {
    this.requireOpen();
    if (this.#failure !== undefined) return this.#failure;
    const { lastSequence, recent, view } = this.state;
    const { sequence } = this.lease;
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
   */
  takeWrites(): { readonly batch: EmbeddedBatch; readonly isSynced: boolean } | undefined {
    if (this.#writeSet.count === 0) return undefined;
    return { batch: this.#writeSet.finish(), isSynced: this.#isSynced };
  }

  /** Makes the scans that also show the transaction's writes. */
  get openScan(): OpenScan {
    const owner: ScanOwner = { readSet: this.#readSet, requireOpen: () => this.requireOpen() };
    return (state, lease, range, keysOnly) => {
      const own = this.#writeSet.cursor(range.reverse);
      return new TrackedScan(owner, own, state, lease, range, keysOnly);
    };
  }

  /** @throws {ClosedError} the transaction has ended, or the store was closed */
  requireOpen(): void {
    this.lease.requireHeld("transaction");
  }

  /**
   * Finds the transaction's own entry of a key. If there is none, notes that the key is read from
   * the store.
   */
  #findOwn(key: Key): EntryView | undefined {
    this.requireOpen();
    const readSet = this.#readSet;
    const start = readSet.encode(key);
    const { view, length } = readSet.keys;
    if (this.#writeSet.find(view, start, length)) return this.#writeSet.entry;
    readSet.note();
    return undefined;
  }

  /** Reads a key: its own write first, and then the store as of the lease. */
  read<T>(key: Key, decode: DecodeEntry<T>): Promise<T | undefined> {
    try {
      const own = this.#findOwn(key);
      if (own !== undefined) return Promise.resolve(decoded(own, decode, this.lease));
      return this.#reads.get(key, decode, this.lease);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `read`. */
  readSync<T>(key: Key, decode: DecodeEntry<T>): T | undefined {
    const own = this.#findOwn(key);
    if (own !== undefined) return decoded(own, decode, this.lease);
    return this.#reads.getSync(key, decode, this.lease);
  }

  /** As `read`, for several keys, in their order. */
  async readMany<T>(
    keys: readonly Key[],
    decode: DecodeEntry<T>,
  ): Promise<(T | undefined)[]> {
    this.requireOpen();
    const results: (T | undefined)[] = [];
    const others: Key[] = [];
    const places: number[] = [];
    for (const key of keyList(keys)) {
      const own = this.#findOwn(key);
      if (own === undefined) {
        places.push(results.length);
        others.push(key);
      }
      results.push(own && decoded(own, decode, this.lease));
    }
    const found = await this.#reads.getMany(others, decode, this.lease);
    for (const [at, place] of places.entries()) results[place] = found[at];
    return results;
  }

  /** Returns the time that the options of a put ask for. */
  #beginPut(options: PutOptions | undefined): number | undefined {
    const { sync, expiresAt } = putOptions(options, () => this.state.wallMs);
    this.#beginWrite(sync);
    return expiresAt;
  }

  #beginWrite(isSynced: boolean): void {
    this.requireOpen();
    this.state.requireWritable();
    if (this.#failure !== undefined) throw new ConflictError(this.#failure, this.attempt);
    if (isSynced) this.#isSynced = true;
  }

  #limit(): void {
    if (this.#writeSet.sizeBytes <= MAX_WRITE_BYTES) return;
    const reason = `it has written more than ${MAX_WRITE_BYTES / 1024 / 1024} MiB`;
    this.#failure = { reason, mayPass: false };
    throw new ConflictError(this.#failure, this.attempt);
  }

  /** Removes a key if it is there. */
  async deleteIfExists(key: Key, options: WriteOptions | undefined): Promise<boolean> {
    this.#beginWrite(wantsSync(options));
    return await this.#apply(ownKey(key), deletion(key), false);
  }

  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: Key, options: WriteOptions | undefined): boolean {
    this.#beginWrite(wantsSync(options));
    return this.#applySync(key, deletion(key), false);
  }

  /**
   * A put that depends on what is there; `decideOn` gets the time that the options ask for. The key
   * is copied before anything is awaited. Without `needsValue` it only depends on whether there is
   * a value.
   */
  async apply<T>(
    given: Key,
    options: PutOptions | undefined,
    decideOn: (key: Key, expiresAt: number | undefined) => Decide<T>,
    needsValue = true,
  ): Promise<T> {
    const expiresAt = this.#beginPut(options);
    const key = ownKey(given);
    return await this.#apply(key, decideOn(key, expiresAt), needsValue);
  }

  async #apply<T>(key: Key, decide: Decide<T>, needsValue: boolean): Promise<T> {
    let base: EntryView | undefined;
    if (this.#findOwn(key) === undefined) {
      // The transaction does not commit before this write has finished, even if its body does not
      // wait for it.
      this.#pending++;
      try {
        const decode = needsValue ? copyOf : isPresent;
        const found = await this.#reads.get<EntryView | true>(key, decode, this.lease);
        base = found === true ? PRESENT : found;
      } finally {
        if (--this.#pending === 0) this.#onSettled?.();
      }
    }
    return this.#decide(key, base, decide);
  }

  /** As `apply`, with a key that nobody changes meanwhile. */
  applySync<T>(
    key: Key,
    options: PutOptions | undefined,
    decideOn: (expiresAt: number | undefined) => Decide<T>,
    needsValue = true,
  ): T {
    const expiresAt = this.#beginPut(options);
    return this.#applySync(key, decideOn(expiresAt), needsValue);
  }

  #applySync<T>(key: Key, decide: Decide<T>, needsValue: boolean): T {
    let base: EntryView | undefined;
    if (this.#findOwn(key) === undefined) {
      const decode = needsValue ? copyOf : isPresent;
      const found = this.#reads.getSync<EntryView | true>(key, decode, this.lease);
      base = found === true ? PRESENT : found;
    }
    return this.#decide(key, base, decide);
  }

  /**
   * Decides by the transaction's own entry if there is one, which a later call may have added.
   * Otherwise decides by the store's entry.
   */
  #decide<T>(key: Key, base: EntryView | undefined, decide: Decide<T>): T {
    // The read may have finished after the end of the transaction. The sets then belong to another
    // one.
    this.requireOpen();
    const own = this.#ownEntry(key);
    const { result, batch } = decide(own === undefined ? base : live(own, this.lease));
    if (batch !== undefined) {
      // The function of an update may have ended the transaction.
      this.requireOpen();
      this.#writeSet.append(batch);
      this.#limit();
    }
    return result;
  }

  #ownEntry(key: Key): EntryView | undefined {
    const start = this.#readSet.encode(key);
    const { view, length } = this.#readSet.keys;
    return this.#writeSet.find(view, start, length) ? this.#writeSet.entry : undefined;
  }

  /** The decision of an update, which runs the caller's function. */
  change(
    key: Key,
    change: Change<V>,
    expiresAt: number | undefined,
  ): Decide<Value | undefined> {
    requireChange(change);
    return (entry) => {
      const before = this.#writeSet.sizeBytes;
      const decide = alteration(key, change, this.decoder, expiresAt, () => {
        const start = this.#readSet.encode(key);
        const { view, length } = this.#readSet.keys;
        if (this.#writeSet.hasSince(before, view, start, length)) throw changedBeside();
      });
      return decide(entry);
    };
  }
}

/** The entry of a key, if the key has a value at the time of the lease. */
function live(entry: EntryView, { wallMs }: Lease): EntryView | undefined {
  return isLive(entry.valueBytes, entry.valueView, entry.valueStart, wallMs) ? entry : undefined;
}

function decoded<T>(entry: EntryView, decode: DecodeEntry<T>, lease: Lease): T | undefined {
  const found = live(entry, lease);
  return found && decode(found);
}

/** A copy of a value, which later reads and writes do not change. */
function copyOf({ valueBytes, valueStart, valueEnd }: EntryView): EntryView {
  const copy = emptyEntryView();
  copy.valueBytes = valueBytes.slice(valueStart, valueEnd);
  copy.valueView = new DataView(copy.valueBytes.buffer);
  copy.valueEnd = valueEnd - valueStart;
  return copy;
}
