import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import type { CompressionLevel } from "../../src/compression/compressor.ts";
import { zstdCompressor } from "../../src/compression/zstd.ts";
import type { ZstdImplementation } from "../../src/compression/zstd.ts";
import { checkZstdFrame } from "../../src/compression/zstd_frame.ts";
import { zstdWasmGrowthCount } from "../../src/compression/zstd_wasm.ts";
import { DecodeError } from "../../src/errors.ts";
import {
  assertSameBytes,
  checkHostileInput,
  checkLengths,
  checkRoundTrips,
  checkTruncations,
  compressed,
  decompressed,
  inputs,
  structuredBytes,
} from "./codec_checks.ts";

const SEED = 20_261_122;
/** All three runtimes have their own zstd, so each of these runs everywhere. */
const implementations: readonly ZstdImplementation[] = ["wasm", "native", "auto"];
const levels: readonly CompressionLevel[] = [-1, 1, 2, 3, 4];

const text =
  ("the quick brown fox jumps over the lazy dog. the quick brown fox jumps over the lazy " +
    "dog! 0123456789 0123456789").repeat(3);

/** Frames in hexadecimal and their content. */
const goldenFrames: readonly (readonly [name: string, frame: string, content: string])[] = [
  ["raw block, size in 1 byte", "28b52ffd 20 05 290000 68656c6c6f", "hello"],
  ["raw block, size in 4 bytes", "28b52ffd a0 05000000 290000 68656c6c6f", "hello"],
  ["raw block, size in 8 bytes", "28b52ffd e0 0500000000000000 290000 68656c6c6f", "hello"],
  ["raw block, no size", "28b52ffd 00 00 290000 68656c6c6f", "hello"],
  ["raw block, no size, checksum", "28b52ffd 04 00 290000 68656c6c6f a36d9f88", "hello"],
  ["raw block, dictionary 0", "28b52ffd 21 00 05 290000 68656c6c6f", "hello"],
  ["two raw blocks", "28b52ffd 20 05 100000 6865 190000 6c6c6f", "hello"],
  ["repeated byte", "28b52ffd 20 c8 430600 61", "a".repeat(200)],
  ["compressed, size in 2 bytes", "28b52ffd 60 2c00 4d0000 10616101 00272ac002", "a".repeat(300)],
  ["nothing", "28b52ffd 20 00 010000", ""],
  [
    "compressed text",
    "28b52ffd604d005d0200840374686520717569636b2062726f776e20666f78206a756d7073206f766572207468652" +
    "06c617a7920646f672e2120303132333435363738390500303928a00806b8c409aa0218c22c03",
    text,
  ],
  [
    "compressed text, no size, checksum",
    "28b52ffd04005d0200840374686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206" +
    "c617a7920646f672e2120303132333435363738390500303928a00806b8c409aa0218c22c03a6593ab8",
    text,
  ],
];

/** Inputs that are not a single plain frame of "hello", and the reason that the error gives. */
const refusedFrames: readonly (readonly [name: string, frame: string, reason: RegExp])[] = [
  ["no bytes", "", /ends inside the frame header/],
  ["another magic number", "28b52ffc 20 05 290000 68656c6c6f", /magic number/],
  ["a skippable frame", "502a4d18 05000000 68656c6c6f", /magic number/],
  [
    "a skippable frame in front",
    "502a4d18 01000000 00 28b52ffd 20 05 290000 68656c6c6f",
    /magic number/,
  ],
  [
    "a skippable frame behind",
    "28b52ffd 20 05 290000 68656c6c6f 502a4d18 01000000 00",
    /9 bytes follow/,
  ],
  ["a byte behind", "28b52ffd 20 05 290000 68656c6c6f 00", /1 bytes follow/],
  [
    "two frames",
    "28b52ffd 00 00 190000 68656c 28b52ffd 00 00 110000 6c6f",
    /11 bytes follow/,
  ],
  ["a reserved descriptor bit", "28b52ffd 28 05 290000 68656c6c6f", /reserved bit/],
  ["a reserved block type", "28b52ffd 20 05 2f0000 68656c6c6f", /reserved type/],
  ["a dictionary", "28b52ffd 21 07 05 290000 68656c6c6f", /needs a dictionary/],
  ["a dictionary of 4 bytes", "28b52ffd 23 00000080 05 290000 68656c6c6f", /needs a dictionary/],
  ["a size of 2^32", "28b52ffd e0 0000000001000000 290000 68656c6c6f", /states 4294967296 bytes/],
  ["a size of 2^32 + 5", "28b52ffd e0 0500000001000000 290000 68656c6c6f", /states 4294967301/],
  ["a size of 2^63", "28b52ffd e0 0000000000000080 290000 68656c6c6f", /states 9223372036854/],
  ["a missing checksum", "28b52ffd 04 00 290000 68656c6c6f", /ends inside the frame checksum/],
  ["a wrong checksum", "28b52ffd 04 00 290000 68656c6c6f a36d9f89", /refuses the frame/],
  ["a block without a last one", "28b52ffd 20 05 280000 68656c6c6f", /ends inside a block header/],
];

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

/**
 * A frame of `count` blocks that each repeat a zero 131,072 times; `stated` is its content size.
 */
function bomb(count: number, stated: number | undefined): Uint8Array {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(stated ?? 0));
  const header = stated === undefined
    ? fromHex("28b52ffd 00 38") // a window of 128 KiB
    : Buffer.concat([fromHex("28b52ffd c0 38"), size]);
  const blocks = Buffer.alloc(count * 4);
  for (let index = 0; index < count; index++) {
    blocks.writeUIntLE((131_072 << 3) | (1 << 1) | (index === count - 1 ? 1 : 0), index * 4, 3);
  }
  return Uint8Array.from(Buffer.concat([header, blocks]));
}

test("zstd decodes what it encoded, at every level and on every path", () => {
  for (const implementation of implementations) {
    for (const level of levels) {
      const codec = zstdCompressor(level, implementation);
      checkRoundTrips(codec, codec);
    }
  }
});

test("zstd frames of WebAssembly and of the runtime are readable by one another", () => {
  checkRoundTrips(zstdCompressor(1, "wasm"), zstdCompressor(1, "native"));
  checkRoundTrips(zstdCompressor(1, "native"), zstdCompressor(1, "wasm"));
  checkRoundTrips(zstdCompressor(4, "native"), zstdCompressor(2, "wasm"));
});

test("zstd frames state their content size", () => {
  for (const implementation of implementations) {
    for (const [name, input] of inputs) {
      const frame = compressed(zstdCompressor(1, implementation), input);
      assert.ok(
        checkZstdFrame(frame, 0, frame.length, input.length),
        `${implementation}: ${name}`,
      );
    }
  }
});

test("zstd shrinks structured data and stores random data with little overhead", () => {
  for (const implementation of implementations) {
    const codec = zstdCompressor(1, implementation);
    const structured = inputs.get("16 KiB structured")!;
    const random = inputs.get("16 KiB random")!;
    assert.ok(compressed(codec, structured).length < structured.length / 3, implementation);
    assert.ok(compressed(codec, random).length < random.length + 20, implementation);
  }
});

test("zstd leaves literals as they are at level -1, by WebAssembly and by the runtime", () => {
  // Letters without a repetition to refer to: only coding their entropy makes them shorter.
  const letters = new Uint8Array(8192);
  let state = SEED;
  for (let i = 0; i < letters.length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    letters[i] = 97 + (state >>> 28);
  }
  for (const implementation of implementations) {
    const [fastest, coded] = ([-1, 1] as const).map((level) =>
      compressed(zstdCompressor(level, implementation), letters).length
    );
    assert.ok(fastest! >= letters.length * 0.95, `${implementation}: ${fastest} bytes at level -1`);
    assert.ok(coded! < letters.length * 0.6, `${implementation}: ${coded} bytes at level 1`);
  }
});

test("zstd decodes fixed frames of every header form", () => {
  for (const implementation of implementations) {
    const codec = zstdCompressor(1, implementation);
    for (const [name, frame, content] of goldenFrames) {
      const output = decompressed(codec, fromHex(frame), content.length);
      assert.equal(Buffer.from(output).toString("latin1"), content, `${implementation}: ${name}`);
    }
  }
});

test("zstd refuses anything but one whole plain frame", () => {
  for (const implementation of implementations) {
    const codec = zstdCompressor(1, implementation);
    for (const [name, frame, reason] of refusedFrames) {
      assert.throws(() => decompressed(codec, fromHex(frame), 5), (error: unknown) => {
        assert.ok(error instanceof DecodeError, `${implementation}: ${name}: ${error}`);
        assert.match(error.message, reason, `${implementation}: ${name}`);
        return true;
      });
    }
  }
});

test("zstd refuses every truncation of a frame", () => {
  for (const implementation of implementations) {
    checkTruncations(zstdCompressor(1, implementation));
  }
});

test("zstd refuses frames of another length than expected", () => {
  for (const implementation of implementations) checkLengths(zstdCompressor(1, implementation));
});

test("zstd refuses frames without a stated size that are longer or shorter than expected", () => {
  for (const implementation of implementations) {
    const codec = zstdCompressor(1, implementation);
    for (const frame of ["28b52ffd 00 00 290000 68656c6c6f", goldenFrames.at(-1)![1]]) {
      for (const length of [0, 4, 6, 332, 334, 100_000]) {
        assert.throws(
          () => decompressed(codec, fromHex(frame), length),
          DecodeError,
          `${implementation}: ${length}`,
        );
      }
    }
  }
});

test("zstd survives 2,000 damaged and random inputs on each path", () => {
  const growths = zstdWasmGrowthCount();
  for (const implementation of implementations) {
    const { refused, accepted } = checkHostileInput(
      zstdCompressor(1, implementation),
      SEED,
      2000,
    );
    assert.ok(
      refused > 500 && accepted > 50,
      `${implementation}: ${refused} of 2,000 refused, seed ${SEED}`,
    );
  }
  assert.equal(zstdWasmGrowthCount(), growths);
});

test("zstd stops a bomb of 1 GiB whose stated size is true, absent or a lie", () => {
  const growths = zstdWasmGrowthCount();
  for (const implementation of implementations) {
    for (const stated of [2 ** 30, undefined, 16_384, 131_072, 2 ** 31, 2 ** 32 + 131_072]) {
      for (const length of [16_384, 131_072]) {
        assert.throws(
          () => decompressed(zstdCompressor(1, implementation), bomb(8192, stated), length),
          DecodeError,
          `${implementation}: ${stated} bytes stated, ${length} expected`,
        );
      }
    }
  }
  assert.equal(zstdWasmGrowthCount(), growths);
});

test("zstd decodes repeated blocks in full when their length is expected", () => {
  for (const implementation of implementations) {
    for (const stated of [131_072 * 9, undefined]) {
      const output = decompressed(
        zstdCompressor(1, implementation),
        bomb(9, stated),
        131_072 * 9,
      );
      assertSameBytes(output, new Uint8Array(131_072 * 9), `${implementation}, ${stated}`);
    }
  }
});

test("zstd codecs of several levels may be used alternately", () => {
  for (const implementation of implementations) {
    const codecs = levels.map((level) => zstdCompressor(level, implementation));
    const frames = new Map<number, Uint8Array>();
    for (let round = 0; round < 40; round++) {
      const codec = codecs[round % codecs.length]!;
      const input = structuredBytes(1 + round * 997, SEED + round);
      const frame = compressed(codec, input);
      frames.set(round, frame);
      const earlier = round >> 1;
      assertSameBytes(
        decompressed(codecs[(round + 1) % codecs.length]!, frames.get(earlier)!, 1 + earlier * 997),
        structuredBytes(1 + earlier * 997, SEED + earlier),
        `${implementation}: round ${earlier} read in round ${round}, seed ${SEED}`,
      );
    }
  }
});
