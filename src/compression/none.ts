/**
 * The codec that stores bytes as they are (codec byte 2), for data that does not compress and for
 * values that are too large for the other codecs.
 */

import { DecodeError } from "../errors.ts";
import { CODEC_NONE } from "./compressor.ts";
import type { Compressor } from "./compressor.ts";

/** The codec that copies. */
export function noneCompressor(): Compressor {
  return copying;
}

const copying: Compressor = {
  codec: CODEC_NONE,

  maxCompressedLength(length: number): number {
    return length;
  },

  compress(from: Uint8Array, start: number, end: number, into: Uint8Array, offset: number): number {
    into.set(from.subarray(start, end), offset);
    return end - start;
  },

  statedLength(_from: Uint8Array, start: number, end: number): number {
    return end - start;
  },

  maxDecompressedLength(_from: Uint8Array, start: number, end: number): number {
    return end - start;
  },

  decompress(
    from: Uint8Array,
    start: number,
    end: number,
    into: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if (end - start !== length) {
      throw new DecodeError(`it holds ${end - start} stored bytes, expected ${length}`, 0);
    }
    into.set(from.subarray(start, end), offset);
  },
};
