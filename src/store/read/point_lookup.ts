/**
 * Finds one key in a read view: memtables newest first, then level 0 newest first, then one table
 * of each level. The first entry found decides, and a tombstone means that the key is missing.
 *
 * The search is synchronous over what is in memory. If an index, a filter or a block is missing, it
 * answers `NEEDS_LOAD` and keeps its place, and `resume` continues with the loaded piece. So one
 * search serves `get` and `getSync`, without a Promise if nothing is missing. The object is reused.
 */

import type { ByteWriter } from "../../bytes/byte_writer.ts";
import { compareRanges } from "../../bytes/compare.ts";
import { hashKey } from "../../bytes/murmur3.ts";
import {
  AT_END,
  AT_ENTRY,
  emptyEntryView,
  type EntryView,
  NEEDS_LOAD,
  type Position,
  showKeyAlone,
} from "../../iterator/entry_cursor.ts";
import type { Block } from "../../sstable/block.ts";
import type { Filter } from "../../sstable/filter.ts";
import type { LoadWaiter } from "../../sstable/load_queue.ts";
import type { ReadPace } from "../../sstable/read_pace.ts";
import type { TableIndex } from "../../sstable/table_index.ts";
import { type LiveTable, mayHold, type Version } from "../../version/version.ts";
import type { ReadView } from "../state/read_view.ts";

const nothing = emptyEntryView();

type Missing = "index" | "filter" | "block";

/** Why a load has failed. */
export interface LoadFailure {
  /** What was thrown. */
  readonly error: unknown;
}

/** From this number on the last table's filter is searched first, too. */
const MANY_ABSENCES = 8;
/**
 * After this many hits in a row in the last table its filter is skipped. A filter check costs a
 * tenth of a read, and after so long a run a miss is unlikely (decision 8).
 */
const MANY_FOUND = 16;

/** One search at a time. */
export class PointLookup implements LoadWaiter<TableIndex | Filter | Block> {
  /** The entry that was found, after an answer of `AT_ENTRY`. */
  readonly entry: EntryView = emptyEntryView();
  /** The key to look for: all of the writer's bytes. */
  readonly key: ByteWriter;
  readonly #useFilters: boolean;
  #view: ReadView | undefined;
  #level = 0;
  /** Position among the tables of level 0. */
  #at = 0;
  #table: LiveTable | undefined;
  #missing: Missing = "index";
  /** Continues when the missing piece was loaded. */
  #onLoaded: ((failure: LoadFailure | undefined) => void) | undefined;
  #blockNumber = 0;
  /**
   * Pieces of `#table` that were loaded for this search; the caches may have dropped them already.
   */
  #index: TableIndex | undefined;
  #filter: Filter | undefined;
  #block: Block | undefined;
  /** Recent misses in the last level, decayed by hits. */
  #absences = 0;
  /** Searches in a row that found their key in the last table, up to `MANY_FOUND`. */
  #found = MANY_FOUND;
  /**
   * Whether `#block` came with a pin, as from an awaited load; other blocks are used only within
   * one stretch.
   */
  #isPinned = false;
  /** Whether the kernel holds the hash of this key: true only within one synchronous stretch. */
  #isHashed = false;
  /** The slot of the key in `#block`, if it is known without a search; -1 otherwise. */
  #slot = -1;
  /**
   * Where the last key was found. If keys are read in order, the next one is mostly the next entry
   * of the same block. A look there first saves a search among tables, one in an index and one in
   * the block.
   */
  #nearVersion: Version | undefined;
  #nearTable: LiveTable | undefined;
  #nearLevel = 0;
  #nearBlock = 0;
  #nearSlot = 0;

  /** Makes a search whose key its user encodes into `key`. */
  constructor(key: ByteWriter, useFilters: boolean) {
    this.key = key;
    this.#useFilters = useFilters;
  }

  /** Looks for `key` in a view, as of a sequence number. */
  find(view: ReadView, sequence: number): Position {
    const key = this.key;
    const { memtables } = view;
    for (let i = 0; i < memtables.length; i++) {
      const memtable = memtables[i]!;
      if (memtable.entryCount === 0) continue;
      if (memtable.find(key.view, 0, key.length, sequence, this.entry)) return AT_ENTRY;
    }
    this.#view = view;
    this.#level = 0;
    this.#at = 0;
    this.#dropTable();
    return this.resume();
  }

  /** Continues after a load. */
  resume(): Position {
    this.#isHashed = false;
    for (;;) {
      const table = this.#table ??= this.#nextTable();
      if (table === undefined) return AT_END;
      const position = this.#probe(table);
      if (position !== AT_END) return position;
      this.#dropTable();
    }
  }

  /**
   * Continues without the missing block, for a caller who only wants to know whether the key has a
   * value; `NEEDS_LOAD` if that takes the block. A shown value may be a replacement.
   */
  resumeWithoutValue(): Position {
    const index = this.#index!;
    if (this.#missing !== "block" || !index.isLone(this.#blockNumber)) return NEEDS_LOAD;
    const { view, length } = this.key;
    const start = index.firstKeyStart(this.#blockNumber);
    const end = index.firstKeyEnd(this.#blockNumber);
    if (compareRanges(index.view, start, end, view, 0, length) === 0) {
      showKeyAlone(this.entry, index.bytes, index.view, start, end);
      return AT_ENTRY;
    }
    this.#absent();
    this.#dropTable();
    const position = this.resume();
    return position === NEEDS_LOAD ? this.resumeWithoutValue() : position;
  }

  /** Loads the missing piece. */
  loadSync(): void {
    const { reader } = this.#table!;
    if (this.#missing === "index") this.#index = reader.sections.loadIndexSync();
    else if (this.#missing === "filter") this.#filter = reader.sections.loadFilterSync();
    else this.#block = reader.loadBlockSync(this.#index!, this.#blockNumber);
  }

  /**
   * Loads the missing piece if that takes no longer than waiting for it; returns whether it did.
   * Then the search continues in the same stretch.
   */
  loadAtOnce(pace: ReadPace): boolean {
    const { reader } = this.#table!;
    if (this.#missing === "index") {
      return (this.#index = reader.sections.loadIndexAtOnce(pace)) !== undefined;
    }
    if (this.#missing === "filter") {
      return (this.#filter = reader.sections.loadFilterAtOnce(pace)) !== undefined;
    }
    const block = reader.loadBlockAtOnce(this.#index!, this.#blockNumber, pace);
    if (block === undefined) return false;
    this.#unpin();
    this.#block = block;
    return true;
  }

  /** Loads the missing piece, and calls `onLoaded` with the error if there is one. */
  load(onLoaded: (failure: LoadFailure | undefined) => void): void {
    this.#onLoaded = onLoaded;
    const { reader } = this.#table!;
    if (this.#missing === "index") reader.sections.joinIndex(this);
    else if (this.#missing === "filter") reader.sections.joinFilter(this);
    else reader.joinBlock(this.#index!, this.#blockNumber, this);
  }

  /** The piece that it waits for is there. */
  loaded(piece: TableIndex | Filter | Block): void {
    if (this.#missing === "index") this.#index = piece as TableIndex;
    else if (this.#missing === "filter") this.#filter = piece as Filter;
    else {
      // A second block of the table, after the first.
      this.#unpin();
      this.#block = piece as Block;
      this.#isPinned = true;
    }
    this.#onLoaded!(undefined);
  }

  /** The piece that it waits for can't be loaded. */
  failed(error: unknown): void {
    this.#onLoaded!({ error });
  }

  /** Releases what it holds in memory: nobody may use the found entry any more. */
  release(): void {
    this.#dropTable();
    this.#view = undefined;
    this.#nearVersion = undefined;
    this.#nearTable = undefined;
    this.#onLoaded = undefined;
    const { entry } = this;
    entry.keyBytes = entry.valueBytes = nothing.keyBytes;
    entry.keyView = entry.valueView = nothing.keyView;
  }

  #unpin(): void {
    if (!this.#isPinned) return;
    this.#isPinned = false;
    this.#table!.reader.unpin(this.#block!);
  }

  #dropTable(): void {
    this.#unpin();
    this.#table = undefined;
    this.#index = undefined;
    this.#filter = undefined;
    this.#block = undefined;
    this.#slot = -1;
  }

  #nextTable(): LiveTable | undefined {
    const { version } = this.#view!;
    const { view, length } = this.key;
    if (this.#level === 0) {
      const level0 = version.levels[0]!;
      while (this.#at < level0.length) {
        const table = level0[this.#at++]!;
        if (mayHold(table, view, 0, length)) return table;
      }
      this.#level = 1;
    }
    while (this.#level < version.depth) {
      const level = this.#level++;
      if (level === this.#nearLevel && version === this.#nearVersion && this.#isNext()) {
        return this.#nearTable;
      }
      const table = version.tableFor(level, view, 0, length);
      if (table !== undefined) return table;
    }
    return undefined;
  }

  /**
   * Whether the key is that of the entry after the last hit, in a block that is still in memory.
   */
  #isNext(): boolean {
    const { reader } = this.#nearTable!;
    const slot = this.#nearSlot + 1;
    const block = reader.peekBlock(this.#nearBlock);
    if (block === undefined || !block.isAt(slot, this.key.view, 0, this.key.length)) return false;
    this.#block = reader.blockInMemory(this.#nearBlock);
    this.#blockNumber = this.#nearBlock;
    this.#slot = slot;
    return true;
  }

  #probe(table: LiveTable): Position {
    const { key } = this;
    const { reader } = table;
    if (this.#block === undefined) {
      const index = this.#index ??= reader.sections.index;
      if (index === undefined) return this.#need("index");
      let number = -1;
      const isLast = this.#level === this.#view!.version.depth;
      // Most keys that reach the last table exist, unless recent searches say otherwise. Then a
      // block in memory answers at once, and a filter would cost seven more cache lines.
      if (isLast && this.#absences < MANY_ABSENCES) {
        number = index.blockFor(key.view, 0, key.length);
        if (number < 0) return AT_END;
        this.#block = reader.blockInMemory(number);
      }
      if (this.#block === undefined) {
        // The filter of a Go table has no checksum: one flipped bit in it would hide a key.
        if (
          this.#useFilters && reader.sections.hasFilter && table.metadata.checksum !== undefined &&
          !(isLast && this.#found === MANY_FOUND)
        ) {
          const filter = this.#filter ??= reader.sections.filter;
          if (filter === undefined) return this.#need("filter");
          if (!this.#isHashed) {
            hashKey(key.bytes, 0, key.length);
            this.#isHashed = true;
          }
          if (!filter.mayContainHashed()) return this.#absent();
        }
        if (number < 0) number = index.blockFor(key.view, 0, key.length);
        if (number < 0) return AT_END;
        this.#block = reader.cachedBlock(number);
      }
      this.#blockNumber = number;
      if (this.#block === undefined) return this.#need("block");
    }
    const slot = this.#slot < 0 ? this.#block.find(key.view, 0, key.length) : this.#slot;
    if (slot < 0) {
      if (table.metadata.checksum !== undefined || !this.#isBehindBlock(this.#index!)) {
        return this.#absent();
      }
      // The index of a Go table has no checksum either. If the key falls between two blocks, load
      // the second: decoding verifies its first key.
      this.#blockNumber++;
      if (reader.cachedBlock(this.#blockNumber) !== undefined) return AT_END;
      return this.#need("block");
    }
    this.#block.showBuffers(this.entry);
    this.#block.showAt(slot, this.entry);
    this.#nearVersion = this.#view!.version;
    this.#nearTable = table;
    this.#nearLevel = this.#level - 1;
    this.#nearBlock = this.#blockNumber;
    this.#nearSlot = slot;
    if (this.#absences > 0) this.#absences--;
    if (this.#found < MANY_FOUND && this.#level === this.#view!.version.depth) this.#found++;
    return AT_ENTRY;
  }

  /** The table does not have the key; notes it if no table follows. */
  #absent(): Position {
    if (this.#level === this.#view!.version.depth) {
      this.#found = 0;
      if (this.#absences < 2 * MANY_ABSENCES) this.#absences += 2;
    }
    return AT_END;
  }

  /** Whether the key comes after all of the block, and another block follows. */
  #isBehindBlock(index: TableIndex): boolean {
    const { view, length } = this.key;
    const block = this.#block!;
    return this.#blockNumber + 1 < index.blockCount &&
      block.lowerBound(view, 0, length) === block.count;
  }

  #need(missing: Missing): Position {
    this.#missing = missing;
    return NEEDS_LOAD;
  }
}
