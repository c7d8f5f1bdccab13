/** The decoder of values, records in MessagePack included, for the fuzz programme. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { TypeMismatchError } from "../../src/errors.ts";
import { appendExpiry, expiryAt, isExpiring, requireExpiry } from "../../src/value/expiry.ts";
import { Extension } from "../../src/value/extension.ts";
import type { RecordItem, RecordValue, Value } from "../../src/value/value.ts";
import { encodeValue, ValueDecoder, valueTypeAt } from "../../src/value/value_codec.ts";
import type { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";
import type { Field, FuzzedDecoder } from "./decoder.ts";
import { someInteger, viewOn, written } from "./make.ts";

const decoder = new ValueDecoder({ int64: "bigint" });
const numberDecoder = new ValueDecoder({ int64: "number" });
const MAX_INT64 = 2n ** 63n - 1n;
const names = ["a", "b", "", "__proto__", "constructor", "é", "long name of a property", "7"];

/** A value, as the store would write it. */
export const valueDecoder: FuzzedDecoder = {
  name: "value",
  valid: (random) =>
    written((writer) => {
      if (random.below(4) === 0) appendExpiry(writer, someInteger(random));
      encodeValue(someValue(random), writer);
    }),
  fields(bytes) {
    const fields: Field[] = [{ at: 0, width: 1 }];
    if (bytes[0] === 4 || bytes[0] === 5) fields.push({ at: 1, width: 1 }, { at: 2, width: 4 });
    // In MessagePack every byte may be a format, and the next two or four a length.
    for (let at = 1; at < bytes.length; at++) {
      fields.push({ at, width: 1 });
      if (at + 5 < bytes.length) {
        fields.push({ at: at + 1, width: 2, isBigEndian: true });
        fields.push({ at: at + 1, width: 4, isBigEndian: true });
      }
    }
    return fields;
  },
  reseal(bytes) {
    // The nearest thing to a checksum is the length before a record, a text or bytes.
    if (bytes[0] === 7 || bytes[0] === 8) {
      if (bytes.length >= 5) viewOn(bytes).setUint32(1, bytes.length - 5, true);
    } else if (bytes.length >= 6) viewOn(bytes).setUint32(2, bytes.length - 6, true);
  },
  decode(bytes) {
    const view = viewOn(bytes);
    const value = decoder.decode(bytes, view, 0, bytes.length);
    const type = valueTypeAt(bytes, 0, bytes.length);
    assert.ok(type !== "tombstone");
    if (isExpiring(bytes, 0)) {
      requireExpiry(view, 0, bytes.length);
      assert.ok(Number.isSafeInteger(expiryAt(view, 0)));
    }
    return {
      items: countOf(value),
      work: bytesOf(value),
      requireRoundTrip() {
        requireNumbers(bytes, view, value);
        // Raw MessagePack of Go's callers may hold a lone uint64 that is not an int64.
        if (typeof value === "bigint" && value > MAX_INT64) return;
        const encoded = written((writer) => encodeValue(value, writer));
        const again = decoder.decode(encoded, viewOn(encoded), 0, encoded.length);
        assert.equal(textOf(again), textOf(value));
      },
    };
  },
  // A text of 4-byte characters is shorter in UTF-16; one of ASCII is twice as long.
  maxWork: (length) => length * 2 + 16,
};

/** As numbers, 64-bit integers are the same numbers, or refused as of another type. */
function requireNumbers(bytes: Uint8Array, view: DataView, value: Value): void {
  let asNumbers: Value;
  try {
    asNumbers = numberDecoder.decode(bytes, view, 0, bytes.length);
  } catch (error) {
    assert.ok(error instanceof TypeMismatchError, String(error));
    return;
  }
  assert.equal(textOf(asNumbers).replaceAll("n", ""), textOf(value).replaceAll("n", ""));
}

function someValue(random: Random): Value {
  switch (random.below(8)) {
    case 0:
      return BigInt.asIntN(64, (BigInt(random.uint32()) << 32n) | BigInt(random.uint32()));
    case 1:
      return random.pick([0, -0, NaN, 1.5, -1e300, random.uint32()]);
    case 2:
      return random.below(2) === 0;
    case 3:
      return someText(random);
    case 4:
      return randomBytes(random.below(40), random);
    default:
      return someRecord(random, 0);
  }
}

function someText(random: Random): string {
  return random.pick(["", "a", "text", "日本", "😀", "\0", "\ufeff", "x".repeat(40)]);
}

function someRecord(random: Random, depth: number): RecordValue {
  const items = Array.from({ length: random.below(5) }, () => someItem(random, depth + 1));
  if (random.below(2) === 0) return items;
  return Object.fromEntries(items.map((item) => [random.pick(names), item]));
}

function someItem(random: Random, depth: number): RecordItem {
  switch (random.below(depth > 4 ? 7 : 9)) {
    case 0:
      return random.pick([null, true, false]);
    case 1:
      return random.pick([0, 127, 128, -32, -33, 255, 256, 65535, 65536, -129, -32769, 2 ** 31]);
    case 2:
      return random.pick([1.5, -0, NaN, Infinity, 2 ** 53]);
    case 3:
      return random.pick([2n ** 64n - 1n, -(2n ** 63n), 1n]);
    case 4:
      return someText(random);
    case 5:
      return random.below(2) === 0
        ? randomBytes(random.below(8), random)
        : new Extension(random.below(256) - 128, randomBytes(random.below(20), random));
    case 6:
      return random.below(2) === 0
        ? new Date(random.pick([0, 1, -1, 1.7e12, 2 ** 32 * 1000, 2 ** 34 * 1000, 8.64e15]))
        : new Extension(-1, randomBytes(random.pick([4, 8, 12]), random));
    default:
      return someRecord(random, depth);
  }
}

function countOf(value: RecordItem): number {
  if (typeof value !== "object" || value === null) return 1;
  if (value instanceof Uint8Array || value instanceof Extension) return 1;
  if (value instanceof Date) return 1;
  let count = 1;
  for (const item of Object.values(value)) count += countOf(item);
  return count;
}

/** Bytes of memory in texts and byte arrays. */
function bytesOf(value: RecordItem): number {
  if (typeof value === "string") return value.length * 2;
  if (value instanceof Extension) return value.data.length;
  if (value instanceof Uint8Array) return value.length;
  if (value instanceof Date) return 8;
  if (typeof value !== "object" || value === null) return 0;
  let sum = 0;
  for (const [name, item] of Object.entries(value)) {
    sum += bytesOf(item) + (Array.isArray(value) ? 0 : name.length);
  }
  return sum;
}

/** A value as text that distinguishes types and signs. */
function textOf(value: RecordItem): string {
  if (value instanceof Extension) return `extension ${value.type} ${textOf(value.data)}`;
  if (value instanceof Date) return `Date ${value.getTime()}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("base64")}`;
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`;
  if (typeof value === "object" && value !== null) {
    // Reading the names as own properties finds a prototype that was set instead of a property.
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    const entries = Object.entries(value);
    return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${textOf(item)}`).join()}}`;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  return JSON.stringify(value) ?? "undefined";
}
