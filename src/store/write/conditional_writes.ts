/**
 * Writes that depend on the key's value: they read, decide and write in one synchronous stretch, so
 * that no other write of this process comes in between. (Other processes can't write to the store.)
 *
 * If something must be read from disk, it is awaited first. If somebody has written to the key
 * meanwhile, it is read again (read_path.ts, `useCurrent`).
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { putOptions } from "../../contract/put_options.ts";
import { wantsSync } from "../../contract/write_options.ts";
import { encodeKey } from "../../value/key_codec.ts";
import type { Key, Value } from "../../value/value.ts";
import type { EntryDecoder } from "../read/entry_decoder.ts";
import type { ReadPath } from "../read/read_path.ts";
import type { StoreState } from "../state/store_state.ts";
import type { PutOptions } from "../../contract/writer.ts";
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
  readonly #wallMs: () => number;

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
    this.#wallMs = () => state.wallMs;
  }

  /** Removes a key; resolves to whether it was there. */
  async deleteIfExists(key: Key, options: WriteOptions | undefined): Promise<boolean> {
    return await this.#apply(ownKey(key), wantsSync(options), deletion(key), false);
  }

  /** As `deleteIfExists`. */
  deleteIfExistsSync(key: Key, options: WriteOptions | undefined): boolean {
    return this.#applySync(key, wantsSync(options), deletion(key), false);
  }

  /** Stores a value if the key has none; resolves to whether it did. */
  async putIfNotExists(
    key: Key,
    value: Value,
    options: PutOptions | undefined,
  ): Promise<boolean> {
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    return await this.#apply(ownKey(key), sync, creation(key, value, expiresAt), false);
  }

  /** As `putIfNotExists`. */
  putIfNotExistsSync(key: Key, value: Value, options: PutOptions | undefined): boolean {
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    return this.#applySync(key, sync, creation(key, value, expiresAt), false);
  }

  /** Replaces a value that equals `expected`; resolves to whether it did. */
  async putIfEquals(
    key: Key,
    value: Value,
    expected: Value,
    options: PutOptions | undefined,
  ): Promise<boolean> {
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    return await this.#apply(ownKey(key), sync, replacement(key, value, expected, expiresAt));
  }

  /** As `putIfEquals`. */
  putIfEqualsSync(
    key: Key,
    value: Value,
    expected: Value,
    options: PutOptions | undefined,
  ): boolean {
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    return this.#applySync(key, sync, replacement(key, value, expected, expiresAt));
  }

  /** Adds to an int64; resolves to the sum. */
  async increment(
    key: Key,
    by: bigint | number,
    options: PutOptions | undefined,
  ): Promise<bigint> {
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    const own = ownKey(key);
    return await this.#apply(own, sync, addition(own, by, this.#decoder, expiresAt));
  }

  /** As `increment`. */
  incrementSync(key: Key, by: bigint | number, options: PutOptions | undefined): bigint {
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    return this.#applySync(key, sync, addition(key, by, this.#decoder, expiresAt));
  }

  /** Stores the result of `change` for the value; resolves to it. */
  async update(
    key: Key,
    change: Change<V>,
    options: PutOptions | undefined,
  ): Promise<Value | undefined> {
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    const own = ownKey(key);
    return await this.#apply(own, sync, this.#change(own, change, expiresAt));
  }

  /** As `update`. */
  updateSync(key: Key, change: Change<V>, options: PutOptions | undefined): Value | undefined {
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    const own = ownKey(key);
    return this.#applySync(own, sync, this.#change(own, change, expiresAt));
  }

  /** Without `needsValue`, `decide` only asks whether there is an entry: no large value is read. */
  async #apply<T>(
    key: Key,
    sync: boolean,
    decide: Decide<T>,
    needsValue = true,
  ): Promise<T> {
    const options = sync ? SYNCED : undefined;
    this.#state.requireWritable();
    const { result, written } = await this.#reads.useCurrent(key, (entry) => {
      const { result, batch } = decide(entry);
      // In an object: a bare promise would be awaited before it is known to belong to a write.
      return { result, written: batch && this.#writes.write(batch, options) };
    }, needsValue);
    await (written ?? this.#state.turns.due());
    return result;
  }

  #applySync<T>(key: Key, sync: boolean, decide: Decide<T>, needsValue = true): T {
    const options = sync ? SYNCED : undefined;
    this.#state.requireWritable();
    return this.#reads.useCurrentSync(key, (entry) => {
      const { result, batch } = decide(entry);
      if (batch !== undefined) this.#writes.writeSync(batch, options);
      return result;
    }, needsValue);
  }

  #change(
    key: Key,
    change: Change<V>,
    expiresAt: number | undefined,
  ): Decide<Value | undefined> {
    requireChange(change);
    return (entry) => {
      const { memtable, lastSequence } = this.#state;
      const decide = alteration(key, change, this.#decoder, expiresAt, () => {
        const encoded = new ByteWriter(64);
        encodeKey(key, encoded);
        if (this.#state.wasWritten(encoded, memtable, lastSequence)) throw changedBeside();
      });
      return decide(entry);
    };
  }
}
