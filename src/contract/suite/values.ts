/** Keys and values come back as they were stored, in the order of bytes, and within the limits. */

import { dateAt } from "../clock.ts";
import { compareKeys, keyBytes } from "../rules.ts";
import {
  type Key,
  MAX_KEY_BYTES,
  MAX_RECORD_DEPTH,
  type RecordItem,
  type Value,
} from "../value.ts";
import { equal, fails } from "./assert.ts";
import type { StoreTest } from "./suite.ts";

const VALUES: readonly Value[] = [
  ...[0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)],
  ...[0, -0, 1, 1.5, NaN, Infinity, -Infinity, Number.MIN_VALUE, 2 ** 53],
  ...[true, false],
  ...["", "text", "zero \0 inside", "\ufffd \u{1f600} \u00e9", "x".repeat(20_000)],
  ...[new Uint8Array(0), Uint8Array.of(0, 255, 128), new Uint8Array(20_000).fill(7)],
  ...[{}, [], { a: { b: [1, 2n, null, true, "x", { c: Uint8Array.of(1) }] } }, [[[]], {}]],
  ...[-8.64e15, -1, 0, 1, 1_700_000_000_000, 8.64e15].map((ms) => ({ at: [dateAt(ms)] })),
  ...[{ "": 1, constructor: 2, ["__proto__"]: { polluted: true }, toJSON: 3 }],
];

const KEYS: readonly Key[] = [
  ...["", "\0", "a", "a\0", "aa", "b", "Z", "\u007f", "\u0080", "\u00e9", "\uffff", "\u{10000}"],
  ...["\u{10ffff}", "k".repeat(1000)],
];

/** Values that can't be stored. */
const NO_VALUES: readonly [value: unknown, error: "TypeError" | "RangeError"][] = [
  [undefined, "TypeError"],
  [null, "TypeError"],
  [() => 1, "TypeError"],
  [Symbol("s"), "TypeError"],
  ["lone \ud800 surrogate", "TypeError"],
  [2n ** 63n, "RangeError"],
  [-(2n ** 63n) - 1n, "RangeError"],
  [new Map(), "TypeError"],
  [dateAt(0), "TypeError"],
  [{ a: dateAt(NaN) }, "TypeError"],
  [{ a: new Set() }, "TypeError"],
  [new (class Point {})(), "TypeError"],
  [new Uint16Array(1), "TypeError"],
  [[undefined], "TypeError"],
  [{ a: () => 1 }, "TypeError"],
  [{ a: 2n ** 64n }, "RangeError"],
  [nested(MAX_RECORD_DEPTH + 1), "RangeError"],
];

const NO_KEYS: readonly [key: unknown, error: "TypeError" | "RangeError"][] = [
  [undefined, "TypeError"],
  [null, "TypeError"],
  [5, "TypeError"],
  [{}, "TypeError"],
  [["a"], "TypeError"],
  ["lone \udfff surrogate", "TypeError"],
  ["k".repeat(MAX_KEY_BYTES + 1), "RangeError"],
  ["\u00e9".repeat(MAX_KEY_BYTES / 2 + 1), "RangeError"],
  [new Uint8Array(MAX_KEY_BYTES + 1), "RangeError"],
];

function nested(depth: number): RecordItem {
  let item: RecordItem = [];
  for (let i = 1; i < depth; i++) item = [item];
  return item;
}

/** The tests of keys and values. */
export function valueTests(test: StoreTest, maxKeyBytes: number = MAX_KEY_BYTES): void {
  test("Every type of value comes back as it was stored", async (store) => {
    for (const value of VALUES) {
      await store.put("k", value);
      equal(await store.get("k"), value);
      equal(await store.getEntry("k"), { key: "k", value }, "the entry");
      equal(await store.getMany(["k"]), [value], "getMany");
      equal(await store.entries().toArray(), [["k", value]], "entries");
      equal(await store.values().toArray(), [value], "values");
    }
    equal(({} as Record<string, unknown>).polluted, undefined, "a property of every object");
  });

  test("A property that is undefined is left out of a record", async (store) => {
    await store.put("k", { a: undefined, b: 1 });
    equal(await store.get("k"), { b: 1 });
  });

  test("Dates with different times are different values", async (store) => {
    await store.put("k", { at: dateAt(5) });
    equal(await store.putIfEquals("k", 1, { at: dateAt(6) }), false, "whether 6 equals 5");
    equal(await store.putIfEquals("k", 1, { at: {} }), false, "whether an object equals a Date");
    equal(await store.putIfEquals("k", { at: {} }, { at: dateAt(5) }), true, "whether 5 equals 5");
    equal(
      await store.putIfEquals("k", 1, { at: dateAt(5) }),
      false,
      "whether a Date equals an object",
    );
  });

  test("A record may be nested as deep as the limit says", async (store) => {
    const deep = nested(MAX_RECORD_DEPTH) as Value;
    await store.put("k", deep);
    equal(await store.get("k"), deep);
  });

  test("Anything that can't be a value is refused and changes nothing", async (store) => {
    await store.put("k", "old");
    for (const [value, error] of NO_VALUES) {
      const what = `the value ${typeof value}`;
      await fails(() => store.put("k", value as Value), error, what);
      await fails(() => store.putIfNotExists("new", value as Value), error, what);
      await fails(() => store.putIfEquals("k", value as Value, "old"), error, what);
      await fails(() => store.batch().put("k", value as Value), error, what);
      await fails(
        () =>
          store.write([{ type: "put", key: "k", value: 1 }, {
            type: "put",
            key: "l",
            value: value as Value,
          }]),
        error,
        what,
      );
      if (value !== undefined) {
        await fails(() => store.update("k", () => value as Value), error, what);
      }
    }
    equal(await store.entries().toArray(), [["k", "old"]], "the content");
  });

  test("Anything that can't be a key is refused everywhere and changes nothing", async (store) => {
    for (const [given, error] of NO_KEYS) {
      const key = given as Key;
      const what = `the key ${typeof given}`;
      await fails(() => store.put(key, 1), error, what);
      await fails(() => store.delete(key), error, what);
      await fails(() => store.deleteIfExists(key), error, what);
      await fails(() => store.get(key), error, what);
      await fails(() => store.getEntry(key), error, what);
      await fails(() => store.getMany(["a", key]), error, what);
      await fails(() => store.has(key), error, what);
      await fails(() => store.hasMany([key]), error, what);
      await fails(() => store.putIfNotExists(key, 1), error, what);
      await fails(() => store.putIfEquals(key, 1, 2), error, what);
      await fails(() => store.increment(key), error, what);
      await fails(() => store.update(key, () => 1), error, what);
      await fails(() => store.batch().put(key, 1), error, what);
      await fails(() => store.batch().delete(key), error, what);
      await fails(() => store.write([{ type: "delete", key }]), error, what);
      const keys = store.keys();
      await fails(() => keys.seek(key), error, what);
      await keys.close();
      if (given !== undefined) await fails(() => store.count({ gte: key }), error, what);
    }
    equal(await store.count(), 0, "the number of keys");
  });

  test("A text in the place of several keys is refused, and not read as its characters", async (store) => {
    await store.put("a", 1);
    await fails(() => store.getMany("abc" as never), "TypeError");
    await fails(() => store.hasMany("abc" as never), "TypeError");
    await fails(() => store.snapshot().getMany("abc" as never), "TypeError");
    await fails(() => store.transaction((tx) => tx.hasMany("a" as never)), "TypeError");
  });

  test("A key may have as many bytes as the limit says", async (store) => {
    for (const key of ["k".repeat(maxKeyBytes), "\u00e9".repeat(Math.floor(maxKeyBytes / 2))]) {
      await store.put(key, 1);
      equal(await store.get(key), 1);
      await store.delete(key);
    }
  });

  test("Keys are in the unsigned order of their bytes, in both directions", async (store) => {
    for (const key of KEYS) await store.put(key, String(key));
    const sorted = [...KEYS].sort((a, b) => compareKeys(keyBytes(a), keyBytes(b)));
    equal(await store.keys().toArray(), sorted, "the keys");
    equal(
      await store.keys({ reverse: true }).toArray(),
      sorted.toReversed(),
      "the keys in reverse",
    );
    for (const key of KEYS) equal(await store.get(key), key);
  });

  test("A key given as bytes is the same key as its text", async (store) => {
    await store.put(new TextEncoder().encode("k\u00e9y"), 1);
    equal(await store.get("k\u00e9y"), 1);
    await store.put("k\u00e9y", 2);
    equal(await store.get(new TextEncoder().encode("k\u00e9y")), 2);
    equal(await store.count(), 1, "the number of keys");
  });

  test("The caller may reuse its buffers when the call returns, and may change results", async (store) => {
    const key = Uint8Array.of(0x61);
    const value = Uint8Array.of(1, 2, 3);
    const record = { bytes: Uint8Array.of(4) };
    const batch = store.batch().put(key, value);
    const writes: Promise<unknown>[] = [];
    key[0] = 0x62;
    writes.push(store.put(key, value));
    key[0] = 0x63;
    writes.push(store.putIfNotExists(key, record));
    key[0] = 0x64;
    writes.push(store.increment(key));
    key[0] = 0x65;
    writes.push(store.write([{ type: "put", key, value }]));
    key[0] = 0x66;
    value.fill(9);
    record.bytes.fill(9);
    writes.push(batch.write());
    await Promise.all(writes);
    const expected = [
      Uint8Array.of(1, 2, 3),
      Uint8Array.of(1, 2, 3),
      { bytes: Uint8Array.of(4) },
      1n,
    ];
    for (let round = 0; round < 2; round++) {
      const found = await store.getMany(["a", "b", "c", "d"]);
      equal(found, expected, `what is stored, round ${round}`);
      (found[0] as Uint8Array).fill(8);
      (found[2] as { bytes: Uint8Array }).bytes.fill(8);
    }
    equal(await store.get("e"), Uint8Array.of(1, 2, 3), "what write stored");
    equal(await store.has("f"), false, "whether there is a key that nobody has put");
  });

  test("Typed access returns values of its type and refuses the others", async (store) => {
    await store.putString("string", "text");
    await store.putInt64("int64", 5);
    await store.putFloat64("float64", 5);
    await store.putBool("bool", true);
    await store.putBytes("bytes", Uint8Array.of(5));
    await store.putMap("record", { a: 1 });
    await store.putJson("json", { a: [1, null] });
    using snapshot = store.snapshot();
    for (const reader of [store, snapshot]) {
      equal(await reader.getString("string"), "text");
      equal(await reader.getInt64("int64"), 5n);
      equal(await reader.getFloat64("float64"), 5);
      equal(await reader.getBool("bool"), true);
      equal(await reader.getBytes("bytes"), Uint8Array.of(5));
      equal(await reader.getMap("record"), { a: 1 });
      equal(await reader.getJson("json"), { a: [1, null] });
      const getters: Record<string, (key: string) => Promise<unknown>> = {
        string: (key) => reader.getString(key),
        int64: (key) => reader.getInt64(key),
        float64: (key) => reader.getFloat64(key),
        bool: (key) => reader.getBool(key),
        bytes: (key) => reader.getBytes(key),
        record: (key) => reader.getMap(key),
      };
      for (const [type, getter] of Object.entries(getters)) {
        equal(await getter("missing"), undefined);
        for (const key of Object.keys(getters)) {
          if (key !== type) {
            await fails(() => getter(key), { code: "TYPE_MISMATCH" }, `${key}, ${type}`);
          }
        }
      }
      equal(await reader.getJson("missing"), undefined);
      await fails(() => reader.getJson("bool"), { code: "TYPE_MISMATCH" });
      await fails(() => reader.getJson("string"), "SyntaxError");
    }
    const refused: (() => Promise<void>)[] = [
      () => store.putString("k", 1 as never),
      () => store.putInt64("k", 1.5),
      () => store.putInt64("k", 2 ** 53),
      () => store.putFloat64("k", 1n as never),
      () => store.putBool("k", 1 as never),
      () => store.putBytes("k", [1] as never),
      () => store.putBytes("k", new DataView(new ArrayBuffer(1)) as never),
      () => store.putMap("k", Uint8Array.of(1) as never),
      () => store.putMap("k", null as never),
      () => store.putJson("k", undefined),
      () => store.putJson("k", { a: [NaN] }),
      () => store.putJson("k", new Map([[1, 1]])),
    ];
    for (const put of refused) await fails(put, "TypeError", String(put));
    await fails(() => store.putInt64("k", 2n ** 63n), "RangeError");
    equal(await store.has("k"), false, "whether something was stored");
  });
}
