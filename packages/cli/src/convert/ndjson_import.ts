/**
 * Entries of lines of JSON: what `scan --jsonl` and `dump` write, `{"key": ..., "value": ...}`, or
 * objects of anybody, if `--key` names the field that is the key.
 */

import type { RecordItem } from "@tinykvs/core";
import { InputError } from "../errors.ts";
import { lineGroups } from "../io/lines.ts";
import { toText, toUtf8 } from "../values/bytes.ts";
import { parseEntryJson, type StoredEntry } from "../values/json_form.ts";
import { typeNames } from "../values/kinds.ts";
import { valueOfItem } from "./cells.ts";

/** The entries of the lines. */
export async function* ndjsonEntries(
  pieces: AsyncIterable<Uint8Array>,
  onBad: (error: InputError) => void,
  keyField: string | undefined,
): AsyncGenerator<StoredEntry[]> {
  for await (const lines of lineGroups(pieces)) {
    const group: StoredEntry[] = [];
    for (const { number, bytes } of lines) {
      const text = toText(bytes);
      if (text?.trim() === "") continue;
      try {
        if (text === undefined) throw new InputError("it is not UTF-8");
        const entry = entryOf(text, keyField);
        if (entry !== undefined) group.push(entry);
      } catch (error) {
        const isExpected = error instanceof InputError ||
          error instanceof TypeError ||
          error instanceof SyntaxError;
        if (!isExpected) throw error;
        const why = error instanceof SyntaxError ? "it is not JSON" : error.message;
        onBad(new InputError(`Line ${number}: ${why}`));
      }
    }
    if (group.length > 0) yield group;
  }
}

function entryOf(
  text: string,
  keyField: string | undefined,
): StoredEntry | undefined {
  const object: unknown = JSON.parse(text);
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    throw new InputError("it is not an object");
  }
  const fields = object as Record<string, RecordItem>;
  if (keyField === undefined) {
    // The first and the last line of a dump.
    if ("tinykvsDump" in fields || fields["end"] === true) return undefined;
    if (
      (typeNames as readonly unknown[]).includes(fields["type"]) &&
      "value" in fields
    ) {
      return parseEntryJson(text);
    }
    const { key, value, ...others } = fields;
    if (
      Object.keys(others).length === 0 && key !== undefined &&
      value !== undefined
    ) {
      return { key: keyOf(key, "key"), value: valueOfItem(value) };
    }
    throw new InputError(
      'it is not {"key": ..., "value": ...}: name the field of the key by --key',
    );
  }
  if (!Object.hasOwn(fields, keyField)) {
    throw new InputError(`it has no field "${keyField}"`);
  }
  const { [keyField]: key, ...record } = fields;
  return { key: keyOf(key, keyField), value: record };
}

function keyOf(key: RecordItem, field: string): Uint8Array {
  if (typeof key === "string") return toUtf8(key);
  if (typeof key === "number" && Number.isSafeInteger(key)) {
    return toUtf8(String(key));
  }
  throw new InputError(`its field "${field}" is not text or an integer`);
}
