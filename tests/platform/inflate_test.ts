/** The portable inflate, against zlib's deflate and against damage. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, deflateRawSync } from "node:zlib";
import { inflate } from "../../src/platform/inflate.ts";
import { decodeBase64, inflateRaw } from "../../src/platform/natives.ts";
import { ZSTD_WASM_DEFLATED_BASE64, ZSTD_WASM_LENGTH } from "../../wasm/generated/zstd_wasm.ts";
import type { Random } from "../support/random.ts";
import { withSeed } from "../support/seeded.ts";

/** Bytes that deflate finds something to do with: noise, few symbols, and repeats. */
function sample(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const end = Math.min(length, at + 1 + random.below(300));
    const kind = random.below(3);
    const distance = 1 + random.below(at + 1);
    for (; at < end; at++) {
      if (kind === 0) bytes[at] = random.below(256);
      else if (kind === 1) bytes[at] = 65 + random.below(4);
      else bytes[at] = bytes[at - distance] ?? 0;
    }
  }
  return bytes;
}

/** As deepEqual, which is slow for this many bytes. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

test("The embedded module inflates to the same bytes without zlib as with it", () => {
  const deflated = decodeBase64(ZSTD_WASM_DEFLATED_BASE64);
  const found = inflate(deflated, ZSTD_WASM_LENGTH);
  assert.equal(found.length, ZSTD_WASM_LENGTH);
  assert.ok(isSame(found, inflateRaw(deflated, ZSTD_WASM_LENGTH)));
});

test("Every kind of deflate block inflates to what was deflated", () => {
  const strategies = [
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_HUFFMAN_ONLY,
    constants.Z_RLE,
    constants.Z_FIXED,
  ];
  for (let seed = 1; seed <= 40; seed++) {
    withSeed(seed, (random) => {
      const content = sample(random, random.pick([0, 1, 100, 5000, 70_000, 200_000]));
      for (const level of [0, 1, 6, 9]) {
        const strategy = random.pick(strategies);
        const deflated = deflateRawSync(content, { level, strategy });
        const found = inflate(deflated, content.length);
        assert.ok(isSame(found, content), `level ${level}, strategy ${strategy}`);
      }
    });
  }
});

test("Damaged deflate data is a RangeError or other bytes, and never more than is allowed", () => {
  for (let seed = 1; seed <= 300; seed++) {
    withSeed(seed, (random) => {
      const content = sample(random, 2000);
      const deflated = Uint8Array.from(deflateRawSync(content));
      if (random.below(3) > 0) deflated[random.below(deflated.length)]! ^= 1 << random.below(8);
      const cut = deflated.subarray(0, deflated.length - random.below(3));
      try {
        assert.ok(inflate(cut, 2000).length <= 2000);
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    });
  }
  const deflated = deflateRawSync(new Uint8Array(1000));
  assert.throws(() => inflate(deflated, 999), RangeError);
  for (let length = 0; length < deflated.length; length++) {
    assert.throws(() => inflate(deflated.subarray(0, length), 1000), RangeError, `${length}`);
  }
});
