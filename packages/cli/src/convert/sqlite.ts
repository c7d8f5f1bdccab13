/**
 * Tables of SQLite.
 *
 * The key of a row is its primary key if that is one column, else its rowid, or the column that
 * `--key` names. One other column is the value by itself; several make a record. The table that
 * `export` writes, kv(k, type, v), restores every type.
 */

import type { RecordItem, Value } from "@tinykvs/core";
import { InputError, UsageError } from "../errors.ts";
import { escapeControls } from "../text/escape.ts";
import { toText, toUtf8 } from "../values/bytes.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { isContainer, typeOf } from "../values/kinds.ts";
import { parseLiteral } from "../values/literal_parser.ts";
import { literalOf } from "../values/literal_text.ts";
import { itemInRecord, valueOfItem } from "./cells.ts";
import { openSqlite, type SqliteFile, type SqliteRow, type SqliteValue } from "./sqlite_file.ts";

const GROUP = 256;

/** Which tables, and how. */
export interface SqliteOptions {
  /** Undefined if the file has only one. */
  readonly table: string | undefined;
  readonly keyColumn: string | undefined;
  /** Every table; the keys begin with its name and a colon. */
  readonly allTables: boolean;
}

/** The entries of tables of a file. */
export async function* sqliteEntries(
  file: string,
  onBad: (error: InputError) => void,
  options: SqliteOptions,
): AsyncGenerator<StoredEntry[]> {
  const database = await openSqlite(file, true);
  try {
    for (const table of chosenTables(database, file, options)) {
      const prefix = options.allTables ? `${table}:` : "";
      yield* tableEntries(database, table, prefix, options.keyColumn, onBad);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isSqlite = code === "ERR_SQLITE_ERROR" ||
      (error as Error).name === "SQLiteError";
    if (!isSqlite) throw error;
    throw new InputError(`SQLite cannot read "${file}": ${message}`);
  } finally {
    database.close();
  }
}

function chosenTables(
  database: SqliteFile,
  file: string,
  options: SqliteOptions,
): string[] {
  const query = "select name from sqlite_schema where type = 'table' " +
    "and name not like 'sqlite\\_%' escape '\\' order by name";
  const tables = [...database.rows(query)].map((row) => String(row["name"]));
  if (options.allTables) return tables;
  if (options.table !== undefined && tables.includes(options.table)) {
    return [options.table];
  }
  if (options.table === undefined && tables.length === 1) return tables;
  const found = options.table === undefined
    ? `"${file}" has ${tables.length} tables`
    : `"${file}" has no table "${options.table}"`;
  throw new UsageError(
    found,
    `Choose by --table, or take --all-tables: ${tables.join(", ")}`,
  );
}

async function* tableEntries(
  database: SqliteFile,
  table: string,
  prefix: string,
  keyColumn: string | undefined,
  onBad: (error: InputError) => void,
): AsyncGenerator<StoredEntry[]> {
  const columns = [
    ...database.rows(
      "select name, pk from pragma_table_info(?) order by cid",
      table,
    ),
  ]
    .map((row) => ({ name: String(row["name"]), isPrimary: row["pk"] !== 0n }));
  const names = columns.map(({ name }) => name);
  if (keyColumn !== undefined && !names.includes(keyColumn)) {
    throw new UsageError(
      `The table "${table}" has no column "${keyColumn}"`,
      `The columns are: ${names.join(", ")}`,
    );
  }
  const primary = columns.filter(({ isPrimary }) => isPrimary);
  const key = keyColumn ??
    (primary.length === 1 ? primary[0]!.name : undefined);
  const isOurs = names.join() === "k,type,v";
  // A table without a single key has its rowid, under a name that no column can have.
  const selected = key === undefined ? "rowid as [tinykvs rowid], *" : "*";
  let group: StoredEntry[] = [];
  let number = 0;
  for (
    const row of database.rows(`select ${selected} from ${identifier(table)}`)
  ) {
    number++;
    try {
      const entry = isOurs ? typedEntry(row) : rowEntry(row, key);
      group.push(
        prefix === "" ? entry : { ...entry, key: joined(prefix, entry.key) },
      );
    } catch (error) {
      if (!(error instanceof InputError || error instanceof UsageError)) {
        throw error;
      }
      onBad(
        new InputError(
          `Row ${number} of "${escapeControls(table)}": ${error.message}`,
        ),
      );
    }
    if (group.length < GROUP) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function rowEntry(row: SqliteRow, key: string | undefined): StoredEntry {
  const name = key ?? "tinykvs rowid";
  const others = Object.entries(row).filter(([column]) => column !== name);
  const [only] = others;
  return {
    key: keyOf(row[name]!, name),
    value: others.length === 1 && only !== undefined ? valueOfItem(only[1]) : Object.fromEntries(
      others.map(([column, item]) => [column, itemInRecord(item)]),
    ),
  };
}

function keyOf(value: SqliteValue, column: string): Uint8Array {
  if (typeof value === "string") return toUtf8(value);
  if (typeof value === "bigint") return toUtf8(String(value));
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw new InputError(`its key "${escapeControls(column)}" is ${value}`);
}

function joined(prefix: string, key: Uint8Array): Uint8Array {
  const start = toUtf8(prefix);
  const all = new Uint8Array(start.length + key.length);
  all.set(start);
  all.set(key, start.length);
  return all;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A row of the table that `writeSqlite` makes. */
function typedEntry({ k, type, v }: SqliteRow): StoredEntry {
  return { key: keyOf(k!, "k"), value: typedValue(type, v!) };
}

function typedValue(type: SqliteValue | undefined, v: SqliteValue): Value {
  if (type === "int64" && typeof v === "bigint") return v;
  if (type === "float64" && typeof v === "number") return v;
  // Bun stores the number 5 as an integer.
  if (type === "float64" && (typeof v === "string" || typeof v === "bigint")) {
    return Number(v);
  }
  if (type === "bool" && typeof v === "bigint") return v !== 0n;
  if (type === "string" && typeof v === "string") return v;
  if (type === "string" && v instanceof Uint8Array) {
    const text = toText(v);
    if (text !== undefined) return text;
  }
  if (type === "bytes" && v instanceof Uint8Array) return new Uint8Array(v);
  if (type === "record" && typeof v === "string") {
    const item: RecordItem = parseLiteral(v, "value");
    if (isContainer(item)) return item;
  }
  throw new InputError(`its type is ${type}, and its value is not`);
}

/** Writes entries to a table kv(k, type, v) of a new file. */
export async function writeSqlite(
  batches: AsyncIterable<readonly StoredEntry[]>,
  file: string,
  onEntry: (bytes: number) => void,
): Promise<void> {
  const database = await openSqlite(file, false);
  try {
    database.run(
      "create table kv(k primary key, type text not null, v) without rowid",
      [[]],
    );
    database.run("begin", [[]]);
    for await (const batch of batches) {
      const rows = batch.map(({ key, value }) => {
        onEntry(key.length + 8);
        return [textOrBytes(key), typeOf(value), columnOf(value)];
      });
      database.run("insert into kv(k, type, v) values (?, ?, ?)", rows);
    }
    database.run("commit", [[]]);
  } finally {
    database.close();
  }
}

/** Text if it is UTF-8 without a zero byte, at which some readers of SQLite end. */
function textOrBytes(bytes: Uint8Array): string | Uint8Array {
  const text = toText(bytes);
  return text === undefined || text.includes("\0") ? bytes : text;
}

/** SQLite has no NaN and no booleans. */
function columnOf(value: Value): SqliteValue {
  switch (typeof value) {
    case "boolean":
      return value ? 1n : 0n;
    case "number":
      return Number.isNaN(value) || Object.is(value, -0) ? literalOf(value) : value;
    case "bigint":
      return value;
    case "string":
      return value.includes("\0") ? toUtf8(value) : value;
    default:
      return value instanceof Uint8Array ? value : literalOf(value);
  }
}
