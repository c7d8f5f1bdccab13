/**
 * A large value that is stored compressed, in logs and value files:
 *
 *     0   u8   10
 *     1   u8   codec, as in a block's footer; never "none"
 *     2   u8   type byte of the value
 *     3   u32  length of the encoded value
 *     7        the encoded value, compressed
 *
 * A value is first tried on a sample, so that what does not shrink (pictures, archives, encrypted
 * data) costs next to nothing and is stored as it is. While all values shrink, there is no sample.
 */

import type { ByteWriter } from "../bytes/byte_writer.ts";
import { CODEC_NONE, type Compressor } from "../compression/compressor.ts";
import { decompressorFor } from "../compression/compressors.ts";
import { DecodeError } from "../errors.ts";
import { uninitializedBytes } from "../platform/natives.ts";
import { MAX_VALUE_BYTES, TYPE_PACKED } from "./value.ts";
import { mayBeLarge } from "./value_reference.ts";

/** Bytes in front of the compressed ones. */
export const PACKED_HEADER_BYTES = 7;

/** Pieces of a sample, and their length. */
const SAMPLE_PIECES = 4;
const PIECE_BYTES = 4096;
/** A value of less than two samples is its own sample. */
const SAMPLED_MIN = 2 * SAMPLE_PIECES * PIECE_BYTES;
/** A value that would save less than an eighth is stored as it is. */
const WORTH = 7 / 8;
/** After as many values in a row that were packed, the next ones are tried without a sample. */
const CONFIDENT_AFTER = 8;

/** Whether the value that starts at `start` is packed. */
export function isPacked(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === TYPE_PACKED;
}

/** The type byte of a packed value's content. */
export function packedType(bytes: Uint8Array, start: number): number | undefined {
  return bytes[start + 2];
}

/**
 * Decompresses the packed value in `bytes[start, end)` into new memory, which has `headroom` bytes
 * in front of the value.
 *
 * @throws {DecodeError} it is malformed
 */
export function unpackValue(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  headroom = 0,
): Uint8Array {
  if (end - start <= PACKED_HEADER_BYTES) {
    throw new DecodeError(`packed value has ${end - start} bytes`, start);
  }
  const codec = bytes[start + 1]!;
  const type = bytes[start + 2]!;
  const length = view.getUint32(start + 3, true);
  const decompressor = codec === CODEC_NONE ? undefined : decompressorFor(codec);
  if (decompressor === undefined) {
    throw new DecodeError(`packed value has the codec ${codec}, which can't be read here`, start);
  }
  if (!mayBeLarge(type)) {
    throw new DecodeError(`packed value has the type ${type}, expected that of a value`, start + 2);
  }
  const from = start + PACKED_HEADER_BYTES;
  if (
    length === 0 || length > MAX_VALUE_BYTES ||
    length > decompressor.maxDecompressedLength(bytes, from, end)
  ) {
    throw new DecodeError(`packed value claims ${length} bytes`, start + 3);
  }
  const value = uninitializedBytes(headroom + length);
  decompressor.decompress(bytes, from, end, value, headroom, length);
  if (value[headroom] !== type) {
    throw new DecodeError(
      `packed value has the type ${value[headroom]}, its header says ${type}`,
      start + 2,
    );
  }
  return value;
}

/** Packs values with one codec. */
export class ValuePacker {
  readonly #compressor: Compressor;
  #sample: Uint8Array | undefined;
  #packedSample: Uint8Array | undefined;
  /** Long values in a row that were packed. */
  #packedInRow = 0;

  /** Packs with this codec, which is not "none". */
  constructor(compressor: Compressor) {
    this.#compressor = compressor;
  }

  /**
   * Appends the value `from[start, end)` packed and returns true, or appends nothing and returns
   * false if that saves too little.
   */
  append(writer: ByteWriter, from: Uint8Array, start: number, end: number): boolean {
    if (end - start < SAMPLED_MIN) return this.#pack(writer, from, start, end);
    const isPacked =
      (this.#packedInRow >= CONFIDENT_AFTER || this.#isPromising(from, start, end)) &&
      this.#pack(writer, from, start, end);
    this.#packedInRow = isPacked ? this.#packedInRow + 1 : 0;
    return isPacked;
  }

  #pack(writer: ByteWriter, from: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    const compressor = this.#compressor;
    const at = writer.length;
    writer.reserve(PACKED_HEADER_BYTES + compressor.maxCompressedLength(length));
    const { bytes, view } = writer;
    const stored = compressor.compress(from, start, end, bytes, at + PACKED_HEADER_BYTES);
    if (PACKED_HEADER_BYTES + stored > length * WORTH) return false;
    bytes[at] = TYPE_PACKED;
    bytes[at + 1] = compressor.codec;
    bytes[at + 2] = from[start]!;
    view.setUint32(at + 3, length, true);
    writer.length = at + PACKED_HEADER_BYTES + stored;
    return true;
  }

  #isPromising(from: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    const sampleBytes = SAMPLE_PIECES * PIECE_BYTES;
    const compressor = this.#compressor;
    const sample = this.#sample ??= new Uint8Array(sampleBytes);
    const packed = this.#packedSample ??= new Uint8Array(
      compressor.maxCompressedLength(sampleBytes),
    );
    const distance = Math.floor((length - PIECE_BYTES) / (SAMPLE_PIECES - 1));
    for (let piece = 0; piece < SAMPLE_PIECES; piece++) {
      const at = start + piece * distance;
      sample.set(from.subarray(at, at + PIECE_BYTES), piece * PIECE_BYTES);
    }
    return compressor.compress(sample, 0, sampleBytes, packed, 0) <= sampleBytes * WORTH;
  }
}
