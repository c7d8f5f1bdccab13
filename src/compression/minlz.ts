/**
 * The MinLZ block format (codec byte 3), the default of the Go TinyKVS from v0.11 on: decoding
 * only. This library writes zstd, so tables that are compacted here lose their MinLZ blocks.
 *
 * This implements the block format of the MinLZ specification v1.0, without its fallback to Snappy
 * for a first byte other than 0: Go's encoder never writes that. Source:
 * https://github.com/minio/minlz/blob/main/SPEC.md (Apache-2.0); written from that text.
 *
 * ```text
 * 0 | uncompressed length, varint, at most 8 MiB | elements         (0 alone: no content)
 * 0 | 0                                          | the content as it is
 * element by the low two bits of its tag byte, numbers little-endian:
 *   0        bits 3-7 length, 0-28: +1; 29, 30, 31: 30 + the next 1, 2, 3 bytes
 *            bit 2 not set: literal, its bytes follow; set: repeat, a copy at the last distance
 *   1 copy   distance 10 bits (bits 6-7, then the next byte) +1
 *            bits 2-5 length, 0-14: +4; 15: 18 + the next byte
 *   2 copy   distance u16 +64; bits 2-7 length as below
 *   3 copy   bit 2 not set: distance u16 +64, bits 5-7 length +4, bits 3-4 count of literals +1
 *            set, in u32 with the tag: bits 11-31 distance +65536, bits 5-10 length as below,
 *            bits 3-4 count of literals
 *            literals follow distance and length, and come before the copied bytes
 *   length   0-60: +4; 61, 62, 63: 64 + the next 1, 2, 3 bytes
 * ```
 *
 * The distance counts from the place that the bytes are copied to, and is 1 before the first copy.
 * The elements of a block may not take more bytes than they produce. Every length and distance is
 * checked before anything is copied. Every element advances in the input, so input and output bound
 * the work.
 */

import { DecodeError } from "../errors.ts";
import { CODEC_MINLZ, type Decompressor } from "./compressor.ts";

/** The most that a block holds. */
const MAX_CONTENT_BYTES = 8 << 20;

/** The longest varint that Go reads; more than four bytes only pad. */
const MAX_VARINT_BYTES = 10;

/** Runs longer than this are copied by the engine's own call, shorter ones in words. */
const LONG_RUN_BYTES = 48;

/** Copying by words may touch this many bytes past a run. */
const WORD_SLACK = 3;

/** The MinLZ decoder. */
export function minlzDecompressor(): Decompressor {
  return minlz;
}

const minlz: Decompressor = {
  codec: CODEC_MINLZ,

  statedLength(from: Uint8Array, start: number, end: number): number | undefined {
    const header = readHeader(from, start, end);
    return typeof header === "string" ? undefined : header.length;
  },

  /** Four bytes may repeat a byte 16 million times: only the format's own limit bounds a block. */
  maxDecompressedLength(): number {
    return MAX_CONTENT_BYTES;
  },

  decompress(
    from: Uint8Array,
    start: number,
    end: number,
    into: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if (offset + length > into.length || end > from.length) {
      throw new RangeError(
        `Cannot decompress to [${offset}, ${offset + length}): the buffer has ${into.length} bytes`,
      );
    }
    const header = readHeader(from, start, end);
    if (typeof header === "string") throw new DecodeError(header, 0);
    if (header.length !== length) {
      throw new DecodeError(`the MinLZ block states ${header.length} bytes, expected ${length}`, 0);
    }
    const { position } = header;
    if (header.plain) {
      into.set(from.subarray(position, end), offset);
    } else if (end - position > length) {
      throw new DecodeError(
        `the MinLZ block needs ${end - position} bytes for ${length}`,
        position - start,
      );
    } else {
      decodeElements(from, start, position, end, into, offset, length);
    }
  },
};

/** The part before the elements, or the reason why a block cannot begin like this. */
function readHeader(
  from: Uint8Array,
  start: number,
  end: number,
): { length: number; plain: boolean; position: number } | string {
  if (start >= end) return "the MinLZ block is empty";
  if (from[start] !== 0) return `a MinLZ block begins with 0, found ${from[start]}`;
  if (start + 1 === end) return { length: 0, plain: true, position: end };
  let length = 0;
  let scale = 1;
  const last = Math.min(end, start + 1 + MAX_VARINT_BYTES);
  for (let position = start + 1; position < last; position++) {
    const byte = from[position]!;
    length += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte >= 0x80) continue;
    const plain = length === 0;
    if (plain) length = end - position - 1;
    if (length > MAX_CONTENT_BYTES) {
      return `the MinLZ block states ${length} bytes, at most ${MAX_CONTENT_BYTES} are allowed`;
    }
    return { length, plain, position: position + 1 };
  }
  return "the MinLZ block has no valid length at its start";
}

function decodeElements(
  from: Uint8Array,
  start: number,
  position: number,
  end: number,
  into: Uint8Array,
  offset: number,
  length: number,
): void {
  const outputEnd = offset + length;
  const source = new DataView(from.buffer, from.byteOffset, from.length);
  const target = new DataView(into.buffer, into.byteOffset, into.length);
  // Words may be read and written up to these offsets; surplus bytes are overwritten later.
  const lastSourceRun = end - WORD_SLACK;
  const lastTargetRun = outputEnd - WORD_SLACK;
  let output = offset;
  let distance = 1;
  while (position < end) {
    const element = position;
    const tag = from[position++]!;
    let run: number;
    if ((tag & 3) === 0) {
      run = (tag >> 3) + 1;
      if (run > 29) {
        const size = run - 29;
        if (size > end - position) throw failure("a length is cut off", element - start);
        run = 30 + littleEndian(from, position, size);
        position += size;
      }
      if ((tag & 4) === 0) {
        if (run > end - position) {
          throw failure(`a literal of ${run} bytes passes the end of the input`, element - start);
        }
        if (run > outputEnd - output) {
          throw failure(`a literal of ${run} bytes passes the end of the output`, element - start);
        }
        if (run > LONG_RUN_BYTES) {
          into.set(from.subarray(position, position + run), output);
          position += run;
          output += run;
        } else if (position + run <= lastSourceRun && output + run <= lastTargetRun) {
          for (let index = 0; index < run; index += 4) {
            target.setUint32(output + index, source.getUint32(position + index, true), true);
          }
          position += run;
          output += run;
        } else {
          const runEnd = position + run;
          while (position < runEnd) into[output++] = from[position++]!;
        }
        continue;
      }
    } else if ((tag & 3) === 1) {
      if (position >= end) throw failure("a copy's distance is cut off", element - start);
      distance = ((from[position++]! << 2) | (tag >> 6)) + 1;
      run = ((tag >> 2) & 15) + 4;
      if (run === 19) {
        if (position >= end) throw failure("a length is cut off", element - start);
        run = 18 + from[position++]!;
      }
    } else {
      let literals = 0;
      if ((tag & 7) === 7) {
        if (end - position < 3) throw failure("a copy's distance is cut off", element - start);
        const low = from[position]!;
        run = ((tag >> 5) | ((low & 7) << 3)) + 4;
        distance = 65_536 +
          ((low >> 3) | (from[position + 1]! << 5) | (from[position + 2]! << 13));
        position += 3;
        literals = (tag >> 3) & 3;
      } else {
        if (end - position < 2) throw failure("a copy's distance is cut off", element - start);
        distance = 64 + (from[position]! | (from[position + 1]! << 8));
        position += 2;
        if ((tag & 3) === 2) {
          run = (tag >> 2) + 4;
        } else {
          run = (tag >> 5) + 4;
          literals = ((tag >> 3) & 3) + 1;
        }
      }
      if (run > 64) {
        const size = run - 64;
        if (size > end - position) throw failure("a length is cut off", element - start);
        run = 64 + littleEndian(from, position, size);
        position += size;
      }
      if (literals > 0) {
        if (literals > end - position) {
          throw failure(`${literals} literals pass the end of the input`, element - start);
        }
        if (literals + run > outputEnd - output) {
          throw failure(
            `a copy of ${literals} + ${run} bytes passes the end of the output`,
            element - start,
          );
        }
        if (position + 4 <= end) {
          // The copy that follows has 4 bytes or more, so it overwrites the surplus bytes.
          target.setUint32(output, source.getUint32(position, true), true);
          position += literals;
          output += literals;
        } else {
          const runEnd = position + literals;
          while (position < runEnd) into[output++] = from[position++]!;
        }
      }
    }

    if (distance > output - offset) {
      throw failure(
        `a copy reaches ${distance} bytes back, ${output - offset} are there`,
        element - start,
      );
    }
    if (run > outputEnd - output) {
      throw failure(`a copy of ${run} bytes passes the end of the output`, element - start);
    }
    // Source and destination may overlap: then the bytes just written repeat.
    const runStart = output - distance;
    if (run > LONG_RUN_BYTES) {
      if (distance >= run) into.copyWithin(output, runStart, runStart + run);
      else fillWithPattern(into, runStart, output, output + run);
      output += run;
    } else if (distance >= 4 && output + run <= lastTargetRun) {
      for (let index = 0; index < run; index += 4) {
        target.setUint32(output + index, target.getUint32(runStart + index, true), true);
      }
      output += run;
    } else {
      const runEnd = output + run;
      while (output < runEnd) {
        into[output] = into[output - distance]!;
        output++;
      }
    }
  }
  if (output !== outputEnd) {
    throw failure(`the MinLZ block ends after ${output - offset} of ${length} bytes`, end - start);
  }
}

/** Repeats `bytes[patternStart, start)` in `[start, end)`, twice as much with every step. */
function fillWithPattern(
  bytes: Uint8Array,
  patternStart: number,
  start: number,
  end: number,
): void {
  if (start - patternStart === 1) {
    bytes.fill(bytes[patternStart]!, start, end);
    return;
  }
  for (let at = start; at < end;) {
    const count = Math.min(at - patternStart, end - at);
    bytes.copyWithin(at, patternStart, patternStart + count);
    at += count;
  }
}

/** An unsigned number of 1-3 bytes. */
function littleEndian(from: Uint8Array, position: number, size: number): number {
  let value = from[position]!;
  if (size > 1) value |= from[position + 1]! << 8;
  if (size > 2) value |= from[position + 2]! << 16;
  return value;
}

function failure(message: string, offset: number): DecodeError {
  return new DecodeError(message, offset);
}
