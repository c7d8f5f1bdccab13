/**
 * The tables that a job writes, one after another. Nothing refers to them until the job's edit is
 * in the manifest. A job that fails removes what it wrote; what it can't remove is an orphan that
 * the next open deletes.
 */

import { ByteWriter } from "../bytes/byte_writer.ts";
import type { Compressor } from "../compression/compressor.ts";
import { isRefusal } from "../errors.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import { bytesOfKey, type KeySpan, NO_SPANS } from "../iterator/key_spans.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { syncDirectoryStep, syncStep, type Task } from "../platform/task.ts";
import { type TableBufferPool, TableBuffers } from "../sstable/table_buffers.ts";
import { TableWriter } from "../sstable/table_writer.ts";
import { encodeTombstone } from "../value/value_codec.ts";
import { tableName } from "../version/file_names.ts";
import { type TableMetadata, tableMetadata } from "../version/table_metadata.ts";

/** Where and how a job writes tables. */
export interface TableOutputOptions {
  /** The file system. */
  readonly fileSystem: FileSystem;
  /** The store's directory. */
  readonly directory: string;
  /** Codec of the data blocks. */
  readonly compressor: Compressor;
  /** Uncompressed size in bytes at which a block is closed. */
  readonly blockSizeBytes: number;
  /** Rate of false positives of the filter, or false for no filter. */
  readonly bloomFalsePositiveRate: number | false;
  /** Keeps the memory of table writers between tables; without it each table gets new memory. */
  readonly buffers?: TableBufferPool;
}

const NO_SIZES: ReadonlyMap<number, number> = new Map();

/** Writes a series of tables for one level. */
export class TableOutput {
  readonly #options: TableOutputOptions;
  readonly #level: number;
  readonly #newFileNumber: () => number;
  readonly #tables: TableMetadata[] = [];
  readonly #created: number[] = [];
  #handle: FileHandle | undefined;
  #writer: TableWriter | undefined;
  #buffers: TableBuffers | undefined;

  /** Prepares for writing; the first file is created with the first entry. */
  constructor(options: TableOutputOptions, level: number, newFileNumber: () => number) {
    this.#options = options;
    this.#level = level;
    this.#newFileNumber = newFileNumber;
  }

  /** Bytes in the open table so far, or 0 if none is open. */
  get openBytes(): number {
    return this.#writer?.sizeBytes ?? 0;
  }

  /** Whether a table is open, and so has an entry. */
  get isOpen(): boolean {
    return this.#writer !== undefined;
  }

  /** Appends an entry to the open table; opens one if necessary. */
  add(entry: EntryView): void {
    (this.#writer ?? this.#open()).add(entry);
  }

  /** A copy of the last key of the open table. */
  get lastKey(): DataView {
    return this.#writer!.lastKey;
  }

  /**
   * Completes the open table and makes its content durable. `deletedSpans` come after the tables
   * before this one.
   */
  *finishTable(deletedSpans: readonly KeySpan[] = NO_SPANS): Task<void> {
    const writer = this.#writer!;
    const handle = this.#handle!;
    const summary = yield* writer.finishTask(deletedSpans);
    yield syncStep(handle);
    handle.closeSync();
    this.#writer = undefined;
    this.#handle = undefined;
    this.#options.buffers?.give(this.#buffers!);
    this.#tables.push(tableMetadata({ number: this.#created.at(-1)!, ...summary }));
  }

  /**
   * Completes the last table, with the deleted spans that are left, and makes all names durable.
   * Returns the tables in key order. `valueSizes` are the sizes of the files with large values.
   */
  *finish(
    deletedSpans: readonly KeySpan[] = NO_SPANS,
    valueSizes: ReadonlyMap<number, number> = NO_SIZES,
  ): Task<readonly TableMetadata[]> {
    if (!this.isOpen && deletedSpans.length > 0) {
      // A table has an entry. This one says no more than the span.
      this.add(tombstoneAt(deletedSpans[0]!.lower));
    }
    if (this.isOpen) yield* this.finishTable(deletedSpans);
    if (this.#tables.length > 0) {
      yield syncDirectoryStep(this.#options.fileSystem, this.#options.directory);
    }
    return this.#tables.map((table) => withSizes(table, valueSizes));
  }

  /** Closes and removes everything that was written. */
  abandon(): void {
    this.#handle?.closeSync();
    this.#handle = undefined;
    this.#writer = undefined;
    for (const number of this.#created) {
      try {
        this.#options.fileSystem.removeSync(this.#path(number));
      } catch (error) {
        // The caller has to hear of the failure that led here, not of this one.
        if (!isRefusal(error)) throw error;
      }
    }
  }

  #open(): TableWriter {
    const { blockSizeBytes, bloomFalsePositiveRate } = this.#options;
    const number = this.#newFileNumber();
    this.#handle = this.#options.fileSystem.createSync(this.#path(number));
    this.#created.push(number);
    this.#buffers = this.#options.buffers?.take(blockSizeBytes, bloomFalsePositiveRate) ??
      new TableBuffers(blockSizeBytes, bloomFalsePositiveRate);
    this.#writer = new TableWriter(this.#handle, {
      tableNumber: number,
      level: this.#level,
      compressor: this.#options.compressor,
      blockSizeBytes,
      bloomFalsePositiveRate,
    }, this.#buffers);
    return this.#writer;
  }

  #path(number: number): string {
    return this.#options.fileSystem.joinPath(this.#options.directory, tableName(number));
  }
}

/** The metadata with the sizes of the files that hold large values. */
function withSizes(table: TableMetadata, sizes: ReadonlyMap<number, number>): TableMetadata {
  if (table.valueUses.length === 0) return table;
  const valueUses = table.valueUses.map((use) => ({
    ...use,
    sizeBytes: sizes.get(use.number) ?? 0,
  }));
  return tableMetadata({ ...table, valueUses });
}

/** The deletion of a key. */
function tombstoneAt(key: DataView): EntryView {
  const value = new ByteWriter(1);
  encodeTombstone(value);
  return {
    keyBytes: bytesOfKey(key),
    keyView: key,
    keyStart: 0,
    keyEnd: key.byteLength,
    valueBytes: value.bytes,
    valueView: value.view,
    valueStart: 0,
    valueEnd: value.length,
  };
}
