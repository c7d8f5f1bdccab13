/** The order of keys, against Buffer.compare and byte loops. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { commonPrefixLength, compareRanges, keyWord } from "../../src/bytes/compare.ts";

const SEED = 20251;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Puts `bytes` at an offset inside something else, so that offsets and ends are seen to count. */
function embedded(bytes: Uint8Array, before: number): DataView {
  const around = new Uint8Array(before + bytes.length + 9).fill(0xa5);
  around.set(bytes, before);
  return viewOf(around);
}

/** Pairs that often share a prefix and often differ in sign bits. */
const pairs = fc.tuple(
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ maxLength: 12 }),
  fc.uint8Array({ maxLength: 12 }),
).map(([prefix, a, b]) =>
  [Uint8Array.of(...prefix, ...a), Uint8Array.of(...prefix, ...b)] as const
);

test("compareRanges() orders golden pairs by unsigned bytes, prefixes first", () => {
  const ascending = ["", "00", "0000", "00ff", "7f", "7fffffff", "80", "80000000", "8000000000"]
    .concat(["80000001", "ff", "ffffffff", "ffffffff00", "ffffffff01", "ffffffffff"])
    .map((hex) => Buffer.from(hex, "hex"));
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries()) {
      const order = compareRanges(embedded(a, 3), 3, 3 + a.length, embedded(b, 1), 1, 1 + b.length);
      assert.equal(
        Math.sign(order),
        Math.sign(i - j),
        `${a.toString("hex")}, ${b.toString("hex")}`,
      );
    }
  }
});

test("compareRanges() agrees with Buffer.compare", () => {
  fc.assert(
    fc.property(pairs, fc.nat(7), fc.nat(7), ([a, b], x, y) => {
      const order = compareRanges(embedded(a, x), x, x + a.length, embedded(b, y), y, y + b.length);
      assert.equal(Math.sign(order), Buffer.compare(a, b));
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

test("commonPrefixLength() agrees with a byte loop", () => {
  fc.assert(
    fc.property(pairs, fc.nat(7), fc.nat(7), ([a, b], x, y) => {
      let expected = 0;
      while (expected < a.length && expected < b.length && a[expected] === b[expected]) expected++;
      const found = commonPrefixLength(
        ...[embedded(a, x), x, x + a.length] as const,
        ...[embedded(b, y), y, y + b.length] as const,
      );
      assert.equal(found, expected);
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

test("keyWord() is the first four bytes, with zeros after a shorter key", () => {
  const cases = [["", 0], ["ff", 0xff000000], ["0102", 0x01020000], [
    "ff02fe",
    0xff02fe00,
  ]] as const;
  for (const [hex, word] of [...cases, ["fffefdfcfb", 0xfffefdfc]] as const) {
    const bytes = Buffer.from(hex, "hex");
    assert.equal(keyWord(embedded(bytes, 2), 2, 2 + bytes.length), word, hex);
  }
});

test("keyWord() never contradicts compareRanges()", () => {
  fc.assert(
    fc.property(pairs, ([a, b]) => {
      const words = keyWord(viewOf(a), 0, a.length) - keyWord(viewOf(b), 0, b.length);
      if (words === 0) return;
      const order = compareRanges(viewOf(a), 0, a.length, viewOf(b), 0, b.length);
      assert.equal(Math.sign(words), Math.sign(order));
    }),
    { seed: SEED, numRuns: 2000 },
  );
});
