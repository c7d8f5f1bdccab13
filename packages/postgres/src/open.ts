/** Opening a store. */

import { type KeyEncoding, UnsupportedFormatError } from "@tinykvs/core/contract";
import { Backend } from "./backend.ts";
import { createStatements, FORMAT } from "./ddl.ts";
import type { Driver } from "./driver.ts";
import { PostgresError, shownError, sqlStateOf } from "./errors.ts";
import { type Names, namesOf } from "./names.ts";
import { Pool } from "./pool.ts";
import { type Statements, statementsOf } from "./statements.ts";
import { PostgresStore } from "./store.ts";

/** The options of {@linkcode openPostgres}. An unknown name is a `TypeError`. */
export interface PostgresOptions {
  /** The table. Its name begins the names of the other objects. */
  table: string;
  /** The schema. Default "public". */
  schema?: string;
  /** Whether missing tables are made. Default true. See {@linkcode schemaSql}. */
  create?: boolean;
  /** What reads show for keys. Default "utf8". */
  keyEncoding?: KeyEncoding;
  /** The most connections at a time, from 3. Each open snapshot takes one. Default 16. */
  connections?: number;
  /** How long a call waits for a connection. Default 10,000. */
  acquireTimeoutMs?: number;
  /** How long the answer to a statement may take. Default 30,000. */
  queryTimeoutMs?: number;
  /** For how long calls are tried again when the connection is lost. Default 10,000. */
  retryMs?: number;
  /** For how long a snapshot, a cursor or a transaction may read. Default 300,000. */
  snapshotMs?: number;
  /**
   * Whether a write whose connection is lost is sent again, and applied once. It costs the update
   * of one small row a statement. Otherwise such a write is an {@linkcode OutcomeUnknownError}.
   * Default true.
   */
  exactlyOnce?: boolean;
  /** How often entries that have expired are removed; Infinity for never. Default 60,000. */
  sweepIntervalMs?: number;
  /**
   * How long after its expiry an entry is removed at the earliest. A snapshot begins on the server
   * within half of it, so that no handle removes what the snapshot must show. Default 60,000.
   */
  sweepDelayMs?: number;
  /** Whether watches use LISTEN, which needs a session of its own. Default true. */
  listen?: boolean;
  /** How often a watch looks for commits that it was not told of. Default 1000. */
  pollMs?: number;
  /**
   * The time in ms since 1970. Default: the program's clock, corrected by what the server's was
   * ahead of it when the store was opened.
   */
  clock?: () => number;
}

const NUMBERS = {
  connections: 16,
  acquireTimeoutMs: 10_000,
  queryTimeoutMs: 30_000,
  retryMs: 10_000,
  snapshotMs: 300_000,
  sweepIntervalMs: 60_000,
  sweepDelayMs: 60_000,
  pollMs: 1000,
} as const;

const OTHERS = {
  table: "string",
  schema: "string",
  create: "boolean",
  keyEncoding: "string",
  exactlyOnce: "boolean",
  listen: "boolean",
  clock: "function",
} as const;

/**
 * Opens the store in a table of PostgreSQL, and makes the table if there is none.
 *
 * @throws {PostgresError} the server cannot be reached, refuses, or is CockroachDB
 * @throws {UnsupportedFormatError} the table was made by a newer version of this package
 */
export async function openPostgres(
  driver: Driver,
  options: PostgresOptions,
): Promise<PostgresStore> {
  const checked = checkedOptions(options);
  const {
    schema = "public",
    create = true,
    exactlyOnce = true,
    keyEncoding = "utf8",
  } = options;
  const names = namesOf(options.table, schema);
  const pool = new Pool(driver, checked);
  const statements = statementsOf(names);
  try {
    const offset = await formatOf(pool, names, statements, create);
    const session = exactlyOnce ? crypto.randomUUID() : null;
    const now = options.clock ??
      ((): number => Math.round(Date.now() + offset));
    const { retryMs: outcomeMs, snapshotMs, pollMs, sweepIntervalMs, sweepDelayMs } = checked;
    const backend = new Backend({
      pool,
      statements,
      session,
      outcomeMs,
      snapshotMs,
      sweepDelayMs,
      now,
    });
    return new PostgresStore(backend, {
      keyEncoding,
      sweepIntervalMs,
      watcher: {
        driver,
        channel: names.channel,
        listen: options.listen ?? true,
        pollMs,
      },
    });
  } catch (error) {
    await pool.close();
    throw shownError(
      `open the table "${names.shown}" by ${driver.name}`,
      error,
    );
  }
}

/**
 * Checks the version, and makes the tables if they are missing. Returns by how much the server's
 * clock is ahead of the program's, in ms.
 */
async function formatOf(
  pool: Pool,
  names: Names,
  statements: Statements,
  create: boolean,
): Promise<number> {
  for (let isSecond = false;; isSecond = true) {
    const connection = await pool.acquire();
    try {
      if (!isSecond) {
        const [version] = await pool.queryOn(connection, statements.version, []);
        requireLocks(String(version?.[0]), names);
      }
      const before = Date.now();
      const [row] = await pool.queryOn(connection, statements.format, []);
      if (row === undefined) {
        throw Object.assign(new Error("no format"), { code: "42P01" });
      }
      const format = row[0] as number;
      if (format > FORMAT) {
        throw new UnsupportedFormatError(
          names.shown,
          `version ${format}`,
          `version ${FORMAT}`,
        );
      }
      return clockOffset(before, Math.floor(Number(row[1])), Date.now());
    } catch (error) {
      if (sqlStateOf(error) !== "42P01" || !create || isSecond) throw error;
      try {
        await pool.runOn(connection, createStatements(names));
      } catch (failure) {
        await pool.runOn(connection, "ROLLBACK").catch(() => {});
        throw failure;
      }
    } finally {
      pool.release(connection);
    }
  }
}

/**
 * Commits of transactions are exact by an advisory lock. CockroachDB has the functions, which do
 * nothing: a store there would lose updates without a word.
 */
function requireLocks(version: string, { shown }: Names): void {
  if (!version.startsWith("CockroachDB")) return;
  throw new PostgresError(
    "unsupported",
    `Cannot open the table "${shown}": the server is "${version}", expected PostgreSQL, because ` +
      "advisory locks do nothing in CockroachDB, and transactions would not be safe",
    undefined,
  );
}

/**
 * The server has told its time between two looks at the program's clock. If its time lies between
 * theirs, the clocks agree as far as anybody can tell: then there is no difference, and times are
 * the same here as elsewhere in the program.
 */
function clockOffset(before: number, server: number, after: number): number {
  if (before <= server && server <= after) return 0;
  // Half of the way was to the server.
  return server - (before + after) / 2;
}

function checkedOptions(
  options: PostgresOptions,
): Record<keyof typeof NUMBERS, number> {
  if (Object.prototype.toString.call(options) !== "[object Object]") {
    throw new TypeError(
      'Cannot open the store: expected options such as { table: "kv" }',
    );
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (Object.hasOwn(NUMBERS, name)) {
      const least = name === "connections" ? 3 : name === "retryMs" ? 0 : 1;
      const isTime = name !== "connections";
      if (
        (Number.isSafeInteger(value) && value >= least) ||
        (isTime && value === Infinity)
      ) continue;
      throw new RangeError(
        `Cannot open the store: "${name}" is ${String(value)}, expected an integer from ${least}`,
      );
    }
    const expected = OTHERS[name as keyof typeof OTHERS];
    if (!Object.hasOwn(OTHERS, name)) {
      throw new TypeError(`Cannot open the store: unknown option "${name}"`);
    }
    const found: string = typeof value;
    if (found !== expected) {
      throw new TypeError(
        `Cannot open the store: "${name}" is a ${found}, expected a ${expected}`,
      );
    }
  }
  const { keyEncoding = "utf8" } = options;
  if (keyEncoding !== "utf8" && keyEncoding !== "bytes") {
    throw new TypeError(
      `Cannot open the store: "keyEncoding" is "${
        String(keyEncoding)
      }", expected "utf8" or "bytes"`,
    );
  }
  const numbers: Record<keyof typeof NUMBERS, number> = { ...NUMBERS };
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    numbers[name] = options[name] ?? NUMBERS[name];
    // Timers have 31 bits.
    if (name !== "sweepIntervalMs") {
      numbers[name] = Math.min(numbers[name], 2 ** 31 - 1);
    }
  }
  return numbers;
}
