/**
 * Tests the tuple encoding: the bytes and the order of Deno KV, the law of prefixes, and bytes that
 * are not a tuple.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  compareKeys,
  decodeTuple,
  encodeTuple,
  type Tuple,
  type TuplePart,
} from "../../contract.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { read } from "../fixtures/deno-kv/make.ts";
import type { Random } from "../support/random.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { randomBytes, withSeed } from "../support/seeded.ts";

interface Measured {
  readonly parts: [string, string][];
  readonly bytes: string;
}

const folder = new URL("../fixtures/deno-kv/", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("keys.json", folder), "utf8")) as Measured[];

/** The order of types, written here a second time. */
const typeOrder = ["object", "string", "bigint", "number", "boolean"];

/** The order of two tuples, compared by values and not by bytes. */
function compareTuples(a: Tuple, b: Tuple): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const order = compareParts(a[at]!, b[at]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareParts(a: TuplePart, b: TuplePart): number {
  if (typeof a !== typeof b) return typeOrder.indexOf(typeof a) - typeOrder.indexOf(typeof b);
  if (typeof a === "object") return compareKeys(a, b as Uint8Array);
  if (typeof a === "string") {
    const [x, y] = [a, b as string].map((text) => new TextEncoder().encode(text));
    return compareKeys(x!, y!);
  }
  if (Object.is(a, b)) return 0;
  if (Number.isNaN(a)) return 1;
  if (Number.isNaN(b)) return -1;
  if (a === b) return Object.is(a, -0) ? -1 : 1;
  return a < b ? -1 : 1;
}

function randomPart(random: Random): TuplePart {
  switch (random.below(9)) {
    case 0:
      return Uint8Array.from({ length: random.below(4) }, () => random.pick([0, 1, 0xfe, 0xff]));
    case 1:
      return random.pick(["", "\0", "a", "a\0", "a\0\u00ff", "ab", "\u{1f600}", "\uffff", "\0\0"]);
    case 2: {
      const size = random.below(random.pick([9, 20]));
      let n = 0n;
      for (const byte of randomBytes(size, random)) n = n * 256n + BigInt(byte);
      return random.below(2) === 0 ? n : -n;
    }
    case 3:
      return BigInt(random.below(600) - 300);
    case 4:
      return new DataView(randomBytes(8, random).buffer).getFloat64(0);
    case 5:
      return random.pick([0, -0, NaN, Infinity, -Infinity, 1, -1, 5e-324, -5e-324, 2 ** 53]);
    case 6:
      return random.below(200) - 100;
    default:
      return random.below(2) === 0;
  }
}

function randomTuple(random: Random): TuplePart[] {
  return Array.from({ length: random.below(5) }, () => randomPart(random));
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isPrefix(a: Uint8Array, b: Uint8Array): boolean {
  return a.length <= b.length && a.every((byte, at) => byte === b[at]);
}

test("Tuples have the bytes that Deno KV was seen to write, in its order", () => {
  assert.ok(golden.length > 70);
  const encoded = golden.map(({ parts }) => encodeTuple(parts.map(read)));
  assert.deepEqual(encoded.map(hex), golden.map(({ bytes }) => bytes));
  for (const [at, { parts }] of golden.entries()) {
    assert.deepEqual(decodeTuple(encoded[at]!), parts.map(read));
    if (at > 0) assert.ok(compareKeys(encoded[at - 1]!, encoded[at]!) < 0, `key ${at}`);
  }
});

test("Random tuples have the bytes and the order that Deno KV gives them", () => {
  // One runtime is enough: the other two would ask the same Deno.
  if (runtimeName !== "node") return;
  withSeed(17_001, (random) => {
    const tuples = Array.from({ length: 300 }, () => [...randomTuple(random), randomPart(random)]);
    const lines = tuples.map((tuple) =>
      JSON.stringify(tuple.map((part) => [
        typeof part === "object" ? "bytes" : typeof part,
        typeof part === "object" ? hex(part) : Object.is(part, -0) ? "-0" : String(part),
      ]))
    );
    const { command, args } = runtimeCommand(
      "deno",
      fileURLToPath(new URL("make.ts", folder)),
      [],
      [
        "--allow-all",
        "--unstable-kv",
      ],
    );
    const { stdout, stderr, status } = spawnSync(command, args, {
      input: lines.join("\n"),
      encoding: "utf8",
    });
    assert.equal(status, 0, stderr);
    const measured = JSON.parse(stdout) as Measured[];
    const ours = [...new Map(tuples.map((tuple) => [hex(encodeTuple(tuple)), tuple])).values()]
      .sort(compareTuples);
    assert.deepEqual(ours.map((tuple) => hex(encodeTuple(tuple))), measured.map((m) => m.bytes));
    assert.deepEqual(ours, measured.map((m) => m.parts.map(read)));
  });
});

test("The order of bytes is the order of tuples, and every tuple comes back", () => {
  withSeed(17_002, (random) => {
    for (let round = 0; round < 3000; round++) {
      const shared = randomTuple(random);
      const [a, b] = [[...shared, ...randomTuple(random)], [...shared, ...randomTuple(random)]];
      const [x, y] = [encodeTuple(a), encodeTuple(b)];
      assert.equal(
        Math.sign(compareKeys(x, y)),
        Math.sign(compareTuples(a, b)),
        `${hex(x)} ${hex(y)}`,
      );
      assert.deepEqual(decodeTuple(x), a);
    }
  });
});

test("A tuple is a prefix of its extensions, before which no other tuple comes, and of no other", () => {
  withSeed(17_003, (random) => {
    for (let round = 0; round < 3000; round++) {
      const tuple = randomTuple(random);
      const bytes = encodeTuple(tuple);
      const end = Uint8Array.of(...bytes, 0xff);
      const more = encodeTuple([...tuple, ...randomTuple(random)]);
      assert.ok(isPrefix(bytes, more), hex(more));
      assert.ok(compareKeys(bytes, more) <= 0 && compareKeys(more, end) < 0, hex(more));
      const other = [...tuple.slice(0, -1), ...randomTuple(random)];
      const isExtension = compareTuples(other.slice(0, tuple.length), tuple) === 0;
      const key = encodeTuple(other);
      const isBetween = compareKeys(bytes, key) <= 0 && compareKeys(key, end) < 0;
      assert.equal(isBetween, isExtension, `${hex(bytes)} ${hex(key)}`);
    }
  });
});

test("Bytes are the tuple that encodes to them, or a KEY_ENCODING error", () => {
  withSeed(17_004, (random) => {
    let read = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes = random.below(3) === 0
        ? Uint8Array.from(
          { length: random.below(12) },
          () => random.pick([0, 1, 2, 0x0b, 0x13, 0x14, 0x15, 0x1d, 0x21, 0x26, 0x27, 0x61, 0xff]),
        )
        : damaged(encodeTuple(randomTuple(random)), random);
      let tuple: TuplePart[];
      try {
        tuple = decodeTuple(bytes);
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, "KEY_ENCODING", String(error));
        continue;
      }
      read++;
      assert.equal(hex(encodeTuple(tuple)), hex(bytes));
    }
    assert.ok(read > 1000, `only ${read} were tuples`);
  });
});

/** Bytes with one byte changed, removed or inserted. */
function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  const kind = random.below(4);
  if (kind === 3) return bytes;
  const into = kind === 0 ? [] : [random.pick([0, 1, 2, 0x14, 0x80, 0xff, random.below(256)])];
  return Uint8Array.of(
    ...bytes.subarray(0, at),
    ...into,
    ...bytes.subarray(at + (kind === 1 ? 0 : 1)),
  );
}

test("What is no tuple says what was found and where", () => {
  const cases: [string, RegExp][] = [
    ["00", /0x00 as a tuple: found unknown tag 0x00 at byte 0/],
    ["1403", /unknown tag 0x03 at byte 1/],
    ["0261", /text or bytes without an end at byte 1/],
    ["0100ff", /without an end/],
    ["02ff00", /a string that is not UTF-8 at byte 0/],
    ["16ff", /a bigint that is cut off/],
    ["1d", /a bigint/],
    ["0b", /a bigint/],
    ["1500", /a bigint with more bytes than it needs/],
    ["13ff", /a bigint with more bytes than it needs/],
    ["1d0801000000000000000", /a bigint with more bytes than it needs/],
    ["21800000", /a number that is cut off/],
    ["21fff8000000000001", /a NaN of another form/],
    ["210007ffffffffffff", /a NaN of another form/],
  ];
  for (const [text, message] of cases) {
    const bytes = Uint8Array.from(text.match(/../g)!, (byte) => parseInt(byte, 16));
    assert.throws(() => decodeTuple(bytes), { name: "StoreError", code: "KEY_ENCODING", message });
  }
});

test("A NaN is one key, whatever its bits are", () => {
  const negative = new Float64Array(new BigUint64Array([0xfff8_0000_0000_0001n]).buffer)[0]!;
  assert.deepEqual(encodeTuple([negative]), encodeTuple([NaN]));
  assert.equal(hex(encodeTuple([NaN])), "21fff8000000000000");
});
