/**
 * Writes that depend on what the key has: read, decide and write in one synchronous stretch, so that no
 * other write of this process comes in between. (Other processes have no part in a store.)
 *
 * What has to be read from disk is awaited first. If somebody has written to the key meanwhile, it is
 * read anew (read_path.ts, `useCurrent`).
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import { isBytes } from "../bytes/is_bytes.ts";
import { addInt64, int64Of } from "../contract/store_base.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import { encodeKey } from "../value/key_codec.ts";
import type { Key, Value } from "../value/value.ts";
import { encodeValue } from "../value/value_codec.ts";
import { EmbeddedBatch, type WriteOptions } from "./batch.ts";
import type { EntryDecoder } from "./entry_decoder.ts";
import type { ReadPath } from "./read_path.ts";
import type { StoreState } from "./store_state.ts";
import { wantsSync } from "../contract/write_options.ts";
import type { WritePath } from "./write_path.ts";

/** What is to be done about a key. */
interface Decision<T> {
  /** The answer for the caller. */
  readonly result: T;
  /** What to write, if anything. */
  readonly batch: EmbeddedBatch | undefined;
}

/** Looks at a key's entry; may only be called once, in the stretch in which the entry is shown. */
type Decide<T> = (entry: EntryView | undefined) => Decision<T>;

type Change = (old: Value | undefined) => Value | undefined;

const UNCHANGED: Decision<boolean> = { result: false, batch: undefined };
const SYNCED: WriteOptions = { sync: true };

/** The conditional writes of a store. */
export class ConditionalWrites {
  readonly #state: StoreState;
  readonly #reads: ReadPath;
  readonly #writes: WritePath;
  readonly #decoder: EntryDecoder;

  /** Joins the paths of a store. */
  constructor(state: StoreState, reads: ReadPath, writes: WritePath, decoder: EntryDecoder) {
    this.#state = state;
    this.#reads = reads;
    this.#writes = writes;
    this.#decoder = decoder;
  }

  /** Removes a key; says whether it was there. */
  async deleteIfExists(key: Key, options: WriteOptions | undefined): Promise<boolean> {
    return await this.#apply(ownKey(key), options, deletion(key));
  }

  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: Key, options: WriteOptions | undefined): boolean {
    return this.#applySync(key, options, deletion(key));
  }

  /** Stores a value if the key has none; says whether it did. */
  async putIfNotExists(
    key: Key,
    value: Value,
    options: WriteOptions | undefined,
  ): Promise<boolean> {
    return await this.#apply(ownKey(key), options, creation(key, value));
  }

  /** As `putIfNotExists`. */
  putIfNotExistsSync(key: Key, value: Value, options: WriteOptions | undefined): boolean {
    return this.#applySync(key, options, creation(key, value));
  }

  /** Replaces a value that equals `expected`; says whether it did. */
  async putIfEquals(
    key: Key,
    value: Value,
    expected: Value,
    options: WriteOptions | undefined,
  ): Promise<boolean> {
    return await this.#apply(ownKey(key), options, replacement(key, value, expected));
  }

  /** As `putIfEquals`. */
  putIfEqualsSync(
    key: Key,
    value: Value,
    expected: Value,
    options: WriteOptions | undefined,
  ): boolean {
    return this.#applySync(key, options, replacement(key, value, expected));
  }

  /** Adds to an int64; resolves to the sum. */
  async increment(
    key: Key,
    by: bigint | number,
    options: WriteOptions | undefined,
  ): Promise<bigint> {
    const own = ownKey(key);
    return await this.#apply(own, options, this.#addition(own, by));
  }

  /** As `increment`. */
  incrementSync(key: Key, by: bigint | number, options: WriteOptions | undefined): bigint {
    return this.#applySync(key, options, this.#addition(key, by));
  }

  /** Stores what `change` makes of the value; resolves to it. */
  async update(
    key: Key,
    change: Change,
    options: WriteOptions | undefined,
  ): Promise<Value | undefined> {
    const own = ownKey(key);
    return await this.#apply(own, options, this.#change(own, change));
  }

  /** As `update`. */
  updateSync(key: Key, change: Change, options: WriteOptions | undefined): Value | undefined {
    const own = ownKey(key);
    return this.#applySync(own, options, this.#change(own, change));
  }

  async #apply<T>(key: Key, given: WriteOptions | undefined, decide: Decide<T>): Promise<T> {
    // Read once, at the call, and also if nothing is written in the end.
    const options = wantsSync(given) ? SYNCED : undefined;
    this.#state.requireWritable();
    const { result, written } = await this.#reads.useCurrent(key, (entry) => {
      const { result, batch } = decide(entry);
      // In an object: a promise would be awaited before it is known to belong to a write.
      return { result, written: batch && this.#writes.write(batch, options) };
    });
    await (written ?? this.#state.turns.due());
    return result;
  }

  #applySync<T>(key: Key, given: WriteOptions | undefined, decide: Decide<T>): T {
    const options = wantsSync(given) ? SYNCED : undefined;
    this.#state.requireWritable();
    return this.#reads.useCurrentSync(key, (entry) => {
      const { result, batch } = decide(entry);
      if (batch !== undefined) this.#writes.writeSync(batch, options);
      return result;
    });
  }

  #addition(key: Key, by: bigint | number): Decide<bigint> {
    const added = int64Of(by);
    const stored = this.#decoder.stored("int64");
    return (entry) => {
      const result = addInt64(entry === undefined ? 0n : stored(entry) as bigint, added);
      return { result, batch: new EmbeddedBatch().put(key, result) };
    };
  }

  #change(key: Key, change: Change): Decide<Value | undefined> {
    if (typeof change !== "function") {
      throw new TypeError(`Cannot update the key: found ${typeof change}, expected a function`);
    }
    return (entry) => {
      const { memtable, lastSequence } = this.#state;
      const old = entry && this.#decoder.value(entry);
      const result = change(old);
      let batch: EmbeddedBatch | undefined;
      if (result !== undefined) batch = new EmbeddedBatch().put(key, result);
      else if (old !== undefined) batch = new EmbeddedBatch().delete(key);
      // The caller's function, and getters of what it returns, may have done anything.
      const encoded = new ByteWriter(64);
      encodeKey(key, encoded);
      if (this.#state.wasWritten(encoded, memtable, lastSequence)) {
        throw new TypeError(
          "Cannot update the key: the function that changes it has written to it",
        );
      }
      return { result, batch };
    };
  }
}

function deletion(key: Key): Decide<boolean> {
  const batch = new EmbeddedBatch().delete(key);
  return (entry) => entry === undefined ? UNCHANGED : { result: true, batch };
}

function creation(key: Key, value: Value): Decide<boolean> {
  const batch = new EmbeddedBatch().put(key, value);
  return (entry) => entry === undefined ? { result: true, batch } : UNCHANGED;
}

function replacement(key: Key, value: Value, expected: Value): Decide<boolean> {
  const wanted = new ByteWriter(64);
  encodeValue(expected, wanted);
  const batch = new EmbeddedBatch().put(key, value);
  return (entry) => {
    if (entry === undefined || !isEncoding(wanted, entry)) return UNCHANGED;
    return { result: true, batch };
  };
}

/** Whether the entry's value is encoded as `wanted` is. */
function isEncoding({ bytes, length }: ByteWriter, entry: EntryView): boolean {
  const { valueBytes, valueStart, valueEnd } = entry;
  if (valueEnd - valueStart !== length) return false;
  for (let i = 0; i < length; i++) if (valueBytes[valueStart + i] !== bytes[i]) return false;
  return true;
}

/** The key, not to be changed by the caller any more. What can't be a key is left for the encoder. */
function ownKey(key: Key): Key {
  const isOwned = typeof key === "string" || !isBytes(key) || key.length === 0;
  return isOwned ? key : new Uint8Array(key);
}
