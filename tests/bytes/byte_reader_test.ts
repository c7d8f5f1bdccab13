/** ByteReader: what it reads, and that it never reads past its end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader } from "../../src/bytes/byte_reader.ts";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError } from "../../src/errors.ts";

test("ByteReader reads back what ByteWriter wrote", () => {
  const writer = new ByteWriter(0);
  writer.appendUint8(0xfe);
  writer.appendUint16(0xfedc);
  writer.appendUint32(0xfedcba98);
  writer.appendUint64(Number.MAX_SAFE_INTEGER);
  const reader = new ByteReader(writer.bytes, 0, writer.length);
  assert.equal(reader.remaining, 15);
  assert.equal(reader.uint8(), 0xfe);
  assert.equal(reader.uint16(), 0xfedc);
  assert.equal(reader.uint32(), 0xfedcba98);
  assert.equal(reader.uint64(), Number.MAX_SAFE_INTEGER);
  assert.equal(reader.remaining, 0);
});

test("ByteReader reads from a view into a larger buffer", () => {
  const bytes = Uint8Array.of(9, 9, 1, 2, 3, 4, 9).subarray(1);
  const reader = new ByteReader(bytes, 1, 5);
  assert.equal(reader.uint32(), 0x04030201);
  assert.equal(reader.offset, 5);
});

test("ByteReader refuses every read that crosses its end, and stays where it is", () => {
  const bytes = new Uint8Array(32);
  const reads: [number, (reader: ByteReader) => number][] = [
    [1, (reader) => reader.uint8()],
    [2, (reader) => reader.uint16()],
    [4, (reader) => reader.uint32()],
    [8, (reader) => reader.uint64()],
    [5, (reader) => reader.take(5)],
  ];
  for (const [width, read] of reads) {
    for (let room = 0; room < width; room++) {
      const reader = new ByteReader(bytes, 3, 3 + room);
      assert.throws(
        () => read(reader),
        (error) => error instanceof DecodeError && error.offset === 3,
        `${width} bytes of ${room}`,
      );
      assert.equal(reader.remaining, room);
    }
    assert.doesNotThrow(() => read(new ByteReader(bytes, 3, 3 + width)));
  }
});

test("ByteReader refuses a uint64 of 2^53 and names it", () => {
  const bytes = Uint8Array.of(0, 0, 0, 0, 0, 0, 0x20, 0);
  assert.throws(() => new ByteReader(bytes, 0, 8).uint64(), /9007199254740992/);
});

test("ByteReader reads ranges and refuses lengths that are not lengths", () => {
  const reader = new ByteReader(new Uint8Array(10), 2, 10);
  assert.equal(reader.take(0), 2);
  assert.equal(reader.take(3), 2);
  assert.equal(reader.take(1), 5);
  for (const length of [-1, 0.5, NaN, Infinity, 5]) {
    assert.throws(() => reader.take(length), DecodeError, String(length));
  }
  assert.equal(reader.remaining, 4);
});

test("ByteReader refuses a range outside its bytes", () => {
  const bytes = new Uint8Array(4);
  for (const [start, end] of [[0, 5], [-1, 2], [3, 2], [NaN, 2]] as const) {
    assert.throws(() => new ByteReader(bytes, start, end), RangeError, `${start}, ${end}`);
  }
});
