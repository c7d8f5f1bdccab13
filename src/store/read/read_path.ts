/**
 * The one read path of single keys: `get`, `getSync` and the like. A search that finds everything
 * in memory ends in the call. Otherwise the driver loads the missing piece, synchronously or not,
 * and the search continues.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { keyList } from "../../contract/rules.ts";
import { CorruptionError, type DecodeError } from "../../errors.ts";
import {
  AT_ENTRY,
  type EntryView,
  NEEDS_LOAD,
  type Position,
} from "../../iterator/entry_cursor.ts";
import { isLiveFor, type ReadTime } from "../../iterator/visibility.ts";
import { ReadPace } from "../../sstable/read_pace.ts";
import { encodeKey } from "../../value/key_codec.ts";
import type { Key } from "../../value/value.ts";
import { type LoadFailure, PointLookup } from "./point_lookup.ts";
import type { Lease } from "../state/read_view.ts";
import type { StoreState } from "../state/store_state.ts";

/**
 * Keys of one `getMany` that are searched at the same time. Reads that end together are decoded in
 * one turn of the event loop, so more of them would cause stalls (decision 11), and Node reads only
 * four at a time.
 */
const MAX_PARALLEL = 16;
/** Searches that are kept for later calls. */
const MAX_SPARE_LOOKUPS = 64;
/** Memory for a longer key is not kept. */
const MAX_SPARE_KEY_BYTES = 1024;

/** Reading and decoding a block takes as long as this many gets from memory. */
const OPERATIONS_PER_LOAD = 16;

/** Makes a result from an entry, whose bytes are valid only during the call. */
export type DecodeEntry<T> = (entry: EntryView) => T;

/** As `DecodeEntry`, also for a missing key. */
export type UseEntry<T> = (entry: EntryView | undefined) => T;

/** How often a key is read that others write meanwhile, before it is read without letting them. */
const MAX_ATTEMPTS = 4;

/**
 * Reads single keys of a store: as it is, or as a snapshot's lease shows it. One object serves
 * both: a second class of sources would cost the hot path its monomorphic calls.
 */
export class ReadPath {
  readonly #state: StoreState;
  readonly #useFilters: boolean;
  readonly #pace: ReadPace;
  #lookup: PointLookup;
  /** Finished searches, for gets that will have to wait. */
  readonly #spare: PointLookup[] = [];

  /** Makes the read path of a store. */
  constructor(state: StoreState) {
    this.#state = state;
    this.#useFilters = state.options.bloomFalsePositiveRate !== false;
    this.#pace = new ReadPace(() => state.scheduler.nowMs());
    this.#lookup = this.#takeLookup();
  }

  /** The result of `decode` for the key's entry, or undefined for a missing key. */
  getSync<T>(key: Key, decode: DecodeEntry<T>, snapshot?: Lease): T | undefined {
    const lookup = this.#lookup;
    let position = this.#find(lookup, key, snapshot);
    while (position === NEEDS_LOAD) {
      if (wantsNoValue(decode)) position = lookup.resumeWithoutValue();
      if (position !== NEEDS_LOAD) break;
      lookup.loadSync();
      position = lookup.resume();
    }
    return this.#result(position, lookup, decode, snapshot ?? this.#state);
  }

  /** As `getSync`, for a `decode` that takes a reference in place of a large value. */
  getReferenceSync<T>(key: Key, decode: DecodeEntry<T>): T | undefined {
    const lookup = this.#lookup;
    let position = this.#find(lookup, key, undefined);
    while (position === NEEDS_LOAD) {
      if (lookup.needsValue) position = lookup.resumeWithoutValue();
      else {
        lookup.loadSync();
        position = lookup.resume();
      }
    }
    return this.#result(position, lookup, decode, this.#state);
  }

  /**
   * As `getSync`. A block that is not in memory is read at once if the page cache is likely to have
   * it (read_pace.ts) and the calling stretch of code has not used up its turn of the event loop.
   */
  get<T>(key: Key, decode: DecodeEntry<T>, snapshot?: Lease): Promise<T | undefined> {
    try {
      const lookup = this.#lookup;
      const { turns } = this.#state;
      let operations = 1;
      let position = this.#find(lookup, key, snapshot);
      while (position === NEEDS_LOAD) {
        if (wantsNoValue(decode)) position = lookup.resumeWithoutValue();
        if (position !== NEEDS_LOAD) break;
        // If they waited for the turn, thousands of gets would all wake in each turn so that a few
        // can continue.
        if (turns.pending !== undefined || !lookup.loadAtOnce(this.#pace)) {
          return this.#goOn(lookup, decode, snapshot);
        }
        operations += OPERATIONS_PER_LOAD;
        position = lookup.resume();
      }
      const result = this.#result(position, lookup, decode, snapshot ?? this.#state);
      const turn = turns.due(operations);
      return turn === undefined ? Promise.resolve(result) : turn.then(() => result);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The results of `decode` for each key's entry. Blocks that are not in memory are read at once if
   * the page cache is likely to have them, and side by side if the disk is slow (read_pace.ts).
   */
  async getMany<T>(
    keys: readonly Key[],
    decode: DecodeEntry<T>,
    snapshot?: Lease,
  ): Promise<(T | undefined)[]> {
    this.#state.requireReadable(snapshot);
    // All of them at once: the caller may reuse the array and its bytes when the call returns.
    const encoded = new ByteWriter(64 + keys.length * 16);
    const ends: number[] = [];
    for (const key of keyList(keys)) {
      encodeKey(key, encoded);
      ends.push(encoded.length);
    }
    const { turns } = this.#state;
    const lease = this.#state.lease(snapshot);
    const results: (T | undefined)[] = new Array(ends.length).fill(undefined);
    let next = 0;
    const work = async (lookup: PointLookup): Promise<void> => {
      while (next < ends.length) {
        // Another worker has used up this turn of the event loop.
        const pending = turns.pending;
        if (pending !== undefined) {
          await pending;
          lease.requireHeld("store");
          continue;
        }
        let operations = 1;
        const at = next++;
        const start = at === 0 ? 0 : ends[at - 1]!;
        lookup.key.length = 0;
        lookup.key.appendBytes(encoded.bytes, start, ends[at]!);
        let position = lookup.find(lease.view, lease.sequence);
        while (position === NEEDS_LOAD) {
          if (wantsNoValue(decode)) position = lookup.resumeWithoutValue();
          if (position !== NEEDS_LOAD) break;
          operations += OPERATIONS_PER_LOAD;
          if (!lookup.loadAtOnce(this.#pace)) {
            await loaded(lookup);
            lease.requireHeld("store");
          }
          position = lookup.resume();
        }
        // In the same stretch as the search's last step, because what it found in memory is not
        // pinned.
        results[at] = this.#result(position, lookup, decode, lease);
        lookup.release();
        const turn = turns.due(operations);
        if (turn !== undefined) {
          await turn;
          lease.requireHeld("store");
        }
      }
    };
    const worker = (): Promise<void> => {
      const lookup = this.#takeLookup();
      return work(lookup).finally(() => this.#giveLookup(lookup));
    };
    try {
      // Every worker settles before the lease is released, even if one of them fails.
      const workers = Array.from({ length: Math.min(MAX_PARALLEL, ends.length) }, worker);
      const settled = await Promise.allSettled(workers);
      for (const worker of settled) if (worker.status === "rejected") throw worker.reason;
      return results;
    } finally {
      lease.release();
    }
  }

  /** As `getMany`. */
  getManySync<T>(
    keys: readonly Key[],
    decode: DecodeEntry<T>,
    snapshot?: Lease,
  ): (T | undefined)[] {
    this.#state.requireReadable(snapshot);
    return Array.from(keyList(keys), (key) => this.getSync(key, decode, snapshot));
  }

  /**
   * Calls `use` with the key's entry, or undefined if it has none, in a stretch of code in which
   * this is the current entry. So what `use` then writes follows on what it has read. Nobody may
   * change the key's bytes or the entry meanwhile, and `use` must have read the entry before it
   * calls anything else.
   */
  async useCurrent<T>(key: Key, use: UseEntry<T | Promise<T>>): Promise<T> {
    const state = this.#state;
    for (let attempt = 1;; attempt++) {
      const shared = this.#lookup;
      let position = this.#find(shared, key, undefined);
      while (position === NEEDS_LOAD) {
        // Somebody else writes the key again and again: no more waiting.
        if (attempt === MAX_ATTEMPTS) shared.loadSync();
        else if (state.turns.pending !== undefined || !shared.loadAtOnce(this.#pace)) break;
        position = shared.resume();
      }
      if (position !== NEEDS_LOAD) return this.#use(position, shared, use);
      const lookup = shared;
      this.#lookup = this.#takeLookup();
      const lease = state.lease();
      const { memtable } = state;
      try {
        do {
          await loaded(lookup);
          lease.requireHeld("store");
          position = lookup.resume();
        } while (position === NEEDS_LOAD);
        if (!state.wasWritten(lookup.key, memtable, lease.sequence)) {
          return this.#use(position, lookup, use);
        }
      } finally {
        this.#giveLookup(lookup);
        lease.release();
      }
    }
  }

  /** As `useCurrent`. */
  useCurrentSync<T>(key: Key, use: UseEntry<T>): T {
    const lookup = this.#lookup;
    let position = this.#find(lookup, key, undefined);
    while (position === NEEDS_LOAD) {
      lookup.loadSync();
      position = lookup.resume();
    }
    return this.#use(position, lookup, use);
  }

  #use<T>(position: Position, lookup: PointLookup, use: UseEntry<T>): T {
    const { entry } = lookup;
    const isThere = position === AT_ENTRY &&
      isLiveFor(entry.valueBytes, entry.valueView, entry.valueStart, this.#state);
    return use(isThere ? entry : undefined);
  }

  /** Drops what searches have found, because it keeps memory alive that is not needed any more. */
  rest(): void {
    this.#lookup = this.#newLookup();
    this.#spare.length = 0;
  }

  #newLookup(): PointLookup {
    return new PointLookup(
      new ByteWriter(64),
      this.#useFilters,
      this.#state.versions.values.reader,
    );
  }

  #takeLookup(): PointLookup {
    return this.#spare.pop() ?? this.#newLookup();
  }

  /**
   * Keeps a search for the next get that waits: a new one with its buffer costs a microsecond on
   * V8.
   */
  #giveLookup(lookup: PointLookup): void {
    lookup.release();
    if (this.#spare.length < MAX_SPARE_LOOKUPS && lookup.key.bytes.length <= MAX_SPARE_KEY_BYTES) {
      this.#spare.push(lookup);
    }
  }

  #find(lookup: PointLookup, key: Key, snapshot: Lease | undefined): Position {
    const state = this.#state;
    state.requireReadable(snapshot);
    lookup.key.length = 0;
    encodeKey(key, lookup.key);
    return snapshot === undefined
      ? lookup.find(state.view, state.lastSequence)
      : lookup.find(snapshot.view, snapshot.sequence);
  }

  /**
   * Finishes a search that has to wait, and gives the shared search object to it. Tens of thousands
   * may wait at once, so each takes only what it needs: no asynchronous function, no promise per
   * load.
   */
  #goOn<T>(
    lookup: PointLookup,
    decode: DecodeEntry<T>,
    snapshot: Lease | undefined,
  ): Promise<T | undefined> {
    const lease = this.#state.lease(snapshot);
    this.#lookup = this.#takeLookup();
    return new Promise((resolve, reject) => {
      const onLoaded = (failure: LoadFailure | undefined): void => {
        try {
          if (failure !== undefined) throw failure.error;
          lease.requireHeld("store");
          let position = lookup.resume();
          if (position === NEEDS_LOAD && wantsNoValue(decode)) {
            position = lookup.resumeWithoutValue();
          }
          if (position === NEEDS_LOAD) return lookup.load(onLoaded);
          // In the same stretch as the search's last step, because what it found in memory is not
          // pinned.
          resolve(this.#result(position, lookup, decode, lease));
        } catch (error) {
          reject(error);
        }
        this.#giveLookup(lookup);
        lease.release();
      };
      lookup.load(onLoaded);
    });
  }

  #result<T>(
    position: Position,
    lookup: PointLookup,
    decode: DecodeEntry<T>,
    time: ReadTime,
  ): T | undefined {
    if (position !== AT_ENTRY) return undefined;
    const { entry } = lookup;
    const isThere = isLiveFor(entry.valueBytes, entry.valueView, entry.valueStart, time);
    return isThere ? decode(entry) : undefined;
  }
}

/** Waits until the missing piece of the search is loaded. */
function loaded(lookup: PointLookup): Promise<void> {
  return new Promise((resolve, reject) => {
    lookup.load((failure) => failure === undefined ? resolve() : reject(failure.error));
  });
}

/** The result of `has` for an entry. */
export function isPresent(): true {
  return true;
}

/** The results of `hasMany` from the answers. */
export function areThere(found: readonly (true | undefined)[]): boolean[] {
  return found.map((one) => one === true);
}

function wantsNoValue(decode: unknown): boolean {
  return decode === isPresent;
}

/** A stored value that can't be decoded is damage to the store, not a mistake of the caller. */
export function corruptValue(directory: string, cause: DecodeError): CorruptionError {
  return new CorruptionError(
    `Cannot read a value in "${directory}": ${cause.message}`,
    directory,
    cause.offset,
    { cause },
  );
}
