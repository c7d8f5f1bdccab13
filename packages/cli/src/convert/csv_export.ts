/** CSV of entries: key, type and value without loss, or chosen fields of records as columns. */

import { csvCell } from "../output/text_rows.ts";
import { toUtf8 } from "../values/bytes.ts";
import type { StoredEntry } from "../values/json_form.ts";
import { isContainer, typeOf } from "../values/kinds.ts";
import { keyText, plainText } from "../values/literal_text.ts";
import type { RecordItem } from "@tinykvs/core";

/** The bytes of the CSV. */
export async function* csvPieces(
  batches: AsyncIterable<readonly StoredEntry[]>,
  fields: readonly string[] | undefined,
): AsyncGenerator<Uint8Array> {
  const header = fields === undefined ? ["key", "type", "value"] : ["key", ...fields];
  yield toUtf8(`${header.map((cell) => csvCell(cell)).join()}\n`);
  for await (const batch of batches) {
    const lines = batch.map((entry) => {
      const cells = fields === undefined ? typedCells(entry) : fieldCells(entry, fields);
      return `${cells.map((cell) => csvCell(cell)).join()}\n`;
    });
    yield toUtf8(lines.join(""));
  }
}

function typedCells({ key, value }: StoredEntry): string[] {
  return [keyText(key), typeOf(value), plainText(value)];
}

function fieldCells(
  { key, value }: StoredEntry,
  fields: readonly string[],
): string[] {
  const record = isContainer(value) && !Array.isArray(value)
    ? value as { readonly [name: string]: RecordItem }
    : {};
  return [
    keyText(key),
    ...fields.map((field) => {
      const item = Object.hasOwn(record, field) ? record[field] : null;
      return item === null || item === undefined ? "" : plainText(item);
    }),
  ];
}
