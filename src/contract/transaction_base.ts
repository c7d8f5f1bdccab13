/**
 * The rest of a transaction, for those who implement one: what it has in addition to reads and
 * writes.
 */

import type { SubOptions } from "./sub/sub_options.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "./sub/key_codec.ts";
import { transactionSubOf } from "./sub/sub_transaction.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "./sub/value_codec.ts";
import type { AnyTransaction, Transaction } from "./transaction.ts";
import type { Key, Value } from "./value.ts";
import { WriterBase } from "./writer_base.ts";

/**
 * A transaction made from two reads, `write` and `update`. An implementation overrides what it can
 * do better.
 *
 * @example
 * ```ts
 * import { TransactionBase, WriterBase } from "@tinykvs/core/contract";
 *
 * console.log(TransactionBase.prototype instanceof WriterBase); // true
 * ```
 */
export abstract class TransactionBase<KeyOut = Key, V = Value>
  extends WriterBase<Key, V, KeyOut, Value>
  implements Transaction<Key, V, KeyOut, Value> {
  /** See {@linkcode Transaction}. */
  abstract readonly attempt: number;

  /** See {@linkcode Transaction}. */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): Transaction<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** See {@linkcode Transaction}. */
  sub<V extends Value>(path: string | readonly string[]): Transaction<Key, V>;
  sub(path: string | readonly string[], options?: SubOptions): AnyTransaction {
    return transactionSubOf(this as unknown as Transaction, path, options);
  }
}
