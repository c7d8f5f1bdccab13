/**
 * Values and keys as literals: what a terminal shows, and what literal_parser.ts reads again.
 *
 *     30n             int64             x'00ff'           bytes
 *     2.5  -0  NaN    float64           {"a": [1, 2n]}    record: JSON with all literals here
 *     true            bool              ext(5, x'00ff')   MessagePack extension in a record
 *     "text"          string            date(2026-11-30T20:40:00.000Z)   Date in a record
 */

import { Extension, type RecordItem, type Value } from "@tinykvs/core";
import { isPlain, quote } from "../text/escape.ts";
import { toHex, toText } from "./bytes.ts";
import { isContainer } from "./kinds.ts";

/**
 * The literal of a value. If it is longer than `limit`, only about the first `limit` characters: a
 * large value costs no more than what is shown of it.
 */
export function literalOf(
  value: Value | RecordItem,
  limit: number = Infinity,
): string {
  const parts: string[] = [];
  append(value, parts, { left: limit });
  return parts.join("");
}

/** A key as text: as it is if nobody can take that for a literal, else as a literal. */
export function keyText(key: Uint8Array, limit: number = Infinity): string {
  const text = toText(key);
  if (text === undefined) return hexLiteral(key, limit);
  const isUnclear = text === "" || /^(?:["\s-]|x')|\s$/.test(text) ||
    !isPlain(text);
  if (!isUnclear) return text;
  return text.length > limit ? quote(text.slice(0, limit)) : quote(text);
}

/** A value beside its type: digits, text as it is, hexadecimal digits, records as literals. */
export function plainText(item: RecordItem): string {
  if (typeof item === "string") return item;
  if (typeof item === "bigint") return String(item);
  if (item instanceof Date) return item.toISOString();
  return item instanceof Uint8Array ? toHex(item) : literalOf(item);
}

interface Budget {
  left: number;
}

function append(value: RecordItem, parts: string[], budget: Budget): void {
  const add = (text: string): void => {
    parts.push(text);
    budget.left -= text.length;
  };
  if (budget.left <= 0) return;
  if (typeof value === "string") {
    add(
      quote(value.length > budget.left ? value.slice(0, budget.left) : value),
    );
  } else if (typeof value === "bigint") add(`${value}n`);
  else if (typeof value === "number") {
    add(Object.is(value, -0) ? "-0" : String(value));
  } else if (value instanceof Uint8Array) add(hexLiteral(value, budget.left));
  else if (value instanceof Date) add(`date(${value.toISOString()})`);
  else if (value instanceof Extension) {
    add(`ext(${value.type}, ${hexLiteral(value.data, budget.left)})`);
  } else if (!isContainer(value)) add(String(value));
  else if (Array.isArray(value)) {
    add("[");
    for (const [index, item] of value.entries()) {
      if (budget.left <= 0) return;
      if (index > 0) add(", ");
      append(item, parts, budget);
    }
    add("]");
  } else {
    add("{");
    let isFirst = true;
    for (const [name, item] of Object.entries(value)) {
      if (budget.left <= 0) return;
      if (!isFirst) add(", ");
      isFirst = false;
      add(`${quote(name)}: `);
      append(item, parts, budget);
    }
    add("}");
  }
}

function hexLiteral(bytes: Uint8Array, limit: number): string {
  return `x'${toHex(bytes.length * 2 > limit ? bytes.subarray(0, limit / 2) : bytes)}'`;
}
