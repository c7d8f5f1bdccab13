/** ByteWriter: what it appends, how it grows, what it refuses. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";

function written(writer: ByteWriter): string {
  return Buffer.from(writer.bytes.subarray(0, writer.length)).toString("hex");
}

test("ByteWriter appends integers in little-endian order", () => {
  const writer = new ByteWriter(0);
  writer.appendUint8(0x01);
  writer.appendUint16(0x0203);
  writer.appendUint32(0x04050607);
  writer.appendUint64(0x08090a0b0c0d);
  assert.equal(written(writer), "01" + "0302" + "07060504" + "0d0c0b0a09080000");
});

test("ByteWriter appends the largest integer of each width", () => {
  const writer = new ByteWriter(1);
  writer.appendUint8(0xff);
  writer.appendUint16(0xffff);
  writer.appendUint32(0xffff_ffff);
  writer.appendUint64(Number.MAX_SAFE_INTEGER);
  assert.equal(written(writer), "ff" + "ffff" + "ffffffff" + "ffffffffffff1f00");
});

test("ByteWriter refuses a uint64 that is not a safe integer and appends nothing", () => {
  const writer = new ByteWriter(16);
  for (const value of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(() => writer.appendUint64(value), RangeError, String(value));
  }
  assert.equal(writer.length, 0);
});

test("ByteWriter appends ranges of every length from every kind of offset", () => {
  const from = Uint8Array.from({ length: 300 }, (_, i) => i * 7);
  for (let length = 0; length <= 100; length++) {
    const writer = new ByteWriter(1);
    writer.appendUint8(0xaa);
    writer.appendBytes(from, 5, 5 + length);
    assert.equal(written(writer), "aa" + Buffer.from(from.subarray(5, 5 + length)).toString("hex"));
  }
  const view = new DataView(from.buffer);
  for (let length = 0; length <= 280; length++) {
    const writer = new ByteWriter(1);
    writer.appendUint8(0xaa);
    writer.appendRange(from, view, 5, 5 + length);
    assert.equal(written(writer), "aa" + Buffer.from(from.subarray(5, 5 + length)).toString("hex"));
  }
  const whole = new ByteWriter(0);
  whole.appendBytes(from, 0, from.length);
  assert.equal(written(whole), Buffer.from(from).toString("hex"));
});

test("ByteWriter keeps its content when it grows and at least doubles", () => {
  const writer = new ByteWriter(100);
  for (let i = 0; i < 100; i++) writer.appendUint8(i);
  const before = written(writer);
  writer.reserve(1);
  assert.ok(writer.bytes.length >= 200);
  assert.equal(writer.view.buffer, writer.bytes.buffer);
  assert.equal(written(writer), before);
  writer.reserve(5000);
  assert.ok(writer.bytes.length >= 5100);
  assert.equal(written(writer), before);
});

test("ByteWriter does not grow while there is room", () => {
  const writer = new ByteWriter(15);
  const { bytes } = writer;
  writer.reserve(15);
  writer.appendUint8(1);
  writer.appendUint16(2);
  writer.appendUint32(3);
  writer.appendUint64(4);
  assert.equal(writer.bytes, bytes);
  writer.appendUint8(5);
  assert.notEqual(writer.bytes, bytes);
});

test("ByteWriter truncates to a length it has had and nothing else", () => {
  const writer = new ByteWriter(8);
  writer.appendUint32(0x04030201);
  writer.truncate(2);
  writer.appendUint8(0xff);
  assert.equal(written(writer), "0102ff");
  for (const length of [-1, 4, 1.5, NaN]) {
    assert.throws(() => writer.truncate(length), RangeError, String(length));
  }
  assert.equal(writer.length, 3);
});
