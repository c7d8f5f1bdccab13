/**
 * The MinLZ decoder on fixed blocks, one a form of an element, and on every kind of wrong block.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { minlzDecompressor } from "../../src/compression/minlz.ts";
import { DecodeError } from "../../src/errors.ts";
import { checkLengths, checkRoundTrips, checkTruncations, decompressed } from "./codec_checks.ts";
import { minlzCodec } from "./minlz_encoder.ts";

const codec = minlzDecompressor();

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function hexOf(text: string): string {
  return Buffer.from(text, "latin1").toString("hex");
}

/** 64 bytes that don't repeat. */
const text64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** A literal of them: tag 29 << 3 (length 30 + next byte), 64 - 30 = 0x22, the bytes. */
const literal64 = `e8 22 ${hexOf(text64)}`;
/**
 * A literal of one x, then 65,535 more by a repeat at distance 1: 31 << 3 | 4, 65535 - 30 = 0xffe1.
 */
const xs65536 = "00 78 fc e1ff00";
/** 65,536 bytes: the 64, and 65,472 x (65,471 - 30 = 0xffa1). */
const head = `${literal64} 00 78 fc a1ff00`;
const headText = text64 + "x".repeat(65_472);

/**
 * Blocks in hexadecimal, byte by byte from the specification, and their content. Before them come
 * the first byte 0 and the length as a varint.
 */
const goldenBlocks: readonly (readonly [name: string, block: string, content: string])[] = [
  ["nothing, as the first byte alone", "00", ""],
  ["nothing, as a plain block", "00 00", ""],
  ["a plain block", "00 00 68656c6c6f", "hello"],
  ["a plain block after a padded length", "00 8080808000 68656c6c6f", "hello"],
  // Literal of 5: (5 - 1) << 3. The repeat of 3 after it, (3 - 1) << 3 | 4, is there because the
  // elements of a block may not be longer than its content.
  ["a literal in its tag", "00 08 20 68656c6c6f 14", "helloooo"],
  ["a length padded to 10 bytes", "00 88808080808080808000 20 68656c6c6f 14", "helloooo"],
  // 28 << 3: the longest in the tag.
  ["a literal of 29 bytes", `00 20 e0 ${"62".repeat(29)} 14`, "b".repeat(32)],
  // 29 << 3, then 30 - 30.
  ["a literal of 30 bytes", `00 21 e8 00 ${"62".repeat(30)} 14`, "b".repeat(33)],
  // 29 << 3, then 285 - 30 = 255.
  ["a literal of 285 bytes", `00 a002 e8 ff ${"62".repeat(285)} 14`, "b".repeat(288)],
  // 30 << 3, then 286 - 30 = 0x0100.
  ["a literal of 286 bytes", `00 a202 f0 0001 ${"62".repeat(286)} 1c`, "b".repeat(290)],
  // 31 << 3, then 65,566 - 30 = 0x010000.
  [
    "a literal of 65,566 bytes",
    `00 a38004 f8 000001 ${"62".repeat(65_566)} 24`,
    "b".repeat(65_571),
  ],
  // x, then (4 - 1) << 3 | 4: a repeat before any copy is at distance 1 (the specification's
  // example).
  ["a repeat before any copy", "00 05 00 78 1c", "xxxxx"],
  ["a repeat of 1 byte", "00 05 00 78 04 14", "xxxxx"],
  // 29 << 3 | 4, then 40 - 30.
  ["a repeat with its length in 1 byte", "00 29 00 78 ec 0a", "x".repeat(41)],
  // 30 << 3 | 4, then 300 - 30 = 0x010e.
  ["a repeat with its length in 2 bytes", "00 ad02 00 78 f4 0e01", "x".repeat(301)],
  ["a repeat with its length in 3 bytes", `00 808004 ${xs65536}`, "x".repeat(65_536)],
  // xab, then copy1 at 2 of 4: 1 | 0 << 2 | (2 - 1) << 6 = 0x41, upper bits 0 (the example again).
  ["a copy1", "00 07 10 786162 41 00", "xababab"],
  // copy1 at 3 of 18: 1 | 14 << 2 | 2 << 6 = 0xb9; then a literal; then a repeat of 3 at 3.
  [
    "a literal keeps the distance for a repeat",
    "00 19 10 616263 b9 00 00 64 14",
    "abc".repeat(7) + "dbcd",
  ],
  // copy1 at 1 of 19: 1 | 15 << 2 | 0 << 6 = 0x3d, upper bits 0, then 19 - 18.
  ["a copy1 with its length in 1 byte", "00 14 00 61 3d 00 01", "a".repeat(20)],
  ["a copy1 of 273 bytes", "00 9202 00 61 3d 00 ff", "a".repeat(274)],
  // copy1 at 64 of 4: 63 = 0b11 | 15 << 2: 1 | 3 << 6 = 0xc1, 0x0f.
  ["a copy1 at distance 64", `00 44 ${literal64} c1 0f`, text64 + text64.slice(0, 4)],
  // b, a, 1,022 more (30 << 3 | 4, 1022 - 30 = 0x03e0), copy1 at 1,024: 1,023 = 0xff << 2 | 3.
  [
    "a copy1 at distance 1,024",
    "00 8408 00 62 00 61 f4 e003 c1 ff",
    `b${"a".repeat(1023)}baaa`,
  ],
  // copy2 at 64 of 4: 2 | 0 << 2, 64 - 64.
  ["a copy2", `00 48 ${literal64} 02 0000 1c`, text64 + text64.slice(0, 8)],
  // 60 << 2 | 2 = 0xf2: the longest in the tag.
  ["a copy2 of 64 bytes", `00 8001 ${literal64} f2 0000`, text64.repeat(2)],
  // 61 << 2 | 2 = 0xf6, then 128 - 64: it overlaps itself.
  ["a copy2 with its length in 1 byte", `00 c001 ${literal64} f6 0000 40`, text64.repeat(3)],
  // 62 << 2 | 2 = 0xfa, then 640 - 64 = 0x0240.
  ["a copy2 with its length in 2 bytes", `00 c005 ${literal64} fa 0000 4002`, text64.repeat(11)],
  // 63 << 2 | 2 = 0xfe, then 65,600 - 64 = 0x010000.
  [
    "a copy2 with its length in 3 bytes",
    `00 808104 ${literal64} fe 0000 000001`,
    text64.repeat(1026).slice(0, 65_664),
  ],
  // The 64, 65,535 x, the last 65,534 by a repeat (fc, 65534 - 30 = 0xffe0); 65,599 - 64 = 0xffff.
  [
    "a copy2 at distance 65,599",
    `00 c38004 ${literal64} 00 78 fc e0ff00 02 ffff`,
    `${text64}${"x".repeat(65_535)}ABCD`,
  ],
  // 3 | 0 << 2 | (1 - 1) << 3 | (4 - 4) << 5; distance 65 - 64 after the literal; the literal.
  ["a fused copy2 of 1 literal", `00 49 ${literal64} 03 0100 2d 1c`, `${text64}-ABCDEFGH`],
  // 3 | (4 - 1) << 3 | (11 - 4) << 5 = 0xfb; distance 68 - 64; 4 literals.
  [
    "a fused copy2 of 4 literals",
    `00 4f ${literal64} fb 0400 2d2e2c3b`,
    `${text64}-.,;${text64.slice(0, 11)}`,
  ],
  // 3 | (2 - 1) << 3, distance 66 - 64, 2 literals; (4 - 1) << 3 | 4: 4 more at the same distance.
  [
    "a repeat after a fused copy",
    `00 4b ${literal64} 0b 0200 2d2e 1c 00 21`,
    `${text64}-.ABCDEFGH!`,
  ],
  // 7 | length code << 5 | (65,536 - 65,536) << 11, as u32.
  ["a copy3", `00 848004 ${head} 07000000`, `${headText}ABCD`],
  ["a copy3 of 64 bytes", `00 c08004 ${head} 87070000`, headText + text64],
  [
    "a copy3 with its length in 1 byte",
    `00 808104 ${head} a7070000 40`,
    headText + headText.slice(0, 128),
  ],
  [
    "a copy3 with its length in 2 bytes",
    `00 808504 ${head} c7070000 4002`,
    headText + headText.slice(0, 640),
  ],
  [
    "a copy3 with its length in 3 bytes",
    `00 c08008 ${head} e7070000 000001`,
    headText + headText + text64,
  ],
  // 7 | 3 << 3 | (65,539 - 65,536) << 11 = 0x181f, then the literals.
  ["a copy3 of 3 literals", `00 878004 ${head} 1f180000 2d2e2c`, `${headText}-.,ABCD`],
  // The length comes before the literal: 7 | 1 << 3 | 61 << 5 | 1 << 11 = 0x0faf, 65 - 64, "-".
  [
    "a copy3 of 1 literal with its length in 1 byte",
    `00 c28004 ${head} af0f0000 01 2d`,
    `${headText}-${text64}x`,
  ],
  // 2,162,623 x (fc, 2,162,622 - 30 = 0x20ffa0); 7 | (2^21 - 1) << 11 = 0xfffff807.
  [
    "a copy3 at distance 2,162,687",
    `00 83808401 ${literal64} 00 78 fc a0ff20 07f8ffff`,
    `${text64}${"x".repeat(2_162_623)}ABCD`,
  ],
];

test("MinLZ decodes fixed blocks of every element form", () => {
  for (const [name, block, content] of goldenBlocks) {
    const bytes = fromHex(block);
    const output = decompressed(codec, bytes, content.length);
    assert.equal(Buffer.from(output).toString("latin1"), content, name);
    assert.equal(codec.statedLength(bytes, 0, bytes.length), content.length, name);
    assert.ok(codec.maxDecompressedLength(bytes, 0, bytes.length) >= content.length);
  }
});

/** Blocks that are wrong for an expected length of 5. */
const refusedBlocks: readonly (readonly [name: string, block: string, reason: RegExp])[] = [
  ["no bytes", "", /block is empty/],
  ["a snappy block", "05 10 68656c6c6f", /begins with 0, found 5/],
  ["the first byte alone", "00", /states 0 bytes, expected 5/],
  ["a length that is cut off", "00 85", /no valid length/],
  ["a length that never ends", `00 ${"80".repeat(11)}`, /no valid length/],
  ["a length above 8 MiB", "00 81808004 20 68656c6c6f", /states 8388609 bytes, at most 8388608/],
  ["a length of 2^63", "00 80808080808080808001 00", /at most 8388608 are allowed/],
  ["another length", "00 06 20 68656c6c6f", /states 6 bytes, expected 5/],
  ["a plain block of another length", "00 00 68656c6c", /states 4 bytes, expected 5/],
  ["nothing but a length", "00 05", /ends after 0 of 5/],
  ["too few bytes", "00 05 18 68656c6c", /ends after 4 of 5/],
  ["more bytes than it makes", "00 05 00 68 00 65 10 6c6c6f", /needs 8 bytes for 5/],
  ["a literal past the input", "00 05 20 68656c", /literal of 5 bytes passes the end of the input/],
  [
    "a literal past the output",
    "00 05 00 68 1c 00 62",
    /literal of 1 bytes passes the end of the output/,
  ],
  ["a literal without its length", "00 05 00 68 e8", /length is cut off/],
  ["a literal with half of its length", "00 05 00 68 f0 00", /length is cut off/],
  ["a literal with a third of its length", "00 05 00 68 f8 0000", /length is cut off/],
  ["a literal of 2^24 bytes", "00 05 f8 ffffff 68", /literal of 16777245 bytes passes/],
  ["a repeat with nothing before", "00 05 24", /reaches 1 bytes back, 0 are there/],
  ["a repeat past the output", "00 05 00 61 24", /copy of 5 bytes passes the end of the output/],
  ["a copy1 without its distance", "00 05 00 61 01", /distance is cut off/],
  ["a copy1 without its length", "00 05 00 61 3d 00", /length is cut off/],
  ["a copy1 from too far back", "00 05 00 61 41 00", /reaches 2 bytes back, 1 are there/],
  ["a copy1 past the output", "00 05 00 61 05 00", /copy of 5 bytes passes the end of the output/],
  ["a copy2 without its distance", "00 05 00 61 02", /distance is cut off/],
  ["a copy2 with half of its distance", "00 05 00 61 02 00", /distance is cut off/],
  ["a copy2 without its length", "00 05 f6 0000", /length is cut off/],
  ["a copy2 from too far back", "00 05 00 61 020000", /reaches 64 bytes back, 1 are there/],
  ["a fused copy2 without its distance", "00 05 00 61 03 00", /distance is cut off/],
  [
    "a fused copy2 without its literals",
    "00 05 0b 0000 61",
    /2 literals pass the end of the input/,
  ],
  ["a fused copy2 past the output", "00 05 0b 0000 6161", /copy of 2 \+ 4 bytes passes the end/],
  ["a fused copy2 from too far back", "00 05 03 0000 61", /reaches 64 bytes back, 1 are there/],
  ["a copy3 without its distance", "00 05 00 61 07 0000", /distance is cut off/],
  ["a copy3 without its length", "00 05 a7 070000", /length is cut off/],
  ["a copy3 from too far back", "00 05 07 000000", /reaches 65536 bytes back, 0 are there/],
  ["a copy3 without its literals", "00 05 0f 000000", /1 literals pass the end of the input/],
];

test("MinLZ refuses blocks whose lengths or distances are wrong, with the offset of the element", () => {
  for (const [name, block, reason] of refusedBlocks) {
    const bytes = Uint8Array.of(0xee, 0xee, ...fromHex(block));
    const into = new Uint8Array(9).fill(0xdd);
    assert.throws(() => codec.decompress(bytes, 2, bytes.length, into, 2, 5), (error: unknown) => {
      assert.ok(error instanceof DecodeError, `${name}: ${error}`);
      assert.match(error.message, reason, name);
      assert.ok(error.offset >= 0 && error.offset <= bytes.length - 2, `${name}: ${error.offset}`);
      return true;
    });
    assert.deepEqual([...into.subarray(0, 2), ...into.subarray(7)], [0xdd, 0xdd, 0xdd, 0xdd], name);
  }
});

test("MinLZ names the offset of the element that is wrong", () => {
  const bytes = fromHex("00 05 00 61 41 00");
  assert.throws(
    () => decompressed(codec, bytes, 5),
    (error) => error instanceof DecodeError && error.offset === 4,
  );
});

test("MinLZ states no length for blocks without one, and at most 8 MiB for any block", () => {
  for (const block of ["", "01", "00 80", `00 ${"80".repeat(12)}`, "00 81808004"]) {
    const bytes = fromHex(block);
    assert.equal(codec.statedLength(bytes, 0, bytes.length), undefined, block);
  }
  assert.equal(codec.maxDecompressedLength(new Uint8Array(0), 0, 0), 8 << 20);
});

test("MinLZ decodes 8 MiB of one byte from ten, in steps that double", () => {
  // A literal of 1, then a repeat of 8,388,607: 31 << 3 | 4, 8,388,607 - 30 = 0x7fffe1.
  const bytes = fromHex("00 80808004 00 07 fc e1ff7f");
  const content = decompressed(codec, bytes, 8 << 20);
  assert.ok(content.every((byte) => byte === 7));
});

test("MinLZ decodes what the compressor of the tests encoded", () => {
  checkRoundTrips(minlzCodec, codec);
});

test("MinLZ refuses every truncation of a block", () => {
  checkTruncations(minlzCodec);
});

test("MinLZ refuses blocks of another length than expected", () => {
  checkLengths(minlzCodec);
});

test("MinLZ does not read or write outside of the given buffers", () => {
  const block = fromHex("00 05 20 68656c6c6f");
  const into = new Uint8Array(4);
  assert.throws(() => codec.decompress(block, 0, block.length, into, 0, 5), RangeError);
  const small = block.subarray(0, 6);
  assert.throws(() => codec.decompress(small, 0, 8, new Uint8Array(5), 0, 5), RangeError);
});
