/** The columns of entries: key, type, value, and when it expires. */

import { toHex, toUtf8 } from "../values/bytes.ts";
import { entryJson, keyJson, type StoredEntry } from "../values/json_form.ts";
import { keyText, literalOf, plainText } from "../values/literal_text.ts";
import { styleOfType, typeOf } from "../values/kinds.ts";
import { expiryText } from "../values/times.ts";
import type { Column } from "./rows.ts";

/** The column of a key. */
export const keyColumn: Column<{ readonly key: Uint8Array }> = {
  name: "key",
  text: ({ key }, limit) => keyText(key, limit),
  style: () => "key",
  flexible: true,
  jsonMembers: ({ key }) => keyJson(key),
  bytes: ({ key }, mode) => mode === "hex" ? toUtf8(toHex(key)) : key,
};

/**
 * The columns of entries. In JSON they make one lossless object (values/json_form.ts). A box shows
 * the times, if one of the rows that it measures has one.
 */
export function entryColumns(
  showsExpiry: boolean,
): readonly Column<StoredEntry>[] {
  return [
    { ...keyColumn, jsonMembers: (entry) => entryJson(entry).slice(1, -1) },
    {
      name: "type",
      text: ({ value }) => typeOf(value),
      style: () => "dim",
      jsonMembers: () => "",
      isDecoration: true,
    },
    {
      name: "value",
      text: ({ value }, limit) => literalOf(value, limit),
      style: ({ value }) => styleOfType[typeOf(value)],
      flexible: true,
      jsonMembers: () => "",
      csv: ({ value }) => plainText(value),
      bytes: ({ value }, mode) => valueBytes(value, mode),
    },
    ...(showsExpiry
      ? [{
        name: "expires",
        text: ({ expiresAt }: StoredEntry) => expiresAt === undefined ? "" : expiryText(expiresAt),
        style: () => "dim" as const,
        hidesIfEmpty: true,
        jsonMembers: () => "",
        isDecoration: true,
      }]
      : []),
  ];
}

/** What `--raw` and `--hex` write of a value: text and bytes as they are, others as literals. */
export function valueBytes(
  value: StoredEntry["value"],
  mode: "raw" | "hex",
): Uint8Array {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    return toUtf8(literalOf(value));
  }
  const bytes = typeof value === "string" ? toUtf8(value) : value;
  return mode === "hex" ? toUtf8(toHex(bytes)) : bytes;
}
