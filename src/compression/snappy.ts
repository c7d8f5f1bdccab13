/**
 * The snappy codec, raw block format (codec byte 1): `snappyjs` compresses, the decoder is here.
 *
 * snappyjs' own decoder never returns on some inputs of ten bytes, and accepts truncated ones, so
 * stored bytes never reach it. This decoder checks every length and offset before it copies. It
 * advances in the input with every element, so it ends after at most `end - start` elements of
 * bounded output. Copying words of 4 bytes makes it up to twice as fast as byte by byte.
 *
 * ```text
 * uncompressed length, varint | elements
 * element by the low two bits of its tag byte:
 *   0 literal   length-1 in the upper 6 bits; 60-63: it is in the next 1-4 bytes instead
 *   1 copy      length-4 in bits 2-4, offset in bits 5-7 (high) and the next byte
 *   2 copy      length-1 in the upper 6 bits, offset u16
 *   3 copy      length-1 in the upper 6 bits, offset u32
 * ```
 *
 * Source: https://github.com/google/snappy/blob/main/format_description.txt; independent
 * implementation of that description.
 */

import * as snappyjs from "snappyjs/snappy_compressor.js";
import { DecodeError } from "../errors.ts";
import { CODEC_SNAPPY } from "./compressor.ts";
import type { Compressor } from "./compressor.ts";

/** The part of snappyjs that is used; the package has no types. */
interface SnappyJs {
  SnappyCompressor: new (input: Uint8Array) => {
    compressToBuffer(output: Uint8Array): number;
  };
}

const { SnappyCompressor } = snappyjs as unknown as SnappyJs;

/** Runs longer than this are copied by the engine's own call, shorter ones by words. */
const LONG_RUN_BYTES = 48;

/** Copying by words may touch this many bytes past a run. */
const WORD_SLACK = 3;

/** The snappy codec. */
export function snappyCompressor(): Compressor {
  return snappy;
}

const snappy: Compressor = {
  codec: CODEC_SNAPPY,

  maxCompressedLength(length: number): number {
    return 32 + length + Math.floor(length / 6);
  },

  compress(from: Uint8Array, start: number, end: number, into: Uint8Array, offset: number): number {
    return new SnappyCompressor(from.subarray(start, end)).compressToBuffer(into.subarray(offset));
  },

  statedLength(from: Uint8Array, start: number, end: number): number | undefined {
    return readLength(from, start, end)?.stated;
  },

  /** The densest element is a copy of 64 bytes in 3. */
  maxDecompressedLength(_from: Uint8Array, start: number, end: number): number {
    return Math.ceil((end - start) * 64 / 3);
  },

  decompress(
    from: Uint8Array,
    start: number,
    end: number,
    into: Uint8Array,
    offset: number,
    length: number,
  ): void {
    decodeElements(from, start, checkLength(from, start, end, length), end, into, offset, length);
  },
};

/** Checks the varint at the start and returns the position after it. */
function checkLength(from: Uint8Array, start: number, end: number, length: number): number {
  const found = readLength(from, start, end);
  if (found === undefined) {
    throw new DecodeError("the snappy block has no valid length at its start", 0);
  }
  if (found.stated === length) return found.position;
  throw new DecodeError(`the snappy block states ${found.stated} bytes, expected ${length}`, 0);
}

/** Reads the varint at the start; undefined if it is cut off or longer than 5 bytes. */
function readLength(
  from: Uint8Array,
  start: number,
  end: number,
): { stated: number; position: number } | undefined {
  let stated = 0;
  let scale = 1;
  for (let position = start; position < end && position < start + 5; position++) {
    const byte = from[position]!;
    stated += (byte & 0x7f) * scale;
    if (byte < 0x80) return { stated, position: position + 1 };
    scale *= 128;
  }
  return undefined;
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
  if (outputEnd > into.length || end > from.length) {
    throw new RangeError(
      `Cannot decompress to [${offset}, ${outputEnd}): the buffer has ${into.length} bytes`,
    );
  }
  const source = new DataView(from.buffer, from.byteOffset, from.length);
  const target = new DataView(into.buffer, into.byteOffset, into.length);
  // Words may be read and written up to these offsets; surplus bytes are overwritten later.
  const lastSourceRun = end - WORD_SLACK;
  const lastTargetRun = outputEnd - WORD_SLACK;
  let output = offset;
  while (position < end) {
    const tag = from[position]!;
    const element = position++;
    if ((tag & 3) === 0) {
      let run = (tag >> 2) + 1;
      if (run > 60) {
        const size = run - 60;
        if (size > end - position) throw failure("a literal's length is cut off", element - start);
        run = readLittleEndian(from, position, size) + 1;
        position += size;
      }
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

    let run: number;
    let distance: number;
    if ((tag & 3) === 1) {
      if (end - position < 1) throw failure("a copy's offset is cut off", element - start);
      run = ((tag >> 2) & 7) + 4;
      distance = ((tag & 0xe0) << 3) | from[position]!;
      position += 1;
    } else if ((tag & 3) === 2) {
      if (end - position < 2) throw failure("a copy's offset is cut off", element - start);
      run = (tag >> 2) + 1;
      distance = from[position]! | (from[position + 1]! << 8);
      position += 2;
    } else {
      if (end - position < 4) throw failure("a copy's offset is cut off", element - start);
      run = (tag >> 2) + 1;
      distance = readLittleEndian(from, position, 4);
      position += 4;
    }
    if (distance === 0 || distance > output - offset) {
      throw failure(
        `a copy reaches ${distance} bytes back, ${output - offset} are there`,
        element - start,
      );
    }
    if (run > outputEnd - output) {
      throw failure(`a copy of ${run} bytes passes the end of the output`, element - start);
    }
    // Source and destination may overlap: then the bytes just written repeat.
    if (run > LONG_RUN_BYTES && distance >= run) {
      into.copyWithin(output, output - distance, output - distance + run);
      output += run;
    } else if (distance >= 4 && output + run <= lastTargetRun) {
      const runStart = output - distance;
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
    throw failure(`the snappy block ends after ${output - offset} of ${length} bytes`, end - start);
  }
}

/** An unsigned number of 1-4 bytes. */
function readLittleEndian(from: Uint8Array, position: number, size: number): number {
  let value = 0;
  for (let index = size - 1; index >= 0; index--) value = value * 256 + from[position + index]!;
  return value;
}

function failure(message: string, offset: number): DecodeError {
  return new DecodeError(message, offset);
}
