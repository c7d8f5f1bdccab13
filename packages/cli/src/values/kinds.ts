/** The types of values, as people see them. */

import { Extension, type RecordItem, type Value, type ValueTypeName } from "@tinykvs/core";
import type { Style } from "../text/style.ts";

/** All type names. */
export const typeNames: readonly ValueTypeName[] = [
  "int64",
  "float64",
  "bool",
  "string",
  "bytes",
  "record",
];

/** The type that a value is stored as. */
export function typeOf(value: Value): ValueTypeName {
  switch (typeof value) {
    case "bigint":
      return "int64";
    case "number":
      return "float64";
    case "boolean":
      return "bool";
    case "string":
      return "string";
    default:
      return value instanceof Uint8Array ? "bytes" : "record";
  }
}

/** How a value of a type is coloured. */
export const styleOfType: Readonly<Record<ValueTypeName, Style>> = {
  int64: "number",
  float64: "number",
  bool: "boolean",
  string: "string",
  bytes: "bytes",
  record: "record",
};

/** Whether an item of a record is an object or an array, and nothing else. */
export function isContainer(
  item: RecordItem,
): item is { readonly [name: string]: RecordItem } | readonly RecordItem[] {
  return typeof item === "object" && item !== null &&
    !(item instanceof Uint8Array) &&
    !(item instanceof Date) &&
    !(item instanceof Extension);
}
