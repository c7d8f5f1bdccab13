/**
 * The contract of a block codec, and the codec bytes on disk.
 *
 * A codec works on caller-owned buffers and is synchronous. It must stay safe on hostile input:
 * bounded time, memory bounded by the stated output size, and a DecodeError in place of a wrong
 * result as far as the format itself can detect it. The caller has checked the CRC of the stored
 * bytes first: no codec notices every flipped bit.
 *
 * The bytes are those of the Go TinyKVS (v0.4.0 and later): 0 zstd, 1 snappy, 2 none, 3 MinLZ.
 * MinLZ is only read.
 */

/** Name of a codec that this library can write. */
export type CompressionName = "zstd" | "snappy" | "none";

/**
 * zstd level: -1 is the fastest, 4 the smallest. From 1 on, literals are entropy-coded, which makes
 * the output smaller and decompression slower (docs/decisions/0014-compression-level.md).
 */
export type CompressionLevel = -1 | 1 | 2 | 3 | 4;

/** The codec bytes of a block footer. */
export const CODEC_ZSTD = 0;
export const CODEC_SNAPPY = 1;
export const CODEC_NONE = 2;
export const CODEC_MINLZ = 3;

/** The reading half of a codec. Only one call at a time may use an instance. */
export interface Decompressor {
  /** The codec byte. */
  readonly codec: number;
  /**
   * The uncompressed length that `from[start, end)` itself states, or undefined if it states none
   * or is broken so early that it can't. Reads a few bytes; checks nothing else.
   */
  statedLength(from: Uint8Array, start: number, end: number): number | undefined;
  /**
   * A bound on the uncompressed length of `from[start, end)`, whatever the input states: a caller
   * may allocate that much for input that it does not trust. For broken input it is any such bound.
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

/** A codec that also writes. */
export interface Compressor extends Decompressor {
  /** The largest output that `compress` can give for `length` input bytes. */
  maxCompressedLength(length: number): number;
  /**
   * Compresses `from[start, end)` to `into[offset...]`, which has room for
   * `maxCompressedLength(end - start)`. Returns the count written.
   */
  compress(from: Uint8Array, start: number, end: number, into: Uint8Array, offset: number): number;
}
