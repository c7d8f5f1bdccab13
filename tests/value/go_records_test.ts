/**
 * Records as Go's encoders write them: vmihailenco/msgpack v5 (record, type 7), which keeps the
 * width of Go's types and writes time.Time as extension -1, and freeeve/msgpck (msgpack, type 8),
 * which writes the shortest form and positive integers as unsigned ones.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError, TypeMismatchError } from "../../src/errors.ts";
import { Extension } from "../../src/value/extension.ts";
import { encodeValue, ValueDecoder } from "../../src/value/value_codec.ts";
import type { RecordItem, Value } from "../../src/value/value.ts";

const RECORD = "07";
const MSGPACK = "08";
const decoder = new ValueDecoder({ int64: "bigint" });

function decoded(type: string, hex: string, decoder_ = decoder): Value {
  const item = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const head = Buffer.alloc(5);
  head[0] = parseInt(type, 16);
  head.writeUInt32LE(item.length, 1);
  const bytes = Uint8Array.from([...head, ...item]);
  return decoder_.decode(bytes, new DataView(bytes.buffer), 0, bytes.length);
}

function encoded(value: Value): string {
  const writer = new ByteWriter(16);
  encodeValue(value, writer);
  return Buffer.from(writer.bytes.subarray(0, writer.length)).toString("hex");
}

test("ValueDecoder reads every width that Go writes a number in", () => {
  const cases: [go: string, hex: string, item: RecordItem][] = [
    ["int8(-5)", "d0fb", -5],
    ["int8(5)", "d005", 5],
    ["int16(5)", "d10005", 5],
    ["int32(-5)", "d2fffffffb", -5],
    ["int64(5)", "d30000000000000005", 5n],
    ["int64(-2^63)", "d38000000000000000", -(2n ** 63n)],
    ["int(5)", "05", 5],
    ["int(-32)", "e0", -32],
    ["uint8(5)", "cc05", 5],
    ["uint16(5)", "cd0005", 5],
    ["uint32(2^32-1)", "ceffffffff", 2 ** 32 - 1],
    ["uint64(5)", "cf0000000000000005", 5n],
    ["uint64(2^64-1)", "cfffffffffffffffff", 2n ** 64n - 1n],
    ["float32(1.5)", "ca3fc00000", 1.5],
    ["float32(NaN)", "ca7fc00000", NaN],
    ["float64(-0)", "cb8000000000000000", -0],
    ["float64(+Inf)", "cb7ff0000000000000", Infinity],
    ["nil", "c0", null],
    ["[]byte{}", "c400", new Uint8Array(0)],
    ["bin16", "c50001ff", Uint8Array.of(255)],
    ["bin32", "c600000001ff", Uint8Array.of(255)],
    ["str8", "d9026162", "ab"],
    ["str16", "da00026162", "ab"],
    ["str32", "db000000026162", "ab"],
    ["array16", "dc000101", [1]],
    ["array32", "dd0000000101", [1]],
    ["map16", "de0001a16101", { a: 1 }],
    ["map32", "df00000001a16101", { a: 1 }],
  ];
  for (const [go, hex, item] of cases) {
    for (const type of [RECORD, MSGPACK]) {
      assert.deepEqual(decoded(type, `81a178${hex}`), { x: item }, go);
    }
  }
});

test("ValueDecoder reads 64-bit integers of records as numbers if the store is told to", () => {
  const numbers = new ValueDecoder({ int64: "number" });
  assert.deepEqual(decoded(MSGPACK, "81a178cf0000000000000005", numbers), { x: 5 });
  assert.throws(() => decoded(MSGPACK, "81a178cfffffffffffffffff", numbers), TypeMismatchError);
});

test("ValueDecoder reads a record of length 0 as an empty object, and nothing else of length 0", () => {
  assert.deepEqual(decoded(RECORD, ""), {});
  assert.throws(() => decoded(MSGPACK, ""), DecodeError);
});

test("ValueDecoder reads what Go's callers stored as raw MessagePack, if a value can be that", () => {
  const cases: [string, Value][] = [["05", 5], ["a161", "a"], ["c3", true], ["93010203", [
    1,
    2,
    3,
  ]]];
  for (const [hex, value] of cases) assert.deepEqual(decoded(MSGPACK, hex), value);
  assert.throws(() => decoded(MSGPACK, "c0"), /MessagePack nil/);
  assert.throws(() => decoded(MSGPACK, "d6ff00000000"), /extension of type -1/);
  assert.throws(() => decoded(RECORD, "05"), /not a MessagePack map/);
});

test("ValueDecoder reads keys of Go's maps of any key type that has a text form form", () => {
  const cases: [go: string, hex: string, value: Value][] = [
    ["map[int]string", "81 05 a161", { "5": "a" }],
    ["map[int64]string", "81 d3ffffffffffffffff a161", { "-1": "a" }],
    ["map[uint64]string", "81 cfffffffffffffffff a161", { "18446744073709551615": "a" }],
    ["map[float64]string", "81 cb3ff8000000000000 a161", { "1.5": "a" }],
    ["map[bool]string", "82 c2 a161 c3 a162", { "false": "a", "true": "b" }],
    ["map[any]string with nil", "81 c0 a161", { "null": "a" }],
  ];
  for (const [go, hex, value] of cases) assert.deepEqual(decoded(RECORD, hex), value, go);
});

/** A time as Go writes it, and its milliseconds. */
const times: readonly (readonly [hex: string, ms: number | undefined])[] = [
  ["d7ff 00000004 6553f100", 1_700_000_000_000 + 1e-6],
  // 0 in a longer form than Go and this library write.
  ["c70cff 00000000 0000000000000000", 0],
  // 999,999,999 ns << 2 | bit 32 of the seconds.
  ["d7ff ee6b27fd 00000000", 4_294_967_296_000 + 999.999999],
  // A microsecond after time.Time{}: -62,135,596,800 s.
  ["c70cff 000003e8 fffffff1886e0900", -62_135_596_800_000 + 1e-3],
  ["c70cff 3b9aca00 0000000000000000", undefined],
  ["c705ff 0000000000", undefined],
  ["d401 07", undefined],
  ["c700 80", undefined],
];

test("Extension keeps what Go stored as one, recognises times, and is stored again byte for byte", () => {
  for (const [text, ms] of times) {
    const hex = text.replaceAll(" ", "");
    const record = decoded(RECORD, `81a174${hex}`) as { t: Extension };
    assert.ok(record.t instanceof Extension);
    assert.equal(record.t.timestampMs, ms, hex);
    assert.equal(encoded(record).slice(10), `81a174${hex}`);
    assert.deepEqual(decoded(MSGPACK, `91${hex}`), [record.t]);
  }
});

test("Times of Go that are whole milliseconds are read as Dates, and stored again byte for byte", () => {
  const dates: readonly (readonly [hex: string, ms: number])[] = [
    ["d6ff 6553f100", 1_700_000_000_000],
    ["d6ff ffffffff", 4_294_967_295_000],
    ["d7ff ee2e1f00 00000000", 999],
    // time.Time{}
    ["c70cff 00000000 fffffff1886e0900", -62_135_596_800_000],
  ];
  for (const [text, ms] of dates) {
    const hex = text.replaceAll(" ", "");
    const record = decoded(RECORD, `81a174${hex}`);
    assert.deepEqual(record, { t: new Date(ms) }, hex);
    assert.equal(encoded(record).slice(10), `81a174${hex}`);
  }
});

test("Extension of every length comes back from a record", () => {
  for (const length of [0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 255, 256, 65_535, 65_536]) {
    for (const type of [-128, -2, 0, 127]) {
      const item = new Extension(type, new Uint8Array(length).fill(length));
      const hex = encoded([item]).slice(10);
      assert.deepEqual(decoded(MSGPACK, hex), [item], `${length} bytes of type ${type}`);
    }
  }
});

test("Extension copies its bytes and refuses values that are not bytes", () => {
  const data = Uint8Array.of(1, 2);
  const extension = new Extension(5, data);
  data[0] = 9;
  assert.deepEqual(extension.data, Uint8Array.of(1, 2));
  for (const type of [128, -129, 0.5, NaN]) {
    assert.throws(() => new Extension(type, data), RangeError);
  }
  assert.throws(() => new Extension(1, "a" as unknown as Uint8Array), TypeError);
  assert.throws(() => encoded(extension as unknown as Value), /instance of Extension/);
});
