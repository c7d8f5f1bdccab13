/**
 * Writes that depend on the key's value: they read, decide and write in one synchronous stretch, so
 * that no other write of this process comes in between. (Other processes can't write to the store.)
 *
 * If something must be read from disk, it is awaited first. If somebody has written to the key
 * meanwhile, it is read again (read_path.ts, `useCurrent`).
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { wantsSync } from "../../contract/write_options.ts";
import { encodeKey } from "../../value/key_codec.ts";
import type { Key, Value } from "../../value/value.ts";
import type { EntryDecoder } from "../read/entry_decoder.ts";
import type { ReadPath } from "../read/read_path.ts";
import type { StoreState } from "../state/store_state.ts";
import type { WriteOptions } from "./batch.ts";
import {
  addition,
  alteration,
  type Change,
  changedBeside,
  creation,
  type Decide,
  deletion,
  ownKey,
  replacement,
  requireChange,
} from "./decisions.ts";
import type { WritePath } from "./write_path.ts";

const SYNCED: WriteOptions = { sync: true };

/** The conditional writes of a store. */
export class ConditionalWrites<V extends Value = Value> {
  readonly #state: StoreState;
  readonly #reads: ReadPath;
  readonly #writes: WritePath;
  readonly #decoder: Pick<EntryDecoder<never, V>, "value" | "stored">;

  /** Joins the paths of a store. */
  constructor(
    state: StoreState,
    reads: ReadPath,
    writes: WritePath,
    decoder: Pick<EntryDecoder<never, V>, "value" | "stored">,
  ) {
    this.#state = state;
    this.#reads = reads;
    this.#writes = writes;
    this.#decoder = decoder;
  }

  /** Removes a key; resolves to whether it was there. */
  async deleteIfExists(key: Key, options: WriteOptions | undefined): Promise<boolean> {
    return await this.#apply(ownKey(key), options, deletion(key));
  }

  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: Key, options: WriteOptions | undefined): boolean {
    return this.#applySync(key, options, deletion(key));
  }

  /** Stores a value if the key has none; resolves to whether it did. */
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

  /** Replaces a value that equals `expected`; resolves to whether it did. */
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
    return await this.#apply(own, options, addition(own, by, this.#decoder));
  }

  /** As `increment`. */
  incrementSync(key: Key, by: bigint | number, options: WriteOptions | undefined): bigint {
    return this.#applySync(key, options, addition(key, by, this.#decoder));
  }

  /** Stores the result of `change` for the value; resolves to it. */
  async update(
    key: Key,
    change: Change<V>,
    options: WriteOptions | undefined,
  ): Promise<Value | undefined> {
    const own = ownKey(key);
    return await this.#apply(own, options, this.#change(own, change));
  }

  /** As `update`. */
  updateSync(key: Key, change: Change<V>, options: WriteOptions | undefined): Value | undefined {
    const own = ownKey(key);
    return this.#applySync(own, options, this.#change(own, change));
  }

  async #apply<T>(key: Key, given: WriteOptions | undefined, decide: Decide<T>): Promise<T> {
    // Read once, at the call, even if nothing is written in the end.
    const options = wantsSync(given) ? SYNCED : undefined;
    this.#state.requireWritable();
    const { result, written } = await this.#reads.useCurrent(key, (entry) => {
      const { result, batch } = decide(entry);
      // In an object: a bare promise would be awaited before it is known to belong to a write.
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

  #change(key: Key, change: Change<V>): Decide<Value | undefined> {
    requireChange(change);
    return (entry) => {
      const { memtable, lastSequence } = this.#state;
      const decide = alteration(key, change, this.#decoder, () => {
        const encoded = new ByteWriter(64);
        encodeKey(key, encoded);
        if (this.#state.wasWritten(encoded, memtable, lastSequence)) throw changedBeside();
      });
      return decide(entry);
    };
  }
}
