import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compareSmallest,
  compareViews,
  rangesOverlap,
  tableMetadata,
} from "../../src/version/table_metadata.ts";
import { bytesOf, tableOf } from "../support/store_tables.ts";

test("tableMetadata adds views on the very bytes, also of a part of a buffer", () => {
  const buffer = bytesOf("xxabcyy");
  const table = tableMetadata({
    number: 5,
    sizeBytes: 200,
    entryCount: 3,
    tombstoneCount: 1,
    checksum: undefined,
    smallest: buffer.subarray(2, 3),
    largest: buffer.subarray(4, 5),
  });
  assert.equal(table.smallestView.byteLength, 1);
  assert.equal(table.smallestView.getUint8(0), 0x61);
  assert.equal(table.largestView.getUint8(0), 0x63);
  assert.equal(table.smallestView.buffer, buffer.buffer);
});

test("compareSmallest orders tables by the unsigned bytes of their first keys", () => {
  const texts = [
    "1[-z]",
    "2[a-z]",
    "3[a\0-z]",
    "4[ab-z]",
    "5[b-z]",
    "6[\x7f-\xff]",
    "7[\x80-\xff]",
  ];
  const sorted = texts.map(tableOf);
  for (let i = 0; i < sorted.length; i++) {
    for (let j = 0; j < sorted.length; j++) {
      assert.equal(Math.sign(compareSmallest(sorted[i]!, sorted[j]!)), Math.sign(i - j));
    }
  }
});

test("rangesOverlap includes both ends", () => {
  const overlap = (a: string, b: string): boolean => {
    const other = tableOf(b);
    return rangesOverlap(tableOf(a), other.smallestView, other.largestView);
  };
  const cases: [string, string, boolean][] = [
    ["1[b-d]", "2[d-f]", true],
    ["1[b-d]", "2[e-f]", false],
    ["1[b-d]", "2[a-b]", true],
    ["1[b-d]", "2[a-a]", false],
    ["1[b-d]", "2[c-c]", true],
    ["1[c-c]", "2[b-d]", true],
    ["1[b-d]", "2[d\0-f]", false],
    ["1[-]", "2[-]", true],
    ["1[-]", "2[a-b]", false],
  ];
  for (const [a, b, expected] of cases) {
    assert.equal(overlap(a, b), expected, `${a} ${b}`);
    assert.equal(overlap(b, a), expected, `${b} ${a}`);
  }
});

test("compareViews compares whole keys of different lengths", () => {
  const view = (text: string): DataView => new DataView(bytesOf(text).buffer);
  assert.equal(Math.sign(compareViews(view(""), view(""))), 0);
  assert.equal(Math.sign(compareViews(view(""), view("\0"))), -1);
  assert.equal(Math.sign(compareViews(view("abcdefgh"), view("abcdefg"))), 1);
  assert.equal(Math.sign(compareViews(view("abcdefgh"), view("abcdefgi"))), -1);
});
