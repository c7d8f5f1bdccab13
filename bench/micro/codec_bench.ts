/**
 * The block codecs on a data block of 16 KiB of db_bench's entries: decompressing it by each codec
 * that can be in a table (zstd at two levels, by WebAssembly and by the runtime, too), and
 * compressing it by those that this library writes.
 *
 * A get that misses the cache decompresses one block, most of its cost with zstd; compaction
 * decompresses and compresses all it touches. Which zstd runs where: docs/decisions/0002.
 */

import type { Compressor, Decompressor } from "../../src/compression/compressor.ts";
import { compressorFor } from "../../src/compression/compressors.ts";
import { minlzDecompressor } from "../../src/compression/minlz.ts";
import { zstdCompressor } from "../../src/compression/zstd.ts";
import { nativeZstd } from "../../src/platform/natives.ts";
import { minlzCompress } from "../../tests/compression/minlz_encoder.ts";
import type { MicroCase } from "./micro_case.ts";
import { blockPayload, stored } from "./micro_data.ts";

const BLOCKS = 32;
/** A prime: the bytes that are summed lie all over the block. */
const STRIDE = 509;

/** The cases. */
export function codecCases(): MicroCase[] {
  const payload = blockPayload();
  let picked = 0;
  for (let n = 0; n < BLOCKS; n++) picked += payload[n * STRIDE]!;
  const decompress = (name: string, codec: Decompressor, block: Uint8Array): MicroCase => {
    const into = new Uint8Array(payload.length);
    codec.decompress(block, 0, block.length, into, 0, into.length);
    if (!into.every((byte, at) => byte === payload[at])) {
      throw new Error(`Cannot bench ${name}: the block does not come back as it was`);
    }
    return {
      name: `decompress ${name}`,
      operations: BLOCKS,
      expected: picked,
      run: () => {
        let sum = 0;
        for (let n = 0; n < BLOCKS; n++) {
          into[n * STRIDE] = 0;
          codec.decompress(block, 0, block.length, into, 0, into.length);
          sum += into[n * STRIDE]!;
        }
        return sum;
      },
    };
  };
  const compress = (name: string, codec: Compressor): MicroCase => {
    const into = new Uint8Array(codec.maxCompressedLength(payload.length));
    const length = codec.compress(payload, 0, payload.length, into, 0);
    return {
      name: `compress ${name}, ratio ${(payload.length / length).toFixed(2)}`,
      operations: BLOCKS,
      expected: BLOCKS * length,
      run: () => {
        let sum = 0;
        for (let n = 0; n < BLOCKS; n++) {
          sum += codec.compress(payload, 0, payload.length, into, 0);
        }
        return sum;
      },
    };
  };
  const zstdBlock = stored("zstd", payload);
  return [
    decompress("zstd level -1", zstdCompressor(-1), stored("zstd", payload, -1)),
    decompress("zstd", zstdCompressor(1), zstdBlock),
    decompress("zstd by WebAssembly", zstdCompressor(1, "wasm"), zstdBlock),
    ...(nativeZstd === undefined
      ? []
      : [decompress("zstd by the runtime", zstdCompressor(1, "native"), zstdBlock)]),
    decompress("snappy", compressorFor("snappy", 1), stored("snappy", payload)),
    decompress("minlz", minlzDecompressor(), minlzCompress(payload)),
    decompress("none", compressorFor("none", 1), payload),
    compress("zstd level -1", compressorFor("zstd", -1)),
    compress("zstd level 1", compressorFor("zstd", 1)),
    compress("snappy", compressorFor("snappy", 1)),
  ];
}
