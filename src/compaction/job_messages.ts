/**
 * What the store and its job thread say to each other: plain data in both directions.
 *
 * Structured cloning keeps neither the class of an error nor what it knows besides its text, so errors go
 * as records and come out as what they were. Metadata goes without its views: a view drags the whole
 * buffer that it is on along, of a manifest for example.
 */

import type { CompressionLevel, CompressionName } from "../compression/compressor.ts";
import {
  ClosedError,
  CorruptionError,
  DecodeError,
  IoError,
  LockLostError,
  StoreError,
  type StoreErrorCode,
  UnsupportedFormatError,
} from "../errors.ts";
import type { NewestEntries } from "../memtable/newest_entries.ts";
import type { LockWitness } from "../platform/file_system.ts";
import { type TableMetadata, tableMetadata } from "../version/table_metadata.ts";
import type { Compaction } from "./compaction.ts";

/** How the thread writes tables. */
export interface JobThreadSettings {
  /** The store's directory, on the runtime's own file system. */
  readonly directory: string;
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
  /** The lock that the store holds, if it has one that can be looked at from here. */
  readonly lock?: LockWitness | undefined;
}

/** What the thread is started with. */
export interface JobThreadData {
  /** How it writes tables. */
  readonly settings: JobThreadSettings;
  /** The zstd module, which its program does not contain (wasm/build_job_worker.ts). */
  readonly zstdWasm: string;
}

/** Metadata of a table without its views. */
export type PlainTable = Omit<TableMetadata, "smallestView" | "largestView">;

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
}

/** What the store asks for. Answers carry the same id. */
export type JobRequest =
  | { readonly id: number; readonly kind: "merge"; readonly compaction: PlainCompaction }
  | {
    readonly id: number;
    readonly kind: "flush";
    readonly entries: NewestEntries;
    readonly fileNumber: number;
  }
  | { readonly id: number; readonly kind: "cancel" };

/** How a job has ended; one that was cancelled has removed what it wrote. */
export type JobAnswer =
  | { readonly id: number; readonly kind: "done"; readonly tables: readonly PlainTable[] }
  | { readonly id: number; readonly kind: "failed"; readonly error: PlainError }
  | { readonly id: number; readonly kind: "cancelled" };

/** An error as data. */
export interface PlainError {
  /** Its class, or "Error" for one that is not known here. */
  readonly name: string;
  /** Its text. */
  readonly message: string;
  /** Where it was made. */
  readonly stack: string | undefined;
  /** The error behind it. */
  readonly cause: PlainError | undefined;
  /** What the class knows besides. */
  readonly fields: Readonly<Record<string, string | number | undefined>>;
}

/** Own fields of error classes. */
const FIELDS = ["code", "file", "offset", "found", "supported", "operation", "path", "osCode"];
/** Chains of causes are cut after this many. */
const MAX_CAUSES = 8;

/** A table's metadata without views, in buffers of its own. */
export function plainTable(table: TableMetadata): PlainTable {
  return {
    number: table.number,
    sizeBytes: table.sizeBytes,
    entryCount: table.entryCount,
    tombstoneCount: table.tombstoneCount,
    checksum: table.checksum,
    smallest: table.smallest.slice(),
    largest: table.largest.slice(),
  };
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
  };
}

/** The merge that was sent. */
export function compactionFrom(plain: PlainCompaction): Compaction {
  return {
    kind: "merge",
    inputs: plain.inputs.map(({ level, tables }) => ({
      level,
      tables: tables.map(tableMetadata),
    })),
    outputLevel: plain.outputLevel,
    maxFileSizeBytes: plain.maxFileSizeBytes,
    deeper: plain.deeper.map((tables) => tables.map(tableMetadata)),
  };
}

/** An error as it is sent. */
export function plainError(error: unknown, depth = 0): PlainError {
  if (!(error instanceof Error)) {
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
  // Constructors that make the text from their parameters make one that only resembles it.
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
      // An error of the system: its code is what tells it from others.
      const error = new Error(message, options);
      return fields["code"] === undefined ? error : Object.assign(error, { code: fields["code"] });
    }
  }
}
