/** Text to UTF-8 and back, also in jsdom, which has no text codecs. */

let encoder: { encode(text: string): Uint8Array } | undefined;
let decoder: { decode(bytes: Uint8Array): string } | undefined;

/** The UTF-8 of text that is well-formed. */
export function encodeUtf8(text: string): Uint8Array {
  encoder ??= typeof TextEncoder === "function" ? new TextEncoder() : { encode: encodeByHand };
  return encoder.encode(text);
}

/** For jsdom, which has no TextEncoder. */
function encodeByHand(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0x80) {
      bytes.push(code);
      continue;
    }
    if (code < 0x800) {
      bytes.push(0xc0 | code >> 6);
    } else {
      if (code < 0x1_0000) bytes.push(0xe0 | code >> 12);
      else bytes.push(0xf0 | code >> 18, 0x80 | code >> 12 & 0x3f);
      bytes.push(0x80 | code >> 6 & 0x3f);
    }
    bytes.push(0x80 | code & 0x3f);
  }
  return Uint8Array.from(bytes);
}

/** The text, or undefined if the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  decoder ??= typeof TextDecoder === "function"
    ? new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
    : { decode: decodeByHand };
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** @throws {URIError} they are not UTF-8 */
function decodeByHand(bytes: Uint8Array): string {
  const escaped = Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, "0")}`);
  return decodeURIComponent(escaped.join(""));
}
