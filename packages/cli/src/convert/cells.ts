/** Cells of CSV and items of JSON as values of a store. */

import { Buffer } from "node:buffer";
import type { RecordItem, Value } from "@tinykvs/core";
import { InputError } from "../errors.ts";
import { escapeControls } from "../text/escape.ts";
import { fromHex } from "../values/bytes.ts";
import { isContainer } from "../values/kinds.ts";

/** What a header may say about its column: `name:int`. */
export const hints = [
  "auto",
  "int",
  "float",
  "bool",
  "string",
  "hex",
  "base64",
  "json",
] as const;

/** One of {@linkcode hints}. */
export type Hint = (typeof hints)[number];

/** Whether a word is a hint. */
export function isHint(word: string): word is Hint {
  return (hints as readonly string[]).includes(word);
}

/**
 * The item of a cell. With "auto", a number is a number, and "007", a date or a number that is too
 * long for its type stays text. An empty cell is null, or empty text.
 *
 * @throws {InputError} the cell is not what the hint says
 */
export function itemOfCell(cell: string, hint: Hint): RecordItem {
  if (cell === "" && hint !== "auto" && hint !== "string") return null;
  switch (hint) {
    case "auto":
      return autoItem(cell);
    case "string":
      return cell;
    case "int":
      return toInt(cell.trim()) ?? wrong(cell, "an integer of 64 bits");
    case "float": {
      const text = cell.trim();
      const isNumber = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?Infinity$|^NaN$/
        .test(text);
      return isNumber ? Number(text) : wrong(cell, "a number");
    }
    case "bool": {
      const text = cell.trim().toLowerCase();
      if (["true", "t", "yes", "1"].includes(text)) return true;
      return ["false", "f", "no", "0"].includes(text) ? false : wrong(cell, "true or false");
    }
    case "hex":
      return fromHex(cell.trim()) ?? wrong(cell, "hexadecimal digits");
    case "base64":
      return /^[A-Za-z0-9+/]*={0,2}$/.test(cell.trim()) &&
          cell.trim().length % 4 === 0
        ? new Uint8Array(Buffer.from(cell.trim(), "base64"))
        : wrong(cell, "base64");
    case "json":
      try {
        return JSON.parse(cell);
      } catch {
        return wrong(cell, "JSON");
      }
  }
}

/** An item as a value by itself: an integer is an int64. @throws {InputError} it is null */
export function valueOfItem(item: RecordItem): Value {
  if (
    typeof item === "string" || typeof item === "boolean" ||
    typeof item === "bigint"
  ) {
    return item;
  }
  if (
    typeof item === "number" || item instanceof Uint8Array || isContainer(item)
  ) return item;
  throw new InputError("the value is null, and null exists only in records");
}

/** An integer that is small enough for a number is one in a record. */
export function itemInRecord(item: RecordItem): RecordItem {
  if (typeof item !== "bigint") return item;
  const number = Number(item);
  return Number.isSafeInteger(number) ? number : item;
}

function autoItem(cell: string): RecordItem {
  if (/^-?(?:0|[1-9]\d*)$/.test(cell)) return toInt(cell) ?? cell;
  // Only what a number shows as itself again: 1.10 may be a version, 007 a code.
  if (/^-?\d+\.\d+$/.test(cell) && String(Number(cell)) === cell) {
    return Number(cell);
  }
  if (cell === "true") return true;
  return cell === "false" ? false : cell;
}

function toInt(text: string): bigint | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ""));
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function wrong(cell: string, expected: string): never {
  const shown = cell.length > 40 ? `${cell.slice(0, 40)}…` : cell;
  throw new InputError(`"${escapeControls(shown)}" is not ${expected}`);
}
