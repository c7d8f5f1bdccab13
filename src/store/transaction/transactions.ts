/**
 * Runs the bodies of transactions. Begins a transaction, checks it for conflicts, commits it, and
 * tries again after a conflict.
 *
 * Transactions are optimistic. A transaction starts with a lease on the present state. It remembers
 * what it reads there (read_set.ts) and what it writes (write_set.ts). To commit, it first checks
 * that nobody has written to what it has read. Then it appends its writes to the log as one record.
 * Both happen in one synchronous step, so the order of commits is a serial order of the
 * transactions. Only a commit makes another transaction conflict, so one of them always gets ahead.
 */

import { throwIfAborted } from "../../contract/abort_signal.ts";
import {
  requireBody,
  type TransactionOptions,
  transactionOptions,
} from "../../contract/transaction.ts";
import { ConflictError } from "../../errors.ts";
import type { Key, Value } from "../../value/value.ts";
import type { EntryDecoder } from "../read/entry_decoder.ts";
import type { ReadPath } from "../read/read_path.ts";
import type { Lease } from "../state/read_view.ts";
import type { OpenTransaction } from "../state/recent_memtables.ts";
import type { StoreState } from "../state/store_state.ts";
import type { WriteOptions } from "../write/batch.ts";
import type { WritePath } from "../write/write_path.ts";
import { ReadSet } from "./read_set.ts";
import { EmbeddedTransaction } from "./transaction.ts";
import { type TransactionParts, TransactionWork } from "./transaction_work.ts";
import { WriteSet } from "./write_set.ts";

/** The longest pause between two attempts, in milliseconds. */
const MAX_PAUSE_MS = 32;
/** The number of unused sets that are kept for later transactions. */
const MAX_SPARE = 8;

const SYNCED: WriteOptions = { sync: true };

/** A transaction with the resources that it holds. */
interface Running<KeyOut extends Key, V extends Value> extends OpenTransaction {
  readonly transaction: EmbeddedTransaction<KeyOut, V>;
  readonly work: TransactionWork<KeyOut, V>;
  readonly lease: Lease;
  readonly sets: ReadAndWriteSet;
}

/** What a transaction has read and written. */
interface ReadAndWriteSet {
  readonly read: ReadSet;
  readonly write: WriteSet;
}

/** The transactions of one handle on a store. */
export class Transactions<KeyOut extends Key = Key, V extends Value = Value> {
  readonly #state: StoreState;
  readonly #writes: WritePath;
  readonly #parts: TransactionParts<KeyOut, V>;
  readonly #spare: ReadAndWriteSet[] = [];

  /** Connects the read path and the write path of a store. */
  constructor(
    state: StoreState,
    reads: ReadPath,
    writes: WritePath,
    decoder: EntryDecoder<KeyOut, V>,
  ) {
    this.#state = state;
    this.#writes = writes;
    this.#parts = { state, reads, decoder };
  }

  /**
   * Runs `body` until its transaction commits. Resolves when the commit is as durable as a write.
   */
  async run<T>(
    body: (transaction: EmbeddedTransaction<KeyOut, V>) => T | Promise<T>,
    options: TransactionOptions | undefined,
  ): Promise<T> {
    requireBody(body);
    const { retries, signal, sync } = transactionOptions(options);
    for (let attempt = 1;; attempt++) {
      throwIfAborted(signal);
      const running = this.#begin(attempt);
      const { transaction, work } = running;
      let done: Promise<void> | undefined;
      let result: T;
      try {
        const given = body(transaction);
        result = signal === undefined ? await given : await unlessAborted(given, signal);
        const settled = work.writesSettled();
        if (settled !== undefined) await settled;
        throwIfAborted(signal);
        const conflict = work.conflict();
        if (conflict !== undefined) {
          if (!conflict.mayPass || attempt > retries) throw new ConflictError(conflict, attempt);
          this.#end(running);
          await this.#pause(attempt);
          continue;
        }
        const writes = work.takeWrites();
        if (writes !== undefined) {
          done = this.#writes.write(writes.batch, sync || writes.isSynced ? SYNCED : undefined);
        }
      } finally {
        this.#end(running);
      }
      if (done !== undefined) await done;
      return result;
    }
  }

  /** As `run`, in one synchronous step. Nobody else writes during it. */
  runSync<T>(
    body: (transaction: EmbeddedTransaction<KeyOut, V>) => T,
    options: TransactionOptions | undefined,
  ): T {
    requireBody(body);
    const { signal, sync } = transactionOptions(options);
    throwIfAborted(signal);
    const { recent } = this.#state;
    if (recent.isInSync) {
      throw new TypeError(
        "Cannot run a transaction: transactionSync was called in the body of another one of this " +
          "store; use that transaction instead",
      );
    }
    const running = this.#begin(1);
    const { transaction, work } = running;
    recent.isInSync = true;
    try {
      const result = body(transaction);
      requireNoPromise(result);
      throwIfAborted(signal);
      // The only possible conflict is a write that the body has made to the store and not to its
      // transaction.
      const conflict = work.conflict();
      if (conflict !== undefined) throw new ConflictError(conflict, 1);
      const writes = work.takeWrites();
      if (writes !== undefined) {
        this.#writes.writeSync(writes.batch, sync || writes.isSynced ? SYNCED : undefined);
      }
      return result;
    } finally {
      recent.isInSync = false;
      this.#end(running);
    }
  }

  /**
   * Ends the running transactions of this handle, which is being closed. Its store may stay open.
   */
  close(): void {
    for (const open of [...this.#state.recent.open]) {
      if (open.owner !== this) continue;
      const running = open as Running<KeyOut, V>;
      running.lease.revoke();
      this.#end(running);
    }
  }

  #begin(attempt: number): Running<KeyOut, V> {
    this.#state.requireOpen();
    const lease = this.#state.lease();
    const sets = this.#spare.pop() ?? {
      read: new ReadSet(),
      write: new WriteSet(() => this.#writes.takeBatchMemory()),
    };
    const { read, write } = sets;
    const work = new TransactionWork(this.#parts, lease, read, write, attempt);
    const transaction = new EmbeddedTransaction(work);
    const running = { sequence: lease.sequence, owner: this, transaction, work, lease, sets };
    this.#state.recent.begin(running);
    return running;
  }

  /**
   * Gives back what the transaction holds. The transaction cannot be used afterwards. A second call
   * does nothing.
   */
  #end(running: Running<KeyOut, V>): void {
    if (!this.#state.recent.end(running)) return;
    const { lease, sets } = running;
    lease.release();
    sets.write.clear();
    if (sets.read.clear() && this.#spare.length < MAX_SPARE) this.#spare.push(sets);
  }

  /**
   * Waits before the next attempt. After the first attempt it waits for one turn of the event loop,
   * in which the winner goes on. Later it waits for a random time, so that the same transactions do
   * not conflict again.
   */
  async #pause(attempt: number): Promise<void> {
    const { scheduler } = this.#state;
    if (attempt === 1) return await scheduler.yield();
    const longestMs = Math.min(2 ** (attempt - 2), MAX_PAUSE_MS);
    const share = Number.parseInt(scheduler.randomHex(2), 16) / 0x1_0000;
    await new Promise<void>((resolve) => {
      scheduler.setTimer(resolve, longestMs * share, true);
    });
  }
}

/** Settles as `given` does. If the signal is aborted first, rejects without waiting for `given`. */
function unlessAborted<T>(given: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      try {
        throwIfAborted(signal);
      } catch (reason) {
        reject(reason);
      }
    };
    signal.addEventListener("abort", abort);
    Promise.resolve(given).then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}

/** @throws {TypeError} the body of a synchronous transaction has returned a promise */
function requireNoPromise(result: unknown): void {
  if (typeof result !== "object" || result === null || !("then" in result)) return;
  if (typeof result.then !== "function") return;
  // The caller gets the TypeError. A rejection beside it would end the process.
  Promise.resolve(result).catch(() => {});
  throw new TypeError(
    "Cannot run a transaction: the body of transactionSync returned a promise; use transaction",
  );
}
