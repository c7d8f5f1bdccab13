/** What compressed bytes say of their length, and what they can hold at most, whatever they say. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { compressorFor } from "../../src/compression/compressors.ts";
import type { Compressor } from "../../src/compression/compressor.ts";
import { withSeed } from "../support/seeded.ts";

const names = ["zstd", "snappy", "none"] as const;

function compress(codec: Compressor, content: Uint8Array): Uint8Array {
  const into = new Uint8Array(codec.maxCompressedLength(content.length) + 5).fill(0xaa);
  const length = codec.compress(content, 0, content.length, into, 5);
  return into.subarray(0, 5 + length);
}

test("Compressor.statedLength gives the length of what every codec wrote", () => {
  for (let seed = 1; seed <= 20; seed++) {
    withSeed(seed, (random) => {
      for (const name of names) {
        const codec = compressorFor(name, 1);
        const length = random.pick([1, 20, 255, 256, 257, 5000, 65_791, 65_792, 200_000, 300_000]);
        const content = new Uint8Array(length);
        const kinds = 1 + random.below(256);
        for (let i = 0; i < length; i++) content[i] = random.below(kinds);
        const stored = compress(codec, content);
        assert.equal(codec.statedLength(stored, 5, stored.length), length, name);
        assert.ok(codec.maxDecompressedLength(stored, 5, stored.length) >= length, name);
      }
    });
  }
});

test("Compressor.maxDecompressedLength covers the data that shrinks most", () => {
  for (const name of names) {
    const codec = compressorFor(name, 1);
    for (const length of [1, 1000, 131_072, 131_073, 2_000_000]) {
      const stored = compress(codec, new Uint8Array(length));
      assert.ok(codec.maxDecompressedLength(stored, 5, stored.length) >= length, name);
    }
  }
});

test("Compressor.statedLength of zstd is undefined if a frame states no length or is cut off", () => {
  const codec = compressorFor("zstd", 1);
  const plain = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x50, 0x09, 0, 0, 1, 0, 0, 0, 0);
  assert.equal(codec.statedLength(plain, 0, plain.length), undefined);
  assert.equal(codec.maxDecompressedLength(plain, 0, plain.length), 1);
  const stored = compress(codec, new Uint8Array(100_000));
  for (let end = 5; end < 5 + 9; end++) assert.equal(codec.statedLength(stored, 5, end), undefined);
  assert.equal(codec.statedLength(new Uint8Array(20), 0, 20), undefined);
});

test("Compressor.statedLength of snappy is undefined if the length is cut off or too long", () => {
  const codec = compressorFor("snappy", 1);
  assert.equal(codec.statedLength(Uint8Array.of(), 0, 0), undefined);
  assert.equal(codec.statedLength(Uint8Array.of(0x80, 0x80), 0, 2), undefined);
  assert.equal(codec.statedLength(new Uint8Array(9).fill(0x80), 0, 9), undefined);
  assert.equal(codec.statedLength(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), 0, 5), 2 ** 32 - 1);
});

test("Compressor.statedLength and maxDecompressedLength accept random bytes", () => {
  withSeed(5, (random) => {
    for (let i = 0; i < 20_000; i++) {
      const bytes = new Uint8Array(random.below(40));
      for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256);
      if (bytes.length > 4 && random.below(2) === 0) bytes.set([0x28, 0xb5, 0x2f, 0xfd]);
      for (const name of names) {
        const codec = compressorFor(name, 1);
        const stated = codec.statedLength(bytes, 0, bytes.length);
        assert.ok(stated === undefined || stated >= 0);
        const most = codec.maxDecompressedLength(bytes, 0, bytes.length);
        assert.ok(most >= 0 && most <= bytes.length * 131_072, `${name}: ${most}`);
      }
    }
  });
});

test("Sizes that a zstd frame states from 2^32 to 2^64 are read without losing their size, and refused", () => {
  const codec = compressorFor("zstd", 1);
  // One raw block of a byte, after a content size of eight bytes.
  const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xe0, ...new Uint8Array(8), 9, 0, 0, 0x41);
  const view = new DataView(frame.buffer);
  const into = new Uint8Array(16);
  for (
    const stated of [2n ** 32n, 2n ** 32n + 1n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 64n - 1n]
  ) {
    view.setBigUint64(5, stated, true);
    assert.equal(codec.statedLength(frame, 0, frame.length), Number(stated));
    for (const expected of [0, 1, 2 ** 31]) {
      const decompress = (): void => codec.decompress(frame, 0, frame.length, into, 0, expected);
      assert.throws(decompress, { name: "DecodeError" }, `${stated}, ${expected} expected`);
    }
    assert.equal(codec.maxDecompressedLength(frame, 0, frame.length), 1);
  }
  view.setBigUint64(5, 1n, true);
  codec.decompress(frame, 0, frame.length, into, 0, 1);
  assert.equal(into[0], 0x41);
});
