import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CODEC_MINLZ,
  CODEC_NONE,
  CODEC_SNAPPY,
  CODEC_ZSTD,
} from "../../src/compression/compressor.ts";
import { compressorFor, decompressorFor } from "../../src/compression/compressors.ts";
import { checkRoundTrips } from "./codec_checks.ts";

test("compressorFor() and decompressorFor() agree on the codec bytes 0, 1 and 2", () => {
  const names = ["zstd", "snappy", "none"] as const;
  const codecs = names.map((name) => compressorFor(name, 2).codec);
  assert.deepEqual(codecs, [CODEC_ZSTD, CODEC_SNAPPY, CODEC_NONE]);
  assert.deepEqual(codecs, [0, 1, 2]);
  for (const name of names) {
    const writer = compressorFor(name, 2);
    const reader = decompressorFor(writer.codec)!;
    assert.equal(reader.codec, writer.codec);
    checkRoundTrips(writer, reader);
  }
});

test("decompressorFor() reads MinLZ by the byte 3, which no name writes", () => {
  assert.equal(CODEC_MINLZ, 3);
  assert.equal(decompressorFor(3)!.codec, 3);
});

test("decompressorFor() knows no codec for other bytes", () => {
  for (const codec of [4, 127, 255, -1, 0.5, NaN]) {
    assert.equal(decompressorFor(codec), undefined, String(codec));
  }
});
