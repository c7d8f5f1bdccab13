/**
 * Writes the tables of a store for Go TinyKVS v0.4: one level of disjoint tables, numbered from 1
 * in key order, as go_table_writer.ts makes them. The caller makes `wal.log`.
 *
 * A directory of Go has no list of its tables: v0.4 takes the levels from the tables themselves,
 * and opens with any tables that it finds. So they are written as `000001.sst.tmp`, a name that Go
 * ignores, and get their names when all of them are durable. After a crash between the first of
 * these renames and the last, the Go program sees a part of the store; with one table there is no
 * such moment. (`open` refuses that part: store/copy/checkpoint.ts.)
 */

import type { Compressor } from "../compression/compressor.ts";
import type { EntryView } from "../iterator/entry_cursor.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { syncDirectoryStep, syncStep, type Task } from "../platform/task.ts";
import { writeFullySync } from "../platform/transfer.ts";
import { parseFileName, tableName } from "../version/file_names.ts";
import { GoTableBuilder } from "./go_table_writer.ts";

/** Where and how the tables are written. */
export interface GoStoreWriterOptions {
  /** The file system. */
  readonly fileSystem: FileSystem;
  /** The directory. */
  readonly directory: string;
  /** The level that every table states, from 1. */
  readonly level: number;
  /** Codec of the data blocks. */
  readonly compressor: Compressor;
  /** Sum of entry lengths at which a block is closed. */
  readonly blockSizeBytes: number;
  /** Rate of false positives of the filters, or false for no filter. */
  readonly bloomFalsePositiveRate: number | false;
  /** Size in bytes at which a table is closed. */
  readonly maxTableBytes: number;
  /** Number of keys at which a table is closed. */
  readonly maxTableKeys: number;
}

const STAGED_SUFFIX = ".tmp";
const WRITE_BYTES = 256 * 1024;
/**
 * Size in bytes up to which Go v0.4 lets level 1 grow by default, and how much larger each next
 * level may be.
 */
const GO_LEVEL_1_BYTES = 10 * 1024 * 1024;
const GO_LEVEL_MULTIPLIER = 10;
const GO_LAST_LEVEL = 6;

/** The level in which Go, with its default options, has nothing to do at this size. */
export function goLevelFor(sizeBytes: number): number {
  let level = 1;
  for (let limit = GO_LEVEL_1_BYTES; limit < sizeBytes && level < GO_LAST_LEVEL; level++) {
    limit *= GO_LEVEL_MULTIPLIER;
  }
  return level;
}

/** The number of a table that does not have its name yet, or undefined for any other name. */
export function stagedTableNumber(name: string): number | undefined {
  if (!name.endsWith(STAGED_SUFFIX)) return undefined;
  const file = parseFileName(name.slice(0, -STAGED_SUFFIX.length));
  return file?.kind === "table" ? file.number : undefined;
}

/** Writes tables one after another. */
export class GoStoreWriter {
  readonly #options: GoStoreWriterOptions;
  #tableCount = 0;
  #handle: FileHandle | undefined;
  #table: GoTableBuilder | undefined;

  /** Prepares for writing; the first file is created with the first entry. */
  constructor(options: GoStoreWriterOptions) {
    this.#options = options;
  }

  /** Whether the open table is large enough to be closed. */
  get isTableFull(): boolean {
    const table = this.#table;
    return table !== undefined &&
      (table.sizeBytes >= this.#options.maxTableBytes ||
        table.entryCount >= this.#options.maxTableKeys);
  }

  /** Appends an entry to the open table; opens one if necessary. Keys must ascend. */
  add(entry: EntryView): void {
    const table = this.#table ?? this.#open();
    table.add(entry);
    if (table.output.length >= WRITE_BYTES) this.#writeOut(table);
  }

  /** Completes the open table and makes its content durable. */
  *finishTable(): Task<void> {
    const table = this.#table!;
    const handle = this.#handle!;
    table.finish();
    this.#writeOut(table);
    this.#table = undefined;
    yield syncStep(handle);
    this.close();
  }

  /** Completes the last table, and gives all tables their names, which are then durable. */
  *finish(): Task<void> {
    const { fileSystem, directory } = this.#options;
    if (this.#table !== undefined) yield* this.finishTable();
    yield syncDirectoryStep(fileSystem, directory);
    for (let number = 1; number <= this.#tableCount; number++) {
      fileSystem.renameSync(
        this.#stagedPath(number),
        fileSystem.joinPath(directory, tableName(number)),
      );
    }
    yield syncDirectoryStep(fileSystem, directory);
  }

  /** Closes the open file; what was written stays. */
  close(): void {
    this.#handle?.closeSync();
    this.#handle = undefined;
  }

  #open(): GoTableBuilder {
    const { fileSystem, level, compressor, blockSizeBytes, bloomFalsePositiveRate } = this.#options;
    this.#handle = fileSystem.createSync(this.#stagedPath(++this.#tableCount));
    this.#table = new GoTableBuilder({ level, compressor, blockSizeBytes, bloomFalsePositiveRate });
    return this.#table;
  }

  #writeOut(table: GoTableBuilder): void {
    const { output } = table;
    writeFullySync(this.#handle!, output.bytes, 0, output.length, table.sizeBytes - output.length);
    table.clearOutput();
  }

  #stagedPath(number: number): string {
    const { fileSystem, directory } = this.#options;
    return fileSystem.joinPath(directory, tableName(number) + STAGED_SUFFIX);
  }
}
