/**
 * A small program for bundles_test.ts: it puts data through every codec and prints the outcome. It
 * imports nothing but the sources, so a bundle of it contains only the codecs.
 */

import { compressorFor, decompressorFor } from "../../src/compression/compressors.ts";
import { zstdCompressor } from "../../src/compression/zstd.ts";
import type { Compressor, Decompressor } from "../../src/compression/compressor.ts";

const input = new TextEncoder().encode("a key and its value; ".repeat(5000));

/** One line on a codec: "name codec-byte ok" or what went wrong. */
function report(name: string, writer: Compressor, reader: Decompressor | undefined): string {
  const block = new Uint8Array(writer.maxCompressedLength(input.length));
  const size = writer.compress(input, 0, input.length, block, 0);
  const output = new Uint8Array(input.length);
  reader?.decompress(block, 0, size, output, 0, input.length);
  const same = output.every((byte, index) => byte === input[index]);
  const small = name === "none" ? size === input.length : size < input.length / 10;
  return `${name} ${writer.codec} ${same && small ? "ok" : `wrong: ${size} bytes`}`;
}

const wasm = zstdCompressor(1, "wasm");
const lines: string[] = [report("wasm", wasm, wasm)];
for (const name of ["zstd", "snappy", "none"] as const) {
  const writer = compressorFor(name, 1);
  lines.push(report(name, writer, decompressorFor(writer.codec)));
}
console.log(lines.join("\n"));
