/**
 * CRC-32 (IEEE 802.3, reflected polynomial 0xEDB88320: the checksum of zlib) over byte ranges.
 *
 * It guards every log record, block and manifest record. Short ranges take 16 bytes at a step from
 * 16 tables ("slicing-by-8", twice as wide: Kounavis and Berry, "A Systematic Approach to Building
 * High Performance Software-Based CRC Generators", Intel 2005; written from the idea, no code
 * taken). Long ones go to the runtime's own function; the length at which it wins includes the view
 * that the call needs (docs/measurements/0009-what-writing-costs.md).
 */

import { hasNativeCrc32, nativeCrc32 } from "../platform/natives.ts";
import { runtimeName } from "../platform/runtime.ts";

/** From this many bytes on the runtime's own function is called. */
const NATIVE_MIN = !hasNativeCrc32
  ? Infinity
  : runtimeName === "node"
  ? 448
  : runtimeName === "deno"
  ? 96
  : 144;

/** TABLES[256 * n + b] is the CRC state after byte `b` and then `n` zero bytes. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let state = byte;
    for (let bit = 0; bit < 8; bit++) state = state >>> 1 ^ (state & 1 ? 0xedb88320 : 0);
    tables[byte] = state;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!;
    tables[at] = before >>> 8 ^ tables[before & 0xff]!;
  }
  return tables;
}

/**
 * CRC-32 of `bytes[start, end)`, unsigned. `view` shares the memory of `bytes`, offset for offset.
 * `seed` is the CRC of the bytes before, so that pieces can be summed one after another.
 */
export function crc32(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  seed = 0,
): number {
  if (end - start >= NATIVE_MIN) {
    const whole = start === 0 && end === bytes.length;
    return nativeCrc32(whole ? bytes : bytes.subarray(start, end), seed);
  }
  return slicedCrc32(view, start, end, seed);
}

/** CRC-32 of `view[start, end)` without the runtime's help; exported for its test and bench. */
export function slicedCrc32(view: DataView, start: number, end: number, seed: number): number {
  const tables = TABLES;
  let state = ~seed;
  let at = start;
  for (; at + 16 <= end; at += 16) {
    const a = state ^ view.getInt32(at, true);
    const b = view.getInt32(at + 4, true);
    const c = view.getInt32(at + 8, true);
    const d = view.getInt32(at + 12, true);
    state = tables[3840 + (a & 0xff)]! ^ tables[3584 + (a >>> 8 & 0xff)]! ^
      tables[3328 + (a >>> 16 & 0xff)]! ^ tables[3072 + (a >>> 24)]! ^
      tables[2816 + (b & 0xff)]! ^ tables[2560 + (b >>> 8 & 0xff)]! ^
      tables[2304 + (b >>> 16 & 0xff)]! ^ tables[2048 + (b >>> 24)]! ^
      tables[1792 + (c & 0xff)]! ^ tables[1536 + (c >>> 8 & 0xff)]! ^
      tables[1280 + (c >>> 16 & 0xff)]! ^ tables[1024 + (c >>> 24)]! ^
      tables[768 + (d & 0xff)]! ^ tables[512 + (d >>> 8 & 0xff)]! ^
      tables[256 + (d >>> 16 & 0xff)]! ^ tables[d >>> 24]!;
  }
  for (; at + 4 <= end; at += 4) {
    const word = state ^ view.getInt32(at, true);
    state = tables[768 + (word & 0xff)]! ^ tables[512 + (word >>> 8 & 0xff)]! ^
      tables[256 + (word >>> 16 & 0xff)]! ^ tables[word >>> 24]!;
  }
  for (; at < end; at++) state = state >>> 8 ^ tables[(state ^ view.getUint8(at)) & 0xff]!;
  return ~state >>> 0;
}
