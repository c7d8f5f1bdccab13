/**
 * The contract of a block codec, and the codec bytes on disk.
 *
 * A codec works on caller-owned buffers and is synchronous. It must stay safe on hostile input:
 * bounded time, memory bounded by the stated output size, and a DecodeError instead of a wrong
 * result as far as the format itself can tell. The caller has checked the CRC of the stored bytes
 * first: no codec notices every flipped bit.
 *
 * The bytes are those of the Go TinyKVS (v0.4.0 and later): 0 zstd, 1 snappy, 2 none, 3 MinLZ. MinLZ
 * is only read.
 */

/** Name of a codec that this library can write. */
export type CompressionName = "zstd" | "snappy" | "none";

/**
 * zstd level: -1 is the fastest, 4 the smallest. From 1 on, literals are entropy-coded, which takes a tenth to a
 * third off the size and 1.5 to 3 times as long to decompress.
 */
export type CompressionLevel = -1 | 1 | 2 | 3 | 4;

/** The codec bytes of a block footer. */
export const CODEC_ZSTD = 0;
export const CODEC_SNAPPY = 1;
export const CODEC_NONE = 2;
export const CODEC_MINLZ = 3;

/** The half of a codec that reads. One instance may be used by one call at a time only. */
export interface Decompressor {
  /** The codec byte. */
  readonly codec: number;
  /**
   * The uncompressed length that `from[start, end)` itself states, or undefined where it states none
   * or is broken so early that it can't. Reads a few bytes; checks nothing else.
   */
  statedLength(from: Uint8Array, start: number, end: number): number | undefined;
  /**
   * A bound of the uncompressed length of `from[start, end)`, whatever it states: what a caller may
   * allocate for it on the word of somebody else. Broken input gives any such bound.
   */
  maxDecompressedLength(from: Uint8Array, start: number, end: number): number;
  /**
   * Decompresses `from[start, end)` to exactly `into[offset, offset + length)`.
   *
   * @throws {DecodeError} the input is not one whole frame of exactly `length` bytes
   */
  decompress(
    from: Uint8Array,
    start: number,
    end: number,
    into: Uint8Array,
    offset: number,
    length: number,
  ): void;
}

/** A codec that writes, too. */
export interface Compressor extends Decompressor {
  /** The largest output that `compress` can give for `length` input bytes. */
  maxCompressedLength(length: number): number;
  /**
   * Compresses `from[start, end)` to `into[offset...]`, which has room for
   * `maxCompressedLength(end - start)`. Returns the count written.
   */
  compress(from: Uint8Array, start: number, end: number, into: Uint8Array, offset: number): number;
}
