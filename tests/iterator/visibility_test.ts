import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { emptyEntryView, showKeyAlone } from "../../src/iterator/entry_cursor.ts";
import { isLive } from "../../src/iterator/visibility.ts";
import type { Value } from "../../src/value/value.ts";
import { encodeTombstone, encodeValue } from "../../src/value/value_codec.ts";

test("Values of every type are live, the empty ones too", () => {
  const values: Value[] = ["", "text", new Uint8Array(0), 0, 1n, false, true, {}, { a: 1 }];
  for (const value of values) {
    const writer = new ByteWriter(16);
    writer.appendUint32(7);
    encodeValue(value, writer);
    assert.equal(isLive(writer.bytes, 4), true, `of ${typeof value}`);
  }
});

test("A tombstone is not live, whatever follows it in memory", () => {
  const writer = new ByteWriter(16);
  encodeValue("before", writer);
  const start = writer.length;
  encodeTombstone(writer);
  encodeValue("after", writer);
  assert.equal(isLive(writer.bytes, start), false);
});

test("A key that is shown without its value is live", () => {
  const key = new Uint8Array([1, 2, 3]);
  const entry = emptyEntryView();
  showKeyAlone(entry, key, new DataView(key.buffer), 0, 3);
  assert.equal(isLive(entry.valueBytes, entry.valueStart), true);
});
