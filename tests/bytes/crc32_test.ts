/** CRC-32 against published check values, and the two implementations against each other. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { crc32, slicedCrc32 } from "../../src/bytes/crc32.ts";
import { nativeCrc32 } from "../../src/platform/natives.ts";

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const pattern = Uint8Array.from({ length: 2048 }, (_, i) => (i * i * 31 + i * 7) >>> 3);

test("crc32() gives the published check values", () => {
  const cases = [["", 0], ["a", 0xe8b7be43], ["123456789", 0xcbf43926]] as const;
  for (const [text, expected] of cases) {
    const bytes = Buffer.from(text);
    assert.equal(crc32(bytes, viewOf(bytes), 0, bytes.length), expected, text);
    assert.equal(slicedCrc32(viewOf(bytes), 0, bytes.length, 0), expected, text);
  }
});

test("slicedCrc32() equals the native CRC for every length and offset", () => {
  const view = viewOf(pattern);
  for (let start = 0; start < 9; start++) {
    for (let end = start; end < 200; end++) {
      const expected = nativeCrc32(pattern.subarray(start, end));
      assert.equal(slicedCrc32(view, start, end, 0), expected, `[${start}, ${end})`);
    }
  }
});

test("crc32() is the same on both sides of its crossovers", () => {
  const view = viewOf(pattern);
  for (let end = 0; end <= pattern.length; end++) {
    assert.equal(crc32(pattern, view, 0, end), slicedCrc32(view, 0, end, 0), `[0, ${end})`);
    assert.equal(
      crc32(pattern, view, end, 2048),
      slicedCrc32(view, end, 2048, 0),
      `[${end}, 2048)`,
    );
  }
});

test("crc32() continues from a seed wherever the bytes are cut", () => {
  const view = viewOf(pattern);
  const whole = crc32(pattern, view, 0, 1000);
  for (let cut = 0; cut <= 1000; cut++) {
    const front = crc32(pattern, view, 0, cut);
    assert.equal(crc32(pattern, view, cut, 1000, front), whole, `cut at ${cut}`);
  }
});

test("crc32() reads views into a larger buffer by their own offsets", () => {
  const bytes = pattern.subarray(100, 1100);
  for (const length of [10, 700]) {
    const expected = nativeCrc32(pattern.subarray(105, 105 + length));
    assert.equal(crc32(bytes, viewOf(bytes), 5, 5 + length), expected);
  }
});
