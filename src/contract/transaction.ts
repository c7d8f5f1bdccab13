/** Transactions: several reads and writes that take effect together or not at all. */

import { checkSignal } from "./abort_signal.ts";
import type { Reader } from "./reader.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "./sub/key_codec.ts";
import type { SubOptions } from "./sub/sub_options.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "./sub/value_codec.ts";
import { describeValue, type Key, type Value } from "./value.ts";
import type { Writer } from "./writer.ts";

/** The number of retries by default. */
const DEFAULT_RETRIES = 10;

/**
 * The options of {@linkcode Store.transaction}. An unknown option is a `TypeError`, and the body
 * does not run.
 */
export interface TransactionOptions {
  /**
   * The number of times that the body may run again after a conflict: an integer from 0, or
   * Infinity. Default 10.
   */
  retries?: number;
  /** Aborts the transaction, which rejects with the signal's reason and writes nothing. */
  signal?: AbortSignal;
  /**
   * Whether the commit is durable when the call resolves, whatever the store's own setting. Default
   * false.
   */
  sync?: boolean;
}

/**
 * Reads and writes for the body of a transaction. It shows the store at the start of this attempt,
 * together with the body's own writes. A cursor does not show writes made after the cursor.
 *
 * The transaction cannot be used after the body has ended. A write that the body started but did
 * not await still counts.
 *
 * @example
 * ```ts
 * import { memoryFileSystem, open } from "@tinykvs/core";
 * import type { Transaction } from "@tinykvs/core/contract";
 *
 * async function move(tx: Transaction, from: string, to: string, amount: bigint): Promise<void> {
 *   const left = await tx.increment(from, -amount);
 *   if (left < 0n) throw new RangeError(`${from} has too little`);
 *   await tx.increment(to, amount);
 * }
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * await store.put("alice", 10n);
 * await store.transaction((tx) => move(tx, "alice", "bob", 7n));
 * await store.transaction((tx) => move(tx, "alice", "bob", 7n)).catch(console.log); // RangeError
 * console.log(await store.getMany(["alice", "bob"])); // [ 3n, 7n ]
 * ```
 */
export interface Transaction<K = Key, V = Value, KeyOut = K, ValueIn = V>
  extends Reader<K, V, KeyOut>, Writer<K, V, ValueIn> {
  /** The number of this run of the body, from 1. */
  readonly attempt: number;
  /**
   * Opens a part of the store in this transaction, as {@linkcode Store.sub} opens one in the store.
   * For a sub that is already open, `sub.in(transaction)` keeps the sub's types of keys and values.
   *
   * @throws {TypeError | RangeError} the path or an option is not valid
   */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): Transaction<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** A part of the store. The caller states the type of its values, and nobody checks it. */
  sub<V extends Value>(path: string | readonly string[]): Transaction<Key, V>;
}

/** A transaction with any types of keys and values. */
// deno-lint-ignore no-explicit-any
export type AnyTransaction = Transaction<any, any, any, any>;

/** The options of a transaction, with defaults filled in. */
export interface CheckedTransactionOptions {
  /** The number of times that the body may run again after a conflict. */
  readonly retries: number;
  /** Aborts the transaction. */
  readonly signal: AbortSignal | undefined;
  /** Whether the commit is durable when the call resolves. */
  readonly sync: boolean;
}

const DEFAULTS: CheckedTransactionOptions = {
  retries: DEFAULT_RETRIES,
  signal: undefined,
  sync: false,
};

/**
 * Checks the options of a transaction, and fills in the defaults. Only own fields count.
 *
 * @throws {TypeError} the options are not an object, have an unknown name, or a field has a wrong
 * type
 * @throws {RangeError} `retries` is not an integer from 0 or Infinity
 */
export function transactionOptions(options?: TransactionOptions): CheckedTransactionOptions {
  if (options === undefined) return DEFAULTS;
  if (Object.prototype.toString.call(options) !== "[object Object]") {
    throw new TypeError(
      `Cannot use the transaction options: found ${describeValue(options)}, ` +
        "expected an object such as { retries: 3 }",
    );
  }
  for (const name of Object.keys(options)) {
    if (name === "retries" || name === "signal" || name === "sync") continue;
    throw new TypeError(
      `Cannot use the transaction options: unknown name "${name}", expected "retries", "signal" ` +
        'or "sync"',
    );
  }
  const own: TransactionOptions = { ...options };
  const { retries = DEFAULT_RETRIES, signal, sync = false } = own;
  if (retries !== Infinity && !(Number.isSafeInteger(retries) && retries >= 0)) {
    throw new RangeError(
      `Cannot use the transaction options: "retries" is ${describeValue(retries)}, ` +
        "expected an integer from 0 or Infinity",
    );
  }
  if (typeof sync !== "boolean") {
    throw new TypeError(
      `Cannot use the transaction options: "sync" is ${
        describeValue(sync)
      }, expected true or false`,
    );
  }
  checkSignal(signal, "Cannot use the transaction options");
  return { retries, signal, sync };
}

/** Checks the body of a transaction. @throws {TypeError} it is not a function */
export function requireBody(body: unknown): void {
  if (typeof body === "function") return;
  throw new TypeError(
    `Cannot run a transaction: found ${describeValue(body)}, expected a function`,
  );
}
