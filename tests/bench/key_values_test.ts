import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import {
  keyLength,
  keyOf,
  LargeValuePool,
  missingKeyOf,
  SeededRandom,
  valueLength,
  ValuePool,
} from "../../bench/key_values.ts";

test("SeededRandom repeats its numbers and stays below the limit", () => {
  const first = new SeededRandom(7);
  const second = new SeededRandom(7);
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    const number = first.below(10);
    assert.equal(second.below(10), number);
    seen.add(number);
  }
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("Keys sort like their numbers, and missing keys lie between them", () => {
  assert.equal(keyOf(123), "0000000000000123");
  assert.equal(keyOf(123).length, keyLength);
  assert.ok(keyOf(99) < keyOf(100));
  for (const index of [0, 8, 9, 10, 12_345]) {
    const missing = missingKeyOf(index);
    assert.equal(missing.length, keyLength);
    assert.ok(keyOf(index - index % 10 + 9) < missing && missing < keyOf(index - index % 10 + 10));
  }
});

test("Values have their length, repeat by seed and change with each overwrite", () => {
  const values = new ValuePool(3);
  const same = new ValuePool(3);
  for (let index = 0; index < 100; index++) {
    const value = values.valueOf(index);
    assert.equal(value.length, valueLength);
    assert.deepEqual(same.valueOf(index), value);
    assert.notDeepEqual(values.valueOf(index, 1), value);
  }
});

test("Large values have their length, repeat by seed and change with each overwrite", () => {
  for (const length of [1000, 10_001, 1_000_000]) {
    const values = new LargeValuePool(3, length);
    const same = new LargeValuePool(3, length);
    for (const index of [0, 1, 99, 10_006, 123_456]) {
      const value = values.valueOf(index);
      assert.equal(value.length, length);
      assert.equal(Buffer.compare(same.valueOf(index), value), 0);
      assert.notEqual(Buffer.compare(values.valueOf(index, 1), value), 0);
    }
  }
});
