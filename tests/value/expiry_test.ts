// The time in front of a value that expires.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { appendExpiry, contentStart, expiryAt, isExpiring } from "../../src/value/expiry.ts";
import type { Value } from "../../src/value/value.ts";
import { encodeValue, ValueDecoder, valueTypeAt } from "../../src/value/value_codec.ts";

const decoder = new ValueDecoder({ int64: "bigint" });

test("A value that expires has the golden bytes", () => {
  const writer = new ByteWriter(16);
  appendExpiry(writer, 1_700_000_000_123);
  encodeValue(true, writer);
  const hex = Array.from(
    writer.bytes.subarray(0, writer.length),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
  assert.equal(hex, "09" + "7b68e5cf8b010000" + "0301");
});

test("Values of every type are read with and without a time, at any offset", () => {
  const values: Value[] = ["", "text", new Uint8Array(3), -0, 7n, true, { a: [1, null] }, [1]];
  for (const value of values) {
    for (const time of [undefined, 1, 2 ** 32 - 1, 2 ** 32, 8.64e15]) {
      const writer = new ByteWriter(16);
      writer.appendUint32(9);
      if (time !== undefined) appendExpiry(writer, time);
      encodeValue(value, writer);
      const { bytes, view, length } = writer;
      assert.deepEqual(decoder.decode(bytes, view, 4, length), value);
      assert.equal(isExpiring(bytes, 4), time !== undefined);
      if (time !== undefined) assert.equal(expiryAt(view, 4), time);
      const content = contentStart(bytes, 4);
      assert.equal(content, time === undefined ? 4 : 13);
      assert.equal(valueTypeAt(bytes, 4, length), valueTypeAt(bytes, content, length));
    }
  }
});
