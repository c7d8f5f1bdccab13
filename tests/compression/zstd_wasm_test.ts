import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import { zstdCompressor } from "../../src/compression/zstd.ts";
import {
  ZSTD_WASM_MAX_CALL_BYTES,
  zstdWasmCompress,
  zstdWasmDecompress,
  zstdWasmMemory,
  zstdWasmMemoryBytes,
} from "../../src/compression/zstd_wasm.ts";
import { DecodeError } from "../../src/errors.ts";
import {
  ZSTD_WASM_DEFLATED_BASE64,
  ZSTD_WASM_DEFLATED_LENGTH,
  ZSTD_WASM_LENGTH,
  ZSTD_WASM_SHA256,
} from "../../wasm/generated/zstd_wasm.ts";
import { assertSameBytes, compressed, decompressed, structuredBytes } from "./codec_checks.ts";

const codec = zstdCompressor(1, "wasm");
const content = structuredBytes(16 << 10, 1);
const frame = compressed(codec, content);
/** A frame that is whole on the outside; inside, the literals of its only block have no tree. */
const damaged = frame.slice().fill(0xff, 10, 40);

test("The embedded module is the one that wasm/build.ts pins", () => {
  const deflated = Uint8Array.from(
    atob(ZSTD_WASM_DEFLATED_BASE64),
    (character) => character.charCodeAt(0),
  );
  assert.equal(deflated.length, ZSTD_WASM_DEFLATED_LENGTH);
  const wasm = inflateRawSync(deflated);
  assert.equal(wasm.length, ZSTD_WASM_LENGTH);
  assert.equal(createHash("sha256").update(wasm).digest("hex"), ZSTD_WASM_SHA256);
});

test("One instance serves all codecs, and its memory stays at 17 MB for blocks up to 1 MiB", () => {
  compressed(codec, content);
  const memory = zstdWasmMemory();
  for (let round = 0; round < 300; round++) {
    const input = structuredBytes(1 + round * 50, round);
    const level = (1 + round % 4) as 1 | 2 | 3 | 4;
    const one = compressed(zstdCompressor(level, "wasm"), input);
    assertSameBytes(decompressed(codec, one, input.length), input, `round ${round}`);
  }
  const mebibyte = structuredBytes(1 << 20, 2);
  assertSameBytes(decompressed(codec, compressed(codec, mebibyte), 1 << 20), mebibyte, "1 MiB");
  assert.equal(zstdWasmMemory(), memory);
  assert.ok(zstdWasmMemoryBytes() < 17e6, `${zstdWasmMemoryBytes()} bytes`);
});

test("Memory that a large block took is not kept", () => {
  const large = new Uint8Array(40 << 20);
  large[large.length - 1] = 1;
  const one = compressed(codec, large);
  assert.equal(zstdWasmMemoryBytes(), 0, "an instance that grew past 32 MiB is kept");
  assertSameBytes(decompressed(codec, one, large.length), large, "40 MiB");
  const medium = structuredBytes(3 << 20, 3);
  for (let round = 0; round < 4; round++) {
    assertSameBytes(decompressed(codec, compressed(codec, medium), 3 << 20), medium, "3 MiB");
    assert.ok(zstdWasmMemoryBytes() < 20 << 20, `${zstdWasmMemoryBytes()} bytes`);
  }
});

test("Blocks too large for WebAssembly are refused with advice, before any memory is taken", () => {
  const before = zstdWasmMemoryBytes();
  const small = new Uint8Array(8);
  const tooMany = ZSTD_WASM_MAX_CALL_BYTES + 1;
  const expected = { name: "RangeError", message: /use compression "none"/ };
  assert.throws(() => zstdWasmCompress(small, 0, 8, small, 0, tooMany, 1), expected);
  assert.throws(
    () => zstdWasmDecompress(frame, 0, frame.length, small, 0, tooMany),
    expected,
  );
  assert.equal(zstdWasmMemoryBytes(), before);
});

test("A decoder that fails inside says so and works again afterwards", () => {
  decompressed(codec, frame, content.length);
  const memory = zstdWasmMemory()!;
  new Uint8Array(memory.buffer).fill(0xff);
  assert.throws(() => decompressed(codec, frame, content.length), DecodeError);
  assertSameBytes(decompressed(codec, frame, content.length), content, "with a new instance");
  assert.notEqual(zstdWasmMemory(), memory);
});

test("A trap inside of the module is reported, and the next call works", () => {
  const large = structuredBytes(500_000, 4);
  const largeFrame = compressed(codec, large);
  for (const task of ["decompress", "compress"]) {
    // A refused frame drops the instance: the next one has small regions, which have to grow and
    // lead the module's allocator along pointers to nowhere.
    assert.throws(() => decompressed(codec, damaged, content.length), DecodeError);
    assert.equal(zstdWasmMemory(), undefined);
    assertSameBytes(compressed(codec, content), frame, "with a new instance");
    new Uint32Array(zstdWasmMemory()!.buffer).fill(0x7fff_fff0);
    if (task === "decompress") {
      assert.throws(() => decompressed(codec, largeFrame, large.length), {
        name: "DecodeError",
        message: /^zstd fails inside the frame/,
      });
    } else {
      assert.throws(() => compressed(codec, large), (error: unknown) => {
        assert.ok(error instanceof RangeError && error.cause instanceof WebAssembly.RuntimeError);
        return true;
      });
    }
    assert.equal(zstdWasmMemory(), undefined);
    assertSameBytes(decompressed(codec, largeFrame, large.length), large, task);
    assertSameBytes(compressed(codec, large), largeFrame, task);
  }
});

test("A compressor that fails inside says so and works again afterwards", () => {
  compressed(codec, content);
  const memory = zstdWasmMemory()!;
  new Uint8Array(memory.buffer).fill(0xff);
  assert.throws(() => compressed(codec, content), RangeError);
  assertSameBytes(compressed(codec, content), frame, "with a new instance");
  assert.notEqual(zstdWasmMemory(), memory);
});

test("An exhausted stack is not reported as bad bytes", () => {
  let failures = 0;
  const dive = (): void => {
    try {
      dive();
    } catch (error) {
      // Every frame on the way up tries with a little more stack than the one before.
      if (failures < 200) {
        failures++;
        try {
          decompressed(codec, frame, content.length);
        } catch (inner) {
          if (inner instanceof DecodeError) assert.fail(`bad bytes: ${inner.message}`);
        }
      }
      throw error;
    }
  };
  assert.throws(dive, RangeError);
  assert.equal(failures, 200);
  assertSameBytes(decompressed(codec, frame, content.length), content, "afterwards");
});

test("The application's own init() of the package does no harm, twice or more", async () => {
  const zstd = await import("@bokuweb/zstd-wasm");
  const own = structuredBytes(5000, 5);
  await zstd.init();
  zstd.compress(own, 1);
  assertSameBytes(compressed(codec, content), frame, "after one init");
  await zstd.init();
  zstd.compress(own, 1);
  assertSameBytes(compressed(codec, content), frame, "after two");
  assertSameBytes(decompressed(codec, frame, content.length), content, "after two");
});
