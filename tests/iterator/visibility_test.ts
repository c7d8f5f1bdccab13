import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { emptyEntryView, showKeyAlone } from "../../src/iterator/entry_cursor.ts";
import { isLive, isLiveFor } from "../../src/iterator/visibility.ts";
import { appendExpiry } from "../../src/value/expiry.ts";
import type { Value } from "../../src/value/value.ts";
import { encodeTombstone, encodeValue } from "../../src/value/value_codec.ts";

const NEVER_ASKED = {
  get wallMs(): number {
    throw new Error("the entry has no time");
  },
};

/** Both forms of the question, which have to agree. */
function isLiveAt({ bytes, view }: ByteWriter, start: number, nowMs: number): boolean {
  const answer = isLive(bytes, view, start, nowMs);
  assert.equal(isLiveFor(bytes, view, start, { wallMs: nowMs }), answer);
  return answer;
}

test("Values of every type are live, the empty ones too, and nobody looks at the clock", () => {
  const values: Value[] = [
    ...["", "text", new Uint8Array(0), 0, 1n, false, true, {}, { a: 1 }, [], [1]],
  ];
  for (const value of values) {
    const writer = new ByteWriter(16);
    writer.appendUint32(7);
    encodeValue(value, writer);
    assert.equal(isLiveAt(writer, 4, Infinity), true, `of ${typeof value}`);
    assert.equal(isLiveFor(writer.bytes, writer.view, 4, NEVER_ASKED), true);
  }
});

test("A tombstone is not live, whatever follows it in memory", () => {
  const writer = new ByteWriter(16);
  encodeValue("before", writer);
  const start = writer.length;
  encodeTombstone(writer);
  encodeValue("after", writer);
  assert.equal(isLiveAt(writer, start, 0), false);
  assert.equal(isLiveFor(writer.bytes, writer.view, start, NEVER_ASKED), false);
});

test("A value with a time is live before it, and not from that millisecond on", () => {
  for (const time of [1, 2 ** 32 - 1, 2 ** 32, 1_700_000_000_000, 8.64e15]) {
    const writer = new ByteWriter(16);
    writer.appendUint8(0);
    appendExpiry(writer, time);
    encodeValue("x", writer);
    assert.equal(isLiveAt(writer, 1, time - 1), true);
    assert.equal(isLiveAt(writer, 1, time), false);
    assert.equal(isLiveAt(writer, 1, time + 1), false);
  }
});

test("A time that the end of the memory cuts off is left to the reader of the value", () => {
  const bytes = Uint8Array.of(9, 1, 2, 3);
  assert.equal(isLive(bytes, new DataView(bytes.buffer), 0, Number.MAX_VALUE), true);
});

test("A key that is shown without its value is live", () => {
  const key = new Uint8Array([1, 2, 3]);
  const entry = emptyEntryView();
  showKeyAlone(entry, key, new DataView(key.buffer), 0, 3);
  assert.equal(isLive(entry.valueBytes, entry.valueView, entry.valueStart, Infinity), true);
});
