import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "../../src/bytes/crc32.ts";
import { crc32Combine } from "../../src/bytes/crc32_combine.ts";
import { Random } from "../support/random.ts";

function crcOf(bytes: Uint8Array): number {
  return crc32(bytes, new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length);
}

test("The CRC of two pieces follows from those of each, for every place of the cut", () => {
  const random = new Random(37);
  const bytes = Uint8Array.from({ length: 3000 }, () => random.below(256));
  const whole = crcOf(bytes);
  for (let cut = 0; cut <= bytes.length; cut += 1 + random.below(40)) {
    const [first, second] = [bytes.slice(0, cut), bytes.slice(cut)];
    assert.equal(crc32Combine(crcOf(first), crcOf(second), second.length), whole, `cut at ${cut}`);
  }
  assert.equal(crc32Combine(whole, 0, 0), whole);
});
