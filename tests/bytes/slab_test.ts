/**
 * Copies that share a buffer: equal to what they were copied from, aligned, and each its owner's
 * alone.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { Slab } from "../../src/bytes/slab.ts";
import { dataViewOf } from "../support/entries.ts";
import { randomBytes, withSeed } from "../support/seeded.ts";

test("Slab copies ranges of any length at any place, aligned, and they stay when the source goes", () => {
  for (let seed = 1; seed <= 20; seed++) {
    withSeed(seed, (random) => {
      const slab = new Slab(random.pick([2048, 8192, 32 * 1024]));
      const lengths = random.pick([[0, 1, 100], [5000, 3, 256, 257, 1024, 1025], [
        7,
        8,
        9,
        15,
        16,
        17,
      ]]);
      const source = randomBytes(8000, random);
      const original = source.slice();
      const copies = Array.from({ length: 400 }, (_, i) => {
        const start = random.below(2000);
        const end = start + lengths[i % lengths.length]!;
        return { start, end, copy: slab.copy(source, dataViewOf(source), start, end) };
      });
      source.fill(0);
      for (const { start, end, copy } of copies) {
        assert.deepEqual(copy, original.slice(start, end));
        assert.equal(copy.constructor, Uint8Array);
        assert.equal(copy.byteOffset % 8, 0, `${end - start} bytes begin at ${copy.byteOffset}`);
      }
    });
  }
});

test("Slab copies of one view do not depend on where it begins in its buffer", () => {
  const buffer = new ArrayBuffer(100);
  const source = new Uint8Array(buffer, 3, 50).map((_, i) => i);
  const bytes = new Uint8Array(buffer, 3, 50);
  bytes.set(source);
  const view = new DataView(buffer, 3, 50);
  assert.deepEqual(new Slab(4096).copy(bytes, view, 5, 45), source.slice(5, 45));
});

test("Writing to one copy changes no other", () => {
  const source = new Uint8Array(5000).map((_, i) => i);
  const slab = new Slab(1024);
  const copies = Array.from(
    { length: 100 },
    (_, i) => slab.copy(source, dataViewOf(source), i * 47, i * 47 + 41),
  );
  const before = copies.map((copy) => copy.slice());
  copies.forEach((copy, i) => {
    if (i % 2 === 0) copy.fill(0xee);
  });
  copies.forEach((copy, i) => {
    assert.deepEqual(copy, i % 2 === 0 ? new Uint8Array(41).fill(0xee) : before[i]);
  });
});

test("A copy whose buffer was transferred does not take a later copy with it", () => {
  const source = new Uint8Array(5000).map((_, i) => i);
  const slab = new Slab(8192);
  for (let i = 0; i < 50; i++) {
    const copy = slab.copy(source, dataViewOf(source), i * 50, i * 50 + 40);
    assert.deepEqual(copy, source.slice(i * 50, i * 50 + 40));
    if (i % 10 === 3) structuredClone(copy, { transfer: [copy.buffer] });
  }
});

test("A copy of a Buffer is a plain Uint8Array that nothing else refers to", () => {
  const source = Buffer.alloc(3000, 7);
  for (const length of [0, 5, 3000]) {
    const copy = new Slab(4096).copy(source, dataViewOf(source), 0, length);
    assert.equal(copy.constructor, Uint8Array);
    assert.notEqual(copy.buffer, source.buffer);
    assert.deepEqual(copy, new Uint8Array(length).fill(7));
  }
});

test("Slab gives out zeroed memory at multiples of 8, and none of it twice", () => {
  const slab = new Slab(64);
  const seen = new Set<string>();
  for (const length of [0, 1, 8, 9, 64, 3, 61, 0, 5]) {
    const at = slab.take(length);
    assert.equal(at % 8, 0);
    assert.ok(at + length <= 64);
    for (let i = at; i < at + length; i++) assert.equal(slab.bytes[i], 0);
    slab.bytes.fill(1, at, at + length);
    seen.add(`${length} at ${at}`);
  }
  assert.deepEqual([...seen], [
    ...[
      "0 at 0",
      "1 at 0",
      "8 at 8",
      "9 at 16",
      "64 at 0",
      "3 at 0",
      "61 at 0",
      "0 at 64",
      "5 at 0",
    ],
  ]);
});
