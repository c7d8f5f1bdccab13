/** Writes, batches, and writes that depend on the stored value. */

import type { Store } from "../store.ts";
import type { Value } from "../value.ts";
import type { Operation } from "../writer.ts";
import { equal, fails } from "./assert.ts";
import type { StoreTest } from "./suite.ts";

/** The content of the store, in order. */
function contentOf(store: Store): Promise<[string | Uint8Array, Value][]> {
  return store.entries().toArray();
}

/** The tests of writes. */
export function writeTests(test: StoreTest): void {
  test("A key has its last value until it is deleted", async (store) => {
    equal(await store.get("k"), undefined);
    equal(await store.getEntry("k"), undefined);
    equal(await store.has("k"), false);
    await store.put("k", 1);
    await store.put("k", "2", { sync: true });
    equal(await store.get("k"), "2");
    equal(await store.has("k"), true);
    await store.delete("k");
    await store.delete("k");
    await store.delete("never", { sync: true });
    equal(await store.has("k"), false);
    equal(await contentOf(store), []);
  });

  test("Writes take effect in the order of the calls, before their promises resolve", async (store) => {
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 50; i++) writes.push(store.put("k", i));
    writes.push(store.delete("gone"));
    equal(await store.get("k"), 49);
    await Promise.all(writes);
    equal(await store.get("k"), 49);
  });

  test("getMany and hasMany answer in the order of the keys, repeated ones included", async (store) => {
    await store.write([
      { type: "put", key: "a", value: 1 },
      { type: "put", key: "b", value: 2 },
    ]);
    equal(await store.getMany(["b", "x", "a", "b"]), [2, undefined, 1, 2]);
    equal(await store.hasMany(["b", "x", "a", "b"]), [true, false, true, true]);
    equal(await store.getMany([]), []);
    equal(await store.hasMany([]), []);
  });

  test("A batch applies its operations in their order", async (store) => {
    await store.put("gone", 1);
    const batch = store.batch().put("a", 1).put("b", 1).delete("a").put("b", 2).delete("gone");
    equal(batch.length, 5, "the length");
    equal(await contentOf(store), [["gone", 1]], "the content before write");
    await batch.write();
    equal(await contentOf(store), [["b", 2]], "the content");
    await fails(() => batch.put("c", 1), { code: "CLOSED" });
    await fails(() => batch.delete("c"), { code: "CLOSED" });
    await fails(() => batch.clear(), { code: "CLOSED" });
    await fails(() => batch.write(), { code: "CLOSED" });
    await fails(() => store.write(batch), { code: "CLOSED" });
    const cleared = store.batch().put("a", 1).clear().put("d", 1);
    equal(cleared.length, 1, "the length");
    await store.write(cleared, { sync: true });
    await store.batch().write();
    equal(await contentOf(store), [["b", 2], ["d", 1]], "the content");
  });

  test("A refused operation leaves its batch as it was", async (store) => {
    const batch = store.batch().put("a", 1);
    await fails(() => batch.put("b", undefined as never), "TypeError");
    await fails(() => batch.put("b", { deep: [() => 1] } as never), "TypeError");
    await fails(() => batch.delete(5 as never), "TypeError");
    equal(batch.length, 1, "the length");
    await batch.write();
    equal(await contentOf(store), [["a", 1]]);
  });

  test("An array of operations is applied whole or not at all", async (store) => {
    await store.put("a", "old");
    const good: Operation = { type: "put", key: "a", value: "new" };
    for (
      const bad of [
        undefined,
        { type: "put", key: "b", value: undefined },
        { type: "put", key: 5, value: 1 },
        { type: "increment", key: "b" },
        { type: "put", key: "b", value: 1, sync: true },
        { type: "delete", key: "a", value: 1 },
      ]
    ) {
      await fails(() => store.write([good, bad as Operation]), "TypeError", JSON.stringify(bad));
    }
    await fails(() => store.write("ab" as never), "TypeError");
    equal(await contentOf(store), [["a", "old"]]);
    await store.write([]);
    await store.write([good, { type: "delete", key: "a" }, { type: "put", key: "c", value: 3 }]);
    equal(await contentOf(store), [["c", 3]]);
  });

  test("A mistaken option of a write is refused, and nothing is written", async (store) => {
    await store.put("a", 1);
    for (const wrong of [{ sync: 1 }, { Sync: true }, { fsync: true }, true, null, () => {}]) {
      const options = wrong as never;
      const what = String(Object.entries(wrong ?? {}));
      await fails(() => store.put("a", 2, options), "TypeError", what);
      await fails(() => store.delete("a", options), "TypeError", what);
      await fails(() => store.write([{ type: "delete", key: "a" }], options), "TypeError", what);
      await fails(() => store.batch().delete("a").write(options), "TypeError", what);
      await fails(() => store.putString("a", "b", options), "TypeError", what);
      await fails(() => store.putIfNotExists("a", 2, options), "TypeError", what);
      await fails(() => store.increment("b", 1, options), "TypeError", what);
    }
    equal(await contentOf(store), [["a", 1]]);
    await store.put("a", 2, {});
    await store.put("a", 3, { sync: true });
    equal(await contentOf(store), [["a", 3]]);
  });

  test("Readers see a batch whole or not at all", async (store) => {
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const writing = (async () => {
      for (let round = 1; round <= 30; round++) {
        const batch = store.batch();
        for (const key of keys) batch.put(key, round);
        await batch.write();
      }
    })();
    let last = 0;
    while (last < 30) {
      const seen = new Set(await store.getMany(keys));
      equal(seen.size, 1, "the number of rounds that one read sees");
      const values = new Set(await store.values().toArray());
      equal(values.size <= 1, true, "whether a scan sees one round");
      last = Number([...seen][0] ?? 0);
    }
    await writing;
  });

  test("deleteIfExists says whether the key had a value", async (store) => {
    await store.put("k", 1);
    equal(await store.deleteIfExists("k", { sync: true }), true);
    equal(await store.deleteIfExists("k"), false);
    equal(await contentOf(store), []);
  });

  test("putIfNotExists stores once", async (store) => {
    equal(await store.putIfNotExists("k", 1), true);
    equal(await store.putIfNotExists("k", 2), false);
    equal(await store.get("k"), 1);
    await store.delete("k");
    equal(await store.putIfNotExists("k", 3, { sync: true }), true);
    equal(await store.get("k"), 3);
    const winners = await Promise.all(
      Array.from({ length: 100 }, (_, i) => store.putIfNotExists("race", i)),
    );
    equal(winners.filter((won) => won).length, 1, "the number of winners");
    equal(await store.get("race"), winners.indexOf(true));
  });

  test("putIfEquals compares the stored type and bytes", async (store) => {
    const alike: readonly Value[] = [1, 1n, "1", true, Uint8Array.of(1), { a: 1 }, [1], NaN, 0, -0];
    for (const stored of alike) {
      for (const expected of alike) {
        await store.put("k", stored);
        const isEqual = Object.is(stored, expected);
        equal(await store.putIfEquals("k", "new", expected), isEqual);
        equal(await store.get("k"), isEqual ? "new" : stored);
      }
    }
    await store.put("k", { a: 1, b: [2n] });
    equal(await store.putIfEquals("k", 5, { a: 1, b: [2] }), false);
    equal(await store.putIfEquals("k", 5, { a: 1, b: [2n] }), true);
    equal(await store.putIfEquals("missing", 5, 5), false);
    equal(await store.has("missing"), false);
    await fails(() => store.putIfEquals("k", 1, undefined as never), "TypeError");
  });

  test("Exactly one of several putIfEquals that expect the same value succeeds", async (store) => {
    await store.put("k", 0);
    for (let round = 0; round < 20; round++) {
      const won = await Promise.all(
        Array.from({ length: 10 }, () => store.putIfEquals("k", round + 1, round)),
      );
      equal(won.filter((one) => one).length, 1, "the number of winners");
    }
  });

  test("increment counts from 0 within int64", async (store) => {
    equal(await store.increment("k"), 1n);
    equal(await store.increment("k", 5), 6n);
    equal(await store.increment("k", -10n, { sync: true }), -4n);
    equal(await store.getInt64("k"), -4n);
    await store.put("k", 2n ** 63n - 1n);
    await fails(() => store.increment("k"), "RangeError");
    await fails(() => store.increment("new", 2n ** 63n), "RangeError");
    await fails(() => store.increment("k", 1.5), "TypeError");
    await fails(() => store.increment("k", "1" as never), "TypeError");
    equal(await store.increment("k", 0), 2n ** 63n - 1n);
    equal(await store.increment("k", -(2n ** 63n)), -1n);
    await store.put("float", 1);
    await fails(() => store.increment("float"), { code: "TYPE_MISMATCH" });
    equal(await store.get("float"), 1);
    equal(await store.has("new"), false);
  });

  test("A thousand increments at the same time make a thousand", async (store) => {
    const sums = await Promise.all(Array.from({ length: 1000 }, () => store.increment("k")));
    equal(await store.get("k"), 1000n);
    equal(new Set(sums).size, 1000, "the number of different sums");
  });

  test("update stores what the function makes, and undefined deletes", async (store) => {
    const count = (old: Value | undefined): Value => (old as number ?? 0) + 1;
    equal(await store.update("k", count), 1);
    equal(await store.update("k", count, { sync: true }), 2);
    equal(await store.get("k"), 2);
    equal(await store.update("k", () => undefined), undefined);
    equal(await store.has("k"), false);
    equal(await store.update("k", () => undefined), undefined);
    await fails(
      () =>
        store.update("k", () => {
          throw new TypeError("boom");
        }),
      "TypeError",
    );
    await fails(() => store.update("k", 5 as never), "TypeError");
    await fails(() => store.update("k", (async () => await 1) as never), "TypeError");
    equal(await contentOf(store), []);
    await Promise.all(Array.from({ length: 200 }, () => store.update("k", count)));
    equal(await store.get("k"), 200);
  });

  test("Conditional writes and plain ones on one key lose nothing", async (store) => {
    const writes: Promise<unknown>[] = [];
    for (let i = 0; i < 100; i++) {
      writes.push(store.increment("sum", i), store.update("text", (old) => `${old ?? ""}x`));
      if (i % 10 === 0) writes.push(store.put("other", i), store.deleteIfExists("other"));
    }
    await Promise.all(writes);
    equal(await store.get("sum"), 4950n);
    equal(await store.get("text"), "x".repeat(100));
  });
}
