/**
 * Statements of SQL: what is done, as data. `parseSql` reads a text; execute.ts does it.
 *
 * The subset is that of the shell of the Go program, over the table kv(k, v). Different here:
 * numbers and truth values are stored and compared as such, and not as text; BETWEEN includes both
 * ends; avg divides by the rows that have the field; UPDATE changes only keys that are there.
 */

import type {
  DeleteStatement,
  Expr,
  InsertStatement,
  SelectedColumn,
  SelectFromStatement,
  Statement as Parsed,
  UpdateStatement,
} from "pgsql-ast-parser";
import type { Value } from "@tinykvs/core";
import { UsageError } from "../errors.ts";
import { type Operand, operandOf, type Where, whereOf } from "./conditions.ts";
import { POSSIBLE, unsupported } from "./sql_error.ts";
import { forParser } from "./sql_text.ts";
import { constantOf, describe, keyBytesOf, storedValueOf } from "./values.ts";

/** The name of an aggregate function. */
export type AggregateName = "count" | "sum" | "avg" | "min" | "max";

/** A column of a result. */
export interface ResultColumn {
  readonly name: string;
  readonly operand: Operand;
}

/** An aggregate of a result. */
export interface Aggregate {
  readonly name: string;
  readonly call: AggregateName;
  /** What it is over; undefined counts all rows. */
  readonly operand: Operand | undefined;
}

/** A term of ORDER BY. */
export interface OrderTerm {
  readonly operand: Operand;
  readonly isDescending: boolean;
}

/** SELECT. */
export interface SelectPlan {
  readonly kind: "select";
  readonly columns: readonly ResultColumn[];
  /** If there are some, there are no columns. */
  readonly aggregates: readonly Aggregate[];
  readonly where: Where;
  readonly order: readonly OrderTerm[];
  readonly limit: number | undefined;
  readonly offset: number;
}

/** A statement. */
export type Plan =
  | SelectPlan
  | { readonly kind: "explain"; readonly select: SelectPlan }
  | {
    readonly kind: "insert";
    readonly rows: readonly (readonly [key: Uint8Array, value: Value])[];
  }
  | { readonly kind: "update"; readonly value: Value; readonly where: Where }
  | { readonly kind: "delete"; readonly where: Where };

/** A text ends before its statement does. */
export class UnfinishedSql extends UsageError {
  override readonly name: string = "UnfinishedSql";
}

/**
 * Reads one statement.
 *
 * @throws {UnfinishedSql} more text might make it a statement
 * @throws {UsageError} it is wrong, or outside of the subset
 */
export async function parseSql(sql: string): Promise<Plan> {
  const explain = /^\s*explain\b/i.exec(sql);
  if (explain !== null) {
    const select = await parseSql(sql.slice(explain[0].length));
    if (select.kind === "select") return { kind: "explain", select };
    throw unsupported(`EXPLAIN ${select.kind.toUpperCase()}`);
  }
  const parsed = await parsedOf(sql);
  switch (parsed.type) {
    case "select":
      return selectOf(parsed as SelectFromStatement);
    case "insert":
      return insertOf(parsed);
    case "update":
      return updateOf(parsed);
    case "delete":
      return deleteOf(parsed);
    default:
      throw unsupported(parsed.type.replaceAll("_", " ").toUpperCase());
  }
}

async function parsedOf(sql: string): Promise<Parsed> {
  // The grammar takes a moment to load, which only those wait for who use it.
  const { parse } = await import("pgsql-ast-parser");
  const text = forParser(sql);
  let statements: Parsed[];
  try {
    statements = parse(text.text);
  } catch (error) {
    throw syntaxError(error as Error & { offset?: number }, sql, text);
  }
  if (statements.length === 1) return statements[0]!;
  throw new UsageError(
    `${statements.length} statements are given, expected one`,
  );
}

function syntaxError(
  error: Error & { offset?: number; token?: { offset: number } },
  sql: string,
  { originalOffset }: ReturnType<typeof forParser>,
): UsageError {
  if (/Unexpected end of input/.test(error.message)) {
    return new UnfinishedSql(
      "The statement ends too early",
      POSSIBLE.statements,
    );
  }
  const place = error.token?.offset ?? lexerOffset(error.message);
  if (place === undefined) {
    return new UsageError("The statement is wrong", POSSIBLE.statements);
  }
  const offset = originalOffset(place);
  const rest = sql.slice(offset).split("\n")[0]!.trim();
  const near = rest.length > 30 ? `${rest.slice(0, 30)}...` : rest;
  return new UsageError(
    `The statement is wrong at ${near === "" ? "its end" : `"${near}"`}, character ${offset + 1}`,
    POSSIBLE.statements,
  );
}

/** Where the lexer stopped: it tells a line and a column, in its message only. */
function lexerOffset(message: string): number | undefined {
  const found = /at line (\d+) col (\d+):\s*\n\n([^]*?)\n *\^/.exec(message);
  if (found === null) return undefined;
  const lines = found[3]!.split("\n").map((line) => line.replace(/^\d+ {1,2}/, ""));
  const before = lines.slice(0, Number(found[1]) - 1);
  return before.reduce((sum, line) => sum + line.length + 1, 0) +
    Number(found[2]) - 1;
}

function requireTable(name: { name: string; schema?: string }): void {
  if (name.name !== "kv" || name.schema !== undefined) {
    throw new UsageError(
      `There is no table ${name.name}`,
      "The table is kv, with the columns k and v.",
    );
  }
}

/** Refuses the clauses of a statement that have no meaning here. */
function refuse(clauses: Readonly<Record<string, unknown>>): void {
  for (const [name, clause] of Object.entries(clauses)) {
    if (clause !== undefined && clause !== null) throw unsupported(name);
  }
}

function selectOf(statement: SelectFromStatement): SelectPlan {
  refuse({
    DISTINCT: statement.distinct,
    "GROUP BY": statement.groupBy,
    HAVING: statement.having,
    "FOR clause": statement.for,
    "SKIP clause": statement.skip,
  });
  const from = statement.from ?? [];
  if (from.length !== 1) {
    throw from.length === 0
      ? new UsageError("FROM is missing", "Write SELECT ... FROM kv.")
      : unsupported("JOIN");
  }
  const [table] = from;
  if (table!.type !== "table" || table!.join !== undefined) {
    throw unsupported(
      table!.type === "statement" ? "query in a query" : "JOIN",
    );
  }
  requireTable(table!.name);
  const columns: ResultColumn[] = [];
  const aggregates: Aggregate[] = [];
  for (const column of statement.columns ?? []) {
    const aggregate = aggregateOf(column);
    if (aggregate === undefined) columns.push(...columnsOf(column));
    else aggregates.push(aggregate);
  }
  if (aggregates.length > 0 && columns.length > 0) {
    throw new UsageError(
      `${columns[0]!.name} stands beside ${aggregates[0]!.name}, which is over all rows`,
      "There is no GROUP BY here: select either columns or aggregates.",
    );
  }
  // As in the Go shell, fields come with their key.
  const isFieldsOnly = columns.length > 0 &&
    columns.every(({ operand }) => operand.of === "value" && operand.path.length > 0);
  if (isFieldsOnly) columns.unshift({ name: "k", operand: { of: "key" } });
  const { limit } = statement;
  return {
    kind: "select",
    columns,
    aggregates,
    where: whereOf(statement.where),
    order: (statement.orderBy ?? []).map(({ by, order }) => ({
      operand: orderOperand(by, statement.columns ?? []),
      isDescending: order === "DESC",
    })),
    limit: limit?.limit == null ? undefined : countOf(limit.limit, "LIMIT"),
    offset: limit?.offset == null ? 0 : countOf(limit.offset, "OFFSET"),
  };
}

function columnsOf({ expr, alias }: SelectedColumn): ResultColumn[] {
  if (expr.type === "ref" && expr.name === "*") {
    return [
      { name: "k", operand: { of: "key" } },
      { name: "v", operand: { of: "value", path: [] } },
    ];
  }
  const operand = expr.type === "ref" ? operandOf(expr) : undefined;
  if (operand === undefined) {
    throw unsupported(`${describe(expr)} as a column`, POSSIBLE.columns);
  }
  return [{ name: alias?.name ?? nameOf(operand), operand }];
}

/** The name of a column: that of the field, as in the Go shell. */
function nameOf(operand: Operand): string {
  if (operand.of === "key") return "k";
  return operand.path.length === 0 ? "v" : operand.path.join(".");
}

function aggregateOf({ expr, alias }: SelectedColumn): Aggregate | undefined {
  if (expr.type !== "call") return undefined;
  const { name } = expr.function;
  const call = (["count", "sum", "avg", "min", "max"] as const).find((one) => one === name);
  if (call === undefined) {
    throw unsupported(`function ${name} as a column`, POSSIBLE.columns);
  }
  refuse({
    "DISTINCT in an aggregate": expr.distinct,
    "FILTER": expr.filter,
    "OVER": expr.over,
    "ORDER BY in an aggregate": expr.orderBy,
  });
  const [argument, ...more] = expr.args;
  const isAll = argument === undefined ||
    (argument.type === "ref" && argument.name === "*");
  if (more.length > 0 || (isAll && call !== "count")) {
    throw new UsageError(
      `${call} takes one argument`,
      `Write ${call}(v.field).`,
    );
  }
  if (isAll) {
    return { name: alias?.name ?? "count()", call, operand: undefined };
  }
  const operand = argument.type === "ref" ? operandOf(argument) : undefined;
  if (operand === undefined) {
    throw unsupported(`${call} of a ${describe(argument)}`, POSSIBLE.columns);
  }
  const over = operand.of === "key" || operand.path.length === 0
    ? nameOf(operand)
    : `v.${nameOf(operand)}`;
  return { name: alias?.name ?? `${call}(${over})`, call, operand };
}

function orderOperand(
  by: Expr,
  columns: readonly SelectedColumn[],
): Operand {
  const alias = by.type === "ref" && by.table === undefined
    ? columns.find(({ alias }) => alias?.name === by.name)
    : undefined;
  const expr = alias?.expr ?? by;
  const operand = expr.type === "ref" ? operandOf(expr) : undefined;
  if (operand !== undefined) return operand;
  throw unsupported(
    `ORDER BY a ${describe(expr)}`,
    "Possible are ORDER BY k, v and v.field, with ASC or DESC.",
  );
}

function countOf(expr: Expr, clause: string): number {
  const count = constantOf(expr);
  if (typeof count === "bigint" && count >= 0n && count <= 2n ** 53n) {
    return Number(count);
  }
  throw new UsageError(`${clause} takes a whole number, as ${clause} 10`);
}

function insertOf(statement: InsertStatement): Plan {
  requireTable(statement.into);
  refuse({
    "ON CONFLICT": statement.onConflict,
    RETURNING: statement.returning,
    OVERRIDING: statement.overriding,
  });
  const { insert } = statement;
  if (insert.type !== "values") {
    throw unsupported(
      "INSERT of a query",
      "Write INSERT INTO kv VALUES (...).",
    );
  }
  const names = statement.columns?.map(({ name }) => name) ?? ["k", "v"];
  if (names.length !== 2 || !names.includes("k") || !names.includes("v")) {
    throw new UsageError(
      `INSERT is into (${names.join(", ")})`,
      "It takes a key and a value: INSERT INTO kv (k, v) VALUES ('a', 1).",
    );
  }
  const keyAt = names.indexOf("k");
  return {
    kind: "insert",
    rows: insert.values.map((row, index) => {
      const [key, value] = [row[keyAt], row[1 - keyAt]];
      if (
        row.length !== 2 || key === undefined || value === undefined ||
        key.type === "default" || value.type === "default"
      ) {
        throw new UsageError(
          `Row ${index + 1} has ${row.length} values, expected a key and a value`,
          "Write INSERT INTO kv VALUES ('a', 1), ('b', 2).",
        );
      }
      return [keyBytesOf(constantOf(key)), storedValueOf(value)] as const;
    }),
  };
}

function updateOf(statement: UpdateStatement): Plan {
  requireTable(statement.table);
  refuse({ FROM: statement.from, RETURNING: statement.returning });
  const [set, ...more] = statement.sets;
  if (set!.column.name !== "v" || more.length > 0) {
    throw new UsageError(
      `UPDATE sets ${statement.sets.map(({ column }) => column.name).join(", ")}`,
      "It sets whole values: UPDATE kv SET v = 'new' WHERE k = 'a'.",
    );
  }
  if (statement.where == null) {
    throw new UsageError(
      "UPDATE has no WHERE",
      "For all keys write WHERE k >= ''.",
    );
  }
  return {
    kind: "update",
    value: storedValueOf(set!.value),
    where: whereOf(statement.where),
  };
}

function deleteOf(statement: DeleteStatement): Plan {
  requireTable(statement.from);
  refuse({ RETURNING: statement.returning });
  if (statement.where == null) {
    throw new UsageError(
      "DELETE has no WHERE",
      "For all keys write WHERE k >= ''.",
    );
  }
  return { kind: "delete", where: whereOf(statement.where) };
}
