/** The errors of this package, and what an error of the server or the client means. */

import { StoreError, type StoreErrorCode } from "@tinykvs/core/contract";

/** What went wrong between the store and the server. */
export type PostgresReason =
  | "connection"
  | "timeout"
  | "pool"
  | "authentication"
  | "rights"
  | "read-only"
  | "missing"
  | "unsupported"
  | "server";

/**
 * The server refused a statement, or could not be reached. Nothing was written, unless it is an
 * {@linkcode OutcomeUnknownError}.
 */
export class PostgresError extends StoreError {
  /** "PostgresError". */
  override readonly name: string = "PostgresError";
  /** What went wrong. */
  readonly reason: PostgresReason;
  /** The server's SQLSTATE, if it has answered. */
  readonly sqlState: string | undefined;

  /** Made by this package. */
  constructor(
    reason: PostgresReason,
    message: string,
    sqlState: string | undefined,
    options?: ErrorOptions,
  ) {
    const code: StoreErrorCode = reason === "read-only" ? "READ_ONLY" : "IO";
    super(code, message, options);
    this.reason = reason;
    this.sqlState = sqlState;
  }
}

/**
 * The connection was lost while the server had a write, and nothing could be learned about it
 * since: the write is complete, or nothing of it is there. Read to find out.
 */
export class OutcomeUnknownError extends PostgresError {
  /** "OutcomeUnknownError". */
  override readonly name: string = "OutcomeUnknownError";

  /** Made by this package. */
  constructor(cause: unknown) {
    super(
      "connection",
      `Cannot tell whether the write was committed: the connection was lost meanwhile (${
        textOf(cause)
      })`,
      undefined,
      { cause },
    );
  }
}

/** What to do about a failure. */
export interface Failure {
  /**
   * "lost": the connection is gone, and the outcome unknown if a statement was under way.
   * "busy": the server has undone the statement; the same one may succeed if it is tried again.
   * "refused": it is final.
   */
  readonly kind: "lost" | "busy" | "refused";
  /** The server's code. */
  readonly sqlState: string | undefined;
}

/** The server's code of an error, wherever the client puts it. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  for (const found of [code, errno]) {
    // Codes of the operating system, such as EPIPE, have five letters, too.
    if (typeof found !== "string" || !/^[0-9A-Z]{5}$/.test(found)) continue;
    if (/[0-9]/.test(found)) return found;
  }
  return undefined;
}

/** Judges an error of a statement, or of an attempt to connect. */
export function failureOf(error: unknown): Failure {
  const sqlState = sqlStateOf(error);
  if (sqlState === undefined) return { kind: "lost", sqlState };
  // Shutdown, crash of another backend, connection errors, and an idle transaction that was ended.
  if (/^08|^57P0[1-5]$|^25P0[34]$/.test(sqlState)) {
    return { kind: "lost", sqlState };
  }
  // Serialisation failure, deadlock, lock not available, too many connections.
  if (["40001", "40P01", "55P03", "53300"].includes(sqlState)) {
    return { kind: "busy", sqlState };
  }
  return { kind: "refused", sqlState };
}

/** The error that users see. */
export function shownError(action: string, error: unknown): Error {
  if (error instanceof StoreError) return error;
  const sqlState = sqlStateOf(error);
  const reason = reasonOf(sqlState);
  const code = sqlState === undefined ? "" : ` (SQLSTATE ${sqlState})`;
  return new PostgresError(
    reason,
    `Cannot ${action}: ${textOf(error)}${code}`,
    sqlState,
    {
      cause: error,
    },
  );
}

function reasonOf(sqlState: string | undefined): PostgresReason {
  if (sqlState === undefined || /^08|^57P0/.test(sqlState)) return "connection";
  if (sqlState.startsWith("28")) return "authentication";
  switch (sqlState) {
    case "57014":
    case "55P03":
      return "timeout";
    case "53300":
      return "pool";
    case "42501":
      return "rights";
    case "25006":
      return "read-only";
    case "42P01":
    case "3F000":
    case "3D000":
    case "42883":
      return "missing";
    default:
      return "server";
  }
}

function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") {
    return error.errors.map(textOf).join(", ");
  }
  const { message, code } = (error ?? {}) as {
    message?: unknown;
    code?: unknown;
  };
  return typeof message === "string" && message !== "" ? message : String(code ?? error);
}
