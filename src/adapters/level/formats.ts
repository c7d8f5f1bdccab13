/**
 * Between the two formats that Level knows, text and bytes, and the values of a store.
 *
 * A store keeps text as text and bytes as bytes. Level keeps bytes alone, so what was written as
 * one may be read as the other. Level turns text that is not well-formed, and bytes that are not
 * UTF-8, into U+FFFD; so does this file, and nothing else of the library.
 */

import { isBytes } from "../../bytes/is_bytes.ts";
import { TypeMismatchError } from "../../errors.ts";
import { TextDecoder, TextEncoder } from "../../platform/natives.ts";
import { decodeText } from "../../value/text_codec.ts";
import { type Value, valueTypeName } from "../../contract/value.ts";
import { ownBuffer } from "../own_buffer.ts";

/** The formats: what Level hands over and wants back. */
export type Format = "utf8" | "view";

/** A key or value as Level hands it over. */
export type Data = string | Uint8Array;

const encoder = new TextEncoder();
const lossyDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A key or value from Level as the store takes it. */
export function toStore(data: Data): Data {
  return typeof data === "string" ? data.toWellFormed() : data;
}

/** Bytes as text; U+FFFD stands for what is not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  return decodeText(bytes, 0, bytes.length) ?? lossyDecoder.decode(bytes);
}

/** A stored key in a format. */
export function keyIn(format: Format, key: Data): Data {
  if (typeof key === "string") {
    return format === "utf8" ? key : encoder.encode(key);
  }
  return format === "utf8" ? textOf(key) : ownBuffer(key);
}

/**
 * A stored value in a format.
 *
 * @throws {TypeMismatchError} it is neither text nor bytes: not Level has written it
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
