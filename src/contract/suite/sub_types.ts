/** Tests of the types of subs: keys and values by codecs, tuples, JSON and schemas. */

import type { Store } from "../store.ts";
import { tuple } from "../sub/key_codec.ts";
import type { StandardSchema } from "../sub/standard_schema.ts";
import type { Tuple } from "../sub/tuple.ts";
import type { Value } from "../value.ts";
import { equal, fails } from "./assert.ts";
import type { StoreTest } from "./suite.ts";

const TUPLES: readonly Tuple[] = [
  ...[[], [Uint8Array.of()], [Uint8Array.of(0)], [Uint8Array.of(0, 1)], [Uint8Array.of(1)]],
  ...[[""], ["a"], ["a", "b"], ["a", 1], ["a\0"], ["a\0b"], ["ab"]],
  ...[[-(2n ** 80n)], [-1n], [0n], [1n], [2n ** 64n], [-Infinity], [-1], [-0], [0], [0.5], [NaN]],
  ...[[false], [true], [true, false]],
];

/** A value of {@linkcode users}. */
export interface User {
  /** The name. */
  readonly name: string;
  /** The age, 0 if none was given. */
  readonly age: number;
}

/** Users with a name. A missing age becomes 0, and other fields are removed. */
export const users: StandardSchema<{ name: string; age?: number }, User> = {
  "~standard": {
    version: 1,
    vendor: "tests",
    validate(value) {
      const { name, age = 0 } = Object(value) as Partial<User>;
      if (typeof name !== "string") return { issues: [{ message: "no string", path: ["name"] }] };
      if (typeof age !== "number") {
        return { issues: [{ message: "no number", path: [{ key: "age" }] }] };
      }
      return { value: { name, age } };
    },
  },
};

async function contentOf(store: Store): Promise<[unknown, Value][]> {
  return await store.entries({ keyEncoding: "bytes" }).toArray();
}

/** The tests of the keys and values of subs. */
export function subTypeTests(test: StoreTest): void {
  test("Keys of a sub may be text only, or bytes only", async (store) => {
    const text = store.sub("text", { key: "utf8" });
    await text.put("\u00e9", 1);
    equal(await text.keys().toArray(), ["\u00e9"]);
    equal(await text.getEntry("\u00e9"), { key: "\u00e9", value: 1 });
    await fails(() => text.put(Uint8Array.of(1) as never, 1), "TypeError");
    await fails(() => text.keys({ keyEncoding: "bytes" }), "TypeError");
    const bytes = store.sub("bytes", { key: "bytes" });
    const keys = [
      Uint8Array.of(),
      Uint8Array.of(0xfe),
      Uint8Array.of(0xff),
      Uint8Array.of(0xff, 0),
    ];
    for (const key of keys) await bytes.put(key, key.length);
    equal(await bytes.keys().toArray(), keys);
    equal(await bytes.keys({ prefix: Uint8Array.of(0xff) }).toArray(), keys.slice(2));
    equal(await bytes.getEntry(keys[1]!), { key: keys[1], value: 1 });
    await fails(() => bytes.get("text" as never), "TypeError");
  });

  test("Keys that are tuples come in their order, and ranges of them go by prefix", async (store) => {
    const sub = store.sub("t", { key: "tuple" });
    for (const key of TUPLES.toReversed()) await sub.put(key, TUPLES.indexOf(key));
    equal(await sub.entries().toArray(), TUPLES.map((key, at) => [key, at]));
    equal(await sub.keys({ prefix: ["a"] }).toArray(), [["a"], ["a", "b"], ["a", 1]]);
    equal(await sub.keys({ prefix: [] }).toArray(), TUPLES);
    equal(await sub.keys({ prefix: ["a"], gt: ["a"], lt: ["a", 1] }).toArray(), [["a", "b"]]);
    equal(await sub.keys({ gte: [0n], lt: [-Infinity] }).toArray(), [[0n], [1n], [2n ** 64n]]);
    equal(await sub.getEntry([NaN]), {
      key: [NaN],
      value: TUPLES.findIndex(([part]) => Number.isNaN(part)),
    });
    for (const wrong of ["a", [null], [undefined], [[1]], [{}], ["\ud800"]]) {
      await fails(() => sub.put(wrong as never, 1), "TypeError");
    }
    await fails(() => sub.get([2n ** 2040n]), "RangeError");
    // deno-lint-ignore no-sparse-arrays
    await fails(() => sub.get(["a", , "b"] as never), "TypeError");
    await store.sub("t").put("\u00ff", 1);
    await fails(() => sub.keys().toArray(), { code: "KEY_ENCODING" });
  });

  test("A codec makes keys of anything", async (store) => {
    const sub = store.sub("n", {
      key: {
        encode: (n: number) => Uint8Array.of(n >> 8, n),
        decode: (bytes: Uint8Array) => {
          if (bytes.length !== 2) throw new TypeError("expected two bytes");
          return bytes[0]! << 8 | bytes[1]!;
        },
      },
    });
    for (const n of [258, 1, 65535, 256]) await sub.put(n, n);
    equal(await sub.keys({ gte: 2, lt: 65535 }).toArray(), [256, 258]);
    await store.sub("n").put("x", 1);
    await fails(() => sub.keys().toArray(), { code: "KEY_ENCODING" });
    const broken = store.sub("n", { key: { encode: () => "text" as never, decode: String } });
    await fails(() => broken.get(1 as never), "TypeError");
  });

  test("What a schema does not accept is neither written nor read", async (store) => {
    const sub = store.sub("users", { value: users });
    await sub.put("a", { name: "Alice", more: 1 } as never);
    equal(await sub.get("a"), { name: "Alice", age: 0 }, "what was stored, with the default");
    const before = await contentOf(store);
    for (const wrong of [{ age: 1 }, { name: 1 }, 5, null, undefined, "text"] as never[]) {
      await fails(() => sub.put("b", wrong), { code: "VALIDATION" });
      await fails(() => sub.putIfNotExists("b", wrong), { code: "VALIDATION" });
      await fails(() => sub.putIfEquals("a", { name: "x" }, wrong), { code: "VALIDATION" });
      await fails(() => sub.putIfEquals("a", wrong, { name: "Alice" }), { code: "VALIDATION" });
      await fails(
        () => sub.write([{ type: "delete", key: "a" }, { type: "put", key: "b", value: wrong }]),
        { code: "VALIDATION" },
      );
      const batch = sub.batch();
      await fails(() => batch.put("b", wrong), { code: "VALIDATION" });
      equal(batch.length, 0, "the length of the batch");
      if (wrong !== undefined) {
        await fails(() => sub.update("a", () => wrong), { code: "VALIDATION" });
      }
    }
    await fails(() => sub.putString("b", "x"), { code: "VALIDATION" });
    await fails(() => sub.increment("b"), { code: "VALIDATION" });
    equal(await contentOf(store), before, "the content");
    equal(await sub.putIfEquals("a", { name: "Bob", age: 1 }, { name: "Alice" }), true);
    equal(await sub.update("a", (old) => ({ ...old!, age: old!.age + 1 })), {
      name: "Bob",
      age: 2,
    });
    await store.sub("users").put("b", { name: 1 });
    const reads: (() => unknown)[] = [
      () => sub.get("b"),
      () => sub.getEntry("b"),
      () => sub.getMany(["a", "b"]),
      () => sub.entries().toArray(),
      () => sub.values().toArray(),
      () => sub.update("b", () => ({ name: "x" })),
      () => sub.increment("b"),
    ];
    for (const read of reads) await fails(read, { code: "TYPE_MISMATCH" }, String(read));
    equal(await sub.keys().toArray(), ["a", "b"]);
    equal(await sub.has("b"), true);
    await using cursor = sub.values();
    equal((await cursor.next()).value, { name: "Bob", age: 2 });
    await fails(() => cursor.next(), { code: "TYPE_MISMATCH" });
    equal(await sub.deleteIfExists("b"), true);
  });

  test("Schemas that can't be used are refused, and nothing is written", async (store) => {
    const schema = (validate: (value: unknown) => unknown): StandardSchema => ({
      "~standard": { version: 1, vendor: "tests", validate: validate as never },
    });
    const late = store.sub("s", { value: schema((value) => Promise.resolve({ value })) });
    const failing = store.sub("s", { value: schema(() => Promise.reject(new Error("boom"))) });
    const growing = store.sub("s", { value: schema((value) => ({ value: `${value}!` })) });
    const none = store.sub("s", { value: schema(() => ({ value: undefined })) });
    for (const sub of [late, failing, growing, none]) {
      await fails(() => sub.put("k", "x"), "TypeError");
      await fails(() => sub.update("k", () => "x"), "TypeError");
    }
    equal(await store.count(), 0);
    await store.sub("s").put("k", 1);
    await fails(() => late.get("k"), "TypeError");
  });

  test("JSON values come back as JSON says", async (store) => {
    const sub = store.sub("j", { value: "json" });
    for (const value of [null, 0, "text", true, [1, [null]], { a: { b: [] } }]) {
      await sub.put("k", value);
      equal(await sub.get("k"), value);
      equal(await store.sub("j").getJson("k"), value);
    }
    const wrong = [
      undefined,
      () => 1,
      1n,
      Promise.resolve(1),
      NaN,
      -Infinity,
      new (class Point {})(),
      new Map(),
    ];
    for (const value of wrong as never[]) {
      await fails(() => sub.put("k", value), "TypeError");
      await fails(() => sub.put("k", [value]), "TypeError");
      if (value !== undefined) await fails(() => sub.put("k", { a: value }), "TypeError");
    }
    equal(await store.sub("j").get("k"), '{"a":{"b":[]}}', "what a refused put leaves");
    await store.sub("j").put("k", 5);
    await fails(() => sub.get("k"), { code: "TYPE_MISMATCH" });
    await store.sub("j").put("k", "{");
    await fails(() => sub.get("k"), { code: "TYPE_MISMATCH" });
  });

  test("A codec makes values of anything", async (store) => {
    class Point {
      readonly x: number;
      constructor(x: number) {
        this.x = x;
      }
    }
    const sub = store.sub("d", {
      value: {
        encode(point: Point): Value {
          if (!Number.isFinite(point.x)) throw new TypeError("expected a point");
          return point.x;
        },
        decode(stored: Value): Point {
          if (typeof stored !== "number") throw new TypeError("expected a number");
          return new Point(stored);
        },
      },
    });
    await sub.put("k", new Point(5));
    equal((await sub.get("k"))?.x, 5);
    equal((await sub.update("k", (old) => new Point(old!.x + 1)))?.x, 6);
    equal(await sub.putIfEquals("k", new Point(7), new Point(6)), true);
    await fails(() => sub.put("k", 5 as never), "TypeError");
    await store.sub("d").put("k", "text");
    await fails(() => sub.get("k"), { code: "TYPE_MISMATCH" });
  });

  test("Types of tuples are those that the caller claims", async (store) => {
    const events = store.sub("e", { key: tuple<[user: string, at: number]>() });
    await events.put(["alice", 10], 1);
    await events.put(["alice", 9], 2);
    const keys: [string, number][] = await events.keys().toArray();
    equal(keys, [["alice", 9], ["alice", 10]]);
  });
}
