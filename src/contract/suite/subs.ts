/** Tests of subs: parts of a store that do not meet, also in batches, transactions and watches. */

import type { Store, Sub } from "../store.ts";
import { equal, fails } from "./assert.ts";
import { users } from "./sub_types.ts";
import type { StoreTest } from "./suite.ts";

/** These names would collide if a prefix were only the name, or the name and a separator. */
const NAMES: readonly (readonly string[])[] = [
  ...[["a"], ["ab"], ["a", "b"], ["a", "b", "c"], ["a", "bc"], ["ab", "c"], ["b"], [""], ["", ""]],
  ...[["a\0"], ["a\0\x01"], ["a\0\x02b"], ["a\0\x03"], ["a\x01"], ["\0"], ["\0", "\0"], ["\0\0"]],
  ...[["\u{10ffff}"], ["a", ""], ["a", "", "b"], ["a", "\0"], ["a!"], ["!a!"], ["a/b"], ["a:b"]],
];

/** Keys that look like the rest of a prefix. */
const KEYS: readonly string[] = [
  ...["", "\0", "\x01", "\0\x01", "\x02", "b", "b\0\x01", "\0b\0\x01k", "\x02b\0\x01", "\x03", "k"],
  ...["\0\x01k", "\u{10ffff}"],
];

/** Whether the tested store is itself a sub. The keys of its subs then do not lie among its own. */
function isSub(store: Store): boolean {
  return typeof (store as Partial<Sub>).in === "function";
}

/** Checks the number of keys that the store shows: its own and those of its subs. */
async function checkCount(store: Store, ofSubs: number, own: number): Promise<void> {
  equal(await store.count(), isSub(store) ? own : ofSubs + own, "what the store shows");
}

/** The tests of subs. */
export function subTests(test: StoreTest): void {
  test("No key of a sub is seen in another one, whatever their names", async (store) => {
    const subs = NAMES.map((path) => store.sub(path));
    for (const [at, sub] of subs.entries()) {
      for (const key of KEYS) await sub.put(key, `${at} ${key}`);
    }
    await store.put("k", "of the store");
    for (const [at, sub] of subs.entries()) {
      equal(await sub.count(), KEYS.length, `the number of keys of ${NAMES[at]}`);
      equal(
        await sub.entries().toArray(),
        [...KEYS].sort().map((key) => [key, `${at} ${key}`]),
        `the content of ${NAMES[at]}`,
      );
      equal(await sub.getMany(KEYS), KEYS.map((key) => `${at} ${key}`));
    }
    await checkCount(store, NAMES.length * KEYS.length, 1);
    for (const key of KEYS) await subs[0]!.delete(key);
    equal(await subs[0]!.count(), 0);
    await checkCount(store, (NAMES.length - 1) * KEYS.length, 1);
    equal(await store.get("k"), "of the store");
  });

  test("A sub of a sub is beside its keys, and the same as the sub at the whole path", async (store) => {
    const outer = store.sub("outer");
    const inner = outer.sub("inner").sub(["x", "y"]);
    await outer.put("k", 1);
    await inner.put("k", 2);
    equal(inner.path.slice(-4), ["outer", "inner", "x", "y"], "the path");
    equal(await outer.entries().toArray(), [["k", 1]]);
    equal(await store.sub(["outer", "inner", "x", "y"]).get("k"), 2);
    equal(await store.sub("outer").sub("inner").count(), 0);
  });

  test("Every kind of read and write of a sub stays in it", async (store) => {
    const [sub, twin] = [store.sub("sub"), store.sub("suc")];
    await twin.put("k", "twin");
    await store.put("k", "store");
    await sub.put("k", 1);
    await sub.write([{ type: "put", key: "l", value: 2n }, { type: "delete", key: "k" }]);
    equal(await sub.putIfNotExists("k", 3), true);
    equal(await sub.putIfEquals("k", 4, 3), true);
    equal(await sub.increment("n"), 1n);
    equal(await sub.increment("n", 4), 5n);
    equal(await sub.update("k", (old) => (old as number) + 1), 5);
    equal(await sub.deleteIfExists("l"), true);
    equal(await sub.update("n", () => undefined), undefined);
    await sub.putString("s", "text");
    await sub.putJson("j", { a: 1 });
    equal(await sub.getString("s"), "text");
    equal(await sub.getJson("j"), { a: 1 });
    equal(await sub.getFloat64("k"), 5);
    equal(await sub.has("l"), false);
    equal(await sub.hasMany(["k", "l", "s"]), [true, false, true]);
    equal(await sub.getEntry("k"), { key: "k", value: 5 });
    equal(await sub.keys().toArray(), ["j", "k", "s"]);
    equal(await sub.values({ prefix: "k" }).toArray(), [5]);
    equal(await sub.keys({ gt: "j", lte: "s", reverse: true }).toArray(), ["s", "k"]);
    equal(await sub.keys({ gte: "k", lt: "s", limit: 1 }).toArray(), ["k"]);
    await fails(() => sub.getString("k"), { code: "TYPE_MISMATCH" });
    equal(await twin.entries().toArray(), [["k", "twin"]]);
    equal(await store.get("k"), "store");
  });

  test("A cursor of a sub is sought by the sub's keys and ends with it", async (store) => {
    const sub = store.sub("b");
    for (const name of ["a", "c"]) await store.sub(name).put("k", name);
    for (const key of ["k1", "k2", "k3", "k4"]) await sub.put(key, key);
    await using cursor = sub.keys();
    equal(await cursor.nextMany(1), ["k1"]);
    cursor.seek("k3");
    equal(await cursor.nextMany(9), ["k3", "k4"]);
    cursor.seek("k2");
    equal((await cursor.next()).value, "k2");
    await using backwards = sub.keys({ reverse: true });
    backwards.seek("k2x");
    equal(await backwards.toArray(), ["k2", "k1"]);
    const seen: string[] = [];
    for await (const [key] of sub.entries({ gte: "k2" })) seen.push(String(key));
    equal(seen, ["k2", "k3", "k4"]);
    equal(await sub.keys().filter((key) => key > "k2").map(String).take(1).toArray(), ["k3"]);
  });

  test("Puts of several subs and of the store are one batch", async (store) => {
    const [a, b] = [store.sub("a"), store.sub("a").sub("b", { key: "tuple", value: "json" })];
    await a.put("old", 1);
    const batch = store.batch().put("k", 1);
    a.in(batch).put("k", 2).delete("old");
    b.in(a.in(batch)).put(["k", 1], { n: 3 });
    equal(batch.length, 4, "the number of operations");
    equal(await a.has("k"), false);
    await batch.write();
    equal(await store.get("k"), 1);
    equal(await a.entries().toArray(), [["k", 2]]);
    equal(await b.entries().toArray(), [[["k", 1], { n: 3 }]]);
    await fails(() => batch.write(), { code: "CLOSED" });
    const own = a.batch().put("l", 1);
    b.in(own).put(["l"], null);
    await a.write(own);
    equal(await b.get(["l"]), null);
    equal(await a.get("l"), 1);
    if (!isSub(store)) await fails(() => a.write(store.batch() as never), "TypeError");
    await fails(() => a.write({} as never), "TypeError");
    await fails(() => a.in({} as never), "TypeError");
    await fails(() => a.write([{ type: "put", key: "x", value: 1 }, null as never]), "TypeError");
    equal(await a.has("x"), false);
  });

  test("A sub in a snapshot shows the snapshot", async (store) => {
    const [a, b] = [store.sub("a"), store.sub("b", { value: users })];
    await a.put("k", 1);
    await b.put("k", { name: "x" });
    using snapshot = store.snapshot();
    using ofA = a.snapshot();
    await a.put("k", 2);
    await b.delete("k");
    equal(await a.in(snapshot).get("k"), 1);
    equal(await b.in(snapshot).entries().toArray(), [["k", { name: "x", age: 0 }]]);
    equal(await ofA.get("k"), 1);
    equal(await b.in(ofA).get("k"), { name: "x", age: 0 });
    equal(await b.in(store).get("k"), undefined);
    equal(await a.in(store).increment("n"), 1n);
  });

  test("Subs in a transaction are part of its commit, by either way to them", async (store) => {
    const [a, b] = [store.sub("a"), store.sub("b", { key: "tuple", value: "json" })];
    await a.put("n", 1n);
    await store.transaction(async (tx) => {
      equal(await a.in(tx).increment("n"), 2n);
      await b.in(tx).put(["k", 1], { n: 1 });
      const outer = tx.sub("a");
      equal([await outer.get("n"), outer.attempt], [2n, tx.attempt]);
      await outer.sub("inner", { value: "json" }).put("k", null);
      equal(await tx.sub("b", { key: "tuple" }).keys().toArray(), [["k", 1]]);
      equal(await b.count(), 0, "what others see meanwhile");
      await fails(() => tx.sub([]), "RangeError");
    });
    equal(await a.entries().toArray(), [["n", 2n]]);
    equal(await b.entries().toArray(), [[["k", 1], { n: 1 }]]);
    equal(await a.sub("inner", { value: "json" }).get("k"), null);
    const failing = store.transaction(async (tx) => {
      await a.in(tx).put("n", 0);
      await tx.sub("b", { key: "tuple" }).delete(["k", 1]);
      throw new RangeError("boom");
    });
    await fails(() => failing, "RangeError");
    equal([await a.get("n"), await b.count()], [2n, 1]);
  });

  test("A transaction of a sub shows that part, and conflicts with writes to what it has read", async (store) => {
    const sub = store.sub("s", { key: "tuple", value: "json" });
    await sub.put(["a"], 1);
    await store.put("k", "of the store");
    let attempts = 0;
    const result = await sub.transaction(async (tx) => {
      attempts = tx.attempt;
      const keys = await tx.keys().toArray();
      if (tx.attempt === 1) await sub.put(["b"], 2);
      await tx.put(["number"], keys.length);
      await tx.sub("inner").put("k", 1);
      return keys;
    });
    equal([attempts, result], [2, [["a"], ["b"]]]);
    equal(await sub.entries().toArray(), [[["a"], 1], [["b"], 2], [["number"], 2]]);
    equal(await sub.sub("inner").get("k"), 1);
    await fails(() => sub.transaction(5 as never), "TypeError");
    await fails(() => sub.transaction(() => 1, { retry: 1 } as never), "TypeError");
  });

  test("A watch of a sub shows its keys and values, and nothing else of a commit", async (store) => {
    const sub = store.sub("s", { key: "tuple", value: users });
    const other = sub.sub("inner");
    await using watch = sub.watch();
    await using part = sub.watch({ prefix: ["b"] });
    const batch = store.batch().put("k", 1);
    sub.in(batch).put(["a"], { name: "x" }).put(["b", 1], { name: "y", age: 2 }).delete(["c"]);
    other.in(batch).put("k", 1);
    await batch.write();
    await other.put("k", 2);
    await sub.delete(["b", 1]);
    const puts = [
      { type: "put", key: ["a"], value: { name: "x", age: 0 } },
      { type: "put", key: ["b", 1], value: { name: "y", age: 2 } },
    ];
    equal((await watch.next()).value?.operations, [...puts, { type: "delete", key: ["c"] }]);
    equal((await watch.next()).value?.operations, [{ type: "delete", key: ["b", 1] }]);
    equal((await part.next()).value?.operations, [puts[1]]);
    await store.sub("s", { key: "tuple" }).put(["d"], 5);
    await fails(() => watch.next(), { code: "TYPE_MISMATCH" });
    equal((await watch.next()).done, true);
    await fails(() => sub.watch({ reverse: true } as never), "TypeError");
  });

  test("Paths and options that are none are refused", async (store) => {
    for (const path of [5, null, undefined, {}, ["a", 1], [["a"]], "\ud800", ["a", "\udfff"]]) {
      await fails(() => store.sub(path as never), "TypeError", String(path));
      await fails(() => store.sub("a").sub(path as never), "TypeError", String(path));
    }
    for (const path of [[], "x".repeat(32768), ["x".repeat(20_000), "x".repeat(20_000)]]) {
      await fails(() => store.sub(path), "RangeError");
    }
    const wrong = [
      5,
      null,
      { keys: "utf8" },
      { key: "text" },
      { key: 5 },
      { key: {} },
      {
        key: null,
      },
      { value: "JSON" },
      { value: { encode: 1 } },
      { value: null },
    ];
    for (const options of wrong) await fails(() => store.sub("a", options as never), "TypeError");
    const longest = 65536 - 4;
    const sub = store.sub("a");
    for (const key of ["x".repeat(longest + 1), new Uint8Array(longest + 1)]) {
      await fails(() => sub.put(key, 1), "RangeError");
    }
    await fails(() => sub.update("k", 5 as never), "TypeError");
    await fails(() => sub.update("k", (async () => await 1) as never), "TypeError");
    equal(await store.count(), 0);
  });

  test("Closing a sub ends this handle only", async (store) => {
    const sub = store.sub("s");
    const other = store.sub("s");
    const nested = sub.sub("n");
    await sub.put("k", 1);
    equal(sub.status, "open", "the status");
    await sub.close();
    equal(sub.status, "closed", "the status");
    await fails(() => sub.get("k"), { code: "CLOSED" });
    await fails(() => sub.put("k", 2), { code: "CLOSED" });
    equal(await other.get("k"), 1);
    await nested.put("k", 2);
    const running = other.transaction(async (tx) => {
      await tx.put("k", 3);
      await other.close();
    });
    await fails(() => running, { code: "CLOSED" });
    await fails(() => other.transaction(() => 1), { code: "CLOSED" });
    equal(await store.sub("s").get("k"), 1);
    equal(store.status, "open", "the status of the store");
    await checkCount(store, 2, 0);
  });
}
