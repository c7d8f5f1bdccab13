/**
 * Short ASCII text from bytes, which most keys are. Four loads of four bytes, one check of them all
 * and one call are faster than a check of each byte, or than `latin1Slice`
 * (docs/measurements/0009-what-writing-costs.md).
 */

import { runtimeName } from "../platform/runtime.ts";

/**
 * Whether it is worth trying before `decodeText`. On JSC it is not: there the call with 16
 * arguments is slower than `latin1Slice`.
 */
export const isAsciiTextFast: boolean = runtimeName !== "bun";

/** The longest text that is made here. */
export const ASCII_TEXT_MAX = 16;

/** The bits that ASCII does not have, in each of the four words of a text of a length. */
const masks = new Int32Array((ASCII_TEXT_MAX + 1) * 4);
for (let length = 0; length <= ASCII_TEXT_MAX; length++) {
  for (let i = 0; i < length; i++) masks[length * 4 + (i >> 2)]! |= 0x80000000 >>> ((i & 3) * 8);
}

const f = String.fromCharCode;

/**
 * Text of `length` bytes from `at`, at most {@linkcode ASCII_TEXT_MAX}, if all of them are ASCII;
 * else undefined. It is also undefined if the view ends less than that maximum after `at`, because
 * whole words are loaded.
 */
// deno-fmt-ignore
export function asciiText(view: DataView, at: number, length: number): string | undefined {
  if (length > ASCII_TEXT_MAX || at + ASCII_TEXT_MAX > view.byteLength) return undefined;
  const a = view.getInt32(at);
  const b = view.getInt32(at + 4);
  const c = view.getInt32(at + 8);
  const d = view.getInt32(at + 12);
  const mask = length * 4;
  const high = (a & masks[mask]!) | (b & masks[mask + 1]!) | (c & masks[mask + 2]!) |
    (d & masks[mask + 3]!);
  if (high !== 0) return undefined;
  switch (length) {
    case 0: return "";
    case 1: return f(a >>> 24);
    case 2: return f(a >>> 24, a >> 16 & 255);
    case 3: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255);
    case 4: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
    case 5: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24);
    case 6: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255);
    case 7: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255);
    case 8: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255, b & 255);
    case 9: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255, b & 255, c >>> 24);
    case 10: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255, b & 255, c >>> 24, c >> 16 & 255);
    case 11: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255, b & 255, c >>> 24, c >> 16 & 255, c >> 8 & 255);
    case 12: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255, b & 255, c >>> 24, c >> 16 & 255, c >> 8 & 255, c & 255);
    case 13: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255, b & 255, c >>> 24, c >> 16 & 255, c >> 8 & 255, c & 255, d >>> 24);
    case 14: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255, b & 255, c >>> 24, c >> 16 & 255, c >> 8 & 255, c & 255, d >>> 24,
      d >> 16 & 255);
    case 15: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255, b & 255, c >>> 24, c >> 16 & 255, c >> 8 & 255, c & 255, d >>> 24,
      d >> 16 & 255, d >> 8 & 255);
    default: return f(a >>> 24, a >> 16 & 255, a >> 8 & 255, a & 255, b >>> 24, b >> 16 & 255,
      b >> 8 & 255, b & 255, c >>> 24, c >> 16 & 255, c >> 8 & 255, c & 255, d >>> 24,
      d >> 16 & 255, d >> 8 & 255, d & 255);
  }
}
