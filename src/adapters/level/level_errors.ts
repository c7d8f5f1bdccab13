/** Errors with the codes that programs for Level expect. */

/** An error with one of Level's codes. */
export class LevelError extends Error {
  /** The code, for example "LEVEL_LOCKED". */
  readonly code: string;

  /** Makes an error with a code. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The error that an iterator throws. If its signal has ended it, this is Level's own error. */
export function abortedBy(
  signal: AbortSignal | undefined,
  error: unknown,
): unknown {
  if (signal?.aborted !== true) return error;
  const aborted = new LevelError(
    "LEVEL_ABORTED",
    "Operation has been aborted",
    { cause: error },
  );
  Object.defineProperty(aborted, "name", {
    value: "AbortError",
    configurable: true,
  });
  return aborted;
}

/** The error for a database that is not open. */
export function notOpen(call: string): LevelError {
  return new LevelError(
    "LEVEL_DATABASE_NOT_OPEN",
    `Database is not open: cannot call ${call}()`,
  );
}
