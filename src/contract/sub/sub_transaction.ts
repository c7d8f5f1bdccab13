/** A sub in a transaction of its store. */

import type { AnyTransaction, Transaction } from "../transaction.ts";
import type { Key, Value } from "../value.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "./key_codec.ts";
import { Keyspace } from "./keyspace.ts";
import type { SubOptions } from "./sub_options.ts";
import { nestedPath } from "./sub_path.ts";
import { SubWriter } from "./sub_writer.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "./value_codec.ts";

/** A part of what a transaction reads and writes. It ends with the transaction. */
export class SubTransaction<K, V, KeyOut, ValueIn> extends SubWriter<K, V, KeyOut, ValueIn>
  implements Transaction<K, V, KeyOut, ValueIn> {
  readonly #transaction: Transaction;
  readonly #requireOpen: () => void;

  /**
   * Over a transaction of the store. `requireOpen` throws if the sub that started the transaction
   * was closed.
   */
  constructor(
    transaction: Transaction,
    space: Keyspace<K, V, KeyOut, ValueIn>,
    requireOpen: () => void = () => {},
  ) {
    super(transaction, space);
    this.#transaction = transaction;
    this.#requireOpen = requireOpen;
  }

  /** See {@linkcode Transaction}. */
  get attempt(): number {
    return this.#transaction.attempt;
  }

  override requireOpen(): void {
    this.#requireOpen();
  }

  /** See {@linkcode Transaction}. */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): Transaction<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** See {@linkcode Transaction}. */
  sub<V extends Value>(path: string | readonly string[]): Transaction<Key, V>;
  sub(path: string | readonly string[], options?: SubOptions): AnyTransaction {
    const space = new Keyspace(nestedPath(this.space.path, path), options);
    return new SubTransaction(this.#transaction, space, this.#requireOpen);
  }
}

/**
 * Opens a sub in a transaction.
 *
 * @throws {TypeError | RangeError} the path or an option is not valid
 */
export function transactionSubOf(
  transaction: Transaction,
  path: string | readonly string[],
  options?: SubOptions,
): AnyTransaction {
  return new SubTransaction(transaction, new Keyspace(path, options));
}
