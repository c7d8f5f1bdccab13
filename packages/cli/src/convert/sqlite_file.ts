/** SQLite of the runtime: node:sqlite on Node and Deno, bun:sqlite on Bun. */

import process from "node:process";
import { CommandError, EXIT } from "../errors.ts";

/** What a column of SQLite holds. Integers are bigints. */
export type SqliteValue = null | bigint | number | string | Uint8Array;

/** A row, by the names of its columns. */
export type SqliteRow = Readonly<Record<string, SqliteValue>>;

/** An open file. */
export interface SqliteFile {
  /** The rows of a query, one after the other. */
  rows(sql: string, ...parameters: SqliteValue[]): Iterable<SqliteRow>;
  /** Runs a statement for each of several rows of parameters. */
  run(sql: string, rows: readonly (readonly SqliteValue[])[]): void;
  close(): void;
}

/** Opens a file. One that is only read is not created or changed. */
export async function openSqlite(
  file: string,
  readOnly: boolean,
): Promise<SqliteFile> {
  return process.versions.bun === undefined
    ? await openWithNode(file, readOnly)
    : await openWithBun(file, readOnly);
}

async function openWithNode(
  file: string,
  readOnly: boolean,
): Promise<SqliteFile> {
  const { DatabaseSync } = await withoutWarnings(() => import("node:sqlite"))
    .catch((error) => {
      throw new CommandError(
        EXIT.refused,
        "This runtime has no SQLite",
        undefined,
        { cause: error },
      );
    });
  const database = new DatabaseSync(file, { readOnly });
  return {
    *rows(sql, ...parameters) {
      const statement = database.prepare(sql);
      statement.setReadBigInts(true);
      yield* statement.iterate(...parameters) as Iterable<SqliteRow>;
    },
    run(sql, rows) {
      const statement = database.prepare(sql);
      for (const row of rows) statement.run(...row);
    },
    close: () => database.close(),
  };
}

/** The part of bun:sqlite that is used. */
interface BunSqlite {
  readonly Database: new (
    file: string,
    options: Readonly<Record<string, boolean>>,
  ) => {
    query(sql: string): {
      iterate(...parameters: SqliteValue[]): Iterable<SqliteRow>;
      run(...parameters: SqliteValue[]): void;
    };
    close(): void;
  };
}

async function openWithBun(
  file: string,
  readOnly: boolean,
): Promise<SqliteFile> {
  // The other runtimes have no such module, and their bundlers must not look for it.
  const name = "bun:sqlite";
  const { Database } = await import(name) as BunSqlite;
  const options = readOnly ? { readonly: true } : { create: true, readwrite: true };
  const database = new Database(file, { ...options, safeIntegers: true });
  return {
    rows: (sql, ...parameters) => database.query(sql).iterate(...parameters),
    run(sql, rows) {
      const statement = database.query(sql);
      for (const row of rows) statement.run(...row);
    },
    close: () => database.close(),
  };
}

/** Node calls its SQLite experimental; that is nothing for the person who imports a file. */
async function withoutWarnings<T>(load: () => Promise<T>): Promise<T> {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return await load();
  } finally {
    process.emitWarning = emitWarning;
  }
}
