/**
 * Where the last key was found. If keys are read in order, the next one is mostly the next entry of
 * the same block. A look there first saves a search among tables, one in an index and one in the
 * block.
 */

import type { LiveTable, Version } from "../../version/version.ts";

/** Remembers one place. It keeps nothing in memory: the block may be gone at the next search. */
export class LastHit {
  /** The table that has the entry. Meaningful only after an answer of `true` by `isBefore`. */
  table: LiveTable | undefined;
  /** Number of the block in it. */
  block = 0;
  /** Slot of the entry in the block. */
  slot = 0;
  #version: Version | undefined;
  #level = 0;

  /** Notes where a key was found. */
  note(version: Version, level: number, table: LiveTable, block: number, slot: number): void {
    this.#version = version;
    this.#level = level;
    this.table = table;
    this.block = block;
    this.slot = slot;
  }

  /**
   * Whether the next entry of the block has this key. The place must be in this level of this
   * version, because other versions may have other tables, and its block must still be in memory.
   */
  isBefore(version: Version, level: number, key: DataView, length: number): boolean {
    if (level !== this.#level || version !== this.#version) return false;
    const block = this.table!.reader.peekBlock(this.block);
    return block !== undefined && block.isAt(this.slot + 1, key, 0, length);
  }

  /** Forgets the place. */
  forget(): void {
    this.#version = undefined;
    this.table = undefined;
  }
}
