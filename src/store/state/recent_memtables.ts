/**
 * Keeps flushed memtables for as long as an open transaction may need them. A memtable has the
 * sequence number of every entry, and a table has none. So the memtables are the record of recent
 * commits, and the commit path needs no other one.
 *
 * While no transaction is open, nothing is kept. The total size is bounded. If a transaction stays
 * open past the bound, its conflicts are no longer known.
 */

import type { Memtable } from "../../memtable/memtable.ts";

/**
 * The size limit of all kept memtables together. If two memtables of the store's usual size are
 * larger, that is the limit.
 */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** How this file identifies a transaction: it sees the entries up to this sequence number. */
export interface OpenTransaction {
  /** The sequence number of the newest entry that the transaction sees. */
  readonly sequence: number;
  /** The object that runs the transaction. */
  readonly owner: unknown;
}

/** Keeps memtables for the open transactions. */
export class RecentMemtables {
  /**
   * Whether a synchronous transaction is running. A second one inside it would not be part of it.
   */
  isInSync = false;
  /** The transactions that are open. */
  readonly open: Set<OpenTransaction> = new Set();
  readonly #onUnused: (memtable: Memtable) => void;
  readonly #maxBytes: number;
  /** Newest first. No memtable is missing between these and the memtables of the present view. */
  #kept: { readonly memtable: Memtable; readonly lastSequence: number }[] = [];

  /** Starts empty. `onUnused` receives each memtable that nobody reads any more. */
  constructor(memtableSizeBytes: number, onUnused: (memtable: Memtable) => void) {
    this.#maxBytes = Math.max(MAX_KEPT_BYTES, 2 * memtableSizeBytes);
    this.#onUnused = onUnused;
  }

  /** The size of the kept memtables in bytes. */
  get sizeBytes(): number {
    return this.#kept.reduce((sum, { memtable }) => sum + memtable.sizeBytes, 0);
  }

  /** Notes a transaction that starts. */
  begin(transaction: OpenTransaction): void {
    this.open.add(transaction);
  }

  /** Notes that a transaction has ended. Returns false if it had ended before. */
  end(transaction: OpenTransaction): boolean {
    const wasOpen = this.open.delete(transaction);
    if (wasOpen && this.#kept.length > 0) this.#drop();
    return wasOpen;
  }

  /** Keeps a memtable that is about to leave the view, if a transaction may need it. */
  keep(memtable: Memtable, lastSequence: number): void {
    if (this.open.size === 0) return;
    memtable.references++;
    this.#kept.unshift({ memtable, lastSequence });
    this.#drop();
  }

  /** Drops all memtables, when the store is closed. */
  clear(): void {
    this.open.clear();
    this.#drop();
  }

  /**
   * The memtables that hold every entry after `sequence`, newest first. They may hold older
   * entries, too. Undefined if one of them is gone. `inView` are the memtables of the present view.
   */
  since(inView: readonly Memtable[], sequence: number): readonly Memtable[] | undefined {
    const found: Memtable[] = [];
    for (const memtable of inView) {
      found.push(memtable);
      if (memtable.firstSequence <= sequence + 1) return found;
    }
    for (const { memtable } of this.#kept) {
      found.push(memtable);
      if (memtable.firstSequence <= sequence + 1) return found;
    }
    return undefined;
  }

  /**
   * Drops the memtables that no open transaction needs. If the rest is too large, drops the oldest
   * ones.
   */
  #drop(): void {
    // A set keeps the order of insertion, and a transaction that starts later sees later entries.
    const oldest = this.open.values().next().value?.sequence ?? Infinity;
    let sizeBytes = 0;
    let count = 0;
    for (const { memtable, lastSequence } of this.#kept) {
      sizeBytes += memtable.sizeBytes;
      if (lastSequence <= oldest || sizeBytes > this.#maxBytes) break;
      count++;
    }
    for (const { memtable } of this.#kept.splice(count)) {
      if (--memtable.references === 0) this.#onUnused(memtable);
    }
  }
}
