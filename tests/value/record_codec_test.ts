/**
 * Records as MessagePack: types kept, hostile names and lengths, agreement with @msgpack/msgpack.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { decode as libraryDecode, encode as libraryEncode } from "@msgpack/msgpack";
import fc from "fast-check";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError } from "../../src/errors.ts";
import { RecordDecoder } from "../../src/value/record_decoder.ts";
import { appendRecord, isRecord } from "../../src/value/record_encoder.ts";
import {
  MAX_RECORD_DEPTH,
  MAX_VALUE_BYTES,
  type RecordItem,
  type RecordValue,
} from "../../src/value/value.ts";

const SEED = 20254;
const decoder = new RecordDecoder(false);

function encoded(record: unknown): Uint8Array {
  const writer = new ByteWriter(0);
  appendRecord(record as RecordValue, writer, MAX_VALUE_BYTES);
  return writer.bytes.slice(0, writer.length);
}

function decoded(bytes: Uint8Array): RecordItem {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decoder.decode(bytes, view, 0, bytes.length);
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

function assertMalformed(bytes: Uint8Array, text: RegExp): void {
  assert.throws(
    () => decoded(bytes),
    (error) => error instanceof DecodeError && text.test(error.message),
    Buffer.from(bytes.subarray(0, 20)).toString("hex"),
  );
}

/** An array in an array in an array ..., `depth` of them. */
function nested(depth: number): RecordItem[] {
  let value: RecordItem[] = [];
  for (let i = 1; i < depth; i++) value = [value];
  return value;
}

const leaves = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 60 }),
);
const names = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("__proto__", "constructor", "toString", "hasOwnProperty", "toJSON", "0", "-1"),
);
/** Objects are made of entries: fast-check's own dictionaries treat `__proto__` specially. */
const { record: records } = fc.letrec<{ item: RecordItem; record: RecordValue }>((tie) => ({
  item: fc.oneof({ depthSize: "small" }, leaves, tie("record")),
  record: fc.oneof(
    fc.array(tie("item"), { maxLength: 20 }),
    fc.array(fc.tuple(names, tie("item")), { maxLength: 20 }).map((entries) =>
      Object.fromEntries(entries)
    ),
  ),
}));

test("appendRecord() gives the golden bytes of every kind of item", () => {
  const cases: [RecordItem, string][] = [
    [null, "c0"],
    [false, "c2"],
    [true, "c3"],
    [0, "00"],
    [127, "7f"],
    [128, "cc80"],
    [255, "ccff"],
    [256, "cd0100"],
    [65535, "cdffff"],
    [65536, "ce00010000"],
    [2 ** 32 - 1, "ceffffffff"],
    [2 ** 32, "cb41f0000000000000"],
    [2 ** 40, "cb4270000000000000"],
    [-1, "ff"],
    [-32, "e0"],
    [-33, "d0df"],
    [-128, "d080"],
    [-129, "d1ff7f"],
    [-32768, "d18000"],
    [-32769, "d2ffff7fff"],
    [-(2 ** 31), "d280000000"],
    [-(2 ** 31) - 1, "cbc1e0000000200000"],
    [-0, "cb8000000000000000"],
    [1.5, "cb3ff8000000000000"],
    [NaN, "cb7ff8000000000000"],
    [0n, "d30000000000000000"],
    [-1n, "d3ffffffffffffffff"],
    [2n ** 63n - 1n, "d37fffffffffffffff"],
    [2n ** 63n, "cf8000000000000000"],
    [2n ** 64n - 1n, "cfffffffffffffffff"],
    ["", "a0"],
    ["é", "a2c3a9"],
    [Uint8Array.of(1, 2), "c4020102"],
    [[], "90"],
    [{}, "80"],
    [{ a: [{ b: 1 }] }, "81a1619181a16201"],
  ];
  for (const [item, hex] of cases) {
    const bytes = encoded([item]);
    assert.equal(Buffer.from(bytes).toString("hex"), `91${hex}`);
    assert.deepEqual(decoded(bytes), [item]);
  }
});

test("Lengths are written in the shortest form around each of their limits", () => {
  for (
    const [length, header] of [[31, "bf"], [32, "d920"], [255, "d9ff"], [256, "da0100"]] as const
  ) {
    const bytes = encoded(["x".repeat(length)]);
    assert.equal(Buffer.from(bytes).toString("hex").slice(2, 2 + header.length), header);
  }
  for (const length of [15, 16, 31, 32, 255, 256, 65535, 65536]) {
    const values: RecordItem[] = [
      "x".repeat(length),
      "é".repeat(length),
      new Uint8Array(length).fill(7),
      new Array<number>(length).fill(1),
      Object.fromEntries(Array.from({ length }, (_, i) => [`name${i}`, i])),
    ];
    for (const value of values) assert.deepEqual(decoded(encoded([value])), [value]);
  }
});

test("Records come back with the same types, for every kind of content", () => {
  fc.assert(
    fc.property(records, (record) => assert.deepEqual(decoded(encoded(record)), record)),
    { seed: SEED, numRuns: 1000 },
  );
});

test("Names from Object.prototype are own properties and touch no prototype", () => {
  const dangerous = [
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "valueOf",
    "__defineGetter__",
  ];
  const record = Object.fromEntries(dangerous.map((name) => [name, { polluted: true }]));
  const copy = decoded(encoded({ nested: record })) as { nested: Record<string, unknown> };
  assert.deepEqual(Object.keys(copy.nested), dangerous);
  assert.equal(Object.getPrototypeOf(copy.nested), Object.prototype);
  assert.equal(("polluted" in {}) as boolean, false);
  const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(
    copy.nested,
    "__proto__",
  )!;
  assert.deepEqual([writable, enumerable, configurable], [true, true, true]);
});

test("Properties that are undefined are left out, at every size of the map's header", () => {
  for (const count of [0, 1, 14, 15, 16, 17, 40, 65535, 65536]) {
    const record: Record<string, RecordItem> = {};
    for (let i = 0; i < count; i++) record[`name${i}`] = i % 3 === 0 ? undefined : i;
    const expected = Object.fromEntries(
      Object.entries(record).filter(([, value]) => value !== undefined),
    );
    assert.deepEqual(decoded(encoded(record)), expected, `${count} properties`);
  }
});

test("toJSON is stored like any other property and symbols as names are not", () => {
  assert.deepEqual(decoded(encoded({ toJSON: "x", [Symbol("s")]: 1 })), { toJSON: "x" });
  assert.throws(() => encoded({ toJSON: () => 1 }), /value\.toJSON is a function/);
});

test("appendRecord() refuses values that can't be stored and names their path", () => {
  class Point {
    x = 1;
  }
  const cases: [unknown, RegExp][] = [
    [{ a: { b: [1, () => 1] } }, /: value\.a\.b\[1\] is a function, expected/],
    [[Symbol("s")], /: value\[0\] is a symbol/],
    [{ "not a name": new Set() }, /: value\["not a name"\] is an instance of Set/],
    [{ p: new Point() }, /: value\.p is an instance of Point/],
    [[new Map()], /: value\[0\] is an instance of Map/],
    [[new Float32Array(1)], /: value\[0\] is an instance of Float32Array/],
    [[1, undefined], /: value\[1\] is undefined/],
    [new Array(3), /: value\[0\] is undefined/],
    [{ a: "\ud800" }, /: value\.a holds a lone surrogate/],
    [{ "\udc00": 1 }, /: value\["\\udc00"\] holds a lone surrogate/],
  ];
  for (const [record, text] of cases) {
    assert.throws(
      () => encoded(record),
      (error) => error instanceof TypeError && text.test(error.message),
      String(text),
    );
  }
  for (const big of [2n ** 64n, -(2n ** 63n) - 1n]) {
    assert.throws(() => encoded({ big }), /RangeError.*value\.big is a bigint outside/);
  }
});

test("Records may be nested 64 deep, on both sides, and not 65", () => {
  const deepest = nested(MAX_RECORD_DEPTH);
  assert.deepEqual(decoded(encoded(deepest)), deepest);
  assert.throws(() => encoded(nested(MAX_RECORD_DEPTH + 1)), RangeError);
  const tooDeep = new Uint8Array(MAX_RECORD_DEPTH + 1).fill(0x91);
  tooDeep[MAX_RECORD_DEPTH] = 0x90;
  assertMalformed(tooDeep, /nested deeper than 64/);
});

test("A record that contains itself is a RangeError, however often it does", () => {
  const array: unknown[] = [];
  array.push(array, array);
  assert.throws(() => encoded(array), RangeError);
  const object: Record<string, unknown> = {};
  object["self"] = object;
  assert.throws(() => encoded({ object }), /RangeError.*value\.object\.self.*inside itself/);
});

test("appendRecord() stops soon after its limit, even if an item is shared a billion times", () => {
  let shared: RecordItem = [1, "two", Uint8Array.of(3)];
  for (let i = 0; i < 30; i++) shared = { a: shared, b: shared };
  const writer = new ByteWriter(0);
  assert.throws(
    () => appendRecord({ shared }, writer, 10_000),
    /RangeError.*value\.shared\.a.* makes it longer than a value can be/,
  );
  assert.ok(writer.length < 10_100 && writer.bytes.length < 40_000, `${writer.length} bytes`);
  const exact = encoded({ a: [1, 2, 3] }).length;
  appendRecord({ a: [1, 2, 3] }, new ByteWriter(0), exact);
  assert.throws(() => appendRecord({ a: [1, 2, 3] }, new ByteWriter(0), exact - 1), RangeError);
});

test("isRecord() accepts plain objects and arrays, of other realms too, and no instances", () => {
  const context = createContext({});
  const foreign = runInContext("({ a: [1, new Uint8Array([2])] })", context) as object;
  const plain = [{}, [], Object.create(null) as object, foreign];
  for (const value of plain) assert.equal(isRecord(value), true);
  class FromNull {}
  Object.setPrototypeOf(FromNull.prototype, null);
  const others = [new Set(), new Map(), new (class A {})(), Object.create({}) as object];
  for (const value of [...others, new FromNull(), Promise.resolve(), new Error("x")]) {
    assert.equal(isRecord(value), false);
  }
  assert.deepEqual(decoded(encoded(foreign)), { a: [1, Uint8Array.of(2)] });
});

test("RecordDecoder refuses hostile lengths, formats and ends", () => {
  const cases: [string, RegExp][] = [
    ["", /ends after 0 bytes/],
    ["ddffffffff", /claims 4294967295 items, 0 bytes remain/],
    ["dfffffffff", /claims 4294967295 items/],
    ["91ddffffffff00", /claims 4294967295 items, 1 bytes remain/],
    ["9200", /claims 2 items/],
    ["8201", /claims 2 items/],
    ["dcffff", /claims 65535 items/],
    ["dbffffffff", /expected 4294967295/],
    ["c6ffffffff00", /expected 4294967295/],
    ["a5414243", /ends after 3 bytes/],
    ["cb00", /expected 8/],
    ["d9", /expected 1/],
    ["c1", /0xc1/],
    ["d4", /expected 1/],
    ["d401", /expected 1/],
    ["d6ff000000", /expected 4/],
    ["c7", /expected 1/],
    ["c703ff0000", /expected 3/],
    ["c9ffffffff0100", /expected 4294967295/],
    ["d4010000", /1 bytes follow/],
    ["a1ff", /not UTF-8/],
    ["81d4010101", /map key is 0xd4/],
    ["819001", /map key is 0x90/],
    ["81c4016101", /map key is 0xc4/],
    ["9000", /1 bytes follow/],
  ];
  for (const [hex, text] of cases) assertMalformed(fromHex(hex), text);
});

test("RecordDecoder refuses megabytes of nested claims without allocating what they claim", () => {
  const claims = new Uint8Array(1 << 20);
  for (let at = 0; at + 5 <= claims.length; at += 5) claims.set([0xdd, 0, 0x0f, 0, 0], at);
  assertMalformed(claims, /nested deeper|claims/);
  assertMalformed(new Uint8Array(1 << 20).fill(0x91), /nested deeper/);
  assertMalformed(new Uint8Array(1 << 20).fill(0x81), /nested deeper|map key/);
});

test("RecordDecoder refuses every record that is cut short or has a byte too many", () => {
  const bytes = encoded({ a: [1, -1, 300, 1.5, "text", Uint8Array.of(1)], b: { c: 5n, d: null } });
  for (let end = 0; end < bytes.length; end++) assertMalformed(bytes.slice(0, end), /./);
  assertMalformed(Uint8Array.of(...bytes, 0xc0), /follow/);
});

test("RecordDecoder survives any damage with a record or a DecodeError", () => {
  const bytes = encoded({ a: [1, -1, 300, 1.5, "text", Uint8Array.of(1)], b: { c: 5n, d: null } });
  for (let at = 0; at < bytes.length; at++) {
    for (let mask = 1; mask < 256; mask++) {
      const bad = bytes.slice();
      bad[at]! ^= mask;
      try {
        decoded(bad);
      } catch (error) {
        assert.ok(error instanceof DecodeError, `byte ${at} ^ ${mask}: ${String(error)}`);
      }
    }
  }
});

test("RecordDecoder reads map keys that are integers, and keeps the last of equal names", () => {
  assert.deepEqual(decoded(fromHex("83010aff0bd300000000000000050c")), {
    "1": 10,
    "-1": 11,
    "5": 12,
  });
  assert.deepEqual(decoded(fromHex("82a16101a16102")), { a: 2 });
  assert.deepEqual(decoded(fromHex("ca3fc00000")), 1.5);
});

test("Records agree with @msgpack/msgpack in both directions", () => {
  const shared = records.filter((record) => !JSON.stringify(record, plainly).includes("__proto__"));
  fc.assert(
    fc.property(shared, (record) => {
      const copy = libraryDecode(encoded(record), { useBigInt64: true });
      assert.equal(same(copy, record), true);
      assert.equal(same(decoded(libraryEncode(record, { useBigInt64: true })), record), true);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

/** JSON of a record for looking at its names only. */
function plainly(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** Equality that takes -0 for 0, which the library writes for it. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a === "number" && typeof b === "number") return a === b || Object.is(a, b);
  if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) return a === b;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length &&
    names.every((name) =>
      Object.hasOwn(b, name) &&
      same((a as Record<string, unknown>)[name], (b as Record<string, unknown>)[name])
    );
}
