/** Transactions: several reads and writes that take effect as one, or not at all. */

import { checkSignal } from "./abort_signal.ts";
import type { Reader } from "./reader.ts";
import type { KeyChoice, KeyGiven, KeyShown } from "./sub/key_codec.ts";
import type { SubOptions } from "./sub/sub_options.ts";
import type { ValueChoice, ValueGiven, ValueShown } from "./sub/value_codec.ts";
import { describeValue, type Key, type Value } from "./value.ts";
import type { Writer } from "./writer.ts";

/** How often a transaction is tried again by default. */
const DEFAULT_RETRIES = 10;

/**
 * What {@linkcode Store.transaction} may be told. Anything else is a `TypeError`, and nothing is
 * run.
 */
export interface TransactionOptions {
  /**
   * How often the body is run again after a conflict, an integer from 0, or Infinity. Default 10.
   */
  retries?: number;
  /** Gives the transaction up: it rejects with the signal's reason, and nothing is written. */
  signal?: AbortSignal;
  /**
   * Whether the commit is made durable before it resolves, whatever the store does otherwise.
   * Default false.
   */
  sync?: boolean;
}

/**
 * What the body of a transaction reads from and writes to. It shows the store as it was when this
 * attempt began, and what the body itself has written. A cursor does not show what is written after
 * it was made.
 *
 * When the body has ended it can't be used any more. Calls that write and were not awaited still
 * count.
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
  /** Which run of the body this is, from 1. */
  readonly attempt: number;
  /**
   * A part of the store in this transaction, as {@linkcode Store.sub} makes one of the store. Of a
   * sub that is there already, `sub.in(transaction)` has the kinds of its keys and values.
   *
   * @throws {TypeError | RangeError} the path or an option is not valid
   */
  sub<const KC extends KeyChoice = "store", const VC extends ValueChoice = "store">(
    path: string | readonly string[],
    options?: SubOptions<KC, VC>,
  ): Transaction<KeyGiven<KC>, ValueShown<VC>, KeyShown<KC>, ValueGiven<VC>>;
  /** A part of the store whose values the caller claims to be of a type. */
  sub<V extends Value>(path: string | readonly string[]): Transaction<Key, V>;
}

/** A transaction of any keys and values. */
// deno-lint-ignore no-explicit-any
export type AnyTransaction = Transaction<any, any, any, any>;

/** The options of a transaction, all of them. */
export interface CheckedTransactionOptions {
  /** How often the body is run again after a conflict. */
  readonly retries: number;
  /** Gives the transaction up. */
  readonly signal: AbortSignal | undefined;
  /** Whether the commit is made durable before it resolves. */
  readonly sync: boolean;
}

const DEFAULTS: CheckedTransactionOptions = {
  retries: DEFAULT_RETRIES,
  signal: undefined,
  sync: false,
};

/**
 * Checks the options of a transaction, and fills in what is missing. Only own fields count.
 *
 * @throws {TypeError} they are no object, have an unknown name, or a field has another type
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
    throw new TypeError(`Cannot use the transaction options: unknown name "${name}"`);
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

/** Checks what a transaction is to run. @throws {TypeError} it is no function */
export function requireBody(body: unknown): void {
  if (typeof body === "function") return;
  throw new TypeError(
    `Cannot run a transaction: found ${describeValue(body)}, expected a function`,
  );
}
