// Ranges as users give them: their checks, and the bounds that come of them.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { type BoundKey, type Range, resolveRange, successor } from "../../src/store/state/range.ts";

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

test("resolveRange refuses values that are not ranges", () => {
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

test("resolveRange sees own fields only, whatever prototypes hold", () => {
  const prototype = Object.prototype as { gte?: string };
  prototype.gte = "polluted";
  try {
    assert.deepEqual(boundsOf({ lt: "b" }), [undefined, "62"]);
    assert.deepEqual(boundsOf({}), [undefined, undefined]);
    assert.deepEqual(boundsOf(Object.create({ lt: "a" }) as Range), [undefined, undefined]);
  } finally {
    delete prototype.gte;
  }
});

test("resolveRange keeps bounds apart, short and long, text and bytes", () => {
  const texts = Array.from({ length: 400 }, (_, i) => "ä".repeat(i % 150) + i);
  const ranges = texts.map((text) => resolveRange({ gt: text, prefix: Buffer.from(text) }));
  texts.forEach((text, i) => {
    const { lower, upper } = ranges[i]!;
    const bytes = Buffer.from(text);
    assert.equal(hex(lower), `${bytes.toString("hex")}00`);
    bytes[bytes.length - 1]!++;
    assert.equal(hex(upper), bytes.toString("hex"));
    assert.equal(lower!.view.byteLength, lower!.bytes.length);
    assert.equal(upper!.view.getUint8(0), bytes[0]);
  });
});
