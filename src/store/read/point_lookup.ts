/**
 * Finds one key in a read view: memtables newest first, then level 0 newest first, then one table a
 * level; the first entry found decides. In a table: the index names the block, the filter may rule
 * the key out, the block is searched. Two shortcuts are in files of their own: last_hit.ts and
 * filter_policy.ts.
 *
 * The search is synchronous over what is in memory. If an index, a filter or a block is missing it
 * answers `NEEDS_LOAD`, keeps its place, and goes on by `resume` with what was loaded: one search
 * for `get` and `getSync`, without a Promise if nothing is missing. The object is reused.
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
import { spanHolding } from "../../iterator/key_spans.ts";
import type { Block } from "../../sstable/block.ts";
import type { Filter } from "../../sstable/filter.ts";
import type { LoadWaiter } from "../../sstable/load_queue.ts";
import type { ReadPace } from "../../sstable/read_pace.ts";
import type { TableIndex } from "../../sstable/table_index.ts";
import {
  type LargeValue,
  showLargeValue,
  type ValueReader,
  type ValueRequest,
} from "../../sstable/value_reader.ts";
import { TYPE_MSGPACK } from "../../value/value.ts";
import { isReference } from "../../value/value_reference.ts";
import { type LiveTable, mayHold } from "../../version/version.ts";
import type { ReadView } from "../state/read_view.ts";
import { FilterPolicy } from "./filter_policy.ts";
import { LastHit } from "./last_hit.ts";

const nothing = emptyEntryView();

type Missing = "index" | "filter" | "block" | "value";

/** Why a load has failed. */
export interface LoadFailure {
  /** What was thrown. */
  readonly error: unknown;
}

/** One search at a time. */
export class PointLookup implements LoadWaiter<TableIndex | Filter | Block | LargeValue> {
  /** The entry that was found, after an answer of `AT_ENTRY`. */
  readonly entry: EntryView = emptyEntryView();
  /** The key to look for: all of the writer's bytes. */
  readonly key: ByteWriter;
  readonly #useFilters: boolean;
  readonly #values: ValueReader;
  /** The large value that the found entry refers to, and when it was read the value. */
  #request: ValueRequest | undefined;
  #value: LargeValue | undefined;
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
  readonly #policy = new FilterPolicy();
  readonly #lastHit = new LastHit();
  /**
   * Whether `#block` came with a pin, as from an awaited load; other blocks are used only within
   * one stretch.
   */
  #isPinned = false;
  /** Whether `#block` was loaded for this search, so that the found entry is kept apart. */
  #isFresh = false;
  /** Whether the kernel holds the hash of this key: true only within one synchronous stretch. */
  #isHashed = false;
  /** The slot of the key in `#block`, if it is known without a search; -1 otherwise. */
  #slot = -1;

  /** Makes a search whose key its user encodes into `key`. */
  constructor(key: ByteWriter, useFilters: boolean, values: ValueReader) {
    this.key = key;
    this.#useFilters = useFilters;
    this.#values = values;
  }

  /** Looks for `key` in a view, as of a sequence number. */
  find(view: ReadView, sequence: number): Position {
    const key = this.key;
    const { memtables } = view;
    for (let i = 0; i < memtables.length; i++) {
      const memtable = memtables[i]!;
      if (memtable.entryCount === 0) continue;
      if (memtable.find(key.view, 0, key.length, sequence, this.entry)) return this.#found();
      if (memtable.hasDeletedRanges && memtable.hides(key.view, 0, key.length, sequence)) {
        this.#dropTable();
        return AT_END;
      }
    }
    this.#view = view;
    this.#level = 0;
    this.#at = 0;
    this.#dropTable();
    return this.resume();
  }

  /** Continues after a load. */
  resume(): Position {
    if (this.#value !== undefined) return this.#showValue();
    this.#isHashed = false;
    const hasSpans = this.#view!.version.hasDeletedSpans;
    for (;;) {
      const table = this.#table ??= this.#nextTable();
      if (table === undefined) return AT_END;
      const position = this.#probe(table);
      if (position !== AT_END || (hasSpans && this.#hides(table))) return position;
      this.#dropTable();
    }
  }

  /** Whether a table that does not hold the key says that no older one counts. */
  #hides({ metadata }: LiveTable): boolean {
    const { deletedSpans } = metadata;
    if (deletedSpans.length === 0) return false;
    const { view, length } = this.key;
    return spanHolding(deletedSpans, view, 0, length) !== undefined;
  }

  /**
   * Continues without the missing block, for a caller who only wants to know whether the key has a
   * value; `NEEDS_LOAD` if that takes the block. The shown value may not be the stored one.
   */
  resumeWithoutValue(): Position {
    if (this.#missing === "value") {
      this.#request = undefined;
      return AT_ENTRY;
    }
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
    if (this.#hides(this.#table!)) return AT_END;
    this.#dropTable();
    const position = this.resume();
    return position === NEEDS_LOAD ? this.resumeWithoutValue() : position;
  }

  /** Whether a large value is missing, and `resumeWithoutValue` shows the reference to it. */
  get needsValue(): boolean {
    return this.#missing === "value";
  }

  /** Loads the missing piece. */
  loadSync(): void {
    if (this.#missing === "value") {
      this.#value = this.#values.readSync(this.#request!);
      return;
    }
    const { reader } = this.#table!;
    if (this.#missing === "index") this.#index = reader.sections.loadIndexSync();
    else if (this.#missing === "filter") this.#filter = reader.sections.loadFilterSync();
    else {
      this.#block = reader.loadBlockSync(this.#index!, this.#blockNumber);
      this.#isFresh = true;
    }
  }

  /**
   * Loads the missing piece if that takes no longer than waiting for it; returns whether it did.
   * Then the search continues in the same stretch.
   */
  loadAtOnce(pace: ReadPace): boolean {
    if (this.#missing === "value") {
      this.#value = this.#values.readAtOnce(this.#request!, pace);
      return this.#value !== undefined;
    }
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
    this.#isFresh = true;
    return true;
  }

  /** Loads the missing piece, and calls `onLoaded` with the error if there is one. */
  load(onLoaded: (failure: LoadFailure | undefined) => void): void {
    this.#onLoaded = onLoaded;
    if (this.#missing === "value") return this.#values.join(this.#request!, this);
    const { reader } = this.#table!;
    if (this.#missing === "index") reader.sections.joinIndex(this);
    else if (this.#missing === "filter") reader.sections.joinFilter(this);
    else reader.joinBlock(this.#index!, this.#blockNumber, this);
  }

  /** The piece that it waits for is there. */
  loaded(piece: TableIndex | Filter | Block | LargeValue): void {
    if (this.#missing === "value") this.#value = piece as LargeValue;
    else if (this.#missing === "index") this.#index = piece as TableIndex;
    else if (this.#missing === "filter") this.#filter = piece as Filter;
    else {
      // A second block of the table, after the first.
      this.#unpin();
      this.#block = piece as Block;
      this.#isPinned = true;
      this.#isFresh = true;
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
    this.#lastHit.forget();
    this.#onLoaded = undefined;
    this.#request = undefined;
    this.#value = undefined;
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
    this.#isFresh = false;
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
      if (this.#lastHit.isBefore(version, level, view, length)) return this.#startAfterLastHit();
      const table = version.tableFor(level, view, 0, length);
      if (table !== undefined) return table;
    }
    return undefined;
  }

  /** The key is that of the entry after the last hit. */
  #startAfterLastHit(): LiveTable {
    const { block, slot } = this.#lastHit;
    const table = this.#lastHit.table!;
    this.#block = table.reader.blockInMemory(block);
    this.#blockNumber = block;
    this.#slot = slot + 1;
    return table;
  }

  /** Searches one table: finds the only block that can hold the key, and then the key in it. */
  #probe(table: LiveTable): Position {
    if (this.#block === undefined) {
      const position = this.#findBlock(table);
      if (position !== AT_ENTRY) return position;
    }
    const block = this.#block;
    if (block === undefined) {
      // The entry is in memory without its block.
      this.#policy.noteFound(this.#level === this.#view!.version.depth);
      return this.#found();
    }
    const slot = this.#slot < 0 ? block.find(this.key.view, 0, this.key.length) : this.#slot;
    if (slot < 0) return this.#notInBlock(table);
    block.showBuffers(this.entry);
    block.showAt(slot, this.entry);
    if (this.#isFresh) table.reader.keepEntry(this.entry);
    const { version } = this.#view!;
    this.#lastHit.note(version, this.#level - 1, table, this.#blockNumber, slot);
    this.#policy.noteFound(this.#level === version.depth);
    return this.#found();
  }

  /** The entry is found; `NEEDS_LOAD` if its value is in another file. */
  #found(): Position {
    const { entry } = this;
    const { valueBytes, valueStart } = entry;
    if (valueBytes[valueStart]! <= TYPE_MSGPACK || !isReference(valueBytes, valueStart)) {
      return AT_ENTRY;
    }
    this.#request = this.#values.requestOf(entry);
    // The memory of the entry may change before the value is there.
    entry.keyBytes = this.key.bytes;
    entry.keyView = this.key.view;
    entry.keyStart = 0;
    entry.keyEnd = this.key.length;
    return this.#need("value");
  }

  #showValue(): Position {
    showLargeValue(this.entry, this.#value!);
    this.#value = undefined;
    this.#request = undefined;
    return AT_ENTRY;
  }

  /**
   * Finds the only block that can hold the key. `AT_ENTRY` if there is one and it is in memory, or
   * without a block if the entry is.
   */
  #findBlock(table: LiveTable): Position {
    const { key } = this;
    const { reader } = table;
    const index = this.#index ??= reader.sections.index;
    if (index === undefined) return this.#need("index");
    const isLast = this.#level === this.#view!.version.depth;
    let number = -1;
    if (isLast && this.#policy.triesBlockFirst) {
      number = index.blockFor(key.view, 0, key.length);
      if (number < 0) return AT_END;
      this.#block = reader.blockInMemory(number);
    }
    if (this.#block === undefined) {
      if (
        this.#useFilters && reader.sections.hasFilter && reader.sections.isTrusted &&
        !(isLast && this.#policy.skipsFilter)
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
    if (this.#block !== undefined || reader.showEntry(key.view, key.length, this.entry)) {
      return AT_ENTRY;
    }
    return this.#need("block");
  }

  /**
   * The block that should hold the key does not. If the table is trusted, that proves that the
   * table does not hold it either.
   */
  #notInBlock(table: LiveTable): Position {
    const { reader } = table;
    if (reader.sections.isTrusted || !this.#isBehindBlock(this.#index!)) return this.#absent();
    // If the index is right, the key lies between two blocks. The second one is loaded, which
    // checks that its first key is the one that the index names.
    this.#blockNumber++;
    if (reader.cachedBlock(this.#blockNumber) !== undefined) return AT_END;
    return this.#need("block");
  }

  /** The table does not have the key; notes it if no table follows. */
  #absent(): Position {
    if (this.#level === this.#view!.version.depth) this.#policy.noteAbsent();
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
