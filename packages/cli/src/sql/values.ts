/** Values of SQL: constants, fields of records, and how they are compared. */

import { Buffer } from "node:buffer";
import { Extension, type RecordItem, type Value } from "@tinykvs/core";
import type { Expr } from "pgsql-ast-parser";
import { UsageError } from "../errors.ts";
import { fromHex, toUtf8 } from "../values/bytes.ts";
import { isContainer } from "../values/kinds.ts";
import { parseLiteral } from "../values/literal_parser.ts";
import { parseDate } from "../values/times.ts";
import { POSSIBLE, unsupported } from "./sql_error.ts";

/** A value in a row: of the store, or NULL. */
export type SqlValue = RecordItem;

/**
 * The value of a constant expression.
 *
 * @throws {UsageError} the expression is not constant
 */
export function constantOf(expr: Expr): SqlValue {
  switch (expr.type) {
    case "string":
    case "boolean":
      return expr.value;
    case "integer":
      return BigInt(expr.value);
    case "numeric":
      return expr.value;
    case "null":
      return null;
    case "unary": {
      const value = expr.op === "-" || expr.op === "+" ? constantOf(expr.operand) : undefined;
      if (typeof value === "bigint" || typeof value === "number") {
        return expr.op === "-" ? -value : value;
      }
      break;
    }
    case "cast":
      return castOf(expr.operand, "name" in expr.to ? expr.to.name! : "array");
    case "call":
      return functionOf(expr.function.name, expr.args);
    case "binary":
      if (expr.op === "||") {
        return joined(constantOf(expr.left), constantOf(expr.right));
      }
      break;
    case "ref": {
      const name = expr.table === undefined ? expr.name : `${expr.table.name}.${expr.name}`;
      throw new UsageError(
        `A constant is expected, and ${name} is a name`,
        "Text stands in single quotes: 'Alice'.",
      );
    }
  }
  throw unsupported(`${describe(expr)} as a value`, POSSIBLE.values);
}

/** What an expression is, in a few words. */
export function describe(expr: Expr): string {
  switch (expr.type) {
    case "binary":
      return `operator ${expr.op}`;
    case "call":
      return `function ${expr.function.name}`;
    case "ref":
      return expr.name === "*" ? "*" : `name "${expr.name}"`;
    case "select":
    case "union":
    case "with":
      return "query in a query";
    default:
      return `${expr.type.replaceAll("_", " ")} expression`;
  }
}

function castOf(operand: Expr, type: string): SqlValue {
  const value = constantOf(operand);
  if (type === "x") {
    const bytes = typeof value === "string" ? fromHex(value.replaceAll(" ", "")) : undefined;
    if (bytes !== undefined) return bytes;
    throw new UsageError(
      `x'${String(value)}' is not a pair of hexadecimal digits for each byte`,
    );
  }
  switch (type) {
    case "text":
      if (typeof value === "string") return value;
      break;
    case "int8":
    case "int":
    case "integer":
    case "bigint":
      if (typeof value === "bigint") return value;
      if (typeof value === "string" && /^[+-]?\d+$/.test(value)) {
        return BigInt(value);
      }
      break;
    case "float8":
    case "float":
    case "double precision":
      if (typeof value === "bigint" || typeof value === "number") {
        return Number(value);
      }
      if (typeof value === "string" && value.trim() !== "") {
        const number = Number(value);
        if (!Number.isNaN(number) || value === "NaN") return number;
      }
      break;
    case "json":
    case "jsonb":
      if (typeof value === "string") return parseLiteral(value, "value");
      break;
    default:
      throw unsupported(
        `cast to ${type}`,
        "Possible are ::text, ::int8, ::float8 and ::json.",
      );
  }
  throw new UsageError(`A value cannot be cast to ${type}`, POSSIBLE.values);
}

function functionOf(name: string, args: readonly Expr[]): SqlValue {
  const [argument] = args;
  const sizes: Readonly<Record<string, [bytes: number, isBig: boolean]>> = {
    uint64_be: [8, true],
    uint64_le: [8, false],
    uint32_be: [4, true],
    uint32_le: [4, false],
    byte: [1, true],
  };
  const size = sizes[name];
  if (size === undefined && name !== "fnv64") {
    throw unsupported(`function ${name} here`, POSSIBLE.functions);
  }
  if (args.length !== 1) {
    throw new UsageError(
      `${name} takes 1 argument, and has ${args.length}`,
      POSSIBLE.functions,
    );
  }
  const value = constantOf(argument!);
  if (size === undefined) {
    if (typeof value !== "string") {
      throw new UsageError("fnv64 takes a text: fnv64('library-123')");
    }
    return unsignedBytes(fnv64(toUtf8(value)), 8, true);
  }
  const [bytes, isBig] = size;
  if (typeof value !== "bigint" || value < 0n || value >> BigInt(8 * bytes)) {
    throw new UsageError(
      `${name} takes a whole number from 0 to ${2n ** BigInt(8 * bytes) - 1n}`,
    );
  }
  return unsignedBytes(value, bytes, isBig);
}

function unsignedBytes(
  value: bigint,
  size: number,
  isBig: boolean,
): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) {
    const shift = BigInt(8 * (isBig ? size - 1 - at : at));
    bytes[at] = Number((value >> shift) & 0xffn);
  }
  return bytes;
}

/** FNV-1a, 64 bits. */
function fnv64(bytes: Uint8Array): bigint {
  let hash = 14695981039346656037n;
  for (const byte of bytes) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 1099511628211n);
  }
  return hash;
}

function joined(a: SqlValue, b: SqlValue): SqlValue {
  if (typeof a === "string" && typeof b === "string") return a + b;
  return new Uint8Array(Buffer.concat([keyBytesOf(a), keyBytesOf(b)]));
}

/** The key that a constant names: text as UTF-8, a number as its digits, as in the Go shell. */
export function keyBytesOf(value: SqlValue): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return toUtf8(value);
  if (typeof value === "bigint" || typeof value === "number") {
    return toUtf8(String(value));
  }
  throw new UsageError(
    "A key is a text or bytes",
    "Write k = 'user:1' or k = x'00ff'.",
  );
}

/**
 * The value to store for a constant expression. A text that is a JSON object is a record, as in the
 * Go shell; with `::text` it stays a text.
 */
export function storedValueOf(expr: Expr): Value {
  const value = constantOf(expr);
  const isText = expr.type === "cast" && "name" in expr.to &&
    expr.to.name === "text";
  if (typeof value === "string" && !isText && /^\{[^]*\}$/.test(value)) {
    const record = recordOf(value);
    if (record !== undefined) return record;
  }
  if (
    value === null || value === undefined || value instanceof Extension || value instanceof Date
  ) {
    const what = value instanceof Date ? "A date by itself" : "NULL";
    throw new UsageError(`${what} cannot be stored`, POSSIBLE.values);
  }
  if (typeof value === "bigint" && BigInt.asIntN(64, value) !== value) {
    throw new UsageError(`${value} does not fit into an int64`);
  }
  return value as Value;
}

function recordOf(text: string): Value | undefined {
  try {
    const item = parseLiteral(text, "value");
    return isContainer(item) ? item : undefined;
  } catch {
    // It only looks like JSON.
    return undefined;
  }
}

/** The field of a value by its path; undefined if it has none. */
export function fieldOf(
  value: SqlValue | undefined,
  path: readonly string[],
): SqlValue | undefined {
  let current: SqlValue | undefined = value;
  for (const name of path) {
    if (
      current === null || current === undefined || !isContainer(current) ||
      !Object.hasOwn(current, name)
    ) return undefined;
    current = (current as Readonly<Record<string, SqlValue>>)[name];
  }
  return current;
}

/**
 * Compares two values of a condition: negative, 0, positive, or undefined if they cannot be
 * compared (NULL, or values of different kinds). A text is read as a number, a truth value or a
 * time if the other side is one, because the Go shell writes `v.age = '30'`.
 */
export function compare(
  a: SqlValue | undefined,
  b: SqlValue | undefined,
): number | undefined {
  if (a === null || a === undefined || b === null || b === undefined) {
    return undefined;
  }
  if (typeof a === "string" && typeof b !== "string") return compareText(a, b);
  if (typeof b === "string" && typeof a !== "string") {
    const order = compareText(b, a);
    return order === undefined ? undefined : -order;
  }
  if (typeof a === "string") {
    return Buffer.compare(toUtf8(a), toUtf8(b as string));
  }
  if (isNumber(a) && isNumber(b)) {
    return a < b ? -1 : a > b ? 1 : a == b ? 0 : undefined;
  }
  if (typeof a === "boolean" && typeof b === "boolean") {
    return Number(a) - Number(b);
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return Buffer.compare(a, b);
  }
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  return undefined;
}

function compareText(text: string, other: SqlValue): number | undefined {
  if (isNumber(other)) {
    if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text.trim())) {
      return undefined;
    }
    return compare(
      /^[+-]?\d+$/.test(text.trim()) ? BigInt(text) : Number(text),
      other,
    );
  }
  if (typeof other === "boolean") {
    return text === "true" || text === "false" ? compare(text === "true", other) : undefined;
  }
  if (other instanceof Uint8Array) return Buffer.compare(toUtf8(text), other);
  if (other instanceof Date) return compare(parseDate(text), other);
  return undefined;
}

/** Whether a value is a number of either type. */
export function isNumber(
  value: SqlValue | undefined,
): value is bigint | number {
  return typeof value === "bigint" || typeof value === "number";
}

/** The order of ORDER BY: every value has a place. NULL comes first, then kinds in this order. */
export function order(
  a: SqlValue | undefined,
  b: SqlValue | undefined,
): number {
  const rank = rankOf(a) - rankOf(b);
  if (rank !== 0) return rank;
  return compare(a, b) ??
    (Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : 0);
}

function rankOf(value: SqlValue | undefined): number {
  if (value === null || value === undefined) return 0;
  if (typeof value === "boolean") return 1;
  if (isNumber(value)) return 2;
  if (typeof value === "string") return 3;
  if (value instanceof Uint8Array) return 4;
  return value instanceof Date ? 5 : 6;
}
