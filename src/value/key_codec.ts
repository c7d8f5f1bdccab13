/**
 * Keys to bytes and back.
 *
 * `put`, `get` and the bounds of ranges call {@linkcode encodeKey}; cursors turn stored keys into
 * text with {@linkcode decodeKeyText}. The empty key is allowed. A store may hold keys that are not
 * UTF-8 (they were put as bytes): to read such a key as text is an error.
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { isBytes } from "../bytes/is_bytes.ts";
import { isLost, LOST_BYTES } from "../bytes/lost_bytes.ts";
import { StoreError } from "../errors.ts";
import { appendText, decodeText } from "./text_codec.ts";
import { describeValue, type Key, MAX_KEY_BYTES } from "./value.ts";

/** How many bytes of a key the text of an error shows. */
const SHOWN_BYTES = 32;

/**
 * Appends the bytes of `key`: strings as UTF-8, bytes as they are. On any error nothing is
 * appended.
 *
 * @throws {TypeError} `key` is neither a string nor a Uint8Array, holds a lone surrogate, or its
 *   buffer is detached
 * @throws {RangeError} `key` is longer than {@linkcode MAX_KEY_BYTES}
 */
export function encodeKey(key: Key, writer: ByteWriter): void {
  if (typeof key === "string") {
    // A character takes at least one byte, so this bounds the work before it is done.
    if (key.length > MAX_KEY_BYTES) throw tooLong(`${key.length} characters`);
    const start = writer.length;
    if (!appendText(key, writer)) {
      throw new TypeError(`Cannot encode key ${JSON.stringify(shorten(key))}: lone surrogate`);
    }
    const length = writer.length - start;
    if (length > MAX_KEY_BYTES) {
      writer.truncate(start);
      throw tooLong(`${length} bytes`);
    }
  } else if (isBytes(key)) {
    const { length } = key;
    if (length > MAX_KEY_BYTES) throw tooLong(`${length} bytes`);
    if (length === 0 && isLost(key)) {
      throw new TypeError(`Cannot encode key: found ${LOST_BYTES}, expected its bytes`);
    }
    writer.appendBytes(key, 0, length);
  } else {
    throw new TypeError(
      `Cannot encode key: found ${describeValue(key)}, expected a string or a Uint8Array`,
    );
  }
}

/**
 * Text of the key in `bytes[start, end)`.
 *
 * @throws {StoreError} code `KEY_ENCODING`: the key is not UTF-8; read keys as bytes instead
 */
export function decodeKeyText(bytes: Uint8Array, start: number, end: number): string {
  const text = decodeText(bytes, start, end);
  if (text === undefined) {
    const hex = Array.from(
      bytes.subarray(start, Math.min(end, start + SHOWN_BYTES)),
      (byte) => byte.toString(16).padStart(2, "0"),
    ).join("");
    const more = end - start > SHOWN_BYTES ? "..." : "";
    throw new StoreError(
      "KEY_ENCODING",
      `Cannot read key 0x${hex}${more} as text: it is not UTF-8; read keys as bytes, ` +
        `with keyEncoding "bytes" in the range or in the store's options`,
    );
  }
  return text;
}

function tooLong(found: string): RangeError {
  return new RangeError(
    `Cannot encode key: its length is ${found}, expected at most ${MAX_KEY_BYTES} bytes`,
  );
}

function shorten(text: string): string {
  return text.length > SHOWN_BYTES ? `${text.slice(0, SHOWN_BYTES)}...` : text;
}
