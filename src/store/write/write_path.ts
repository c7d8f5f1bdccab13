/**
 * The one write path: a write is committed in the call (commit.ts), and acknowledged when it is as
 * durable as its caller asks for (acknowledgement.ts).
 */

import type { ByteWriter } from "../../bytes/byte_writer.ts";
import { finiteTime, putOptions } from "../../contract/put_options.ts";
import { wantsSync } from "../../contract/write_options.ts";
import type { PutOptions, WriteOptions } from "../../contract/writer.ts";
import type { Key, Value } from "../../value/value.ts";
import type { ValueReference } from "../../value/value_reference.ts";
import type { Background } from "../background/background.ts";
import type { Range } from "../state/range.ts";
import type { StoreState } from "../state/store_state.ts";
import { Acknowledgement } from "./acknowledgement.ts";
import type { EmbeddedBatch } from "./batch.ts";
import { Commit, DELETE } from "./commit.ts";

/** Writes to a store. */
export class WritePath {
  readonly #state: StoreState;
  readonly #commit: Commit;
  readonly #acknowledgement: Acknowledgement;
  readonly #wallMs: () => number;

  /** Makes the write path of a store. */
  constructor(state: StoreState, background: Background) {
    this.#state = state;
    this.#commit = new Commit(state, background);
    this.#acknowledgement = new Acknowledgement(state, background);
    this.#wallMs = () => state.wallMs;
  }

  /** Stores a value; resolves when it is as durable as the caller asks for. */
  put(key: Key, value: Value, options: PutOptions | undefined): Promise<void> {
    try {
      if (options !== undefined) return this.#putWith(key, value, options);
      this.#commit.one(key, value);
      return this.#acknowledgement.wait(this.#isSynced);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #putWith(key: Key, value: Value, options: PutOptions): Promise<void> {
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    this.#commit.one(key, value, finiteTime(expiresAt));
    return this.#acknowledgement.wait(sync || this.#isSynced);
  }

  /** As `put`. */
  putSync(key: Key, value: Value, options: PutOptions | undefined): void {
    if (options === undefined) {
      this.#acknowledgement.now(this.#commit.one(key, value), this.#isSynced);
      return;
    }
    const { sync, expiresAt } = putOptions(options, this.#wallMs);
    const bytes = this.#commit.one(key, value, finiteTime(expiresAt));
    this.#acknowledgement.now(bytes, sync || this.#isSynced);
  }

  /**
   * Stores a value that is in a value file; resolves as `put` does. What it throws was thrown
   * before anything refers to the file, unless the store has failed.
   */
  putReference(
    key: Uint8Array,
    value: ValueReference,
    expiresAt: number | undefined,
    sync: boolean,
  ): Promise<void> {
    this.#commit.reference(key, value, expiresAt);
    return this.#acknowledgement.wait(sync || this.#isSynced);
  }

  /** Removes a key; resolves as `put` does. */
  delete(key: Key, options: WriteOptions | undefined): Promise<void> {
    try {
      const sync = this.#needsSync(options);
      this.#commit.one(key, DELETE);
      return this.#acknowledgement.wait(sync);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `delete`. */
  deleteSync(key: Key, options: WriteOptions | undefined): void {
    const sync = this.#needsSync(options);
    this.#acknowledgement.now(this.#commit.one(key, DELETE), sync);
  }

  /** Removes all keys of a range; resolves as `put` does. */
  deleteRange(range: Range, options: WriteOptions | undefined): Promise<void> {
    try {
      const sync = this.#needsSync(options);
      this.#commit.range(range);
      return this.#acknowledgement.wait(sync);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `deleteRange`. */
  deleteRangeSync(range: Range, options: WriteOptions | undefined): void {
    const sync = this.#needsSync(options);
    this.#acknowledgement.now(this.#commit.range(range), sync);
  }

  /** Applies a batch as one log record; resolves as `put` does. */
  write(batch: EmbeddedBatch, options: WriteOptions | undefined): Promise<void> {
    try {
      const sync = this.#needsSync(options);
      this.#commit.batch(batch);
      return this.#acknowledgement.wait(sync);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `write`. */
  writeSync(batch: EmbeddedBatch, options: WriteOptions | undefined): void {
    const sync = this.#needsSync(options);
    this.#acknowledgement.now(this.#commit.batch(batch), sync);
  }

  /** Makes every write before the call durable. */
  sync(): Promise<void> {
    return this.#acknowledgement.sync();
  }

  /** As `sync`. */
  syncSync(): void {
    this.#acknowledgement.syncSync();
  }

  /** Memory for a batch, whose bytes stay valid until the next batch starts. */
  takeBatchMemory(): ByteWriter {
    return this.#commit.takeBatchMemory();
  }

  /** Freezes the memtable unless it is empty. */
  rotate(): void {
    this.#commit.rotate();
  }

  /** Drops the memory of the last batch. */
  rest(): void {
    this.#commit.rest();
  }

  /** Drops everything: the store is closed. */
  stop(): void {
    this.#acknowledgement.stop();
    this.rest();
  }

  /** Resolves when every write that was accepted is acknowledged or has failed. */
  drained(): Promise<void> {
    return this.#acknowledgement.drained();
  }

  #needsSync(options: WriteOptions | undefined): boolean {
    const isWanted = wantsSync(options);
    return isWanted || this.#isSynced;
  }

  get #isSynced(): boolean {
    const { walSync } = this.#state.options;
    return walSync === "batch" || walSync === "write";
  }
}
