/**
 * Values to tagged bytes and back: exact bytes, types kept, nothing half written, safe decoding.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError, TypeMismatchError } from "../../src/errors.ts";
import { MAX_VALUE_BYTES, type Value } from "../../src/value/value.ts";
import {
  encodeTombstone,
  encodeValue,
  expectType,
  isTombstone,
  ValueDecoder,
  valueTypeAt,
} from "../../src/value/value_codec.ts";

const SEED = 20253;
const bigints = new ValueDecoder({ int64: "bigint" });
const numbers = new ValueDecoder({ int64: "number" });

function encoded(value: unknown): Buffer {
  const writer = new ByteWriter(0);
  encodeValue(value as Value, writer);
  return Buffer.from(writer.bytes.slice(0, writer.length));
}

function decoded(bytes: Uint8Array, decoder = bigints): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decoder.decode(bytes, view, 0, bytes.length);
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

/** Asserts that `value` is refused with an error of `kind` and that nothing is appended. */
function assertRefused(value: unknown, kind: ErrorConstructor, text: RegExp): void {
  const writer = new ByteWriter(8);
  writer.appendUint16(7);
  assert.throws(
    () => encodeValue(value as Value, writer),
    (error) => error instanceof kind && text.test(error.message),
  );
  assert.equal(writer.length, 2);
}

const golden: [Value, string, string][] = [
  [0n, "int64", "01" + "0000000000000000"],
  [1n, "int64", "01" + "0100000000000000"],
  [-2n, "int64", "01" + "feffffffffffffff"],
  [2n ** 63n - 1n, "int64", "01" + "ffffffffffffff7f"],
  [-(2n ** 63n), "int64", "01" + "0000000000000080"],
  [95.5, "float64", "02" + "0000000000e05740"],
  [-0, "float64", "02" + "0000000000000080"],
  [Infinity, "float64", "02" + "000000000000f07f"],
  [2 ** 40, "float64", "02" + "0000000000007042"],
  [true, "bool", "0301"],
  [false, "bool", "0300"],
  ["", "string", "0400" + "00000000"],
  ["Alice", "string", "0400" + "05000000" + "416c696365"],
  ["é€😀", "string", "0400" + "09000000" + "c3a9e282acf09f9880"],
  [new Uint8Array(0), "bytes", "0500" + "00000000"],
  [Uint8Array.of(0, 255), "bytes", "0500" + "02000000" + "00ff"],
  [{}, "record", "07" + "01000000" + "80"],
  [{ a: 1, b: "x" }, "record", "07" + "08000000" + "82a16101a162a178"],
  [[], "record", "08" + "01000000" + "90"],
  [[1n, null, false], "record", "08" + "0c000000" + "93d30000000000000001c0c2"],
];

test("encodeValue() gives the golden bytes of every type, and they decode to the same", () => {
  for (const [value, type, hex] of golden) {
    assert.equal(encoded(value).toString("hex"), hex);
    const bytes = fromHex(hex);
    assert.deepEqual(decoded(bytes), value);
    assert.equal(valueTypeAt(bytes, 0, bytes.length), type);
    assert.equal(isTombstone(bytes, 0), false);
  }
});

test("encodeTombstone() appends one byte, which is not a value", () => {
  const writer = new ByteWriter(0);
  encodeTombstone(writer);
  const bytes = writer.bytes.slice(0, writer.length);
  assert.deepEqual([...bytes], [6]);
  assert.equal(isTombstone(bytes, 0), true);
  assert.equal(valueTypeAt(bytes, 0, 1), "tombstone");
  assert.throws(() => decoded(bytes), DecodeError);
});

test("Numbers and NaN keep their bits, and bigints their type", () => {
  for (const value of [NaN, -0, 0, -Infinity, 5e-324, Number.MAX_VALUE, 2 ** 53, -1]) {
    assert.ok(Object.is(decoded(encoded(value)), value), String(value));
  }
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      assert.equal(decoded(encoded(value)), value);
    }),
    { seed: SEED },
  );
  fc.assert(
    fc.property(fc.double(), (value) => assert.ok(Object.is(decoded(encoded(value)), value))),
    { seed: SEED },
  );
});

test("Strings and bytes of any length come back, from the middle of a buffer", () => {
  const decode = (bytes: Buffer): Value => {
    const around = Buffer.concat([Buffer.alloc(3, 0xff), bytes, Buffer.alloc(2, 0xff)]);
    const view = new DataView(around.buffer, around.byteOffset, around.byteLength);
    return bigints.decode(around, view, 3, 3 + bytes.length);
  };
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      assert.equal(decode(encoded(text)), text);
    }),
    { seed: SEED, numRuns: 500 },
  );
  for (const length of [0, 1, 39, 40, 41, 64, 100, 1023, 1024, 1025, 8192, 100_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 3);
    const copy = decode(encoded(bytes));
    assert.ok(copy instanceof Uint8Array);
    assert.equal(Object.getPrototypeOf(copy), Uint8Array.prototype);
    assert.deepEqual(copy, bytes);
    const text = "é".repeat(length);
    assert.equal(decode(encoded(text)), text);
  }
});

test("Decoded bytes are the caller's own: writing to one value changes no other", () => {
  const source = encoded(Uint8Array.of(1, 2, 3, 4));
  const first = decoded(source) as Uint8Array;
  const second = decoded(source) as Uint8Array;
  first.fill(9);
  assert.deepEqual([...second], [1, 2, 3, 4]);
  source.fill(0);
  assert.deepEqual([...second], [1, 2, 3, 4]);
});

test("Decoding continues after a caller transferred the buffer of decoded bytes", () => {
  const source = encoded(Uint8Array.of(1, 2, 3, 4));
  const first = decoded(source) as Uint8Array<ArrayBuffer>;
  structuredClone(first.buffer, { transfer: [first.buffer] });
  assert.equal(first.length, 0);
  assert.deepEqual([...decoded(source) as Uint8Array], [1, 2, 3, 4]);
});

test("ValueDecoder reads int64 as safe numbers if the caller asks for that", () => {
  for (const value of [0n, -1n, 1n, 2n ** 32n, -(2n ** 32n) - 1n, 2n ** 53n - 1n, 1n - 2n ** 53n]) {
    assert.equal(decoded(encoded(value), numbers), Number(value));
  }
  assert.ok(Object.is(decoded(encoded(0n), numbers), 0));
  for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    assert.throws(() => decoded(encoded(value), numbers), TypeMismatchError, String(value));
    assert.throws(() => decoded(encoded([value]), numbers), TypeMismatchError, String(value));
  }
  assert.deepEqual(decoded(encoded({ a: [5n, -5n, 1.5] }), numbers), { a: [5, -5, 1.5] });
});

test("encodeValue() refuses anything but a value and leaves the writer as it was", () => {
  for (const value of [undefined, null, Symbol("s"), () => 1, new Set(), new Map(), /x/]) {
    assertRefused(value, TypeError, /Cannot encode the value: found/);
  }
  for (const value of [new ArrayBuffer(2), new Uint16Array(2), new (class Point {})()]) {
    assertRefused(value, TypeError, /Cannot encode the value: found an instance of/);
  }
  for (const value of ["\ud800", `${"x".repeat(100)}\udc00`]) {
    assertRefused(value, TypeError, /lone surrogate/);
  }
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n]) assertRefused(value, RangeError, /bigint/);
});

test("encodeValue() refuses bytes beyond the limit before it copies them", () => {
  const long = new Uint8Array(MAX_VALUE_BYTES - 5);
  assertRefused(long, RangeError, /expected at most 1073741754 bytes/);
  assertRefused({ a: { b: long } }, RangeError, /value\.a\.b makes it longer/);
});

test("encodeValue() copies, so that the caller may reuse the buffer", () => {
  const value = Uint8Array.of(1, 2, 3);
  const writer = new ByteWriter(0);
  encodeValue(value, writer);
  value.fill(9);
  assert.deepEqual([...writer.bytes.subarray(6, 9)], [1, 2, 3]);
});

test("A getter of a record can't write into the value that is being encoded", () => {
  for (const inner of [1, "x", { a: 1 }, undefined]) {
    const writer = new ByteWriter(0);
    const sly = {
      before: 1,
      get sly(): number {
        if (inner === undefined) encodeTombstone(writer);
        else encodeValue(inner, writer);
        return 1;
      },
    };
    assert.throws(() => encodeValue(sly, writer), /a getter of another value/);
    assert.equal(writer.length, 0);
    encodeValue(1, writer);
    assert.equal(writer.length, 9);
  }
  const failing = {
    get bad(): number {
      throw new Error("from the getter");
    },
  };
  assertRefused(failing, Error, /from the getter/);
});

test("A getter of a record may encode into another writer", () => {
  const other = new ByteWriter(0);
  const value = {
    get inner(): number {
      encodeValue({ a: 1 }, other);
      return other.length;
    },
  };
  assert.deepEqual(decoded(encoded(value)), { inner: 9 });
});

test("ValueDecoder ignores what follows a value in its range, as Go does", () => {
  for (const [value, , hex] of golden) assert.deepEqual(decoded(fromHex(hex + "ffff")), value);
});

test("ValueDecoder reads what only Go writes: other bools, an empty record, raw MessagePack", () => {
  assert.equal(decoded(fromHex("0302")), true);
  assert.equal(decoded(fromHex("04020100000041")), "A");
  assert.deepEqual(decoded(fromHex("0700000000")), {});
  assert.equal(decoded(fromHex("08" + "02000000" + "a141")), "A");
  assert.deepEqual(decoded(fromHex("08" + "03000000" + "8105c3")), { "5": true });
});

test("ValueDecoder refuses every malformed value with a DecodeError", () => {
  const malformed: [string, RegExp][] = [
    ["", /empty/],
    ["00", /value type is 0/],
    ["09", /has 1 bytes, expected at least 10/],
    ["09" + "00".repeat(8), /has 9 bytes/],
    ["09" + "ffffffffffffffff" + "0301", /limit is 2\^53 - 1/],
    ["09" + "0100000000000000" + "06", /tombstone/],
    ["09" + "0100000000000000" + "09" + "0100000000000000" + "0301", /value type is 9/],
    ["09" + "0100000000000000" + "0400" + "01000000", /claims 1 bytes, 0 remain/],
    ["ff00000000", /value type is 255/],
    ["06", /tombstone/],
    ["0401" + "00".repeat(14), /unsupported/],
    ["0501" + "00".repeat(14), /unsupported/],
    ["0400" + "01000000", /claims 1 bytes, 0 remain/],
    ["0500" + "ffffffff" + "00", /claims 4294967295 bytes, 1 remain/],
    ["0400" + "01000000" + "ff", /not UTF-8/],
    ["0400" + "02000000" + "c3a9".slice(0, 2) + "41", /not UTF-8/],
    ["07" + "01000000" + "90", /not a MessagePack map/],
    ["07" + "02000000" + "8080", /follow the MessagePack item/],
    ["07" + "ffffffff" + "80", /claims/],
    ["08" + "00000000", /ends after/],
    ["08" + "01000000" + "c0", /nil/],
    ["08" + "01000000" + "c1", /0xc1/],
  ];
  for (const [hex, text] of malformed) {
    assert.throws(
      () => decoded(fromHex(hex)),
      (error) => error instanceof DecodeError && text.test(error.message),
      hex,
    );
  }
  for (const hex of ["", "00", "09", "ff"]) {
    const bytes = fromHex(hex);
    assert.throws(() => valueTypeAt(bytes, 0, bytes.length), DecodeError, hex);
  }
});

test("ValueDecoder refuses every value that is cut short", () => {
  for (const [value, , hex] of golden) {
    const bytes = fromHex(hex);
    const view = new DataView(bytes.buffer);
    for (let end = 0; end < bytes.length; end++) {
      assert.throws(
        () => bigints.decode(bytes, view, 0, end),
        DecodeError,
        `${String(value)}, ${end}`,
      );
    }
  }
});

test("ValueDecoder survives any bytes with a value or a DecodeError", () => {
  const anyBytes = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.uint8Array({ maxLength: 80 }));
  fc.assert(
    fc.property(anyBytes, fc.boolean(), ([type, rest], framed) => {
      const header = framed && type >= 7 ? [rest.length, 0, 0, 0] : [];
      const bytes = Uint8Array.of(type, ...header, ...rest);
      try {
        decoded(bytes);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
        assert.ok(error.offset >= 0 && error.offset <= bytes.length);
      }
    }),
    { seed: SEED, numRuns: 5000 },
  );
});

test("expectType() accepts the same type and names both if they differ", () => {
  assert.doesNotThrow(() => expectType("string", "string"));
  assert.throws(
    () => expectType("bytes", "string"),
    (error) =>
      error instanceof TypeMismatchError && error.found === "bytes" && error.expected === "string",
  );
});
