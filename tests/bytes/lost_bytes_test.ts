/** Which views of length 0 have lost their memory, on every engine. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isLost } from "../../src/bytes/lost_bytes.ts";
import { detachedBytes, outlyingBytes } from "../support/lost_views.ts";

test("isLost distinguishes a detached or outlying view from an honest empty one", () => {
  const honest: Uint8Array[] = [
    new Uint8Array(0),
    new Uint8Array(new ArrayBuffer(8), 8, 0),
    new Uint8Array(new SharedArrayBuffer(0)),
    new Uint8Array(new ArrayBuffer(0, { maxByteLength: 8 })),
    new Uint8Array(8).subarray(3, 3),
  ];
  for (const bytes of honest) assert.equal(isLost(bytes), false);
  for (const bytes of [detachedBytes(5), ...outlyingBytes()]) {
    assert.equal(bytes.length, 0);
    assert.equal(isLost(bytes), true);
  }
});

test("isLost says no for a view that follows its buffer to the very end", () => {
  const buffer = new ArrayBuffer(8, { maxByteLength: 16 });
  const tracking = new Uint8Array(buffer, 4);
  buffer.resize(4);
  assert.equal(tracking.length, 0);
  assert.equal(isLost(tracking), false);
  buffer.resize(3);
  assert.equal(isLost(tracking), true);
});
