/**
 * A checkpoint in our own format: the tables of a read view, and the files with their large values,
 * are copied as they are, with their numbers. The entries of its memtables become one more level-0
 * table, and their large values go to a new value file. The manifest comes last,
 * and CURRENT after it.
 *
 * Every byte is checked as a reader would check it: blocks against their checksums, the rest
 * against those of the table (a table that the Go program wrote has checksums only for its blocks).
 * So a damaged store gives an error and not a damaged copy. Memory: 256 KiB, or the largest block
 * of the store, and one table's index and filter at a time.
 *
 * The copy is a separate store with a new id: logs of the original are foreign to it.
 */

import { crc32 } from "../../bytes/crc32.ts";
import { WeightedCache } from "../../cache/weighted_cache.ts";
import { writeTable } from "../../compaction/flush_job.ts";
import { CorruptionError, DecodeError } from "../../errors.ts";
import { AT_END, type EntryCursor, NEEDS_LOAD } from "../../iterator/entry_cursor.ts";
import { joinSpans, joinTouching, type KeySpan, NO_SPANS } from "../../iterator/key_spans.ts";
import { MaskedCursor } from "../../iterator/masked_cursor.ts";
import { MergingCursor } from "../../iterator/merging_cursor.ts";
import type { FileHandle } from "../../platform/file_system.ts";
import { syncDirectoryStep, syncStep, type Task } from "../../platform/task.ts";
import { readFullySync, writeFullySync } from "../../platform/transfer.ts";
import { BlockCache } from "../../sstable/block_cache.ts";
import { HandlePool } from "../../sstable/handle_pool.ts";
import { type BlockFooter, decodeBlockFooter } from "../../sstable/table_format.ts";
import type { TableScanOptions } from "../../sstable/read_window.ts";
import { TableCursor } from "../../sstable/table_cursor.ts";
import type { TableIndex } from "../../sstable/table_index.ts";
import { TableReader, type TableResources } from "../../sstable/table_reader.ts";
import { isReference } from "../../value/value_reference.ts";
import { nameOfValues, tableName } from "../../version/file_names.ts";
import type { TableMetadata } from "../../version/table_metadata.ts";
import type { AddedTable } from "../../version/version_edit.ts";
import { emptyVersionState, VersionSet } from "../../version/version_set.ts";
import type { Lease } from "../state/read_view.ts";
import { newStoreId } from "../recovery/recovery.ts";
import type { NewDirectory } from "../recovery/store_directory.ts";
import type { StoreState } from "../state/store_state.ts";

const CHUNK_BYTES = 256 * 1024;
/** Only one table is open at a time; the pool keeps no fewer. */
const MAX_OPEN_FILES = 4;

/** How the references of a table are read again. */
const SCAN: TableScanOptions = {
  reverse: false,
  readaheadBytes: CHUNK_BYTES,
  useCache: false,
  verifyChecksums: true,
};

/** A task that makes the files of a store with the content of the lease. */
export function* copyStore(
  state: StoreState,
  lease: Lease,
  target: NewDirectory,
): Task<void> {
  const { fileSystem, directory } = target;
  const resources: TableResources = {
    handles: new HandlePool(fileSystem, MAX_OPEN_FILES),
    blocks: new BlockCache(0),
    metadata: new WeightedCache(0),
    verifyChecksums: true,
  };
  const versions = new VersionSet(
    fileSystem,
    directory,
    resources,
    newStoreId(state.scheduler),
    emptyVersionState(),
    undefined,
  );
  try {
    const added: AddedTable[] = [];
    for (const [level, tables] of lease.view.version.tables.entries()) {
      for (const table of tables) {
        versions.reserveFileNumber(table.number);
        yield* copyTable(state, table, target, resources);
        added.push({ level, table });
      }
    }
    const uses = lease.view.version.tables.flat().flatMap(({ valueUses }) => valueUses);
    for (const { number } of uses) versions.reserveFileNumber(number);
    const names = new Set(uses.map(({ kind, number }) => nameOfValues(kind, number)));
    yield* copyValueFiles(state, names, target);
    for (const { table } of added) {
      if (table.valueUses.length > 0) yield* checkValues(state, table, versions, resources);
    }
    const newest = yield* writeMemtables(state, lease, target, () => versions.newFileNumber());
    if (newest !== undefined) added.push({ level: 0, table: newest });
    yield syncDirectoryStep(fileSystem, directory);
    yield* versions.apply({
      lastSequence: lease.sequence,
      log: { number: versions.newFileNumber(), live: false },
      removed: [],
      added,
    });
  } finally {
    versions.close();
  }
}

/**
 * Writes the entries of the memtables, tombstones too; the result is undefined if there are none.
 */
function writeMemtables(
  state: StoreState,
  { view, sequence }: Lease,
  target: NewDirectory,
  newFileNumber: () => number,
): Task<TableMetadata | undefined> {
  let spans: readonly KeySpan[] = NO_SPANS;
  const cursors: EntryCursor[] = [];
  for (const memtable of view.memtables) {
    const cursor = memtable.cursor(sequence, false);
    cursors.push(spans.length === 0 ? cursor : new MaskedCursor(cursor, spans, false));
    spans = joinSpans(spans, joinTouching(memtable.deletedRangesAt(sequence)));
  }
  const options = { ...state.tableOutput, ...target };
  return writeTable(new MergingCursor(cursors, false), spans, options, newFileNumber, {
    newValueFile: newFileNumber,
    from: state.directory,
  });
}

/** Copies the files that hold large values of tables. */
function* copyValueFiles(
  { directory: from }: StoreState,
  names: Iterable<string>,
  { fileSystem, directory }: NewDirectory,
): Task<void> {
  const bytes = new Uint8Array(CHUNK_BYTES);
  for (const name of names) {
    const source = fileSystem.openReadSync(fileSystem.joinPath(from, name));
    let copy: FileHandle | undefined;
    try {
      copy = fileSystem.createSync(fileSystem.joinPath(directory, name));
      const size = source.sizeSync();
      for (let at = 0; at < size; at += CHUNK_BYTES) {
        const length = Math.min(CHUNK_BYTES, size - at);
        readFullySync(source, bytes, 0, length, at);
        writeFullySync(copy, bytes, 0, length, at);
        yield undefined;
      }
      yield syncStep(copy);
    } finally {
      source.closeSync();
      copy?.closeSync();
    }
  }
}

/** Checks the copies of the large values of a table. */
function* checkValues(
  state: StoreState,
  table: TableMetadata,
  versions: VersionSet,
  resources: TableResources,
): Task<void> {
  const path = state.fileSystem.joinPath(state.directory, tableName(table.number));
  const reader = new TableReader(path, table, resources);
  const cursor = new TableCursor(reader, SCAN);
  try {
    for (let at = cursor.seekToStart(); at !== AT_END; at = cursor.advance()) {
      while (at === NEEDS_LOAD) {
        cursor.loadSync();
        at = cursor.resume();
      }
      if (at === AT_END) return;
      const { valueBytes, valueStart } = cursor.entry;
      if (!isReference(valueBytes, valueStart)) continue;
      const values = versions.values.reader;
      yield* values.check(values.requestOf(cursor.entry));
    }
  } finally {
    cursor.release?.();
    reader.dispose();
  }
}

function* copyTable(
  state: StoreState,
  table: TableMetadata,
  { fileSystem, directory }: NewDirectory,
  resources: TableResources,
): Task<void> {
  const name = tableName(table.number);
  const reader = new TableReader(
    fileSystem.joinPath(state.directory, name),
    table,
    resources,
  );
  const handle = fileSystem.createSync(fileSystem.joinPath(directory, name));
  try {
    const index = reader.sections.loadIndexSync();
    if (reader.sections.hasFilter) reader.sections.loadFilterSync();
    const copy = new TableCopy(reader, handle);
    yield* copy.blocks(index);
    yield* copy.rest(reader.sections.tail!.footer.filterOffset, table.sizeBytes);
    yield syncStep(handle);
  } finally {
    reader.dispose();
    handle.closeSync();
  }
}

/** Copies the bytes of one table. */
class TableCopy {
  readonly #reader: TableReader;
  readonly #handle: FileHandle;
  #bytes = new Uint8Array(CHUNK_BYTES);
  #view = new DataView(this.#bytes.buffer);
  /** CRC-32 of the footers of the blocks so far. */
  #contentCrc = 0;
  readonly #footer: BlockFooter = { crc: 0, uncompressedLength: 0, storedLength: 0, codec: 0 };

  constructor(reader: TableReader, handle: FileHandle) {
    this.#reader = reader;
    this.#handle = handle;
  }

  /** Copies the data blocks, which follow each other from offset 0. */
  *blocks(index: TableIndex): Task<void> {
    for (let block = 0; block < index.blockCount;) {
      const start = index.blockOffset(block);
      let length = 0;
      const first = block;
      do length += index.blockSize(block++); while (
        block < index.blockCount && length + index.blockSize(block) <= CHUNK_BYTES
      );
      yield* this.#read(start, length);
      for (let at = first; at < block; at++) this.#check(index, at, start);
      writeFullySync(this.#handle, this.#bytes, 0, length, start);
    }
    const extension = this.#reader.sections.tail!.properties.extension;
    if (extension !== undefined && extension.contentCrc !== this.#contentCrc) {
      throw this.#damaged(0, "its blocks are not those that its metadata was written for");
    }
  }

  /** Copies the bytes after the blocks, which were checked when they were loaded. */
  *rest(start: number, end: number): Task<void> {
    for (let at = start; at < end; at += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, end - at);
      yield* this.#read(at, length);
      writeFullySync(this.#handle, this.#bytes, 0, length, at);
    }
  }

  *#read(offset: number, length: number): Task<void> {
    if (length > this.#bytes.length) {
      this.#bytes = new Uint8Array(length);
      this.#view = new DataView(this.#bytes.buffer);
    }
    const bytes = this.#bytes;
    yield {
      runSync: () => this.#reader.readRangeSync(bytes, offset, length),
      run: () => this.#reader.readRange(bytes, offset, length),
    };
  }

  /** Checks a block in the bytes that were read from `start` on. */
  #check(index: TableIndex, block: number, start: number): void {
    const offset = index.blockOffset(block);
    const from = offset - start;
    const end = from + index.blockSize(block);
    const footer = this.#footer;
    try {
      decodeBlockFooter(this.#view, from, end, footer);
    } catch (error) {
      if (error instanceof DecodeError) throw this.#damaged(offset, error.message);
      throw error;
    }
    const payloadEnd = from + footer.storedLength;
    const crc = crc32(this.#bytes, this.#view, from, payloadEnd);
    if (crc !== footer.crc) {
      throw this.#damaged(
        offset,
        `its checksum is 0x${crc.toString(16)}, expected 0x${footer.crc.toString(16)}`,
      );
    }
    this.#contentCrc = crc32(this.#bytes, this.#view, payloadEnd, end, this.#contentCrc);
  }

  #damaged(offset: number, problem: string): CorruptionError {
    const { path } = this.#reader.file;
    return new CorruptionError(
      `Cannot copy the block at offset ${offset} of "${path}": ${problem}`,
      path,
      offset,
    );
  }
}
