/**
 * The messages between the store and its job thread: plain data in both directions.
 *
 * Structured cloning keeps neither the class of an error nor its fields, so errors are sent as
 * records and become the same errors again. Metadata is sent without its views: a view would carry
 * its whole buffer, for example that of a manifest.
 */

import type { CompressionLevel, CompressionName } from "../compression/compressor.ts";
import {
  ClosedError,
  CorruptionError,
  DecodeError,
  IoError,
  isErrorLike,
  LockLostError,
  StoreError,
  type StoreErrorCode,
  UnsupportedFormatError,
} from "../errors.ts";
import {
  type NewestEntries,
  type PlainSpan,
  plainSpan,
  spanOf,
} from "../memtable/newest_entries.ts";
import type { LockWitness } from "../platform/file_system.ts";
import { type TableMetadata, tableMetadata } from "../version/table_metadata.ts";
import type { Compaction } from "../compaction/compaction.ts";

/** How the thread writes tables. */
export interface JobSettings {
  /** The store's directory, on the runtime's own file system. */
  readonly directory: string;
  /** Permission bits of table files, if they are not the default ones. */
  readonly fileMode?: number | undefined;
  /** Codec of the data blocks. */
  readonly compression: CompressionName;
  /** Level of zstd. */
  readonly compressionLevel: CompressionLevel;
  /** Uncompressed size in bytes at which a block is closed. */
  readonly blockSizeBytes: number;
  /** Rate of false positives of the filter, or false for no filter. */
  readonly bloomFalsePositiveRate: number | false;
  /** The counter of file numbers, in shared memory. */
  readonly fileNumbers: Uint32Array;
  /** The lock that the store holds, if the thread can check it. */
  readonly lock?: LockWitness | undefined;
}

/** What the thread is started with. */
export interface JobThreadData {
  /** The zstd module, which its program does not contain (wasm/build_job_worker.ts). */
  readonly zstdWasm: string;
}

/** Metadata of a table without its views. */
export interface PlainTable
  extends Omit<TableMetadata, "smallestView" | "largestView" | "deletedSpans"> {
  /** As in `TableMetadata`. */
  readonly deletedSpans: readonly PlainSpan[];
}

/** A compaction with plain tables. */
export interface PlainCompaction {
  /** As in `Compaction`. */
  readonly inputs: readonly { readonly level: number; readonly tables: readonly PlainTable[] }[];
  /** As in `Compaction`. */
  readonly outputLevel: number;
  /** As in `Compaction`. */
  readonly maxFileSizeBytes: number;
  /** As in `Compaction`. */
  readonly deeper: readonly (readonly PlainTable[])[];
  /** As in `Compaction`. */
  readonly nowMs: number | undefined;
  /** As in `Compaction`. */
  readonly moves: readonly number[] | undefined;
}

/** What the store asks for. Answers carry the same id. */
export type JobRequest =
  | {
    readonly id: number;
    readonly kind: "merge";
    readonly settings: JobSettings;
    readonly compaction: PlainCompaction;
  }
  | {
    readonly id: number;
    readonly kind: "flush";
    readonly settings: JobSettings;
    readonly entries: NewestEntries;
    readonly fileNumber: number;
    /** Size of the log that holds large values of the entries. */
    readonly valueLog: { readonly number: number; readonly sizeBytes: number } | undefined;
  }
  | { readonly id: number; readonly kind: "cancel" };

/** How a job has ended; a cancelled one has removed what it wrote. */
export type JobAnswer =
  | { readonly id: number; readonly kind: "done"; readonly tables: readonly PlainTable[] }
  | { readonly id: number; readonly kind: "failed"; readonly error: PlainError }
  | { readonly id: number; readonly kind: "cancelled" };

/** An error as data. */
export interface PlainError {
  /** Its class, or "Error" for an unknown one. */
  readonly name: string;
  /** Its text. */
  readonly message: string;
  /** Where it was made. */
  readonly stack: string | undefined;
  /** The error that caused it. */
  readonly cause: PlainError | undefined;
  /** The fields of its class. */
  readonly fields: Readonly<Record<string, string | number | undefined>>;
}

/** Own fields of error classes. */
const FIELDS = ["code", "file", "offset", "found", "supported", "operation", "path", "osCode"];
/** Chains of causes are cut after this many. */
const MAX_CAUSES = 8;

/** A table's metadata without views, in separate buffers. */
export function plainTable(table: TableMetadata): PlainTable {
  return {
    number: table.number,
    sizeBytes: table.sizeBytes,
    entryCount: table.entryCount,
    tombstoneCount: table.tombstoneCount,
    checksum: table.checksum,
    expiry: table.expiry,
    smallest: table.smallest.slice(),
    largest: table.largest.slice(),
    deletedSpans: table.deletedSpans.map(plainSpan),
    valueUses: table.valueUses,
  };
}

/** The metadata that was sent. */
export function tableFrom(plain: PlainTable): TableMetadata {
  return tableMetadata({ ...plain, deletedSpans: plain.deletedSpans.map(spanOf) });
}

/** A merge as it is sent. */
export function plainCompaction(compaction: Compaction): PlainCompaction {
  return {
    inputs: compaction.inputs.map(({ level, tables }) => ({
      level,
      tables: tables.map(plainTable),
    })),
    outputLevel: compaction.outputLevel,
    maxFileSizeBytes: compaction.maxFileSizeBytes,
    deeper: compaction.deeper.map((tables) => tables.map(plainTable)),
    nowMs: compaction.nowMs,
    moves: compaction.moves,
  };
}

/** The merge that was sent. */
export function compactionFrom(plain: PlainCompaction): Compaction {
  return {
    kind: "merge",
    inputs: plain.inputs.map(({ level, tables }) => ({
      level,
      tables: tables.map(tableFrom),
    })),
    outputLevel: plain.outputLevel,
    maxFileSizeBytes: plain.maxFileSizeBytes,
    deeper: plain.deeper.map((tables) => tables.map(tableFrom)),
    nowMs: plain.nowMs,
    moves: plain.moves,
  };
}

/** An error as it is sent. */
export function plainError(error: unknown, depth = 0): PlainError {
  if (!isErrorLike(error)) {
    return {
      name: "Error",
      message: String(error),
      stack: undefined,
      cause: undefined,
      fields: {},
    };
  }
  const fields: Record<string, string | number | undefined> = {};
  for (const name of FIELDS) {
    const value = (error as unknown as Record<string, unknown>)[name];
    if (typeof value === "string" || typeof value === "number") fields[name] = value;
  }
  const { cause } = error;
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    cause: cause === undefined || depth === MAX_CAUSES ? undefined : plainError(cause, depth + 1),
    fields,
  };
}

/** The error that was sent: of the same class, with the same text, fields and cause. */
export function errorFrom(plain: PlainError): Error {
  const { name, message, stack, cause, fields } = plain;
  const options = cause === undefined ? undefined : { cause: errorFrom(cause) };
  const error = makeError(name, message, fields, options);
  // If a constructor makes the text from its parameters, the result is only similar.
  error.message = message;
  if (stack !== undefined) error.stack = stack;
  return error;
}

function makeError(
  name: string,
  message: string,
  fields: PlainError["fields"],
  options: ErrorOptions | undefined,
): Error {
  const text = (field: string): string => String(fields[field] ?? "");
  switch (name) {
    case "CorruptionError":
      return new CorruptionError(message, text("file"), Number(fields["offset"]), options);
    case "UnsupportedFormatError":
      return new UnsupportedFormatError(
        text("file"),
        text("found"),
        text("supported"),
        options,
      );
    case "IoError": {
      const osCode = fields["osCode"];
      return new IoError(
        text("operation"),
        text("path"),
        message,
        osCode === undefined ? undefined : String(osCode),
        options,
      );
    }
    case "LockLostError":
      return new LockLostError(text("path"), text("found"), options);
    case "ClosedError":
      return new ClosedError("store", options);
    case "DecodeError":
      return new DecodeError(message, Number(fields["offset"]));
    case "RangeError":
      return new RangeError(message, options);
    case "TypeError":
      return new TypeError(message, options);
    case "StoreError":
      return new StoreError(fields["code"] as StoreErrorCode, message, options);
    default: {
      // An error of the system: its code identifies it.
      const error = new Error(message, options);
      return fields["code"] === undefined ? error : Object.assign(error, { code: fields["code"] });
    }
  }
}
