/**
 * Memtables that are flushed already and kept for a while, because a transaction began before all
 * of their entries were written: memtables have the sequence number of every entry, tables have
 * none. So the memtables are the record of what was committed lately, and the commit path writes no
 * other one.
 *
 * Nothing is kept while no transaction is open. What is kept is bounded: of a transaction that is
 * open for so long that the bound was passed, it is not known any more what it conflicts with.
 */

import type { Memtable } from "../../memtable/memtable.ts";

/** Memtables are kept up to this size, together, and at least two of the store's usual size. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;

/** What a transaction is known by here: what it sees are entries up to this sequence number. */
export interface OpenTransaction {
  /** The newest entry that it sees. */
  readonly sequence: number;
  /** Whoever runs it. */
  readonly owner: unknown;
}

/** Keeps memtables for the transactions that are open. */
export class RecentMemtables {
  /** Whether a synchronous transaction is running: another one inside would be no part of it. */
  isInSync = false;
  /** The transactions that are open. */
  readonly open: Set<OpenTransaction> = new Set();
  readonly #onUnused: (memtable: Memtable) => void;
  readonly #maxBytes: number;
  /** Newest first, without a gap to those of the view in force. */
  #kept: { readonly memtable: Memtable; readonly lastSequence: number }[] = [];

  /** Starts without any. `onUnused` gets a memtable that nobody shows any more. */
  constructor(memtableSizeBytes: number, onUnused: (memtable: Memtable) => void) {
    this.#maxBytes = Math.max(MAX_KEPT_BYTES, 2 * memtableSizeBytes);
    this.#onUnused = onUnused;
  }

  /** Bytes of the memtables that are kept. */
  get sizeBytes(): number {
    return this.#kept.reduce((sum, { memtable }) => sum + memtable.sizeBytes, 0);
  }

  /** Notes a transaction that begins. */
  begin(transaction: OpenTransaction): void {
    this.open.add(transaction);
  }

  /** Notes that a transaction is over; false if that was known. */
  end(transaction: OpenTransaction): boolean {
    const wasOpen = this.open.delete(transaction);
    if (wasOpen && this.#kept.length > 0) this.#drop();
    return wasOpen;
  }

  /** Keeps a memtable that is about to leave the view, if a transaction may ask for it. */
  keep(memtable: Memtable, lastSequence: number): void {
    if (this.open.size === 0) return;
    memtable.references++;
    this.#kept.unshift({ memtable, lastSequence });
    this.#drop();
  }

  /** Lets go of all: the store is closed. */
  clear(): void {
    this.open.clear();
    this.#drop();
  }

  /**
   * The memtables that have every entry after `sequence`, and maybe older ones, newest first;
   * undefined if one of them is gone. `inView` are those of the view in force.
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

  /** Drops what no open transaction needs, and the oldest of what is too much. */
  #drop(): void {
    // A set has the order in which it was filled, and those that begin later see later entries.
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
