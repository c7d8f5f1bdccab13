/** A sub in a transaction of the embedded store. */

import type { Range } from "../../contract/range.ts";
import type { SubOptions } from "../../contract/sub/sub_options.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "../../contract/sub/key_codec.ts";
import { Keyspace } from "../../contract/sub/keyspace.ts";
import { nestedPath } from "../../contract/sub/sub_path.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "../../contract/sub/value_codec.ts";
import type { AnyTransaction, Transaction } from "../../contract/transaction.ts";
import type { Key, Value } from "../../contract/value.ts";
import type { EmbeddedCursor } from "../read/embedded_cursor.ts";
import type { EmbeddedReader } from "../read/reader.ts";
import type { EmbeddedTransactionSub } from "./embedded_sub.ts";
import type { SyncBatch } from "../write/sync_batch.ts";
import { EmbeddedSubWriter } from "./embedded_sub_writer.ts";
import type { EmbeddedWriter } from "./embedded_writer.ts";

/** The transaction that a sub belongs to. */
export interface ParentTransaction extends Transaction, EmbeddedReader, EmbeddedWriter {
  batch(): SyncBatch;
  entries(range?: Range): EmbeddedCursor<[string | Uint8Array, Value]>;
  keys(range?: Range): EmbeddedCursor<string | Uint8Array>;
  values(range?: Range): EmbeddedCursor<Value>;
}

/** A part of what a transaction reads and writes. It ends with the transaction. */
export class EmbeddedSubTransaction<K, V, KeyOut, ValueIn>
  extends EmbeddedSubWriter<K, V, KeyOut, ValueIn>
  implements EmbeddedTransactionSub<K, V, KeyOut, ValueIn> {
  readonly #transaction: ParentTransaction;
  readonly #requireOpen: () => void;

  /**
   * Over a transaction of the store. `requireOpen` throws if the sub that started the transaction
   * was closed.
   */
  constructor(
    transaction: ParentTransaction,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen: () => void = () => {},
  ) {
    super(transaction, space);
    this.#transaction = transaction;
    this.#requireOpen = requireOpen;
  }

  /** See {@linkcode Transaction.attempt}. */
  get attempt(): number {
    return this.#transaction.attempt;
  }

  override requireOpen(): void {
    this.#requireOpen();
  }

  /** See {@linkcode Transaction.sub}. */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): EmbeddedTransactionSub<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** See {@linkcode Transaction.sub}. */
  sub<V extends Value>(path: string | readonly string[]): EmbeddedTransactionSub<Key, V>;
  // deno-lint-ignore no-explicit-any
  sub(path: string | readonly string[], options?: SubOptions): any {
    const space = new Keyspace(nestedPath(this.space.path, path), options);
    return new EmbeddedSubTransaction(this.#transaction, space, this.#requireOpen);
  }
}

/**
 * Opens a sub in a transaction.
 *
 * @throws {TypeError | RangeError} the path or an option is not valid
 */
export function embeddedTransactionSubOf(
  transaction: ParentTransaction,
  path: string | readonly string[],
  options?: SubOptions,
): AnyTransaction {
  return new EmbeddedSubTransaction(transaction, new Keyspace(path, options));
}
