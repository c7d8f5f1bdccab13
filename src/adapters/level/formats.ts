/**
 * Converts between the values of a store and the two formats of Level, text and bytes.
 *
 * A store distinguishes text and bytes. Level has only bytes, so its users may read a value in
 * either format. Level replaces invalid text, and bytes that are not UTF-8, with U+FFFD. In this
 * library only this file does the same.
 */

import { isBytes } from "../../bytes/is_bytes.ts";
import { TypeMismatchError } from "../../errors.ts";
import { TextDecoder, TextEncoder } from "../../platform/natives.ts";
import { decodeText } from "../../value/text_codec.ts";
import { type Value, valueTypeName } from "../../contract/value.ts";
import { ownBuffer } from "../own_buffer.ts";

/** The formats in which Level passes and receives data. */
export type Format = "utf8" | "view";

/** A key or value in Level's form. */
export type Data = string | Uint8Array;

const encoder = new TextEncoder();
const lossyDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Converts a key or value from Level to the store's form. */
export function toStore(data: Data): Data {
  return typeof data === "string" ? data.toWellFormed() : data;
}

/** Converts bytes to text. U+FFFD replaces bytes that are not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  return decodeText(bytes, 0, bytes.length) ?? lossyDecoder.decode(bytes);
}

/** Converts a stored key to a format. */
export function keyIn(format: Format, key: Data): Data {
  if (typeof key === "string") {
    return format === "utf8" ? key : encoder.encode(key);
  }
  return format === "utf8" ? textOf(key) : ownBuffer(key);
}

/**
 * Converts a stored value to a format.
 *
 * @throws {TypeMismatchError} it is neither text nor bytes, so Level has not written it
 */
export function valueIn(format: Format, value: Value): Data {
  if (typeof value === "string") {
    return format === "utf8" ? value : encoder.encode(value);
  }
  if (isBytes(value)) {
    return format === "utf8" ? textOf(value) : ownBuffer(value);
  }
  throw new TypeMismatchError(valueTypeName(value), "string or bytes");
}
