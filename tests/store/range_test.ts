// Ranges as users give them: their checks, and the bounds that come of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoundKey, type Range, resolveRange, successor } from "../../src/store/range.ts";

function hex(bound: BoundKey | undefined): string | undefined {
  return bound === undefined
    ? undefined
    : Array.from(bound.bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function boundsOf(range: Range): (string | undefined)[] {
  const { lower, upper } = resolveRange(range);
  return [hex(lower), hex(upper)];
}

test("resolveRange makes an inclusive lower and an exclusive upper bound", () => {
  const cases: [Range, string | undefined, string | undefined][] = [
    [{}, undefined, undefined],
    [{ gte: "a", lt: "b" }, "61", "62"],
    [{ gt: "a", lte: "b" }, "6100", "6200"],
    [{ gte: "" }, "", undefined],
    [{ gt: "" }, "00", undefined],
    [{ lte: "" }, undefined, "00"],
    [{ lt: "" }, undefined, ""],
    [{ gte: "a", gt: "a" }, "6100", undefined],
    [{ gte: "b", gt: "a" }, "62", undefined],
    [{ lt: "b", lte: "b" }, undefined, "62"],
    [{ lt: "c", lte: "b" }, undefined, "6200"],
    [{ prefix: "" }, "", undefined],
    [{ prefix: "ab" }, "6162", "6163"],
    [{ prefix: new Uint8Array([0x61, 0xff]) }, "61ff", "62"],
    [{ prefix: new Uint8Array([0xff, 0xff]) }, "ffff", undefined],
    [{ prefix: "a", gte: "ab", lt: "z" }, "6162", "62"],
    [{ prefix: "b", gte: "a", lte: "ba" }, "62", "626100"],
  ];
  for (const [range, lower, upper] of cases) {
    assert.deepEqual(boundsOf(range), [lower, upper], JSON.stringify(range));
  }
});

test("resolveRange takes copies of the bytes", () => {
  const bytes = new Uint8Array([1]);
  const { lower } = resolveRange({ gte: bytes });
  bytes[0] = 9;
  assert.equal(hex(lower), "01");
  assert.equal(hex(successor(lower!)), "0100");
});

test("resolveRange fills in the direction and the limit", () => {
  const { reverse, limit, signal } = resolveRange(undefined);
  assert.deepEqual([reverse, limit, signal], [false, Infinity, undefined]);
  assert.equal(resolveRange({ limit: Infinity }).limit, Infinity);
  assert.equal(resolveRange({ limit: 0, reverse: true }).limit, 0);
});

test("resolveRange refuses what is no range", () => {
  const wrong: [unknown, new () => Error][] = [
    [null, TypeError],
    ["a", TypeError],
    [{ from: "a" }, TypeError],
    [{ reverse: 1 }, TypeError],
    [{ gte: 1 }, TypeError],
    [{ prefix: null }, TypeError],
    [{ lt: "\ud800" }, TypeError],
    [{ limit: -1 }, RangeError],
    [{ limit: 1.5 }, RangeError],
    [{ limit: NaN }, RangeError],
    [{ limit: "1" }, RangeError],
    [{ gt: "x".repeat(65537) }, RangeError],
  ];
  for (const [range, expected] of wrong) {
    assert.throws(() => resolveRange(range as Range), expected, JSON.stringify(range));
  }
});
