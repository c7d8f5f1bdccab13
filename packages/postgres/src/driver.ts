/**
 * The narrow interface to a PostgreSQL client. One connection at a time, without a pool: the store
 * has a pool of its own, because it must know which connection a transaction uses, and must be able
 * to throw one away that does not answer.
 */

/** A statement: its text, and a name under which the server may keep its plan. */
export interface Statement {
  /** The SQL, with $1, $2 and so on for parameters. */
  readonly text: string;
  /** The name of the prepared statement. The same name always has the same text. */
  readonly name: string;
}

/** A parameter. Integers of 64 bits are given as text. */
export type Parameter = Uint8Array | string | number | boolean | null;

/** A row: bytes are a `Uint8Array`, integers of 64 bits text, others as the client decodes them. */
export type Row = readonly unknown[];

/** How long a connection waits until the server has closed its side, when it is closed. */
export const GOODBYE_MS = 1000;

/** The time for a timer. Timers have 31 bits. */
export function timerMs(limitMs: number): number {
  const most = 2 ** 31 - 1;
  return limitMs > 0 && limitMs < most ? limitMs : most;
}

/** One connection to the server. */
export interface Connection {
  /** Whether it is lost, or was closed. */
  readonly isClosed: boolean;
  /** Runs one statement with parameters. */
  query(
    statement: Statement,
    parameters: readonly Parameter[],
  ): Promise<readonly Row[]>;
  /** Runs statements without parameters and without results. */
  run(text: string): Promise<void>;
  /** Closes it at once, also if the server does not answer. Never throws. */
  destroy(): void;
  /** Says goodbye to the server and closes it, also if the server does not answer. Never throws. */
  close(): Promise<void>;
}

/** How connections are made. {@linkcode pgDriver} and {@linkcode postgresDriver} make drivers. */
export interface Driver {
  /** The name of the client, for texts of errors. */
  readonly name: string;
  /** Opens a connection. Rejects with the client's error. */
  connect(): Promise<Connection>;
  /**
   * Listens to a channel of NOTIFY by a connection of its own. `onNotify` is called for each
   * message, and when messages may have been lost. `onLost` is called once if the connection ends.
   * Absent if the client cannot do it.
   */
  listen?(
    channel: string,
    onNotify: () => void,
    onLost: () => void,
  ): Promise<{ close(): Promise<void> }>;
}

/** What both drivers may be told. */
export interface DriverOptions {
  /**
   * Whether statements are prepared once for each connection. Switch it off with a pooler in
   * transaction mode, such as PgBouncer. Default true.
   */
  prepare?: boolean;
  /** The time for a connection to be made; 0 for no limit. Default 10,000. */
  connectTimeoutMs?: number;
}
