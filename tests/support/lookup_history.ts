/** A store whose keys change at random, a snapshot of it, and what both of them have to answer. */

import {
  type EmbeddedSnapshot,
  type EmbeddedStore,
  memoryFileSystem,
  openSync,
  type Options,
  type Value,
} from "../../mod.ts";
import type { Random } from "./random.ts";

/** What changes are like. */
export interface Changes<V extends Value> {
  /** One change in as many deletes its key. */
  readonly deletesOneIn: number;
  keyOf(index: number): string;
  value(): V;
}

/** The store, of small blocks and memtables. */
export class LookupHistory<V extends Value> {
  readonly store: EmbeddedStore;
  /** What the store has. */
  readonly now: Map<string, V> = new Map();
  /** What the snapshot has. */
  then: ReadonlyMap<string, V>;
  snapshot: EmbeddedSnapshot;
  readonly #random: Random;
  readonly #changes: Changes<V>;

  /** Starts with changes of the keys below `count`, in memtables. */
  constructor(random: Random, count: number, changes: Changes<V>, options: Options) {
    this.#random = random;
    this.#changes = changes;
    this.store = openSync("/db", {
      fileSystem: memoryFileSystem(),
      blockSizeBytes: 256,
      memtableSizeBytes: 64 * 1024,
      walSync: "none",
      ...options,
    });
    for (let i = 0; i < count; i++) this.change(i);
    this.snapshot = this.store.snapshot();
    this.then = new Map(this.now);
  }

  /** Puts or deletes a key. */
  change(index: number): void {
    const key = this.#changes.keyOf(index);
    if (this.#random.below(this.#changes.deletesOneIn) === 0) {
      this.now.delete(key);
      this.store.deleteSync(key);
    } else {
      const value = this.#changes.value();
      this.now.set(key, value);
      this.store.putSync(key, value);
    }
  }

  /** Deletes the keys from one on and before another one, as a range. */
  deleteRange(from: string, before: string): void {
    for (const key of [...this.now.keys()]) {
      if (key >= from && key < before) this.now.delete(key);
    }
    this.store.deleteRangeSync({ gte: from, lt: before });
  }

  /** Takes the snapshot again. */
  renewSnapshot(): void {
    this.snapshot.close();
    this.snapshot = this.store.snapshot();
    this.then = new Map(this.now);
  }

  async close(): Promise<void> {
    this.snapshot.close();
    await this.store.close();
  }
}
