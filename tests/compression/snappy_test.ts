import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { snappyCompressor } from "../../src/compression/snappy.ts";
import { DecodeError } from "../../src/errors.ts";
import {
  checkHostileInput,
  checkLengths,
  checkRoundTrips,
  checkTruncations,
  compressed,
  decompressed,
  inputs,
} from "./codec_checks.ts";

const SEED = 20_261_123;
const codec = snappyCompressor();

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function repeat(hex: string, count: number): string {
  return hex.repeat(count);
}

/** Blocks in hexadecimal and their content. */
const goldenBlocks: readonly (readonly [name: string, block: string, content: string])[] = [
  ["nothing", "00", ""],
  ["a literal", "05 10 68656c6c6f", "hello"],
  ["a literal with its length in 1 byte", "05 f0 04 68656c6c6f", "hello"],
  ["a literal with its length in 2 bytes", "05 f4 0400 68656c6c6f", "hello"],
  ["a literal with its length in 3 bytes", "05 f8 040000 68656c6c6f", "hello"],
  ["a literal with its length in 4 bytes", "05 fc 04000000 68656c6c6f", "hello"],
  ["a literal of 60 bytes", `3c ec ${repeat("62", 60)}`, "b".repeat(60)],
  ["a literal of 61 bytes", `3d f0 3c ${repeat("62", 61)}`, "b".repeat(61)],
  ["a literal of 300 bytes", `ac02 f4 2b01 ${repeat("63", 300)}`, "c".repeat(300)],
  ["a copy with its offset in 11 bits", "0a 00 61 15 01", "a".repeat(10)],
  ["a copy with its offset in 2 bytes", "0a 00 61 22 0100", "a".repeat(10)],
  ["a copy with its offset in 4 bytes", "0a 00 61 23 01000000", "a".repeat(10)],
  ["a copy of 1 byte", "03 04 6162 02 0200", "aba"],
  ["an overlapping copy of 64 bytes", "43 08 616263 fe 0300", "abc".repeat(22) + "a"],
  ["an overlapping copy at distance 5", "17 10 6162636465 46 0500", "abcde".repeat(4) + "abc"],
  [
    "a copy at distance 257",
    `8502 f4 0001 ${repeat("78", 256)}79 21 01`,
    "x".repeat(256) + "y" + "x".repeat(4),
  ],
  [
    "a plain copy of 64 bytes",
    `8001 fc 3f000000 ${repeat("3132333435363738", 8)} fe 4000`,
    "12345678".repeat(16),
  ],
  ["a length in 5 bytes", "8580808000 10 68656c6c6f", "hello"],
];

/** Blocks that are wrong for an expected length of 5. */
const refusedBlocks: readonly (readonly [name: string, block: string, reason: RegExp])[] = [
  ["no bytes", "", /no valid length/],
  ["a length that never ends", "8080808080 00", /no valid length/],
  ["a length of 2^34", "85808080 40 10 68656c6c6f", /states \d+ bytes/],
  ["another length", "06 10 68656c6c6f", /states 6 bytes, expected 5/],
  ["nothing but a length", "05", /ends after 0 of 5/],
  ["too few bytes", "05 0c 68656c6c", /ends after 4 of 5/],
  ["a literal past the input", "05 10 68656c6c", /passes the end of the input/],
  ["a literal past the output", "05 14 68656c6c6f6f", /passes the end of the output/],
  ["a literal behind a full output", "05 10 68656c6c6f 00 00", /passes the end of the output/],
  ["a literal without its length", "05 f4 04", /length is cut off/],
  ["a literal of 2^32 bytes", "05 fc ffffffff 68656c6c6f", /passes the end of the input/],
  ["a literal of 2^31 bytes", "05 fc ffffff7f 68656c6c6f", /passes the end of the input/],
  ["a copy with nothing before", "05 15 01", /reaches 1 bytes back, 0 are there/],
  ["a copy from too far back", "05 00 61 01 02", /reaches 2 bytes back, 1 are there/],
  ["a copy from 2^32-1 back", "05 00 61 0f ffffffff", /reaches 4294967295 bytes back/],
  ["a copy at distance 0", "05 00 61 01 00", /reaches 0 bytes back/],
  ["a copy past the output", "05 00 61 05 01", /passes the end of the output/],
  ["a copy without its offset", "05 00 61 01", /offset is cut off/],
  ["a copy with half an offset", "05 00 61 0e 01", /offset is cut off/],
  ["a copy with 3 bytes of offset", "05 00 61 0f 010000", /offset is cut off/],
];

test("snappy decodes what it encoded", () => {
  checkRoundTrips(codec, codec);
});

test("snappy shrinks structured data and stores random data with little overhead", () => {
  assert.ok(compressed(codec, inputs.get("16 KiB structured")!).length < (16 << 10) / 2);
  assert.ok(compressed(codec, inputs.get("16 KiB random")!).length < (16 << 10) + 50);
});

test("snappy decodes fixed blocks of every element form", () => {
  for (const [name, block, content] of goldenBlocks) {
    const output = decompressed(codec, fromHex(block), content.length);
    assert.equal(Buffer.from(output).toString("latin1"), content, name);
  }
});

test("snappy decodes copies of every length at every small distance", () => {
  for (let distance = 1; distance <= 70; distance++) {
    for (let run = 1; run <= 64; run++) {
      const seedText = Array.from({ length: distance }, (_, index) => index + 33);
      const length = distance + run;
      const block = Uint8Array.from([
        ...(length < 128 ? [length] : [(length & 127) | 128, length >> 7]),
        ...[0xf0, distance - 1],
        ...seedText,
        ...[((run - 1) << 2) | 2, distance, 0],
      ]);
      const expected = Array.from({ length }, (_, index) => (index % distance) + 33);
      assert.deepEqual(
        [...decompressed(codec, block, length)],
        expected,
        `${run} bytes at distance ${distance}`,
      );
    }
  }
});

test("snappy refuses blocks whose lengths or offsets are wrong", () => {
  for (const [name, block, reason] of refusedBlocks) {
    assert.throws(() => decompressed(codec, fromHex(block), 5), (error: unknown) => {
      assert.ok(error instanceof DecodeError, `${name}: ${error}`);
      assert.match(error.message, reason, name);
      return true;
    });
  }
});

test("snappy returns for the ten bytes on which the decoder of snappyjs never ends", () => {
  const block = fromHex("04 fc faffffff 01020304");
  assert.throws(() => decompressed(codec, block, 4), DecodeError);
});

test("snappy refuses every truncation of a block", () => {
  checkTruncations(codec);
});

test("snappy refuses blocks of another length than expected", () => {
  checkLengths(codec);
});

test("snappy survives 2,000 damaged and random inputs", () => {
  const { refused, accepted } = checkHostileInput(codec, SEED, 2000);
  assert.ok(refused > 500 && accepted > 50, `${refused} of 2,000 refused, seed ${SEED}`);
});

test("snappy does not write outside of the given buffer", () => {
  const block = fromHex("05 10 68656c6c6f");
  assert.throws(
    () => codec.decompress(block, 0, block.length, new Uint8Array(4), 0, 5),
    RangeError,
  );
});
