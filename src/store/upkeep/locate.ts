/**
 * `store.locate` and `store.tables`: where the entries of a key are, and which tables there are.
 * Both are for tools and for questions: a lookup stops at the newest entry, and these do not.
 *
 * `locate` searches like a lookup, but all memtables and every table whose keys enclose the key.
 * What it loads goes into the caches. Blocks that are there are not counted as hits.
 */

import { ByteWriter } from "../../bytes/byte_writer.ts";
import { compareRanges } from "../../bytes/compare.ts";
import { emptyEntryView, type EntryView } from "../../iterator/entry_cursor.ts";
import type { Memtable } from "../../memtable/memtable.ts";
import type { IoStep, Task } from "../../platform/task.ts";
import { runTaskSync } from "../../platform/task.ts";
import type { Block } from "../../sstable/block.ts";
import { encodeKey } from "../../value/key_codec.ts";
import type { Key, ValueTypeName } from "../../value/value.ts";
import { valueTypeAt } from "../../value/value_codec.ts";
import { isReference, referredLength } from "../../value/value_reference.ts";
import { tableName } from "../../version/file_names.ts";
import { type LiveTable, mayHold } from "../../version/version.ts";
import { type Range, type ResolvedRange, resolveRange } from "../state/range.ts";
import type { Lease } from "../state/read_view.ts";
import type { StoreState } from "../state/store_state.ts";
import { driveVerification } from "./verify.ts";

/** Older versions in one memtable are not looked for after this number. */
const MAX_VERSIONS = 100;

/** A table of a store. */
export interface TableInfo {
  /** The level, from 0. */
  readonly level: number;
  /** The file's name in the store's directory. */
  readonly file: string;
  /** The size of the file. */
  readonly sizeBytes: number;
  /** Number of entries, tombstones included. */
  readonly entries: number;
  /** Number of tombstones among them. */
  readonly tombstones: number;
  /** Number of entries among them that expire. */
  readonly expiring: number;
  /** When the first and the last of them expires, in milliseconds since 1970, if some do. */
  readonly expiry: { readonly earliest: number; readonly latest: number } | undefined;
  /** Number of ranges that the table deletes from older ones. */
  readonly deletedRanges: number;
  /** Bytes of the large values that its entries refer to, in other files. */
  readonly valueBytes: number;
  /** The smallest key. */
  readonly smallest: Uint8Array;
  /** The largest key. */
  readonly largest: Uint8Array;
}

/** An entry of a key in a memtable. */
export interface MemtablePlace {
  /** What kind of place it is. */
  readonly place: "memtable";
  /** Whether the memtable waits for its flush. */
  readonly isFrozen: boolean;
  /** The type of the value, or that the entry is a deletion. */
  readonly type: ValueTypeName | "tombstone";
  /** Bytes of the value as it is stored, with its type. */
  readonly valueBytes: number;
  /** Its place in the order of all writes of the store. */
  readonly sequence: number;
}

/** What a table has of a key. */
export interface TablePlace {
  /** What kind of place it is. */
  readonly place: "table";
  /** The level, from 0. */
  readonly level: number;
  /** The file's name in the store's directory. */
  readonly file: string;
  /**
   * "found"; "filtered": the filter says that the table does not hold the key; "absent": the
   * table's block had to be searched to know that.
   */
  readonly answer: "found" | "filtered" | "absent";
  /** The block that holds the key or would hold it, from 0; undefined if it was not looked for. */
  readonly block?: number;
  /** Number of blocks of the table. */
  readonly blocks?: number;
  /** Where the block begins in the file. */
  readonly blockOffset?: number;
  /** Bytes of the block in the file. */
  readonly blockBytes?: number;
  /** Whether the block was in the cache. */
  readonly wasCached?: boolean;
  /** The type of the value, or that the entry is a deletion. Undefined unless it is found. */
  readonly type?: ValueTypeName | "tombstone";
  /** Bytes of the value as it is stored, with its type. */
  readonly valueBytes?: number;
}

/** Where a key is, or might be. */
export type KeyPlace = MemtablePlace | TablePlace;

/** The tables of a store. `EmbeddedStore.tables` documents it. */
export function listTables(state: StoreState, given: Range | undefined): TableInfo[] {
  state.requireOpen();
  const range = resolveRange(given);
  return state.versions.current.levels.flatMap((tables, level) =>
    tables.filter((table) => meets(table, range)).map(({ metadata }) => ({
      level,
      file: tableName(metadata.number),
      sizeBytes: metadata.sizeBytes,
      entries: metadata.entryCount,
      tombstones: metadata.tombstoneCount,
      expiring: metadata.expiry?.count ?? 0,
      expiry: metadata.expiry &&
        { earliest: metadata.expiry.times[0]!, latest: metadata.expiry.times.at(-1)! },
      deletedRanges: metadata.deletedSpans.length,
      valueBytes: metadata.valueUses.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
      smallest: metadata.smallest.slice(),
      largest: metadata.largest.slice(),
    }))
  );
}

/** Whether the keys of a table enclose some key of the range. */
function meets({ metadata }: LiveTable, { lower, upper }: ResolvedRange): boolean {
  const { smallest, smallestView, largest, largestView } = metadata;
  const isAfter = lower !== undefined &&
    compareRanges(lower.view, 0, lower.bytes.length, largestView, 0, largest.length) > 0;
  const isBefore = upper !== undefined &&
    compareRanges(upper.view, 0, upper.bytes.length, smallestView, 0, smallest.length) <= 0;
  return !isAfter && !isBefore;
}

/** Finds all entries of a key. `EmbeddedStore.locate` documents it. */
export async function locate(state: StoreState, key: Key): Promise<KeyPlace[]> {
  const encoded = encode(state, key);
  const lease = state.lease();
  try {
    const task = locateTask(lease, encoded);
    const requireHeld = () => lease.requireHeld("store");
    return await driveVerification(task, state.scheduler, undefined, requireHeld);
  } finally {
    lease.release();
  }
}

/** As `locate`, synchronously. */
export function locateSync(state: StoreState, key: Key): KeyPlace[] {
  const encoded = encode(state, key);
  const lease = state.lease();
  try {
    return runTaskSync(locateTask(lease, encoded));
  } finally {
    lease.release();
  }
}

function encode(state: StoreState, key: Key): ByteWriter {
  state.requireOpen();
  const writer = new ByteWriter(64);
  encodeKey(key, writer);
  return writer;
}

function* locateTask(lease: Lease, key: ByteWriter): Task<KeyPlace[]> {
  const places: KeyPlace[] = [];
  for (const [at, memtable] of lease.view.memtables.entries()) {
    places.push(...placesInMemory(memtable, at > 0, key, lease.sequence));
  }
  for (const [level, tables] of lease.view.version.levels.entries()) {
    for (const table of tables) {
      if (!mayHold(table, key.view, 0, key.length)) continue;
      places.push(yield* placeInTable(table, level, key));
    }
  }
  return places;
}

/**
 * The versions of a key in a memtable, newest first. A memtable answers what a reader as of a
 * sequence number sees; a search by halving finds the first number at which it sees a version.
 */
function placesInMemory(
  memtable: Memtable,
  isFrozen: boolean,
  key: ByteWriter,
  newest: number,
): MemtablePlace[] {
  const places: MemtablePlace[] = [];
  const entry = emptyEntryView();
  const sees = (sequence: number): boolean =>
    memtable.find(key.view, 0, key.length, sequence, entry);
  let last = newest;
  while (places.length < MAX_VERSIONS && last >= memtable.firstSequence && sees(last)) {
    const { keyStart } = entry;
    const { type, valueBytes } = facts(entry);
    let low = memtable.firstSequence;
    let high = last;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      if (sees(middle) && entry.keyStart === keyStart) high = middle;
      else low = middle + 1;
    }
    places.push({
      place: "memtable",
      isFrozen,
      type,
      valueBytes,
      sequence: high,
    });
    last = high - 1;
  }
  return places;
}

function* placeInTable(
  table: LiveTable,
  level: number,
  key: ByteWriter,
): Task<TablePlace> {
  const { reader, metadata } = table;
  const { sections } = reader;
  const where = { place: "table" as const, level, file: tableName(metadata.number) };
  const index = sections.index ??
    (yield* loaded(() => sections.loadIndexSync(), () => sections.loadIndex()));
  if (sections.hasFilter && sections.isTrusted) {
    const filter = sections.filter ??
      (yield* loaded(() => sections.loadFilterSync(), () => sections.loadFilter()));
    if (!filter.mayContain(key.bytes, 0, key.length)) return { ...where, answer: "filtered" };
  }
  const block = index.blockFor(key.view, 0, key.length);
  // The table's smallest key is the first of its first block, and the key is not before that.
  if (block < 0) return { ...where, answer: "absent" };
  const searched = {
    ...where,
    block,
    blocks: index.blockCount,
    blockOffset: index.blockOffset(block),
    blockBytes: index.blockSize(block),
  };
  const cached = reader.peekBlock(block);
  if (cached !== undefined) return { ...searched, wasCached: true, ...searchBlock(cached, key) };
  let found: Pick<TablePlace, "answer" | "type" | "valueBytes"> | undefined;
  // The block is searched within the step: its memory may be used for another one after that.
  yield {
    runSync: () => {
      found = searchBlock(reader.loadBlockSync(index, block), key);
    },
    run: async () => {
      const pinned = await reader.loadBlock(index, block);
      try {
        found = searchBlock(pinned, key);
      } finally {
        reader.unpin(pinned);
      }
    },
  };
  return { ...searched, wasCached: false, ...found! };
}

function searchBlock(
  block: Block,
  key: ByteWriter,
): Pick<TablePlace, "answer" | "type" | "valueBytes"> {
  const slot = block.find(key.view, 0, key.length);
  if (slot < 0) return { answer: "absent" };
  const entry: EntryView = emptyEntryView();
  block.showBuffers(entry);
  block.showAt(slot, entry);
  return { answer: "found", ...facts(entry) };
}

/** The type and length of a value. A large one is not read. */
function facts(
  { valueBytes, valueView, valueStart, valueEnd }: EntryView,
): { type: ValueTypeName | "tombstone"; valueBytes: number } {
  return {
    type: valueTypeAt(valueBytes, valueStart, valueEnd),
    valueBytes: isReference(valueBytes, valueStart)
      ? referredLength(valueBytes, valueView, valueStart)
      : valueEnd - valueStart,
  };
}

/** Loads a piece in one step of a task. */
function* loaded<T>(sync: () => T, async: () => Promise<T>): Task<T> {
  let piece: T | undefined;
  const step: IoStep = {
    runSync: () => {
      piece = sync();
    },
    run: async () => {
      piece = await async();
    },
  };
  yield step;
  return piece!;
}
