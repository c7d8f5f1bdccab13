/**
 * Entries as JSON, without loss: the lines of `scan` in a pipe, of `dump` and of `export`.
 *
 *     {"key":"user:1","type":"record","value":{"name":"Alice"}}
 *     {"key":"age","type":"int64","value":30}
 *     {"keyHex":"00ff","type":"bytes","value":"c0ffee","expiresAt":1800000000000}
 *
 * A key that is not UTF-8 is `keyHex`. An int64 beyond 2^53 is a string of digits, and so is a
 * float64 that JSON lacks ("NaN", "-0"). Bytes are hexadecimal. In a record, what JSON lacks is an
 * object of one name that begins with "$": `$int`, `$float`, `$bytes`, `$date`, `$ext`. An object
 * of the store that looks like one has one "$" more. `expiresAt` is in milliseconds since 1970.
 */

import { Extension, type RecordItem, type RecordValue, type Value } from "@tinykvs/core";
import { fromHex, toHex, toText, toUtf8 } from "./bytes.ts";
import { isContainer, typeOf } from "./kinds.ts";
import { isTime, parseDate } from "./times.ts";

/** An entry of a store. */
export interface StoredEntry {
  readonly key: Uint8Array;
  readonly value: Value;
  /** When it expires, in milliseconds since 1970; undefined if it does not. */
  readonly expiresAt?: number | undefined;
}

/** Text of JSON for a string, with every character that a terminal obeys as an escape. */
export { quote as jsonString } from "../text/escape.ts";
import { quote } from "../text/escape.ts";

/** The entry as one line of JSON, without the line feed. */
export function entryJson({ key, value, expiresAt }: StoredEntry): string {
  const expiry = expiresAt === undefined ? "" : `,"expiresAt":${expiresAt}`;
  return `{${keyJson(key)},"type":"${typeOf(value)}","value":${valueJson(value)}${expiry}}`;
}

/** The member of a JSON object for a key. */
export function keyJson(key: Uint8Array): string {
  const text = toText(key);
  return text === undefined ? `"keyHex":"${toHex(key)}"` : `"key":${quote(text)}`;
}

/** The JSON of a value whose type is written beside it. */
export function valueJson(value: Value): string {
  switch (typeof value) {
    case "bigint":
      return isSafe(value) ? String(value) : `"${value}"`;
    case "number":
      return isPlainNumber(value) ? JSON.stringify(value) : `"${floatText(value)}"`;
    case "boolean":
      return String(value);
    case "string":
      return quote(value);
    default:
      return value instanceof Uint8Array ? `"${toHex(value)}"` : itemJson(value);
  }
}

/** The JSON of an item in a record. */
function itemJson(item: RecordItem): string {
  if (typeof item === "string") return quote(item);
  if (typeof item === "bigint") return `{"$int":"${item}"}`;
  if (typeof item === "number") {
    return isPlainNumber(item) ? JSON.stringify(item) : `{"$float":"${floatText(item)}"}`;
  }
  if (item instanceof Uint8Array) return `{"$bytes":"${toHex(item)}"}`;
  if (item instanceof Date) return `{"$date":"${item.toISOString()}"}`;
  if (item instanceof Extension) {
    return `{"$ext":[${item.type},"${toHex(item.data)}"]}`;
  }
  if (!isContainer(item)) return String(item);
  if (Array.isArray(item)) return `[${item.map(itemJson).join()}]`;
  const entries = Object.entries(
    item as { readonly [name: string]: RecordItem },
  );
  const needsEscape = entries.length === 1 && entries[0]![0].startsWith("$");
  const members = entries.map(([name, member]) =>
    `${quote(needsEscape ? `$${name}` : name)}:${itemJson(member)}`
  );
  return `{${members.join()}}`;
}

/**
 * The entry of a line that `entryJson` made.
 *
 * @throws {TypeError} it is not such a line; the text says why
 */
export function parseEntryJson(line: string): StoredEntry {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line, line.includes('"$') ? untag : undefined);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new TypeError("it is not JSON", { cause: error });
    }
    throw error;
  }
  if (typeof parsed !== "object" || parsed === null) {
    throw new TypeError("it is not an object");
  }
  const { key, keyHex, type, value, expiresAt } = parsed as Record<
    string,
    unknown
  >;
  return {
    key: parseJsonKey(key, keyHex),
    value: parseJsonValue(type, value),
    ...(expiresAt === undefined ? {} : { expiresAt: parseTime(expiresAt) }),
  };
}

function parseJsonKey(key: unknown, keyHex: unknown): Uint8Array {
  if (typeof key === "string" && key.isWellFormed() && keyHex === undefined) {
    return toUtf8(key);
  }
  const bytes = key === undefined && typeof keyHex === "string" ? fromHex(keyHex) : undefined;
  if (bytes === undefined) {
    throw new TypeError('it has no "key" of text or "keyHex" of digits');
  }
  return bytes;
}

function parseJsonValue(type: unknown, value: unknown): Value {
  switch (type) {
    case "int64": {
      const isDigits = typeof value === "string" && /^-?\d+$/.test(value);
      const number = Number.isSafeInteger(value) || isDigits ? BigInt(value as string) : undefined;
      if (number !== undefined && BigInt.asIntN(64, number) === number) {
        return number;
      }
      break;
    }
    case "float64": {
      const number = typeof value === "string" ? parseFloatText(value) : value;
      if (typeof number === "number") return number;
      break;
    }
    case "bool":
      if (typeof value === "boolean") return value;
      break;
    case "string":
      if (typeof value === "string") return value;
      break;
    case "bytes": {
      const bytes = typeof value === "string" ? fromHex(value) : undefined;
      if (bytes !== undefined) return bytes;
      break;
    }
    case "record":
      if (
        value !== null && typeof value === "object" &&
        isContainer(value as RecordItem)
      ) {
        return value as RecordValue;
      }
      break;
    default:
      throw new TypeError(`its type is ${JSON.stringify(type) ?? "missing"}`);
  }
  throw new TypeError(`its value is not of type ${type}`);
}

function parseTime(value: unknown): number {
  const time = typeof value === "string" ? Date.parse(value) : value;
  if (isTime(time)) return time;
  throw new TypeError("its expiresAt is neither milliseconds since 1970 nor a time of ISO 8601");
}

/** Turns a tagged object of JSON into the item that it stands for. */
function untag(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return value;
  }
  const names = Object.keys(value);
  const name = names[0];
  if (names.length !== 1 || name === undefined || !name.startsWith("$")) {
    return value;
  }
  const content = (value as Record<string, unknown>)[name];
  if (name.startsWith("$$")) return { [name.slice(1)]: content };
  const item = untagged(name, content);
  if (item === undefined) throw new TypeError(`its record has a wrong ${name}`);
  return item;
}

function untagged(name: string, content: unknown): RecordItem {
  if (name === "$ext") {
    const [type, digits] = Array.isArray(content) ? content : [];
    const data = typeof digits === "string" ? fromHex(digits) : undefined;
    return data === undefined ? undefined : new Extension(type, data);
  }
  if (typeof content !== "string") return undefined;
  if (name === "$int") {
    return /^-?\d+$/.test(content) ? BigInt(content) : undefined;
  }
  if (name === "$float") return parseFloatText(content);
  if (name === "$date") return parseDate(content);
  return name === "$bytes" ? fromHex(content) : undefined;
}

function isSafe(value: bigint): boolean {
  return value <= 9007199254740991n && value >= -9007199254740991n;
}

/** Whether JSON has this number. */
function isPlainNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

function floatText(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function parseFloatText(text: string): number | undefined {
  return /^(?:-0|NaN|-?Infinity)$/.test(text) ? Number(text) : undefined;
}
