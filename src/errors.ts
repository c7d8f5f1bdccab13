/**
 * Every error class of the library, and the codes that programs may switch on.
 *
 * The class of an error says what the caller has to do, and not which part of the engine noticed
 * it. Message texts may change between releases; `code` may not. Mistakes of the caller (a wrong
 * argument type, a value out of range) are the built-in `TypeError` and `RangeError`. They are
 * thrown before any state changes, and are not listed here.
 *
 * Decoders know an offset but no file name: they throw {@linkcode DecodeError}. The one place that
 * knows the file turns it into a {@linkcode CorruptionError}. A `DecodeError` never leaves the
 * library.
 *
 * Nothing here depends on the realm or the copy of the library that an error comes from. Test
 * runners load a program into its own context, while system errors are made in the main one, and a
 * process may hold two copies of the library. A mark that all copies share identifies the classes
 * below, also for `instanceof`. Errors of the system are recognised by their name and code.
 *
 * @module
 */

import { markClass } from "./class_marks.ts";

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
  | "CONFLICT"
  | "VALIDATION"
  | "LAGGED"
  | "KEY_ENCODING"
  | "READ_ONLY"
  | "NOT_A_STORE"
  | "ALREADY_EXISTS"
  | "UNSUPPORTED_RUNTIME"
  | "SNAPSHOT_GONE";

/**
 * The key of the mark. On the prototype of every error class it holds the class's name, the same in
 * every copy.
 */
const CLASS_NAME: unique symbol = Symbol.for("@tinykvs/core error class");

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return isErrorLike(error) ? error.message : String(error);
}

/** Whether this looks like an error, of any realm. */
export function isErrorLike(error: unknown): error is Error {
  return typeof error === "object" && error !== null && "message" in error &&
    typeof error.message === "string";
}

/** Whether this is a built-in error of that class, of any realm. */
export function isErrorNamed(
  error: unknown,
  name: "TypeError" | "RangeError" | "RuntimeError",
): error is Error {
  return isErrorLike(error) && error.name === name;
}

/**
 * The base of every error that the library itself throws.
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

  /** Makes an error with a stable code, a text and, if there is one, the error that caused it. */
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
  /**
   * The operation that failed: "open", "create", "read", "write", "sync", "rename", "remove", ...
   */
  readonly operation: string;
  /** The path of the operation. */
  readonly path: string;
  /** The operating system's code, such as "ENOSPC", if it gave one. */
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

/** Another process, worker or handle has the store open: retry later, share it, or stop. */
export class LockedError extends StoreError {
  /** "LockedError". */
  override readonly name: string = "LockedError";
  /** Path of the store's directory. */
  readonly path: string;
  /** Who holds it, as far as is known: runtime, process id, since when. */
  readonly holder: string;

  /**
   * Makes an error that names the directory and the holder, and that says what to do if that is
   * known.
   */
  constructor(path: string, holder: string, options?: ErrorOptions, advice?: string) {
    const end = advice === undefined ? "" : `; ${advice}`;
    super("LOCKED", `Cannot open "${path}": it is locked by ${holder}${end}`, options);
    this.path = path;
    this.holder = holder;
  }
}

/**
 * The directory no longer belongs to this handle: another handle has taken it over, or its files
 * were replaced. The handle writes nothing more, and has acknowledged nothing since. Close it, find
 * out who else writes there, and open the store again.
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
      `Cannot write any more to "${path}": the lock of this handle is lost, ${found}`,
      options,
    );
    this.path = path;
    this.found = found;
  }
}

/** Whether a file could not be removed. If so, the next open removes it. */
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
    const reason = messageOf(cause);
    super(
      "BACKGROUND",
      `Cannot write to the store: ${work} failed earlier (${reason}); reopen the store to recover`,
      { cause },
    );
  }
}

/**
 * A typed getter such as `getString` found a value of another type, or a read found a value that it
 * can't show as the type that the options ask for.
 */
export class TypeMismatchError extends StoreError {
  /** "TypeMismatchError". */
  override readonly name: string = "TypeMismatchError";
  /** The type that is stored. */
  readonly found: string;
  /** The type that was asked for. */
  readonly expected: string;
  /** The key as the message shows it, if it is known. */
  readonly key: string | undefined;

  /** Makes an error that names both types, and the key if its text is given. */
  constructor(found: string, expected: string, options?: ErrorOptions, key?: string) {
    const of = key === undefined ? "" : ` of key ${key}`;
    super(
      "TYPE_MISMATCH",
      `Cannot read the value${of} as ${expected}: it is stored as ${found}`,
      options,
    );
    this.found = found;
    this.expected = expected;
    this.key = key;
  }

  /** The same error about the value of a key. @internal */
  withKey(key: string): TypeMismatchError {
    const { found, expected, cause } = this;
    const options = cause === undefined ? undefined : { cause };
    return new TypeMismatchError(found, expected, options, key);
  }
}

/** A stretch of keys in an error, in the form of a range: `gte` is in it, `lt` is not. */
export interface KeyStretch {
  /** The first key, unless it begins with the first of the store. */
  readonly gte?: Uint8Array;
  /** The first key after it, unless it goes on to the last of the store. */
  readonly lt?: Uint8Array;
}

/** What stood in the way of a commit. */
export interface ConflictCause {
  /** The text: what had happened. */
  readonly reason: string;
  /** The key that another commit has written, if it was one. */
  readonly key?: Uint8Array;
  /** The stretch that the transaction had read and in which that key lies, if it had read one. */
  readonly range?: KeyStretch;
}

/**
 * A transaction was given up, and has changed nothing: other commits wrote to what it had read,
 * each time that it was tried, or it is larger than is allowed; the message says which.
 *
 * @example
 * ```ts
 * import { ConflictError, memoryFileSystem, open } from "@tinykvs/core";
 *
 * await using store = await open("/db", { fileSystem: memoryFileSystem() });
 * const failure = await store.transaction(async (tx) => {
 *   const old = await tx.get("k");
 *   await store.put("k", 1); // beside the transaction, which has read the key
 *   await tx.put("k", old ?? 0);
 * }, { retries: 2 }).catch((error) => error);
 * console.log(failure instanceof ConflictError, failure.code, failure.attempts); // true CONFLICT 3
 * ```
 */
export class ConflictError extends StoreError {
  /** "ConflictError". */
  override readonly name: string = "ConflictError";
  /** How often the transaction was tried. */
  readonly attempts: number;
  /** The key that another commit has written, if it was one. */
  readonly key: Uint8Array | undefined;
  /** The stretch that the transaction had read and in which that key lies, if it had read one. */
  readonly range: KeyStretch | undefined;

  /** Makes an error that says what stood in the way, and how often that was tried. */
  constructor(cause: ConflictCause, attempts: number, options?: ErrorOptions) {
    const times = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
    super("CONFLICT", `Cannot commit the transaction: ${cause.reason} (${times})`, options);
    this.attempts = attempts;
    this.key = cause.key;
    this.range = cause.range;
  }
}

/** One thing that is wrong with a value, in the form of the Standard Schema interface. */
export interface ValidationIssue {
  /** What is wrong. */
  readonly message: string;
  /** Where in the value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A value is not what the schema of its sub asks for; nothing was written. */
export class ValidationError extends StoreError {
  /** "ValidationError". */
  override readonly name: string = "ValidationError";
  /** What is wrong with the value, as the schema says it. */
  readonly issues: readonly ValidationIssue[];

  /** Makes an error from a text and the schema's issues. */
  constructor(message: string, issues: readonly ValidationIssue[], options?: ErrorOptions) {
    super("VALIDATION", message, options);
    this.issues = issues;
  }
}

/**
 * The reader of a watch was too slow, and commits were dropped. Read the range, and watch again:
 * begin to watch before you read, and nothing is missed.
 */
export class LaggedError extends StoreError {
  /** "LaggedError". */
  override readonly name: string = "LaggedError";

  /** Makes an error that says how far the reader is behind. */
  constructor(by: string, options?: ErrorOptions) {
    super(
      "LAGGED",
      `Cannot go on watching: the reader is behind ${by}; read the range and watch it again`,
      options,
    );
  }
}

/**
 * Bytes that do not decode, with their offset in the buffer. Internal: the code that knows the file
 * name converts it to a {@linkcode CorruptionError}.
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

// The names are literals, because a bundler may rename the classes.
markClass(StoreError, CLASS_NAME, "StoreError", (found) => typeof found === "string");
markClass(CorruptionError, CLASS_NAME, "CorruptionError");
markClass(UnsupportedFormatError, CLASS_NAME, "UnsupportedFormatError");
markClass(IoError, CLASS_NAME, "IoError");
markClass(LockedError, CLASS_NAME, "LockedError");
markClass(LockLostError, CLASS_NAME, "LockLostError");
markClass(ClosedError, CLASS_NAME, "ClosedError");
markClass(BackgroundError, CLASS_NAME, "BackgroundError");
markClass(TypeMismatchError, CLASS_NAME, "TypeMismatchError");
markClass(ConflictError, CLASS_NAME, "ConflictError");
markClass(ValidationError, CLASS_NAME, "ValidationError");
markClass(LaggedError, CLASS_NAME, "LaggedError");

/**
 * Converts a failure of a decoder over `file` into the error that users see; others pass through.
 */
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

/** The same failure of a read, as a separate error for a caller that waited for that read. */
export function errorForOther(error: unknown): unknown {
  if (error instanceof CorruptionError) {
    return new CorruptionError(error.message, error.file, error.offset, { cause: error });
  }
  if (error instanceof IoError) {
    const { operation, path, message, osCode } = error;
    const reason = message.slice(`Cannot ${operation} "${path}": `.length);
    return new IoError(operation, path, reason, osCode, { cause: error });
  }
  if (error instanceof UnsupportedFormatError) {
    const { file, found, supported } = error;
    return new UnsupportedFormatError(file, found, supported, { cause: error });
  }
  // The store was closed: the text names nothing else.
  return error instanceof ClosedError ? new ClosedError("store", { cause: error }) : error;
}
