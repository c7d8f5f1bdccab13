// Dates in records: the timestamps of MessagePack.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import * as vm from "node:vm";
import { Extension, memoryFileSystem, openSync, type RecordItem, type Value } from "../../mod.ts";
import { ByteWriter } from "../../src/bytes/byte_writer.ts";
import { DecodeError } from "../../src/errors.ts";
import { encodeValue, ValueDecoder } from "../../src/value/value_codec.ts";
import { withSeed } from "../support/seeded.ts";

const LATEST = 8.64e15;

function bytesOf(value: Value): string {
  const writer = new ByteWriter(64);
  encodeValue(value, writer);
  return Buffer.from(writer.bytes.subarray(0, writer.length)).toString("hex");
}

function decoded(hex: string): Value {
  const bytes = new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
  return new ValueDecoder({ int64: "bigint" }).decode(
    bytes,
    new DataView(bytes.buffer),
    0,
    bytes.length,
  );
}

/** The timestamp alone: after the type byte, the length and the header of an array of one item. */
function timestampOf(ms: number): string {
  return bytesOf([new Date(ms)]).slice(12);
}

test("A Date is stored as the shortest timestamp of MessagePack, and comes back as a Date", () => {
  const cases: [ms: number, hex: string][] = [
    [0, "d6ff00000000"],
    [1_700_000_000_000, "d6ff6553f100"],
    [4_294_967_295_000, "d6ffffffffff"],
    // 1 ms is 1,000,000 ns: 0xf4240 << 2.
    [1, "d7ff003d090000000000"],
    [4_294_967_296_000, "d7ff0000000100000000"],
    [2 ** 34 * 1000 - 1, "d7ffee2e1f03ffffffff"],
    [2 ** 34 * 1000, "c70cff000000000000000400000000"],
    [-1, "c70cff3b8b87c0ffffffffffffffff"],
    // The time.Time{} of Go.
    [-62_135_596_800_000, "c70cff00000000fffffff1886e0900"],
    [LATEST, "c70cff00000000000007dba8218000"],
    [-LATEST, "c70cff00000000fffff82457de8000"],
  ];
  for (const [ms, hex] of cases) {
    assert.equal(timestampOf(ms), hex, String(ms));
    assert.deepEqual(decoded(bytesOf({ at: new Date(ms) })), { at: new Date(ms) });
  }
});

test("Every Date comes back as the same time", () => {
  withSeed(0xda7e, (random) => {
    for (let round = 0; round < 3000; round++) {
      const scale = random.pick([1e3, 1e6, 1e9, 1e12, 1e13, 1e14, LATEST]);
      const ms = Math.trunc((random.below(2 ** 30) / 2 ** 29 - 1) * scale);
      const [found] = decoded(bytesOf([new Date(ms)])) as readonly RecordItem[];
      assert.ok(found instanceof Date, String(ms));
      assert.equal(found.getTime(), ms);
    }
  });
});

test("A timestamp that no Date has stays an Extension, with its bytes", () => {
  const cases = [
    "d7ff 00000004 00000000", // 1 ns
    "d7ff ee6b27fc 00000000", // 999,999,999 ns
    "d7ff 00000000 00000000", // 0 in eight bytes: a Date would take four
    "c70cff 00000000 0000000000000000", // 0 in twelve
    "c70cff 3b9aca00 0000000000000000", // 10^9 ns
    "c70cff 00000001 ffffffffffffffff", // before 1970, with 1 ns
    "c70cff 00000000 000007dba8218001", // a second after the latest Date
    "c70cff 00000000 7fffffffffffffff",
    "c705ff 0000000000",
    "d4ff 00",
    "c700ff",
  ];
  for (const text of cases) {
    const hex = text.replaceAll(" ", "");
    const length = (hex.length / 2 + 1).toString(16).padStart(2, "0");
    const stored = `08${length}00000091${hex}`;
    const value = decoded(stored) as readonly RecordItem[];
    assert.ok(value[0] instanceof Extension, text);
    assert.equal(value[0].type, -1);
    assert.equal(bytesOf(value), stored, text);
  }
});

test("Dates of another realm and of derived classes are stored; what only looks like one is not", () => {
  class Later extends Date {}
  const other = vm.runInNewContext("new Date(5)") as Date;
  assert.deepEqual(decoded(bytesOf([other, new Later(6)])), [new Date(5), new Date(6)]);
  const alike = [
    Object.create(Date.prototype),
    Object.assign(Object.create(Date.prototype), {
      getTime: () => 1,
      [Symbol.toStringTag]: "Date",
    }),
  ];
  for (const item of alike) {
    assert.throws(() => bytesOf({ a: [item] }), /value\.a\[0\] is an instance of Date, expected/);
  }
  assert.throws(
    () => bytesOf({ a: [0, new Date(NaN)] }),
    (error) => error instanceof TypeError && /value\.a\[1\] is an invalid Date/.test(error.message),
  );
  assert.throws(() => bytesOf(new Date(1) as unknown as Value), TypeError);
});

test("A timestamp that is a whole value is refused, as other extensions are", () => {
  for (const hex of ["d6ff00000000", "d7ff0000000400000000", "d40107"]) {
    const length = (hex.length / 2).toString(16).padStart(2, "0");
    assert.throws(() => decoded(`08${length}000000${hex}`), DecodeError, hex);
  }
});

test("A store keeps Dates over a flush and a reopening, and compares them", () => {
  const fileSystem = memoryFileSystem();
  let store = openSync("/db", { fileSystem });
  const event = { name: "start", at: new Date("2026-11-30T20:40:00.123Z"), days: [new Date(0)] };
  store.putSync("event", event);
  store.flushSync();
  store.closeSync();
  store = openSync("/db", { fileSystem });
  assert.deepEqual(store.getSync("event"), event);
  assert.deepEqual(store.getMapSync("event"), event);
  assert.equal(store.putIfEqualsSync("event", 1, { ...event, at: new Date(1) }), false);
  assert.equal(store.putIfEqualsSync("event", 1, event), true);
  store.closeSync();
});
