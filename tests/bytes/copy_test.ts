import assert from "node:assert/strict";
import { test } from "node:test";
import { copyRange } from "../../src/bytes/copy.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";

test("copyRange copies ranges of every length, from and to any offset, and nothing beside them", () => {
  const random = new Random(1);
  const from = randomBytes(700, random);
  const fromView = new DataView(from.buffer, from.byteOffset);
  for (let length = 0; length <= 260; length++) {
    for (const [start, at] of [[0, 0], [1, 2], [3, 0], [random.below(300), random.below(300)]]) {
      const into = new Uint8Array(700).fill(0xaa);
      const expected = into.slice();
      expected.set(from.subarray(start!, start! + length), at!);
      const view = new DataView(into.buffer);
      copyRange(from, fromView, start!, start! + length, into, view, at!);
      assert.deepEqual(into, expected, `${length} bytes from ${start} to ${at}`);
    }
  }
});

test("copyRange refuses a range that leaves the target", () => {
  const from = new Uint8Array(300);
  const fromView = new DataView(from.buffer);
  for (const length of [16, 4, 250]) {
    const into = new Uint8Array(length - 1);
    assert.throws(
      () => copyRange(from, fromView, 0, length, into, new DataView(into.buffer), 0),
      RangeError,
    );
  }
});
