/** Tests of values that expire. */

import { dateAt, nowMs, pause } from "../clock.ts";
import type { Reader } from "../reader.ts";
import type { Store } from "../store.ts";
import type { Operation, PutOptions, Writer } from "../writer.ts";
import { equal, fails } from "./assert.ts";
import type { StoreTest } from "./suite.ts";

/** No test takes as long. */
const HOUR_MS = 3_600_000;
/** Short enough to wait for. */
const SHORT_MS = 30;

/** Waits until a time has come, by the clock that the store goes by. */
async function until(timeMs: number): Promise<void> {
  while (nowMs() < timeMs) await pause(5);
}

/** Waits until the value of the key has expired. The key has one, or has had one. */
async function expired(store: Store, key: string): Promise<void> {
  const entry = await store.getEntry(key);
  if (entry !== undefined) await until(entry.expiresAt ?? Infinity);
}

async function timeOf(reader: Reader, key: string): Promise<number | undefined> {
  return (await reader.getEntry(key))?.expiresAt;
}

/** Requires that no kind of read finds the key, which is the only one of its prefix. */
async function isMissing(reader: Reader, key: string): Promise<void> {
  equal(await reader.get(key), undefined, "get");
  equal(await reader.getEntry(key), undefined, "getEntry");
  equal(await reader.getMany([key]), [undefined], "getMany");
  equal(await reader.has(key), false, "has");
  equal(await reader.hasMany([key]), [false], "hasMany");
  equal(await reader.getString(key), undefined, "getString");
  equal(await reader.getMap(key), undefined, "getMap");
  for (const reverse of [false, true]) {
    const range = { prefix: key, reverse };
    equal(await reader.count(range), 0, "count");
    equal(await reader.entries(range).toArray(), [], "entries");
    equal(await reader.keys(range).toArray(), [], "keys");
    equal(await reader.values(range).toArray(), [], "values");
  }
}

/** Every put, with a value that a string is. */
const puts: Readonly<Record<string, (to: Writer, key: string, time: PutOptions) => unknown>> = {
  put: (to, key, time) => to.put(key, "v", time),
  "put of a record": (to, key, time) => to.put(key, { a: 1 }, time),
  putString: (to, key, time) => to.putString(key, "v", time),
  putInt64: (to, key, time) => to.putInt64(key, 1, time),
  putFloat64: (to, key, time) => to.putFloat64(key, 1, time),
  putBool: (to, key, time) => to.putBool(key, true, time),
  putBytes: (to, key, time) => to.putBytes(key, Uint8Array.of(1), time),
  putJson: (to, key, time) => to.putJson(key, [1], time),
  putMap: (to, key, time) => to.putMap(key, { a: 1 }, time),
  putIfNotExists: (to, key, time) => to.putIfNotExists(key, "v", time),
  increment: (to, key, time) => to.increment(key, 1, time),
  update: (to, key, time) => to.update(key, () => "v", time),
  "batch.put": (to, key, time) => to.batch().put(key, "v", time).write(),
  write: (to, key, time) => to.write([{ type: "put", key, value: "v", ...time }]),
};

/** Tests for a store whose values do not expire: it has to say so. */
export function noExpiryTests(test: StoreTest): void {
  test("A put with a time is a TypeError, because values of this store do not expire", async (store) => {
    for (const [name, put] of Object.entries(puts)) {
      await fails(() => put(store, "k", { ttlMs: HOUR_MS }), "TypeError", name);
      equal(await store.has("k"), false, name);
    }
  });
}

/** The tests of expiry. */
export function expiryTests(test: StoreTest): void {
  test("Every put takes a time, and getEntry shows it", async (store) => {
    const expiresAt = nowMs() + HOUR_MS;
    for (const [name, put] of Object.entries(puts)) {
      await put(store, `${name} at`, { expiresAt });
      await put(store, `${name} date`, { expiresAt: dateAt(expiresAt) });
      const before = nowMs();
      await put(store, `${name} ttl`, { ttlMs: HOUR_MS });
      const after = nowMs();
      equal(await timeOf(store, `${name} at`), expiresAt, name);
      equal(await timeOf(store, `${name} date`), expiresAt, name);
      const time = await timeOf(store, `${name} ttl`);
      const isBetween = time !== undefined && time >= before + HOUR_MS && time <= after + HOUR_MS;
      equal(isBetween, true, `whether the time ${time} of ${name} is between`);
      equal(await store.count({ prefix: name }), 3, name);
    }
    await store.put("k", "v");
    equal(await store.getEntry("k"), { key: "k", value: "v" }, "an entry without a time");
    await store.put("k", "v", { expiresAt });
    equal(await store.getEntry("k"), { key: "k", value: "v", expiresAt }, "an entry with a time");
  });

  test("From its time on, a value is gone for every kind of read", async (store) => {
    await store.put("stays", 1, { ttlMs: HOUR_MS });
    await store.put("k", "older");
    await store.put("k", "v", { ttlMs: SHORT_MS });
    await store.put("record", { a: 1 }, { ttlMs: SHORT_MS });
    await expired(store, "k");
    await expired(store, "record");
    await isMissing(store, "k");
    await isMissing(store, "record");
    equal(await store.keys().toArray(), ["stays"]);
  });

  test("A time that has come deletes the value at once", async (store) => {
    const past: PutOptions[] = [
      { ttlMs: 0 },
      { expiresAt: nowMs() },
      { expiresAt: 0 },
      { expiresAt: -1 },
      { expiresAt: dateAt(1000) },
    ];
    for (const [name, put] of Object.entries(puts)) {
      for (const time of past) {
        await store.put(name, 1n);
        if (name === "putIfNotExists") await store.delete(name);
        await put(store, name, time);
        equal(await store.has(name), false, `whether ${name} is there`);
      }
    }
    equal(await store.putIfNotExists("k", 1, { ttlMs: 0 }), true);
    equal(await store.update("k", () => 2, { ttlMs: 0 }), 2);
    await isMissing(store, "k");
  });

  test("A put without a time removes an old one, and so does Infinity", async (store) => {
    const never: (PutOptions | undefined)[] = [undefined, {}, { ttlMs: Infinity }, {
      expiresAt: Infinity,
    }];
    for (const time of never) {
      await store.put("k", 1, { ttlMs: HOUR_MS });
      await store.put("k", 2, time);
      equal(await store.getEntry("k"), { key: "k", value: 2 });
      await store.put("k", 1, { ttlMs: HOUR_MS });
      await store.batch().put("k", 3, time).write();
      equal(await store.getEntry("k"), { key: "k", value: 3 });
      await store.put("k", 1, { ttlMs: HOUR_MS });
      equal(await store.putIfEquals("k", 4, 1, time), true);
      equal(await store.getEntry("k"), { key: "k", value: 4 });
    }
  });

  test("A change keeps the time of the key, unless it has its own", async (store) => {
    const expiresAt = nowMs() + HOUR_MS;
    const later = expiresAt + HOUR_MS;
    await store.put("n", 1n, { expiresAt });
    await store.put("k", "a", { expiresAt });
    equal(await store.increment("n"), 2n);
    equal(await store.update("k", (old) => `${old}b`), "ab");
    equal(await timeOf(store, "n"), expiresAt, "after increment");
    equal(await store.getEntry("k"), { key: "k", value: "ab", expiresAt });
    await store.increment("n", 1, { expiresAt: later });
    await store.update("k", (old) => old, { expiresAt: later });
    equal([await timeOf(store, "n"), await timeOf(store, "k")], [later, later]);
    await store.increment("n", 1, { ttlMs: Infinity });
    await store.update("k", (old) => old, { expiresAt: Infinity });
    equal([await timeOf(store, "n"), await timeOf(store, "k")], [undefined, undefined]);
    equal(await store.getMany(["n", "k"]), [4n, "ab"]);
  });

  test("A conditional write that does nothing leaves the time as it is", async (store) => {
    const expiresAt = nowMs() + HOUR_MS;
    await store.put("k", 1, { expiresAt });
    equal(await store.putIfNotExists("k", 2, { ttlMs: 5 }), false);
    equal(await store.putIfEquals("k", 2, 3, { ttlMs: 5 }), false);
    equal(await store.putIfNotExists("k", 2), false);
    equal(await store.putIfEquals("k", 2, 3), false);
    equal(await store.getEntry("k"), { key: "k", value: 1, expiresAt });
    // The time is no part of the value.
    equal(await store.putIfEquals("k", 2, 1, { expiresAt: expiresAt + 1 }), true);
    equal(await store.getEntry("k"), { key: "k", value: 2, expiresAt: expiresAt + 1 });
  });

  test("For a conditional write, an expired value is missing", async (store) => {
    for (const key of ["a", "b", "c", "d", "e"]) await store.put(key, 5n, { ttlMs: SHORT_MS });
    for (const key of ["a", "b", "c", "d", "e"]) await expired(store, key);
    equal(await store.putIfNotExists("a", 1), true);
    equal(await store.increment("b"), 1n);
    equal(await store.deleteIfExists("c"), false);
    equal(await store.putIfEquals("d", 1n, 5n), false);
    equal(await store.update("e", (old) => String(old)), "undefined");
    equal(await store.entries().toArray(), [["a", 1], ["b", 1n], ["e", "undefined"]]);
    equal(await timeOf(store, "b"), undefined, "the time of a counter that starts again");
  });

  test("A snapshot, a cursor and a transaction judge by the time at which they began", async (store) => {
    for (let ttlMs = SHORT_MS;; ttlMs *= 2) {
      await store.put("k", "v", { ttlMs });
      const expiresAt = await timeOf(store, "k");
      using snapshot = store.snapshot();
      await using cursor = store.entries({ prefix: "k" });
      let seen: unknown;
      await store.transaction(async (tx) => {
        // A slow machine may have taken too long until here: then again, with more time.
        if (expiresAt === undefined || nowMs() >= expiresAt) return;
        await until(expiresAt);
        seen = [await tx.get("k"), await tx.count({ prefix: "k" }), await timeOf(tx, "k")];
      });
      if (seen === undefined) continue;
      equal(seen, ["v", 1, expiresAt], "what the transaction has seen");
      equal(await snapshot.get("k"), "v");
      equal(await snapshot.entries({ prefix: "k" }).toArray(), [["k", "v"]]);
      equal(await cursor.nextMany(2), [["k", "v"]]);
      await isMissing(store, "k");
      using later = store.snapshot();
      await isMissing(later, "k");
      return;
    }
  });

  test("A transaction shows its own values with their times, and an expired one is missing in it", async (store) => {
    await store.put("old", 5n, { ttlMs: SHORT_MS });
    await expired(store, "old");
    const expiresAt = nowMs() + HOUR_MS;
    await store.transaction(async (tx) => {
      equal(await tx.get("old"), undefined);
      equal(await tx.increment("old", 1, { expiresAt }), 1n);
      equal(await tx.increment("old"), 2n);
      equal(await timeOf(tx, "old"), expiresAt);
      await tx.put("k", 1, { expiresAt });
      await tx.update("k", () => 2);
      await tx.batch().put("b", 3, { expiresAt }).write();
      await tx.put("gone", 1, { ttlMs: 0 });
      equal(await tx.has("gone"), false);
      equal(await tx.entries().toArray(), [["b", 3], ["k", 2], ["old", 2n]]);
    });
    for (const key of ["b", "k", "old"]) equal(await timeOf(store, key), expiresAt, key);
    await isMissing(store, "gone");
  });

  test("A wrong time is an error, and nothing is written", async (store) => {
    const wrong: [unknown, "TypeError" | "RangeError"][] = [
      [{ ttlMs: 1, expiresAt: HOUR_MS }, "TypeError"],
      [{ ttlMs: "1" }, "TypeError"],
      [{ ttlMs: 1n }, "TypeError"],
      [{ ttlMs: null }, "TypeError"],
      [{ ttlMs: dateAt(0) }, "TypeError"],
      [{ expiresAt: "tomorrow" }, "TypeError"],
      [{ expiresAt: null }, "TypeError"],
      [{ expiresAt: {} }, "TypeError"],
      [{ ttl: 1 }, "TypeError"],
      [{ ttlMs: -1 }, "RangeError"],
      [{ ttlMs: NaN }, "RangeError"],
      [{ ttlMs: 8.64e15 }, "RangeError"],
      [{ expiresAt: NaN }, "RangeError"],
      [{ expiresAt: -Infinity }, "RangeError"],
      [{ expiresAt: 8.64e15 + 1 }, "RangeError"],
      [{ expiresAt: dateAt(NaN) }, "RangeError"],
    ];
    for (const [time, error] of wrong) {
      for (const [name, put] of Object.entries(puts)) {
        await fails(() => put(store, "k", time as PutOptions), error, `${name} ${String(time)}`);
      }
    }
    await fails(() => store.delete("k", { ttlMs: 1 } as never), "TypeError");
    await fails(() => store.write([], { ttlMs: 1 } as never), "TypeError");
    await fails(() => store.batch().put("k", 1, { sync: true } as never), "TypeError");
    equal(await store.count(), 0);
  });

  test("A fraction of a millisecond is rounded up, and the latest time is that of a Date", async (store) => {
    const expiresAt = Math.floor(nowMs()) + HOUR_MS;
    await store.put("a", 1, { expiresAt: expiresAt - 0.5 });
    await store.put("b", 1, { expiresAt: 8.64e15 });
    equal([await timeOf(store, "a"), await timeOf(store, "b")], [expiresAt, 8.64e15]);
  });

  test("A watch shows the times of puts, and write takes them over", async (store) => {
    await using watch = store.watch();
    const expiresAt = nowMs() + HOUR_MS;
    await store.put("a", 1, { expiresAt });
    await store.batch().put("b", 2, { expiresAt }).put("c", 3).put("d", 4, { ttlMs: 0 }).write();
    const commits: (readonly Operation[])[] = [];
    while (commits.length < 2) commits.push((await watch.next()).value!.operations);
    equal(commits, [
      [{ type: "put", key: "a", value: 1, expiresAt }],
      [
        { type: "put", key: "b", value: 2, expiresAt },
        { type: "put", key: "c", value: 3 },
        ...(commits[1]![2]!.type === "delete"
          ? [{ type: "delete", key: "d" }]
          : [{ type: "put", key: "d", value: 4, expiresAt: 0 }]),
      ],
    ]);
    await store.write([{ type: "delete", key: "a" }, { type: "delete", key: "b" }]);
    for (const operations of commits) await store.write(operations);
    equal(await store.count(), 3);
    equal([await timeOf(store, "a"), await timeOf(store, "b")], [expiresAt, expiresAt]);
  });

  test("Subs have times, too, also with values of their own and in batches, transactions and watches", async (store) => {
    const users = store.sub("users", { key: "tuple", value: "json" });
    await using watch = users.watch();
    const expiresAt = nowMs() + HOUR_MS;
    await users.put(["a"], { x: 1 }, { expiresAt });
    await users.batch().put(["b"], 2, { expiresAt }).write();
    const batch = store.batch();
    users.in(batch).put(["c"], 3, { expiresAt });
    await batch.write();
    await store.transaction((tx) => users.in(tx).put(["d"], 4, { expiresAt }));
    await users.update(["a"], () => 5);
    await users.put(["e"], 6, { ttlMs: SHORT_MS });
    for (const key of ["a", "b", "c", "d"]) {
      equal((await users.getEntry([key]))?.expiresAt, expiresAt, key);
    }
    const first = await watch.next();
    equal(first.value!.operations, [{ type: "put", key: ["a"], value: { x: 1 }, expiresAt }]);
    const last = await users.getEntry(["e"]);
    if (last !== undefined) await until(last.expiresAt!);
    equal(await users.has(["e"]), false);
    equal(await users.count(), 4);
    equal(await users.values().toArray(), [5, 2, 3, 4]);
  });
}
