/**
 * Codecs by the name that options use, and by the byte in a block footer. The table writer looks up
 * by name, the table reader by byte.
 */

import { CODEC_MINLZ, CODEC_NONE, CODEC_SNAPPY, CODEC_ZSTD } from "./compressor.ts";
import type { CompressionLevel, CompressionName, Compressor, Decompressor } from "./compressor.ts";
import { minlzDecompressor } from "./minlz.ts";
import { noneCompressor } from "./none.ts";
import { snappyCompressor } from "./snappy.ts";
import { hasZstd, zstdCompressor } from "./zstd.ts";

/** Names of the codecs that can be read here, for messages. */
export const readableCodecs: string = `${hasZstd ? "zstd, " : ""}snappy, none and MinLZ`;

/**
 * The codec to write with. `level` matters to zstd only.
 *
 * @throws {RangeError} there is no zstd here (`hasZstd` of zstd.ts)
 */
export function compressorFor(name: CompressionName, level: CompressionLevel): Compressor {
  switch (name) {
    case "zstd":
      return zstdCompressor(level);
    case "snappy":
      return snappyCompressor();
    case "none":
      return noneCompressor();
  }
}

const zstdDecompressor: Decompressor | undefined = hasZstd ? zstdCompressor(1) : undefined;

/**
 * The codec to read blocks with, or undefined for a codec byte that this library does not know or
 * cannot read here.
 */
export function decompressorFor(codec: number): Decompressor | undefined {
  switch (codec) {
    case CODEC_ZSTD:
      return zstdDecompressor;
    case CODEC_SNAPPY:
      return snappyCompressor();
    case CODEC_NONE:
      return noneCompressor();
    case CODEC_MINLZ:
      return minlzDecompressor();
    default:
      return undefined;
  }
}
