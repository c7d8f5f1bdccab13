/**
 * Every error class of the library, and the codes that programs may switch on.
 *
 * An error is classed by what the caller has to do about it, not by the part of the engine that
 * noticed. Message texts may change between releases; `code` may not. Mistakes of the caller
 * (a wrong argument type, a value out of range) are the built-in `TypeError` and `RangeError`,
 * thrown before any state changes, and are not listed here.
 *
 * Decoders know an offset but no file name: they throw {@linkcode DecodeError}, and the one place
 * that knows the file turns it into a {@linkcode CorruptionError}. A `DecodeError` never leaves
 * the library.
 *
 * @module
 */

/** The stable codes of {@linkcode StoreError.code}. */
export type StoreErrorCode =
  | "CORRUPTION"
  | "UNSUPPORTED_FORMAT"
  | "IO"
  | "LOCKED"
  | "LOCK_LOST"
  | "CLOSED"
  | "BACKGROUND"
  | "TYPE_MISMATCH"
  | "KEY_ENCODING"
  | "READ_ONLY"
  | "NOT_A_STORE"
  | "ALREADY_EXISTS"
  | "ABORTED";

/**
 * The base of every error that the library throws by itself.
 *
 * @example
 * ```ts
 * import { open, StoreError } from "@tinykvs/core";
 *
 * try {
 *   await open("./missing", { createIfMissing: false });
 * } catch (error) {
 *   if (error instanceof StoreError && error.code === "NOT_A_STORE") console.log("no store there");
 *   else throw error;
 * }
 * ```
 */
export class StoreError extends Error {
  /** "StoreError". */
  override readonly name: string = "StoreError";
  /** What happened, as a stable word. */
  readonly code: StoreErrorCode;

  /** Makes an error with a stable code, a text and, where there is one, the error behind it. */
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Bytes of the store fail to decode or to match their checksum: restore a backup or repair. */
export class CorruptionError extends StoreError {
  /** "CorruptionError". */
  override readonly name: string = "CorruptionError";
  /** Path of the damaged file. */
  readonly file: string;
  /** Byte offset of the damaged structure in that file. */
  readonly offset: number;

  /** Makes an error that names the damaged file and the offset of the damage. */
  constructor(message: string, file: string, offset: number, options?: ErrorOptions) {
    super("CORRUPTION", message, options);
    this.file = file;
    this.offset = offset;
  }
}

/** A file was written by a newer version of the format than this library reads: upgrade. */
export class UnsupportedFormatError extends StoreError {
  /** "UnsupportedFormatError". */
  override readonly name: string = "UnsupportedFormatError";
  /** Path of the file. */
  readonly file: string;
  /** What the file says. */
  readonly found: string;
  /** What this library reads. */
  readonly supported: string;

  /** Makes an error that names the file, what it says and what is supported. */
  constructor(file: string, found: string, supported: string, options?: ErrorOptions) {
    super(
      "UNSUPPORTED_FORMAT",
      `Cannot read "${file}": its format is ${found}, supported is ${supported}`,
      options,
    );
    this.file = file;
    this.found = found;
    this.supported = supported;
  }
}

/** The file system refused an operation. */
export class IoError extends StoreError {
  /** "IoError". */
  override readonly name: string = "IoError";
  /** What was tried: "open", "create", "read", "write", "sync", "rename", "remove", ... */
  readonly operation: string;
  /** The path it was tried on. */
  readonly path: string;
  /** The operating system's code, such as "ENOSPC", where it gave one. */
  readonly osCode: string | undefined;

  /** Makes an error that names the operation, the path and the operating system's code. */
  constructor(
    operation: string,
    path: string,
    reason: string,
    osCode: string | undefined,
    options?: ErrorOptions,
  ) {
    super("IO", `Cannot ${operation} "${path}": ${reason}`, options);
    this.operation = operation;
    this.path = path;
    this.osCode = osCode;
  }
}

/** Another process, worker or handle has the store open: retry later or stop. */
export class LockedError extends StoreError {
  /** "LockedError". */
  override readonly name: string = "LockedError";
  /** Path of the store's directory. */
  readonly path: string;
  /** Who holds it, as far as is known: runtime, process id, since when. */
  readonly holder: string;

  /** Makes an error that names the directory and the holder. */
  constructor(path: string, holder: string, options?: ErrorOptions) {
    super("LOCKED", `Cannot open "${path}": it is locked by ${holder}`, options);
    this.path = path;
    this.holder = holder;
  }
}

/**
 * The directory is no longer this handle's: another one has taken it over, or its files were
 * replaced. Nothing more is written and nothing was acknowledged since. Close the handle, find out
 * who else writes there, and open the store again.
 */
export class LockLostError extends StoreError {
  /** "LockLostError". */
  override readonly name: string = "LockLostError";
  /** Path of the store's directory. */
  readonly path: string;
  /** What was found in place of this handle's lock. */
  readonly found: string;

  /** Makes an error that names the directory and what was found there. */
  constructor(path: string, found: string, options?: ErrorOptions) {
    super(
      "LOCK_LOST",
      `Cannot go on writing to "${path}": the lock of this handle is lost, ${found}`,
      options,
    );
    this.path = path;
    this.found = found;
  }
}

/** Whether a file could not be removed: whoever cleans up leaves it to the next open. */
export function isRefusal(error: unknown): boolean {
  return error instanceof IoError || error instanceof LockLostError;
}

/** The store, snapshot or cursor was used after it was closed. */
export class ClosedError extends StoreError {
  /** "ClosedError". */
  override readonly name: string = "ClosedError";

  /** Makes an error that names what was closed. */
  constructor(what: string, options?: ErrorOptions) {
    super("CLOSED", `Cannot use the ${what}: it is closed`, options);
  }
}

/**
 * A log write, flush or compaction failed; `cause` says why. The store answers reads, refuses
 * writes, and recovers when it is opened again.
 */
export class BackgroundError extends StoreError {
  /** "BackgroundError". */
  override readonly name: string = "BackgroundError";

  /** Makes an error for the work that failed, with the first failure as its cause. */
  constructor(work: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(
      "BACKGROUND",
      `Cannot write to the store: ${work} failed earlier (${reason}); reopen the store to recover`,
      { cause },
    );
  }
}

/** A typed getter such as `getString` found a value of another type. */
export class TypeMismatchError extends StoreError {
  /** "TypeMismatchError". */
  override readonly name: string = "TypeMismatchError";
  /** The type that is stored. */
  readonly found: string;
  /** The type that was asked for. */
  readonly expected: string;

  /** Makes an error that names both types. */
  constructor(found: string, expected: string, options?: ErrorOptions) {
    super(
      "TYPE_MISMATCH",
      `Cannot read the value as ${expected}: it is stored as ${found}`,
      options,
    );
    this.found = found;
    this.expected = expected;
  }
}

/**
 * Bytes that do not decode, told by their offset in the buffer at hand. Internal: it is converted
 * to a {@linkcode CorruptionError} where the file name is known.
 */
export class DecodeError extends Error {
  /** "DecodeError". */
  override readonly name: string = "DecodeError";
  /** Offset of the bad field in the decoded buffer. */
  readonly offset: number;

  /** Makes an error from what was expected and found, and where. */
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Converts a failure of a decoder over `file` into the error that users see; others pass through. */
export function corruptionFrom(
  error: unknown,
  what: string,
  file: string,
  baseOffset: number,
): unknown {
  if (!(error instanceof DecodeError)) return error;
  const offset = baseOffset + error.offset;
  return new CorruptionError(
    `Cannot read ${what} at offset ${offset} of "${file}": ${error.message}`,
    file,
    offset,
    { cause: error },
  );
}
