/**
 * Text to UTF-8 and back, shared by keys, string values and the strings inside records.
 *
 * Only well-formed text passes, in both directions: a lone surrogate or an ill-formed byte sequence
 * is reported, never turned into U+FFFD. Measurements decide between the runtime's calls and loops
 * for each length (docs/measurements/0009-what-writing-costs.md).
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { isErrorNamed } from "../errors.ts";
import { latin1Slice, TextDecoder, TextEncoder, utf8Slice } from "../platform/natives.ts";
import { runtimeName } from "../platform/runtime.ts";

/** Up to this many characters are written by a loop, as long as they are ASCII. */
const LOOP_WRITE_MAX = 40;

/** On V8, up to this many ASCII bytes become text by `fromCharCode`. */
const CHARCODES_MAX = runtimeName === "bun" ? -1 : 16;

/** On JSC, up to this many ASCII bytes become text by `latin1Slice`. */
const LATIN1_MAX = runtimeName === "bun" ? 48 : -1;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const fromCharCode = String.fromCharCode;
/** U+FFFD. Not as a literal: a bundle with that character takes two bytes a character in V8. */
const REPLACEMENT = fromCharCode(0xfffd);

/**
 * Appends `text` as UTF-8 and returns true; returns false and appends nothing if it holds a lone
 * surrogate.
 *
 * @throws {RangeError} the writer can't grow; nothing is appended
 */
export function appendText(text: string, writer: ByteWriter): boolean {
  const length = text.length;
  writer.reserve(length);
  const start = writer.length;
  if (length <= LOOP_WRITE_MAX) {
    const bytes = writer.bytes;
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) break;
      bytes[start + i] = code;
    }
    if (i === length) {
      writer.length = start + length;
      return true;
    }
  }
  if (!text.isWellFormed()) return false;
  // Room for one byte per character is enough for ASCII. Each remaining UTF-16 unit then gets
  // three, which is the most that it can need.
  const first = encoder.encodeInto(text, writer.bytes.subarray(start));
  writer.length = start + first.written;
  if (first.read < length) {
    const rest = text.slice(first.read);
    try {
      writer.reserve(rest.length * 3);
    } catch (error) {
      writer.length = start;
      throw error;
    }
    writer.length += encoder.encodeInto(rest, writer.bytes.subarray(writer.length)).written;
  }
  return true;
}

/** Text of the UTF-8 in `bytes[start, end)`, or undefined if it is not well-formed. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  if (length <= CHARCODES_MAX) {
    const text = shortAscii(bytes, start, length);
    if (text !== undefined) return text;
  } else if (length <= LATIN1_MAX) {
    let all = 0;
    for (let at = start; at < end; at++) all |= bytes[at]!;
    if (all <= 0x7f) return latin1Slice(bytes, start, end);
  }
  const text = utf8Slice(bytes, start, end);
  // U+FFFD may replace an ill-formed sequence, or be what was stored. Only then a closer look is
  // needed.
  return text.includes(REPLACEMENT) ? strictText(bytes, start, end) : text;
}

function strictText(bytes: Uint8Array, start: number, end: number): string | undefined {
  try {
    return strictDecoder.decode(bytes.subarray(start, end));
  } catch (error) {
    if (isErrorNamed(error, "TypeError")) return undefined;
    throw error;
  }
}

/** Text of `length` bytes from `start`, 0 to 16; undefined if one of them is not ASCII. */
// deno-fmt-ignore
function shortAscii(b: Uint8Array, s: number, length: number): string | undefined {
  let all = 0;
  for (let i = 0; i < length; i++) all |= b[s + i]!;
  if (all > 0x7f) return undefined;
  const f = fromCharCode;
  switch (length) {
    case 1: return f(b[s]!);
    case 2: return f(b[s]!, b[s + 1]!);
    case 3: return f(b[s]!, b[s + 1]!, b[s + 2]!);
    case 4: return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!);
    case 5: return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!);
    case 6: return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!);
    case 7: return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!);
    case 8: return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!);
    case 9:
      return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!,
        b[s + 8]!);
    case 10:
      return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!,
        b[s + 8]!, b[s + 9]!);
    case 11:
      return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!,
        b[s + 8]!, b[s + 9]!, b[s + 10]!);
    case 12:
      return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!,
        b[s + 8]!, b[s + 9]!, b[s + 10]!, b[s + 11]!);
    case 13:
      return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!,
        b[s + 8]!, b[s + 9]!, b[s + 10]!, b[s + 11]!, b[s + 12]!);
    case 14:
      return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!,
        b[s + 8]!, b[s + 9]!, b[s + 10]!, b[s + 11]!, b[s + 12]!, b[s + 13]!);
    case 15:
      return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!,
        b[s + 8]!, b[s + 9]!, b[s + 10]!, b[s + 11]!, b[s + 12]!, b[s + 13]!, b[s + 14]!);
    case 16:
      return f(b[s]!, b[s + 1]!, b[s + 2]!, b[s + 3]!, b[s + 4]!, b[s + 5]!, b[s + 6]!, b[s + 7]!,
        b[s + 8]!, b[s + 9]!, b[s + 10]!, b[s + 11]!, b[s + 12]!, b[s + 13]!, b[s + 14]!, b[s + 15]!);
    default: return "";
  }
}
