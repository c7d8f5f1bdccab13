import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, duration, integer, percent, rate } from "../../examples/human_numbers.ts";

test("bytes() changes the unit before a number gets four digits", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [999_949, "999.9 kB"],
    [999_950, "1.0 MB"],
    [12_345_678, "12.3 MB"],
    [5e15, "5000.0 TB"],
  ];
  for (const [count, text] of cases) assert.equal(bytes(count), text);
});

test("integer() groups digits by three", () => {
  assert.equal(integer(1_234_567.4), "1,234,567");
  assert.equal(integer(999), "999");
});

test("percent() of nothing is a dash and not a division by zero", () => {
  assert.equal(percent(1, 3), "33.3 %");
  assert.equal(percent(0, 0), "-");
});

test("duration() is in milliseconds below a second", () => {
  assert.equal(duration(12.34), "12.3 ms");
  assert.equal(duration(1234), "1.23 s");
});

test("rate() stays finite for no time at all", () => {
  assert.equal(rate(500, 250), "2,000/s");
  assert.equal(rate(2e6, 1000, bytes), "2.0 MB/s");
  assert.equal(rate(1, 0), "1,000,000/s");
});
