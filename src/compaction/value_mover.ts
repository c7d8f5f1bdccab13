/**
 * Moves large values to new value files while a job writes tables, so that files which are mostly
 * dead can be deleted. A value is copied as it is stored, after its checksum was checked; only its
 * reference changes. The files are durable before the job ends, and so before its edit.
 */

import { crc32 } from "../bytes/crc32.ts";
import { isRefusal } from "../errors.ts";
import { emptyEntryView, type EntryView } from "../iterator/entry_cursor.ts";
import type { Task } from "../platform/task.ts";
import { HandlePool } from "../sstable/handle_pool.ts";
import { ValueFileWriter } from "../sstable/value_file.ts";
import { PART_BYTES, ValueReader } from "../sstable/value_reader.ts";
import {
  IN_LOG,
  IN_VALUE_FILE,
  isReference,
  REFERENCE_BYTES,
  type ValueReference,
  writeReference,
} from "../value/value_reference.ts";
import { nameOfValues, valueFileName } from "../version/file_names.ts";
import type { TableOutputOptions } from "./table_output.ts";

/** The numbers of the files whose values are moved, or all files, or all logs. */
export type ValueMoves = "all" | "logs" | readonly number[];

const MAX_OPEN_FILES = 16;
/** A file that has reached this size is followed by another one. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** Moves values for one job. */
export class ValueMover {
  readonly #options: TableOutputOptions;
  readonly #moves: "all" | "logs" | ReadonlySet<number>;
  readonly #newFileNumber: () => number;
  readonly #handles: HandlePool;
  readonly #reader: ValueReader;
  readonly #created: number[] = [];
  readonly #entry: EntryView = emptyEntryView();
  #value = new Uint8Array(REFERENCE_BYTES + 16);
  #view = new DataView(this.#value.buffer);
  #file: ValueFileWriter | undefined;
  /** The sizes of the files that it has finished. */
  readonly sizes: Map<number, number> = new Map();
  /** Bytes of values that were moved. */
  movedBytes = 0;

  /** Prepares; a file is made with the first value. The values are in the directory `from`. */
  constructor(
    options: TableOutputOptions,
    moves: ValueMoves,
    newFileNumber: () => number,
    from: string = options.directory,
  ) {
    const { fileSystem } = options;
    this.#options = options;
    this.#moves = typeof moves === "string" ? moves : new Set(moves);
    this.#newFileNumber = newFileNumber;
    this.#handles = new HandlePool(fileSystem, MAX_OPEN_FILES);
    this.#reader = new ValueReader(
      from,
      this.#handles,
      (kind, number) => fileSystem.joinPath(from, nameOfValues(kind, number)),
    );
  }

  /**
   * A task that moves the value of an entry if it is in one of the files. Returns the entry to
   * write, valid until the next call.
   *
   * @throws {CorruptionError} the value is damaged; {IoError} a file can't be read or written
   */
  *place(entry: EntryView): Task<EntryView> {
    const { valueBytes, valueStart } = entry;
    if (!isReference(valueBytes, valueStart)) return entry;
    const from = this.#reader.requestOf(entry);
    if (!this.#isMoved(from)) return entry;
    const placed = this.#entry;
    placed.keyBytes = entry.keyBytes;
    placed.keyView = entry.keyView;
    placed.keyStart = entry.keyStart;
    placed.keyEnd = entry.keyEnd;
    // The memory of the entry may change in a pause.
    if (from.length > PART_BYTES) ownKey(placed);
    const value = this.#value;
    const at = from.time.length;
    value.set(from.time);
    const offset = yield* this.#copy(from);
    this.movedBytes += from.length;
    writeReference(value, this.#view, at, {
      ...from,
      kind: IN_VALUE_FILE,
      number: this.#created.at(-1)!,
      offset,
    });
    placed.valueBytes = value;
    placed.valueView = this.#view;
    placed.valueStart = 0;
    placed.valueEnd = at + REFERENCE_BYTES;
    return placed;
  }

  #isMoved({ kind, number }: ValueReference): boolean {
    const moves = this.#moves;
    if (typeof moves !== "string") return moves.has(number);
    return moves === "all" || kind === IN_LOG;
  }

  /** Copies a value in parts, so that one of a gigabyte takes little memory; returns its offset. */
  *#copy(from: ValueReference): Task<number> {
    const file = this.#file ??= this.#create();
    const offset = file.sizeBytes;
    let crc = 0;
    for (let start = 0; start < from.length; start += PART_BYTES) {
      const length = Math.min(PART_BYTES, from.length - start);
      if (start > 0) yield undefined;
      file.append(length, (into, view, at) => {
        this.#reader.readPartSync(from, start, length, into, at);
        crc = crc32(into, view, at, at + length, crc);
      });
    }
    this.#reader.requireCrc(from, crc);
    return offset;
  }

  /** Ends the open file if it is large enough. */
  *endFullFile(): Task<void> {
    if (this.#file !== undefined && this.#file.sizeBytes >= MAX_FILE_BYTES) yield* this.#end();
  }

  /** Makes all files durable, but not their names. */
  *finish(): Task<void> {
    yield* this.#end();
    this.#handles.close();
  }

  /** Closes and removes everything that was written. */
  abandon(): void {
    this.#handles.close();
    this.#file?.abandon();
    this.#file = undefined;
    const { fileSystem, directory } = this.#options;
    for (const number of this.#created) {
      try {
        fileSystem.removeSync(fileSystem.joinPath(directory, valueFileName(number)));
      } catch (error) {
        // The caller has to hear of the failure that led here, not of this one.
        if (!isRefusal(error)) throw error;
      }
    }
  }

  *#end(): Task<void> {
    const file = this.#file;
    if (file === undefined) return;
    yield* file.finish();
    this.sizes.set(this.#created.at(-1)!, file.sizeBytes);
    this.#file = undefined;
  }

  #create(): ValueFileWriter {
    const { fileSystem, directory } = this.#options;
    const number = this.#newFileNumber();
    const handle = fileSystem.createSync(fileSystem.joinPath(directory, valueFileName(number)));
    this.#created.push(number);
    return new ValueFileWriter(handle, number);
  }
}

/** Copies the key of an entry. */
function ownKey(entry: EntryView): void {
  const key = entry.keyBytes.slice(entry.keyStart, entry.keyEnd);
  entry.keyBytes = key;
  entry.keyView = new DataView(key.buffer);
  entry.keyStart = 0;
  entry.keyEnd = key.length;
}
