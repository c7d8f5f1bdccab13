/** Snapshots, and what a store does after it was closed. */

import type { Cursor } from "../cursor.ts";
import type { Reader } from "../reader.ts";
import type { Store } from "../store.ts";
import { equal, fails } from "./assert.ts";
import { fill, keyOf, keysFrom, type StoreTest } from "./suite.ts";

const CLOSED = { code: "CLOSED" } as const;

/** Every kind of read. */
function reads(reader: Reader): (() => unknown)[] {
  return [
    () => reader.get("k"),
    () => reader.getEntry("k"),
    () => reader.getMany(["k"]),
    () => reader.getMany([]),
    () => reader.has("k"),
    () => reader.hasMany(["k"]),
    () => reader.count(),
    () => reader.entries(),
    () => reader.keys(),
    () => reader.values(),
    () => reader.getString("k"),
    () => reader.getInt64("k"),
    () => reader.getFloat64("k"),
    () => reader.getBool("k"),
    () => reader.getBytes("k"),
    () => reader.getJson("k"),
    () => reader.getMap("k"),
  ];
}

/** Every kind of write. */
function writes(store: Store): (() => unknown)[] {
  return [
    () => store.put("k", 1),
    () => store.put("k", {}),
    () => store.delete("k"),
    () => store.deleteIfExists("k"),
    () => store.write([]),
    () => store.write([{ type: "put", key: "k", value: 1 }]),
    () => store.putIfNotExists("k", 1),
    () => store.putIfEquals("k", 1, 1),
    () => store.increment("k"),
    () => store.update("k", () => 1),
    () => store.putString("k", ""),
    () => store.putInt64("k", 1),
    () => store.putFloat64("k", 1),
    () => store.putBool("k", true),
    () => store.putBytes("k", Uint8Array.of(1)),
    () => store.putJson("k", 1),
    () => store.putMap("k", {}),
  ];
}

/** The tests of snapshots and of closing. */
export function lifeTests(test: StoreTest): void {
  test("A snapshot shows the moment of its call, to every kind of read", async (store) => {
    await fill(store, 20);
    using snapshot = store.snapshot();
    const pending = store.put("late", 1);
    await store.put(keyOf(0), "changed");
    await store.delete(keyOf(1));
    await store.write([{ type: "put", key: keyOf(2), value: -2 }, {
      type: "delete",
      key: keyOf(3),
    }]);
    await store.increment("counter");
    await pending;
    equal(await snapshot.get(keyOf(0)), 0);
    equal(await snapshot.getEntry(keyOf(1)), { key: keyOf(1), value: 1 });
    equal(await snapshot.getMany([keyOf(2), "late"]), [2, undefined]);
    equal(await snapshot.hasMany([keyOf(3), "late", "counter"]), [true, false, false]);
    equal(await snapshot.has("late"), false);
    equal(await snapshot.count(), 20);
    equal(await snapshot.keys().toArray(), keysFrom(0, 20));
    equal(await snapshot.values({ limit: 4 }).toArray(), [0, 1, 2, 3]);
    equal(await snapshot.entries({ reverse: true, limit: 1 }).toArray(), [[keyOf(19), 19]]);
    equal(await store.getMany([keyOf(0), keyOf(1), keyOf(2)]), ["changed", undefined, -2]);
  });

  test("Several snapshots each show their own moment", async (store) => {
    const snapshots = [];
    for (let i = 0; i < 10; i++) {
      snapshots.push(store.snapshot());
      await store.put("k", i);
    }
    for (const [i, snapshot] of snapshots.entries()) {
      equal(await snapshot.get("k"), i === 0 ? undefined : i - 1);
      snapshot.close();
    }
  });

  test("Every use of a closed snapshot is a ClosedError, and its cursors still work", async (store) => {
    await fill(store, 5);
    const snapshot = store.snapshot();
    await using keys = snapshot.keys();
    await store.delete(keyOf(1));
    snapshot.close();
    snapshot.close();
    for (const read of reads(snapshot)) await fails(read, CLOSED, String(read));
    equal(await keys.nextMany(9), keysFrom(0, 5));
    let escaped = store.snapshot();
    {
      using inner = store.snapshot();
      escaped = inner;
    }
    await fails(() => escaped.get("k"), CLOSED);
  });

  test("Every use of a closed store is a ClosedError, and a second close does nothing", async (store) => {
    await fill(store, 5);
    const snapshot = store.snapshot();
    const batch = store.batch().put("k", 1);
    const cursors: Cursor<unknown>[] = [store.keys(), store.keys(), snapshot.keys()];
    await cursors[0]!.next();
    equal(store.status, "open", "the status");
    const closing = store.close();
    await closing;
    await store.close();
    await store[Symbol.asyncDispose]();
    equal(store.status, "closed", "the status");
    const uses = [...reads(store), ...writes(store), ...reads(snapshot)];
    uses.push(() => batch.write(), () => store.snapshot());
    for (const use of uses) await fails(use, CLOSED, String(use));
    for (const cursor of cursors) {
      await fails(() => cursor.next(), CLOSED);
      await fails(() => cursor.seek("k"), CLOSED);
      await cursor.close();
    }
    snapshot.close();
  });

  test("close waits for writes that were not awaited", async (store) => {
    const writing = Array.from({ length: 20 }, (_, i) => store.put(keyOf(i), i));
    await store.close();
    await Promise.all(writing);
  });
}
