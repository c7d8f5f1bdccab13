/** Copies that share a buffer: equal to what they were copied from, and each its owner's alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { RunSlab } from "../../src/value/run_slab.ts";
import { dataViewOf } from "../support/entries.ts";
import { randomBytes, withSeed } from "../support/seeded.ts";

/** Places of values in a row, with lengths from `lengths` in turn and some bytes between them. */
function placesOf(lengths: readonly number[], count: number): [start: number, end: number][] {
  let at = 3;
  return Array.from({ length: count }, (_, i) => {
    const start = at;
    const end = start + lengths[i % lengths.length]!;
    at = end + 7;
    return [start, end];
  });
}

test("RunSlab copies values of any length in both directions, and they stay when the source goes", () => {
  for (let seed = 1; seed <= 20; seed++) {
    withSeed(seed, (random) => {
      const places = placesOf(random.pick([[0, 1, 100], [5000, 3, 1024, 1025], [8]]), 200);
      const source = randomBytes(places.at(-1)![1] + 10, random);
      const original = source.slice();
      const reverse = random.below(2) === 1;
      const slab = new RunSlab(reverse);
      const copies: Uint8Array[] = [];
      const order = reverse ? places.toReversed() : places;
      for (let i = 0; i < order.length; i++) {
        // Runs of some length, one of which is known to be shorter than what is asked for.
        if (i % 50 === 0) {
          const part = order.slice(i, i + 40);
          const starts = part.map(([start]) => start);
          slab.begin(Math.min(...starts), Math.max(...part.map(([, end]) => end)));
        }
        const [start, end] = order[i]!;
        copies.push(slab.copy(source, dataViewOf(source), start, end));
      }
      source.fill(0);
      copies.forEach((copy, i) => assert.deepEqual(copy, original.slice(...order[i]!)));
      assert.equal(copies[0]!.constructor, Uint8Array);
    });
  }
});

test("Writing to one copy changes no other", () => {
  const source = new Uint8Array(5000).map((_, i) => i);
  const slab = new RunSlab(false);
  slab.begin(0, 5000);
  const copies = placesOf([40], 100).map(([start, end]) =>
    slab.copy(source, dataViewOf(source), start, end)
  );
  const before = copies.map((copy) => copy.slice());
  copies.forEach((copy, i) => {
    if (i % 2 === 0) copy.fill(0xee);
  });
  copies.forEach((copy, i) => {
    assert.deepEqual(copy, i % 2 === 0 ? new Uint8Array(40).fill(0xee) : before[i]);
  });
});

test("A copy whose buffer was transferred takes no later copy along", () => {
  const source = new Uint8Array(5000).map((_, i) => i);
  const slab = new RunSlab(false);
  slab.begin(0, 5000);
  for (let i = 0; i < 50; i++) {
    const copy = slab.copy(source, dataViewOf(source), i * 50, i * 50 + 40);
    assert.deepEqual(copy, source.slice(i * 50, i * 50 + 40));
    if (i % 10 === 3) structuredClone(copy, { transfer: [copy.buffer] });
  }
});

test("A run of other bytes in the same memory gets copies of its own", () => {
  const source = new Uint8Array(1000).fill(1);
  const slab = new RunSlab(false);
  slab.begin(0, 1000);
  assert.deepEqual(slab.copy(source, dataViewOf(source), 10, 14), Uint8Array.of(1, 1, 1, 1));
  source.fill(2);
  slab.begin(0, 1000);
  assert.deepEqual(slab.copy(source, dataViewOf(source), 10, 14), Uint8Array.of(2, 2, 2, 2));
  source.fill(3);
  slab.end();
  assert.deepEqual(slab.copy(source, dataViewOf(source), 10, 14), Uint8Array.of(3, 3, 3, 3));
});
