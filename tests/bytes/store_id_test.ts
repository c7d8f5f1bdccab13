import assert from "node:assert/strict";
import { test } from "node:test";
import { fileTag, storeIdText } from "../../src/bytes/store_id.ts";

test("fileTag distinguishes the files of a store, and those of different stores, by an unsigned number", () => {
  const tags = [1, 2, 0x80000001].flatMap((store) =>
    [3, 4, 0xffffffff].map((file) => fileTag(store, file))
  );
  assert.equal(new Set(tags).size, tags.length);
  for (const tag of tags) assert.equal(tag, tag >>> 0);
});

test("storeIdText has eight digits", () => {
  assert.deepEqual([0, 0x5e6f7081, 0xffffffff].map(storeIdText), [
    "00000000",
    "5e6f7081",
    "ffffffff",
  ]);
});
