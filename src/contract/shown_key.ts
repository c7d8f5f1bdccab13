/** How keys look in the texts of errors. */

import { encodeUtf8 } from "./utf8.ts";
import { isBytes } from "./value.ts";

/** A longer key is cut. */
const SHOWN_BYTES = 48;

/**
 * Formats a key for a message: printable bytes as text, other bytes in hexadecimal. Shortens a long
 * key. Undefined for a key that is neither text nor bytes.
 */
export function shownKey(key: Uint8Array): string;
export function shownKey(key: unknown): string | undefined;
export function shownKey(key: unknown): string | undefined {
  if (typeof key === "string") return shownKey(encodeUtf8(key.slice(0, SHOWN_BYTES + 1)));
  if (!isBytes(key)) return undefined;
  let text = "";
  for (const byte of key.subarray(0, SHOWN_BYTES)) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
    text += isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return key.length > SHOWN_BYTES ? `"${text}..."` : `"${text}"`;
}
