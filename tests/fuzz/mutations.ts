/**
 * How the fuzz programme makes inputs: random bytes, mutations of valid ones, and fields at
 * extremes.
 */

import type { Random } from "../support/random.ts";
import type { Field, FuzzedDecoder } from "./decoder.ts";

const EXTREMES: readonly number[] = [
  ...[0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000],
  ...[2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 63],
  2 ** 64 - 2 ** 11,
];
const MAX_RANDOM_BYTES = 96;
const MAX_INPUT_BYTES = 4096;

/** Random bytes, short ones more often, of few distinct values now and then. */
export function randomInput(random: Random): Uint8Array {
  const bytes = new Uint8Array(random.below(1 + random.below(MAX_RANDOM_BYTES)));
  const isNarrow = random.below(4) === 0;
  for (let i = 0; i < bytes.length; i++) {
    const word = random.uint32();
    bytes[i] = isNarrow ? word & 3 : word >>> 24;
  }
  return bytes;
}

/** A valid input with one to four accidents, after which half of them get right checksums. */
export function mutatedInput(
  decoder: FuzzedDecoder,
  base: Uint8Array,
  other: Uint8Array,
  random: Random,
): Uint8Array {
  let bytes: Uint8Array = base.slice();
  for (let count = 1 + random.below(4); count > 0; count--) bytes = mutate(bytes, other, random);
  if (random.below(2) === 0) decoder.reseal?.(bytes);
  return bytes;
}

/** A valid input with one field at an extreme, or next to its value, and right checksums. */
export function extremeInput(
  decoder: FuzzedDecoder,
  base: Uint8Array,
  random: Random,
): Uint8Array {
  const bytes = base.slice();
  const fields = decoder.fields(bytes);
  if (fields.length === 0) return bytes;
  setExtreme(bytes, random.pick(fields), random);
  if (random.below(8) === 0) setExtreme(bytes, random.pick(fields), random);
  decoder.reseal?.(bytes);
  return bytes;
}

function mutate(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const length = bytes.length;
  const at = random.below(length + 1);
  switch (random.below(8)) {
    case 0:
      if (at < length) bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      if (at < length) bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      return bytes;
    case 2:
      return bytes.slice(0, at);
    case 3:
      return spliced(bytes, at, random.below(Math.min(16, length - at) + 1), bytes, 0, 0);
    case 4: {
      const from = random.below(length + 1);
      const count = random.below(Math.min(64, length - from) + 1);
      return spliced(bytes, at, 0, bytes, from, from + count);
    }
    case 5: {
      const from = random.below(other.length + 1);
      return spliced(bytes, at, length - at, other, from, other.length);
    }
    case 6: {
      const width = random.pick([1, 2, 4, 8]);
      if (at + width <= length) setExtreme(bytes, { at, width }, random);
      return bytes;
    }
    default: {
      const random4 = new Uint8Array(1 + random.below(4)).fill(random.below(256));
      return spliced(bytes, at, 0, random4, 0, random4.length);
    }
  }
}

/** `bytes` with `removed` bytes at `at` replaced by `from[start, end)`. */
function spliced(
  bytes: Uint8Array,
  at: number,
  removed: number,
  from: Uint8Array,
  start: number,
  end: number,
): Uint8Array {
  const count = Math.min(end - start, Math.max(0, MAX_INPUT_BYTES - bytes.length));
  const result = new Uint8Array(bytes.length - removed + count);
  result.set(bytes.subarray(0, at));
  result.set(from.subarray(start, start + count), at);
  result.set(bytes.subarray(at + removed), at + count);
  return result;
}

function setExtreme(bytes: Uint8Array, { at, width, isBigEndian }: Field, random: Random): void {
  let present = 0;
  for (let i = 0; i < width; i++) {
    present += bytes[isBigEndian ? at + width - 1 - i : at + i]! * 2 ** (8 * i);
  }
  const near = random.below(3) === 0;
  let value = near ? Math.max(0, present + random.below(5) - 2) : random.pick(EXTREMES);
  if (!near && random.below(4) === 0) value = Math.max(0, bytes.length - random.below(12));
  for (let i = 0; i < width; i++) {
    bytes[isBigEndian ? at + width - 1 - i : at + i] = value % 256;
    value = Math.floor(value / 256);
  }
}
