/** Reads the literals of literal_text.ts, and keys and values of the command line. */

import { Extension, type RecordItem, type Value, type ValueTypeName } from "@tinykvs/core";
import { Buffer } from "node:buffer";
import { UsageError } from "../errors.ts";
import { escapeControls } from "../text/escape.ts";
import { fromHex, toUtf8 } from "./bytes.ts";
import { isContainer } from "./kinds.ts";
import { parseDate } from "./times.ts";

const INT = /^[+-]?\d+n$/;
const FLOAT = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?Infinity|NaN)$/;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

/** What `--type` may ask for. */
export const typeChoices = [
  "auto",
  "string",
  "int",
  "float",
  "bool",
  "hex",
  "base64",
  "record",
] as const;

/** One of {@linkcode typeChoices}. */
export type TypeChoice = (typeof typeChoices)[number];

/**
 * A key of the command line: text as it is, or a literal (`"a\u0000b"`, `x'00ff'`).
 *
 * @throws {UsageError} it begins like a literal and is none
 */
export function parseKey(text: string): Uint8Array {
  if (text.startsWith('"') || text.startsWith("x'")) {
    const value = parseLiteral(text, "key");
    if (typeof value === "string") return toUtf8(value);
    if (value instanceof Uint8Array) return value;
  }
  requireWellFormed(text, "key");
  return toUtf8(text);
}

/**
 * A value of the command line. With "auto", what looks like a literal is one, and other text is a
 * string.
 *
 * @throws {UsageError} the text is not of that type
 */
export function parseValue(text: string, type: TypeChoice = "auto"): Value {
  const trimmed = text.trim();
  switch (type) {
    case "string":
      return requireWellFormed(text, "value");
    case "int":
      if (!/^[+-]?\d+n?$/.test(trimmed)) {
        throw unfit(text, "an integer such as 30");
      }
      return toInt64(trimmed);
    case "float":
      if (!FLOAT.test(trimmed)) throw unfit(text, "a number such as 2.5");
      return Number(trimmed);
    case "bool":
      if (!/^(?:true|false)$/.test(trimmed)) throw unfit(text, "true or false");
      return trimmed === "true";
    case "hex":
      return fromHex(trimmed) ?? fail(text, "pairs of hexadecimal digits");
    case "base64":
      return isBase64(trimmed)
        ? new Uint8Array(Buffer.from(trimmed, "base64"))
        : fail(text, "base64");
    case "record": {
      const value = parseLiteral(text, "value");
      return isContainer(value) ? value : fail(text, 'a record such as {"a": 1}');
    }
    case "auto":
      if (looksLikeLiteral(trimmed)) {
        const value = parseLiteral(text, "value");
        return value === null || value instanceof Extension || value instanceof Date ||
            value === undefined
          ? fail(text, "a value: null, dates and extensions exist only in records")
          : value as Value;
      }
      return requireWellFormed(text, "value");
  }
}

/** Whether a text is read as a literal, and not as a plain string. */
export function looksLikeLiteral(text: string): boolean {
  return /^(?:["{[]|x'|ext\()/.test(text) || INT.test(text) ||
    FLOAT.test(text) ||
    text === "true" || text === "false";
}

/**
 * A literal, surrounded by white space at most.
 *
 * @throws {UsageError} it is not a literal; the error says where
 */
export function parseLiteral(text: string, what: string): RecordItem {
  const parser = new Parser(text, what);
  const value = parser.item(0);
  parser.end();
  return value;
}

/** The name of the type for `--type`, by the name of the stored type. */
export function typeChoiceOf(name: ValueTypeName): TypeChoice {
  const choices: Readonly<Record<ValueTypeName, TypeChoice>> = {
    int64: "int",
    float64: "float",
    bool: "bool",
    string: "string",
    bytes: "hex",
    record: "record",
  };
  return choices[name];
}

function requireWellFormed(text: string, what: string): string {
  // An argument that is not UTF-8 arrives with replacement characters: it would be another key.
  if (text.includes("\ufffd") || !text.isWellFormed()) {
    throw new UsageError(
      `The ${what} is not UTF-8: "${escapeControls(text)}"`,
      "Write bytes as x'00ff', or pass them through standard input.",
    );
  }
  return text;
}

function toInt64(text: string): bigint {
  const value = BigInt(text.replace(/n$/, "").replace(/^\+/, ""));
  if (value < MIN_INT64 || value > MAX_INT64) {
    throw unfit(text, "an integer of 64 bits");
  }
  return value;
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

function unfit(text: string, expected: string): UsageError {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  return new UsageError(
    `The value "${escapeControls(shown)}" is not ${expected}`,
  );
}

function fail(text: string, expected: string): never {
  throw unfit(text, expected);
}

/** Reads one literal after the other. */
class Parser {
  readonly #text: string;
  readonly #what: string;
  #at = 0;

  constructor(text: string, what: string) {
    this.#text = text;
    this.#what = what;
  }

  item(depth: number): RecordItem {
    this.#space();
    const next = this.#text[this.#at];
    if (next === '"') return this.#string();
    if (next === "{") return this.#object(depth);
    if (next === "[") return this.#array(depth);
    if (this.#text.startsWith("x'", this.#at)) return this.#bytes();
    if (this.#text.startsWith("ext(", this.#at)) return this.#extension();
    if (this.#text.startsWith("date(", this.#at)) return this.#date();
    const word = /[^\s,\]})]*/y;
    word.lastIndex = this.#at;
    const found = word.exec(this.#text)![0];
    const value = this.#word(found, depth);
    this.#at += found.length;
    return value;
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) this.#fail("the end of the text");
  }

  #word(word: string, depth: number): RecordItem {
    if (word === "true") return true;
    if (word === "false") return false;
    if (word === "null") return null;
    if (INT.test(word)) {
      // A record may hold what only an unsigned integer of 64 bits can.
      return depth === 0 ? toInt64(word) : BigInt(word.slice(0, -1).replace(/^\+/, ""));
    }
    if (FLOAT.test(word)) return Number(word);
    return this.#fail("a literal");
  }

  #string(): string {
    const pattern = /"(?:[^"\\]|\\[^])*"/y;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ??
      this.#fail("a string that ends with a quote");
    let value: unknown;
    try {
      value = JSON.parse(found);
    } catch {
      this.#fail("a string of JSON");
    }
    this.#at += found.length;
    return requireWellFormed(value as string, this.#what);
  }

  #bytes(): Uint8Array {
    const pattern = /x'([^']*)'/y;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    const bytes = found === null ? undefined : fromHex(found[1]!);
    if (bytes === undefined) this.#fail("bytes such as x'00ff'");
    this.#at = pattern.lastIndex;
    return bytes;
  }

  #extension(): Extension {
    const pattern = /ext\(\s*(-?\d{1,3})\s*,\s*/y;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    const type = Number(found?.[1]);
    if (found === null || type < -128 || type > 127) {
      this.#fail("an extension such as ext(5, x'00ff')");
    }
    this.#at = pattern.lastIndex;
    const data = this.#bytes();
    this.#expect(")");
    return new Extension(type, data);
  }

  #date(): Date {
    const pattern = /date\(([^)]*)\)/y;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    const date = found === null ? undefined : parseDate(found[1]!.trim());
    if (date === undefined) return this.#fail("a date such as date(2026-11-30T20:40:00Z)");
    this.#at = pattern.lastIndex;
    return date;
  }

  #array(depth: number): RecordItem[] {
    const items: RecordItem[] = [];
    this.#at++;
    if (this.#skip("]")) return items;
    do items.push(this.#nested(depth)); while (this.#skip(","));
    this.#expect("]");
    return items;
  }

  #object(depth: number): { readonly [name: string]: RecordItem } {
    const entries: [string, RecordItem][] = [];
    this.#at++;
    if (this.#skip("}")) return {};
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail("a name in quotes");
      const name = this.#string();
      this.#expect(":");
      entries.push([name, this.#nested(depth)]);
    } while (this.#skip(","));
    this.#expect("}");
    // Makes an own property of "__proto__", too.
    return Object.fromEntries(entries);
  }

  #nested(depth: number): RecordItem {
    if (depth >= 64) this.#fail("at most 64 levels of nesting");
    return this.item(depth + 1);
  }

  #skip(text: string): boolean {
    this.#space();
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #expect(text: string): void {
    if (!this.#skip(text)) this.#fail(`"${text}"`);
  }

  #space(): void {
    const pattern = /\s*/y;
    pattern.lastIndex = this.#at;
    this.#at += pattern.exec(this.#text)![0].length;
  }

  #fail(expected: string): never {
    const rest = this.#text.slice(this.#at, this.#at + 24);
    const found = rest === "" ? "the end" : `"${escapeControls(rest)}"`;
    throw new UsageError(
      `The ${this.#what} has ${found} at character ${this.#at + 1}, where ${expected} was expected`,
      "Text that is no literal: --type string.",
    );
  }
}
