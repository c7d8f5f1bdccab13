/** Batches of a Level database. They encode an operation when it is added, and copy it once. */

import { AbstractChainedBatch, type AbstractLevel } from "abstract-level";
import type { Store } from "../../contract/store.ts";
import type { Batch, WriteOptions } from "../../contract/writer.ts";
import { type Data, toStore } from "./formats.ts";

type Database = AbstractLevel<Data, unknown, unknown>;

const DURABLE: WriteOptions = { sync: true };

/** The store's options for a write, made from Level's. */
export function writeOptions(
  options: { sync?: unknown } | undefined,
): WriteOptions | undefined {
  return options?.sync === true ? DURABLE : undefined;
}

/**
 * Adds a put. The store refuses text that is not well-formed, which is rare. Level repairs such
 * text, so this does, too.
 */
export function putData(batch: Batch, key: Data, value: Data): void {
  try {
    batch.put(key, value);
  } catch {
    batch.put(toStore(key), toStore(value));
  }
}

/** Adds a delete. */
export function deleteData(batch: Batch, key: Data): void {
  try {
    batch.delete(key);
  } catch {
    batch.delete(toStore(key));
  }
}

/** The result of `db.batch()` without arguments. */
export class LevelBatch extends AbstractChainedBatch<Database, unknown, unknown> {
  readonly #batch: Batch;

  /** Starts an empty batch. */
  constructor(db: Database, store: Store) {
    super(db);
    this.#batch = store.batch();
  }

  /** Adds a put, for Level. */
  _put(key: Data, value: Data): void {
    putData(this.#batch, key, value);
  }

  /** Adds a delete, for Level. */
  _del(key: Data): void {
    deleteData(this.#batch, key);
  }

  /** Removes all operations, for Level. */
  _clear(): void {
    this.#batch.clear();
  }

  /** Applies the operations as one, for Level. */
  _write(options: { sync?: unknown }): Promise<void> {
    return this.#batch.write(writeOptions(options));
  }
}
