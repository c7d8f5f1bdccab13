/** Errors with the codes that programs for Level know. */

/** An error with a code of Level's. */
export class LevelError extends Error {
  /** The code: "LEVEL_LOCKED", for example. */
  readonly code: string;

  /** Makes an error with a code. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What an iterator is to throw: Level's own error if its signal has ended it. */
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
