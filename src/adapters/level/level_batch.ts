/** Batches of a Level database, which are encoded when an operation is added, and copied once. */

import { AbstractChainedBatch, type AbstractLevel } from "abstract-level";
import type { Store } from "../../contract/store.ts";
import type { Batch, WriteOptions } from "../../contract/writer.ts";
import { type Data, toStore } from "./formats.ts";

type Database = AbstractLevel<Data, unknown, unknown>;

const DURABLE: WriteOptions = { sync: true };

/** What a write of Level's is told, as the store is told it. */
export function writeOptions(
  options: { sync?: unknown } | undefined,
): WriteOptions | undefined {
  return options?.sync === true ? DURABLE : undefined;
}

/** Adds a put. Text that is not well-formed, which is rare, the store refuses, and Level mends. */
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

/** What `db.batch()` without arguments returns. */
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

  /** Forgets all operations, for Level. */
  _clear(): void {
    this.#batch.clear();
  }

  /** Applies the operations as one, for Level. */
  _write(options: { sync?: unknown }): Promise<void> {
    return this.#batch.write(writeOptions(options));
  }
}
