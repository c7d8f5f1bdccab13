/** Deletions of ranges, on their own, in batches, transactions and subs. */

import type { DeletedRange } from "../range.ts";
import type { Store } from "../store.ts";
import { equal, fails } from "./assert.ts";
import type { StoreTest } from "./suite.ts";

const KEYS = ["", "a", "b", "ba", "bb", "c", "z", "é"];

async function fill(store: Store): Promise<void> {
  await store.clear();
  const batch = store.batch();
  for (const key of KEYS) batch.put(key, key);
  await batch.write();
}

/** The tests of deleted ranges. */
export function rangeTests(test: StoreTest): void {
  test("deleteRange removes the keys that a scan of the range shows, and no others", async (store) => {
    const ranges: readonly DeletedRange[] = [
      ...[{}, { prefix: "b" }, { gte: "b" }, { gt: "b" }, { lt: "b" }, { lte: "b" }],
      ...[{ gte: "b", lt: "c" }, { gt: "a", lte: "ba" }, { gte: "c", lt: "b" }, { prefix: "x" }],
      ...[{ prefix: "b", gt: "b" }, { lt: "" }, { gte: Uint8Array.of(0xc3) }, { prefix: "" }],
    ];
    for (const range of ranges) {
      await fill(store);
      const gone = await store.keys(range).toArray();
      await store.deleteRange(range, { sync: true });
      const left = KEYS.filter((key) => !gone.includes(key));
      equal(await store.keys().toArray(), left);
      equal(await store.count(), left.length);
      equal(await store.hasMany(KEYS), KEYS.map((key) => left.includes(key)));
      await store.put("bb", "new");
      equal(await store.get("bb"), "new");
    }
    await fill(store);
    await store.deletePrefix("b");
    equal(await store.keys().toArray(), ["", "a", "c", "z", "é"]);
    await store.clear();
    equal(await store.count(), 0);
  });

  test("deleteRange refuses a limit, a missing range and unknown names, and changes nothing", async (store) => {
    await fill(store);
    const wrong: unknown[] = [undefined, null, 1, { limit: 1 }, { from: "a" }, { gte: 1 }];
    for (const range of wrong) {
      await fails(() => store.deleteRange(range as DeletedRange), "TypeError");
      await fails(() => Promise.resolve(store.batch().deleteRange(range as never)), "TypeError");
    }
    await fails(() => store.deletePrefix(undefined as never), "TypeError");
    equal(await store.count(), KEYS.length);
  });

  test("A deleted range in a batch has its place: what is put after it stays", async (store) => {
    await fill(store);
    await store.batch().put("bc", 1).deleteRange({ prefix: "b" }).put("bd", 2).delete("z").write();
    equal(await store.keys().toArray(), ["", "a", "bd", "c", "é"]);
    await store.write([
      { type: "put", key: "n", value: 1 },
      { type: "deleteRange", range: { gte: "b" } },
      { type: "put", key: "o", value: 1 },
    ]);
    equal(await store.keys().toArray(), ["", "a", "o"]);
    equal(store.batch().put("k", 1).deleteRange({}).clear().length, 0);
  });

  test("A snapshot and an open cursor keep what is deleted as a range", async (store) => {
    await fill(store);
    const snapshot = store.snapshot();
    const cursor = store.keys();
    equal((await cursor.next()).value, "");
    await store.deleteRange({ gte: "a" });
    equal(await cursor.toArray(), KEYS.slice(1));
    equal(await snapshot.count(), KEYS.length);
    snapshot.close();
    equal(await store.count(), 1);
  });

  test("A transaction sees the ranges that it deletes, and leaves nothing if it fails", async (store) => {
    await fill(store);
    await fails(() =>
      store.transaction(async (tx) => {
        await tx.clear();
        equal(await tx.count(), 0);
        throw new TypeError("given up");
      }), "TypeError");
    equal(await store.count(), KEYS.length);
    await store.transaction(async (tx) => {
      await tx.put("bz", 1);
      await tx.deletePrefix("b");
      await tx.put("bb", 2);
      equal(await tx.getMany(["b", "bb", "bz", "c"]), [undefined, 2, undefined, "c"]);
      equal(await tx.keys({ prefix: "b" }).toArray(), ["bb"]);
    });
    equal(await store.keys({ gte: "a", lt: "d" }).toArray(), ["a", "bb", "c"]);
  });

  test("A sub deletes only its own keys, and a watch shows the deletion", async (store) => {
    await fill(store);
    const users = store.sub("users", { key: "utf8" });
    await store.sub("usersx").put("k", 1);
    for (const key of ["a", "b", "c"]) await users.put(key, 1);
    await using watch = users.watch();
    await users.deleteRange({ gte: "b" });
    await users.clear();
    equal(await users.count(), 0);
    equal(await store.sub("usersx").count(), 1);
    equal(await store.count({ gte: "a" }) >= KEYS.length - 1, true, "other keys are there");
    const seen = [await watch.next(), await watch.next()].map(({ value }) => value?.operations);
    equal(seen, [
      [{ type: "deleteRange", range: { gte: "b" } }],
      [{ type: "deleteRange", range: {} }],
    ]);
  });
}
