/** What bytes of a source without types become: text, bytes, or what their JSON says. */

import type { RecordItem, Value } from "@tinykvs/core";
import { InputError } from "../errors.ts";
import { toText } from "../values/bytes.ts";
import { parseJson } from "../values/json_numbers.ts";
import { itemInRecord, valueOfItem } from "./cells.ts";

/** The choices of `--values`. */
export const bytesChoices = ["auto", "text", "bytes", "json"] as const;

/** One of {@linkcode bytesChoices}. */
export type BytesAs = (typeof bytesChoices)[number];

/**
 * The value of bytes. "auto": a string if they are UTF-8 without zero bytes, else bytes.
 *
 * @throws {InputError} they are not what was asked for
 */
export function valueOfBytes(bytes: Uint8Array, as: BytesAs): Value {
  if (as === "bytes") return bytes;
  const text = toText(bytes);
  if (as === "auto") {
    return text === undefined || text.includes("\0") ? bytes : text;
  }
  if (text === undefined) throw new InputError("the value is not UTF-8");
  if (as === "text") return text;
  let item: RecordItem;
  try {
    item = parseJson(text);
  } catch {
    throw new InputError("the value is not JSON");
  }
  return valueOfItem(itemInRecord(item));
}
