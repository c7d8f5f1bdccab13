/** Conditions of WHERE: which keys can fulfil them, and whether an entry does. */

import type { Range } from "@tinykvs/core";
import { Buffer } from "node:buffer";
import type { Expr } from "pgsql-ast-parser";
import { UsageError } from "../errors.ts";
import { fromHex, toUtf8 } from "../values/bytes.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { literalOf } from "../values/literal_text.ts";
import { POSSIBLE, unsupported } from "./sql_error.ts";
import { compare, constantOf, describe, fieldOf, keyBytesOf, type SqlValue } from "./values.ts";

/** What a condition or a column is about: the key, or the value or a field of it. */
export type Operand =
  | { readonly of: "key" }
  | { readonly of: "value"; readonly path: readonly string[] };

/** The keys that a statement has to read. */
export type KeySet =
  | { readonly keys: readonly Uint8Array[] }
  | { readonly range: Bounds };

/** The bounds of a range, as bytes. */
export type Bounds = Readonly<
  Partial<Record<"prefix" | "gte" | "gt" | "lte" | "lt", Uint8Array>>
>;

/** Whether an entry fulfils a condition; undefined if NULL makes that unknown. */
export type Condition = (entry: StoredEntry) => boolean | undefined;

/** A WHERE. */
export interface Where {
  readonly keySet: KeySet;
  /** What is still to check of the entries; undefined if all of these keys are meant. */
  readonly filter: Condition | undefined;
  /** Whether the filter looks at values. */
  readonly readsValues: boolean;
}

/** Reads a WHERE. @throws {UsageError} it is outside of the subset */
export function whereOf(expr: Expr | null | undefined): Where {
  if (expr === null || expr === undefined) {
    return { keySet: { range: {} }, filter: undefined, readsValues: false };
  }
  let keys: readonly Uint8Array[] | undefined;
  const bounds: Bounds[] = [];
  const filters: Condition[] = [];
  let readsValues = false;
  for (const part of conjuncts(expr)) {
    const set = keySetOf(part);
    if (set !== undefined && "range" in set) bounds.push(set.range);
    else if (set !== undefined && keys === undefined) keys = set.keys;
    else {
      filters.push(conditionOf(part));
      readsValues ||= mentionsValue(part);
    }
  }
  // Of several prefixes or bounds of the same side one is used to read, and all are checked.
  const range: Record<string, Uint8Array> = {};
  for (const [at, part] of bounds.entries()) {
    const names = Object.keys(part);
    if (
      keys === undefined && names.every((name) => !Object.hasOwn(range, name))
    ) {
      Object.assign(range, part);
    } else filters.push(({ key }) => isWithin(key, bounds[at]!));
  }
  return {
    keySet: keys === undefined ? { range } : { keys: unique(keys) },
    filter: filters.length === 0 ? undefined : all(filters),
    readsValues,
  };
}

/** The bounds as a range of the store. */
export function rangeOfBounds(bounds: Bounds): Range {
  return { ...bounds };
}

function conjuncts(expr: Expr): Expr[] {
  return expr.type === "binary" && expr.op === "AND"
    ? [...conjuncts(expr.left), ...conjuncts(expr.right)]
    : [expr];
}

/** The keys of a condition on the key alone that are next to each other; otherwise undefined. */
function keySetOf(expr: Expr): KeySet | undefined {
  if (
    expr.type === "ternary" && expr.op === "BETWEEN" && isKey(expr.value)
  ) {
    return {
      range: {
        gte: keyBytesOf(constantOf(expr.lo)),
        lte: keyBytesOf(constantOf(expr.hi)),
      },
    };
  }
  if (expr.type !== "binary") return undefined;
  if (expr.op === "OR") {
    const [a, b] = [keySetOf(expr.left), keySetOf(expr.right)];
    return a !== undefined && b !== undefined && "keys" in a && "keys" in b
      ? { keys: [...a.keys, ...b.keys] }
      : undefined;
  }
  const { left, right, op } = turned(expr);
  if (!isKey(left) || isOperand(right)) return undefined;
  if (isStartsWith(expr)) {
    return { range: { prefix: keyBytesOf(constantOf(right)) } };
  }
  switch (op) {
    case "=":
      return { keys: [keyBytesOf(constantOf(right))] };
    case "IN":
      return { keys: listOf(right).map(keyBytesOf) };
    case "LIKE": {
      const { text, isPrefix } = patternOf(right);
      return isPrefix ? { range: { prefix: text } } : { keys: [text] };
    }
    case ">":
      return { range: { gt: keyBytesOf(constantOf(right)) } };
    case ">=":
      return { range: { gte: keyBytesOf(constantOf(right)) } };
    case "<":
      return { range: { lt: keyBytesOf(constantOf(right)) } };
    case "<=":
      return { range: { lte: keyBytesOf(constantOf(right)) } };
    default:
      return undefined;
  }
}

type Binary = Extract<Expr, { type: "binary" }>;

const MIRRORED: Readonly<Record<string, string>> = {
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
  "=": "=",
  "!=": "!=",
};

/** The same comparison with the column on the left. */
function turned(
  { left, right, op }: Binary,
): { left: Expr; right: Expr; op: string } {
  const mirrored = MIRRORED[op];
  return mirrored !== undefined && !isOperand(left) && isOperand(right)
    ? { left: right, right: left, op: mirrored }
    : { left, right, op };
}

function isStartsWith({ op, opSchema }: Binary): boolean {
  return op as string === "~" && opSchema === "prefix";
}

/** The column or field that an expression names; undefined for another expression. */
export function operandOf(expr: Expr): Operand | undefined {
  if (expr.type !== "ref" || expr.name === "*") return undefined;
  const table = expr.table?.name;
  if (table === undefined || table === "kv") {
    if (expr.name === "k") return { of: "key" };
    if (expr.name === "v") return { of: "value", path: [] };
  }
  if (table === "v") return { of: "value", path: expr.name.split(".") };
  throw new UsageError(
    `There is no column ${table === undefined ? "" : `${table}.`}${expr.name}`,
    "The columns of kv are k and v. A field of a record is v.name.",
  );
}

/** The value of an operand in an entry. */
export function valueOf(
  operand: Operand,
  { key, value }: StoredEntry,
): SqlValue | undefined {
  return operand.of === "key" ? key : fieldOf(value, operand.path);
}

function isKey(expr: Expr): boolean {
  return isOperand(expr) && operandOf(expr)!.of === "key";
}

function isOperand(expr: Expr): boolean {
  return expr.type === "ref" && operandOf(expr) !== undefined;
}

function listOf(expr: Expr): SqlValue[] {
  if (expr.type === "list" || expr.type === "array") {
    return expr.expressions.map(constantOf);
  }
  // One value in parentheses is no list to the parser.
  return [constantOf(expr)];
}

/** A pattern of LIKE: text, and whether a "%" at its end makes it a prefix. */
function patternOf(expr: Expr): { text: Uint8Array; isPrefix: boolean } {
  const pattern = constantOf(expr);
  if (typeof pattern !== "string") {
    throw new UsageError(
      "LIKE takes a text",
      "For bytes write k STARTS WITH x'00ff'.",
    );
  }
  const isPrefix = pattern.endsWith("%");
  const text = isPrefix ? pattern.slice(0, -1) : pattern;
  if (text.includes("%")) {
    throw unsupported(
      `pattern '${pattern}'`,
      "LIKE takes a text with one % at its end: LIKE 'user:%'.",
    );
  }
  // As in the Go shell.
  const hex = isPrefix && /^0x/i.test(text) ? fromHex(text.slice(2)) : undefined;
  return { text: hex ?? toUtf8(text), isPrefix };
}

/** Reads a condition. */
function conditionOf(expr: Expr): Condition {
  if (expr.type === "unary") {
    if (expr.op === "NOT") return not(conditionOf(expr.operand));
    if (expr.op === "IS NULL" || expr.op === "IS NOT NULL") {
      const operand = requireOperand(expr.operand);
      const wantsNull = expr.op === "IS NULL";
      return (entry) => {
        const value = valueOf(operand, entry);
        return (value === null || value === undefined) === wantsNull;
      };
    }
  }
  if (expr.type === "ternary") {
    const operand = requireOperand(expr.value);
    const [low, high] = [expr.lo, expr.hi].map((bound) => constantFor(operand, bound));
    const between: Condition = (entry) => {
      const value = valueOf(operand, entry);
      const [toLow, toHigh] = [compare(value, low), compare(value, high)];
      return toLow === undefined || toHigh === undefined ? undefined : toLow >= 0 && toHigh <= 0;
    };
    return expr.op === "BETWEEN" ? between : not(between);
  }
  if (expr.type === "binary") return binaryOf(expr);
  if (expr.type === "boolean") return () => expr.value;
  if (expr.type === "ref") {
    // WHERE v.active
    const operand = requireOperand(expr);
    return (entry) => {
      const value = valueOf(operand, entry);
      return typeof value === "boolean" ? value : undefined;
    };
  }
  throw unsupported(`${describe(expr)} as a condition`, POSSIBLE.conditions);
}

function binaryOf(expr: Binary): Condition {
  if (expr.op === "AND") {
    return all([conditionOf(expr.left), conditionOf(expr.right)]);
  }
  if (expr.op === "OR") {
    const [a, b] = [conditionOf(expr.left), conditionOf(expr.right)];
    return not(all([not(a), not(b)]));
  }
  const { left, right, op } = turned(expr);
  const operand = requireOperand(left);
  if (op === "LIKE" || op === "NOT LIKE" || isStartsWith(expr)) {
    const { text, isPrefix } = isStartsWith(expr)
      ? { text: keyBytesOf(constantOf(right)), isPrefix: true }
      : patternOf(right);
    const like: Condition = (entry) => {
      const bytes = bytesFor(valueOf(operand, entry));
      return bytes === undefined
        ? undefined
        : isPrefix
        ? startsWith(bytes, text)
        : Buffer.compare(bytes, text) === 0;
    };
    return op === "NOT LIKE" ? not(like) : like;
  }
  if (op === "IN" || op === "NOT IN") {
    const list = listOf(right).map((item) => forOperand(operand, item));
    const isIn: Condition = (entry) => {
      const value = valueOf(operand, entry);
      if (value === null || value === undefined) return undefined;
      return list.some((item) => compare(value, item) === 0);
    };
    return op === "IN" ? isIn : not(isIn);
  }
  const other = isOperand(right) ? requireOperand(right) : undefined;
  const constant = other === undefined ? constantFor(operand, right) : undefined;
  const test = COMPARISONS[op];
  if (test === undefined) {
    throw unsupported(`operator ${op}`, POSSIBLE.conditions);
  }
  return (entry) => {
    const value = valueOf(operand, entry);
    const against = other === undefined ? constant : valueOf(other, entry);
    const order = compare(value, against);
    if (order !== undefined) return test(order);
    // Values of different kinds are not equal.
    const isNull = value === null || value === undefined ||
      against === null || against === undefined;
    return isNull ? undefined : op === "=" ? false : op === "!=" || undefined;
  };
}

const COMPARISONS: Readonly<Record<string, (order: number) => boolean>> = {
  "=": (order) => order === 0,
  "!=": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

function requireOperand(expr: Expr): Operand {
  const operand = expr.type === "ref" ? operandOf(expr) : undefined;
  if (operand !== undefined) return operand;
  throw unsupported(`condition on ${describe(expr)}`, POSSIBLE.conditions);
}

function constantFor(operand: Operand, expr: Expr): SqlValue {
  return forOperand(operand, constantOf(expr));
}

/** A constant as it is compared with an operand: with keys as bytes. */
function forOperand(operand: Operand, constant: SqlValue): SqlValue {
  return operand.of === "key" && constant !== null ? keyBytesOf(constant) : constant;
}

/** What LIKE looks at: text, and other values as their literal. */
function bytesFor(value: SqlValue | undefined): Uint8Array | undefined {
  if (value === null || value === undefined) return undefined;
  if (value instanceof Uint8Array) return value;
  return toUtf8(
    typeof value === "string"
      ? value
      : typeof value === "bigint"
      ? String(value)
      : literalOf(value),
  );
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length &&
    Buffer.compare(bytes.subarray(0, prefix.length), prefix) === 0;
}

function isWithin(key: Uint8Array, bounds: Bounds): boolean {
  const { prefix, gte, gt, lte, lt } = bounds;
  return (prefix === undefined || startsWith(key, prefix)) &&
    (gte === undefined || Buffer.compare(key, gte) >= 0) &&
    (gt === undefined || Buffer.compare(key, gt) > 0) &&
    (lte === undefined || Buffer.compare(key, lte) <= 0) &&
    (lt === undefined || Buffer.compare(key, lt) < 0);
}

function all(conditions: readonly Condition[]): Condition {
  return (entry) => {
    let result: boolean | undefined = true;
    for (const condition of conditions) {
      const one = condition(entry);
      if (one === false) return false;
      if (one === undefined) result = undefined;
    }
    return result;
  };
}

function not(condition: Condition): Condition {
  return (entry) => {
    const result = condition(entry);
    return result === undefined ? undefined : !result;
  };
}

function mentionsValue(expr: Expr): boolean {
  switch (expr.type) {
    case "ref":
      return operandOf(expr)?.of === "value";
    case "binary":
      return mentionsValue(expr.left) || mentionsValue(expr.right);
    case "unary":
      return mentionsValue(expr.operand);
    case "ternary":
      return mentionsValue(expr.value);
    default:
      return false;
  }
}

function unique(keys: readonly Uint8Array[]): Uint8Array[] {
  const sorted = [...keys].sort(Buffer.compare);
  return sorted.filter((key, at) => at === 0 || Buffer.compare(key, sorted[at - 1]!) !== 0);
}
