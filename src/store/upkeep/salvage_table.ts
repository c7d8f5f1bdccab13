/**
 * Reads what can be read of a damaged table: its good blocks, as a sorted sequence of entries for a
 * new table, and the ranges of lost keys. If the index can be read, it says where the blocks are.
 * Otherwise the search goes backwards from the end of the file, because a block ends with its
 * length and its checksum.
 *
 * The whole decoded table is in memory. Repair reads one damaged table at a time.
 */

import { CorruptionError, DecodeError, IoError } from "../../errors.ts";
import { AT_END, AT_ENTRY, emptyEntryView } from "../../iterator/entry_cursor.ts";
import type { EntrySequence, EntryView, Position } from "../../iterator/entry_cursor.ts";
import { compareRanges } from "../../bytes/compare.ts";
import type { FileSystem } from "../../platform/file_system.ts";
import { runTaskSync, type Task } from "../../platform/task.ts";
import { readWholeFileSync } from "../../platform/transfer.ts";
import { Block } from "../../sstable/block.ts";
import { decodeStoredBlock } from "../../sstable/stored_block.ts";
import { BLOCK_FOOTER_BYTES, UnknownTableFeature } from "../../sstable/table_format.ts";
import { nameOfValues, tableName } from "../../version/file_names.ts";
import { isRange } from "../state/operations.ts";
import { PART_BYTES, type ValueReader } from "../../sstable/value_reader.ts";
import { isReference, readReference, type ValueReference } from "../../value/value_reference.ts";
import {
  type CheckedTable,
  checkResources,
  checkTable,
  MAX_CODEC,
  valueReaderOf,
} from "./check_table.ts";

const NO_BAD_VALUES: BadValueFiles = new Map();

/** The largest file that is read into memory. */
const MAX_TABLE_BYTES = 2 ** 31 - 1;

/** The readable part of a table. */
export interface SalvagedTable {
  /** The entries, including tombstones, or undefined if there are none. */
  readonly entries: EntrySequence | undefined;
  /** The number of entries. */
  readonly count: number;
  /**
   * The ranges of keys that may be lost. Each goes from a lost key up to a key that is not lost.
   */
  readonly lostRanges: readonly LostRange[];
  /** The files in which large values of the table are damaged, by number. */
  readonly badValues: BadValueFiles;
}

/** The names of files in which large values are damaged, by number. */
export type BadValueFiles = ReadonlyMap<number, string>;

/** The keys of a block that cannot be read. */
export interface LostRange {
  /** The first key, or undefined if it is not known. */
  readonly from: Uint8Array | undefined;
  /** The first key after the block, or undefined if it is not known or does not exist. */
  readonly to: Uint8Array | undefined;
}

/** A task that reads what can be read of a table. */
export function* salvageTable(
  fileSystem: FileSystem,
  directory: string,
  table: CheckedTable,
): Task<SalvagedTable> {
  const blocks: Block[] = [];
  const check = yield* checkTable(fileSystem, directory, table, () => {}, (block) => {
    // The next block reuses the memory, so copy this block.
    blocks.push(Block.decode(block.payload, 0, block.payload.length));
  });
  const { index } = check;
  if (index !== undefined) {
    const keyAt = (block: number): Uint8Array | undefined =>
      block < index.blockCount
        ? index.bytes.slice(index.firstKeyStart(block), index.firstKeyEnd(block))
        : undefined;
    const lostRanges = [...check.badBlocks].map((block) => ({
      from: keyAt(block),
      to: keyAt(block + 1),
    }));
    return withWholeValues(fileSystem, directory, salvaged(blocks, lostRanges));
  }
  const path = fileSystem.joinPath(directory, tableName(table.number));
  let bytes: Uint8Array;
  try {
    bytes = readWholeFileSync(fileSystem, path, MAX_TABLE_BYTES);
  } catch (error) {
    if (!(error instanceof IoError)) throw error;
    return salvaged([], [{ from: undefined, to: undefined }]);
  }
  const found = yield* findBlocks(bytes);
  const lost = [{ from: undefined, to: undefined }];
  return withWholeValues(fileSystem, directory, salvaged(found, lost));
}

/** Leaves out entries whose large values can't be read. */
function withWholeValues(
  fileSystem: FileSystem,
  directory: string,
  table: SalvagedTable,
): SalvagedTable {
  const { entries } = table;
  if (entries === undefined) return table;
  const resources = checkResources(fileSystem);
  const values = valueReaderOf(fileSystem, directory, resources);
  const lostRanges = [...table.lostRanges];
  const damaged = new Set<number>();
  const badValues = new Map<number, string>();
  let position = 0;
  try {
    for (let at = entries.seekToStart(); at === AT_ENTRY; at = entries.advance(), position++) {
      const { keyBytes, keyStart, keyEnd, valueBytes, valueStart } = entries.entry;
      if (!isReference(valueBytes, valueStart)) continue;
      let value: ValueReference | undefined;
      try {
        const request = values.requestOf(entries.entry);
        value = request;
        if (request.length > PART_BYTES) runTaskSync(values.check(request));
        else values.readSync(request);
      } catch (error) {
        if (!(error instanceof CorruptionError) && !(error instanceof IoError)) throw error;
        damaged.add(position);
        if (value !== undefined) {
          badValues.set(value.number, nameOfValues(value.kind, value.number));
        }
        const from = keyBytes.slice(keyStart, keyEnd);
        const to = new Uint8Array(from.length + 1);
        to.set(from);
        lostRanges.push({ from, to });
      }
    }
  } finally {
    resources.handles.close();
  }
  if (damaged.size === 0) return table;
  const count = table.count - damaged.size;
  return {
    entries: count === 0 ? undefined : new PartialSequence(entries, damaged),
    count,
    lostRanges,
    badValues,
  };
}

/** A sequence without the entries at some positions. */
class PartialSequence implements EntrySequence {
  readonly #all: EntrySequence;
  readonly #without: ReadonlySet<number>;
  #position = 0;

  constructor(all: EntrySequence, without: ReadonlySet<number>) {
    this.#all = all;
    this.#without = without;
  }

  get entry(): EntryView {
    return this.#all.entry;
  }

  seekToStart(): Position {
    this.#position = 0;
    return this.#skip(this.#all.seekToStart());
  }

  advance(): Position {
    this.#position++;
    return this.#skip(this.#all.advance());
  }

  #skip(at: Position): Position {
    while (at === AT_ENTRY && this.#without.has(this.#position)) {
      this.#position++;
      at = this.#all.advance();
    }
    return at;
  }
}

function salvaged(blocks: readonly Block[], lostRanges: readonly LostRange[]): SalvagedTable {
  const sorted = ascending(blocks);
  const count = sorted.reduce((sum, block) => sum + block.count, 0);
  return {
    entries: count === 0 ? undefined : new BlockSequence(sorted),
    count,
    lostRanges,
    badValues: NO_BAD_VALUES,
  };
}

/** The blocks in the order of their keys. Drops blocks that do not fit into the order. */
function ascending(blocks: readonly Block[]): Block[] {
  const [a, b] = [emptyEntryView(), emptyEntryView()];
  const compare = (x: Block, xSlot: number, y: Block, ySlot: number): number => {
    show(x, xSlot, a);
    show(y, ySlot, b);
    return compareRanges(a.keyView, a.keyStart, a.keyEnd, b.keyView, b.keyStart, b.keyEnd);
  };
  const result: Block[] = [];
  for (const block of [...blocks].sort((x, y) => compare(x, 0, y, 0))) {
    const last = result.at(-1);
    if (last === undefined || compare(last, last.count - 1, block, 0) < 0) result.push(block);
  }
  return result;
}

function show(block: Block, slot: number, entry: EntryView): void {
  block.showBuffers(entry);
  block.showAt(slot, entry);
}

/** The entries of the blocks, in order. */
class BlockSequence implements EntrySequence {
  readonly entry: EntryView = emptyEntryView();
  readonly #blocks: readonly Block[];
  #block = 0;
  #slot = 0;

  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks;
  }

  seekToStart(): Position {
    this.#block = 0;
    this.#slot = 0;
    return this.#show();
  }

  advance(): Position {
    this.#slot++;
    if (this.#slot === this.#blocks[this.#block]!.count) {
      this.#block++;
      this.#slot = 0;
    }
    return this.#show();
  }

  #show(): Position {
    const block = this.#blocks[this.#block];
    if (block === undefined) return AT_END;
    show(block, this.#slot, this.entry);
    return AT_ENTRY;
  }
}

/** Finds every block of a file whose tail or index cannot be read, from its end to its start. */
function* findBlocks(bytes: Uint8Array): Task<Block[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks: Block[] = [];
  let looked = 0;
  for (let end = bytes.length; end > BLOCK_FOOTER_BYTES;) {
    const length = view.getUint32(end - 5, true) + BLOCK_FOOTER_BYTES;
    const block = bytes[end - 1]! <= MAX_CODEC && length <= end
      ? blockIn(bytes, view, end - length, end)
      : undefined;
    if (block !== undefined) blocks.push(block);
    end -= block === undefined ? 1 : length;
    if (++looked % 1024 === 0) yield undefined;
  }
  return blocks;
}

function blockIn(bytes: Uint8Array, view: DataView, start: number, end: number): Block | undefined {
  try {
    return decodeStoredBlock(bytes, view, start, end, true, undefined);
  } catch (error) {
    const isExpected = error instanceof DecodeError || error instanceof UnknownTableFeature ||
      error instanceof CorruptionError;
    if (isExpected) return undefined;
    throw error;
  }
}

/**
 * The value in a value file that an operation of a log puts, "lost" if it can't be read, or
 * undefined if the log itself has the value.
 */
export function streamedValue(
  values: ValueReader,
  bytes: Uint8Array,
  view: DataView,
  start: number,
  keyEnd: number,
  end: number,
  badValues?: Map<number, string>,
): ValueReference | "lost" | undefined {
  if (isRange(bytes, start) || !isReference(bytes, keyEnd + 4)) return undefined;
  let reference: ValueReference | undefined;
  try {
    reference = readReference(bytes, view, keyEnd + 4, end);
    runTaskSync(values.check(reference));
    return reference;
  } catch (error) {
    if (!isDamage(error)) throw error;
    if (reference !== undefined) {
      badValues?.set(reference.number, nameOfValues(reference.kind, reference.number));
    }
    return "lost";
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof DecodeError || error instanceof CorruptionError ||
    (error instanceof IoError && (error.osCode === "ENOENT" || error.osCode === "EIO"));
}
