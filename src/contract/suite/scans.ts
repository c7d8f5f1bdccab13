/** Ranges in both directions, and cursors. */

import type { Range } from "../range.ts";
import { boundsOf, compareKeys, isInBounds, keyBytes } from "../rules.ts";
import { equal, fails } from "./assert.ts";
import { fill, keyOf, keysFrom, type StoreTest } from "./suite.ts";

/** The keys that a range shows, computed without a store. */
function expectedKeys(keys: readonly string[], range: Range): string[] {
  const bounds = boundsOf(range);
  const within = keys.filter((key) => isInBounds(keyBytes(key), bounds))
    .sort((a, b) => compareKeys(keyBytes(a), keyBytes(b)));
  if (bounds.reverse) within.reverse();
  return within.slice(0, bounds.limit);
}

/** Every kind of bound over a few keys, alone and together. */
function ranges(keys: readonly string[]): Range[] {
  const points = [...keys, "", "a0", "zz"];
  const found: Range[] = [{}];
  for (const a of points) {
    found.push({ prefix: a }, { gte: a }, { gt: a }, { lte: a }, { lt: a });
    for (const b of points) {
      found.push({ gte: a, lt: b }, { gt: a, lte: b }, { prefix: a, gt: b }, { prefix: a, lt: b });
    }
  }
  return found;
}

/** The tests of ranges and cursors. */
export function scanTests(test: StoreTest): void {
  test("Every kind of range shows the right keys, in both directions and with limits", async (store) => {
    const keys = ["", "a", "a\0", "aa", "ab", "b", "\u00ff", "\u{10ffff}"];
    for (const key of keys) await store.put(key, key);
    using snapshot = store.snapshot();
    for (const range of ranges(keys)) {
      for (const reverse of [false, true]) {
        for (const limit of [Infinity, 2, 0]) {
          const given = { ...range, reverse, limit };
          const what = `the range ${JSON.stringify({ ...given, limit: String(limit) })}`;
          const expected = expectedKeys(keys, given);
          equal(await store.keys(given).toArray(), expected, what);
          equal(await store.count(given), expected.length, `the count of ${what}`);
          if (limit === 2) {
            equal(await snapshot.keys(given).toArray(), expected, `${what} of a snapshot`);
            equal(await store.values(given).toArray(), expected, `the values of ${what}`);
            const pairs = expected.map((key) => [key, key]);
            equal(await store.entries(given).toArray(), pairs, `the entries of ${what}`);
          }
        }
      }
    }
  });

  test("A range with a mistake is refused", async (store) => {
    const mistakes: [unknown, "TypeError" | "RangeError"][] = [
      [{ start: "a" }, "TypeError"],
      [{ reverse: 1 }, "TypeError"],
      [{ limit: -1 }, "RangeError"],
      [{ limit: 1.5 }, "RangeError"],
      [{ prefix: 5 }, "TypeError"],
      [{ signal: {} }, "TypeError"],
      [{ keyEncoding: "utf-8" }, "TypeError"],
      [null, "TypeError"],
      ["a", "TypeError"],
    ];
    using snapshot = store.snapshot();
    for (const [range, error] of mistakes) {
      const what = `the range ${JSON.stringify(range)}`;
      for (const reader of [store, snapshot]) {
        await fails(() => reader.entries(range as Range), error, what);
        await fails(() => reader.keys(range as Range), error, what);
        await fails(() => reader.values(range as Range), error, what);
        await fails(() => reader.count(range as Range), error, what);
      }
    }
  });

  test("A range decides whether keys are text or bytes", async (store) => {
    await fill(store, 3);
    const bytes = keysFrom(0, 3).map((key) => new TextEncoder().encode(key));
    equal(await store.keys({ keyEncoding: "bytes" }).toArray(), bytes);
    equal(await store.keys({ keyEncoding: "utf8" }).toArray(), keysFrom(0, 3));
    const entries = await store.entries({ keyEncoding: "bytes", reverse: true }).toArray();
    equal(entries.map(([key]) => key), bytes.toReversed());
    equal(await store.count({ keyEncoding: "bytes" }), 3);
  });

  test("A signal ends a scan and a count with its reason", async (store) => {
    await fill(store, 20);
    const reason = Object.assign(new Error("enough"), { code: "ENOUGH" });
    const controller = new AbortController();
    const keys = store.keys({ signal: controller.signal });
    equal(await keys.nextMany(3), keysFrom(0, 3));
    controller.abort(reason);
    await fails(() => keys.nextMany(1), { code: "ENOUGH" });
    await keys.close();
    await fails(() => store.keys({ signal: controller.signal }).toArray(), { code: "ENOUGH" });
    await fails(() => store.count({ signal: controller.signal }), { code: "ENOUGH" });
  });

  test("A cursor can seek, also after its end, until it is closed", async (store) => {
    await fill(store, 100);
    const forward = store.keys({ gte: keyOf(10), lt: keyOf(90) });
    equal(await forward.nextMany(2), keysFrom(10, 12));
    forward.seek(keyOf(50));
    equal(await forward.nextMany(2), keysFrom(50, 52));
    forward.seek(`${keyOf(49)}x`);
    equal(await forward.nextMany(100), keysFrom(50, 90));
    equal(await forward.next(), { done: true, value: undefined });
    forward.seek(keyOf(10));
    equal(await forward.nextMany(1), [keyOf(10)]);
    for (const outside of ["", keyOf(9), keyOf(90), "z"]) {
      forward.seek(outside);
      equal(await forward.nextMany(1), [], `after a seek to ${outside}`);
    }
    forward.seek(keyOf(89));
    equal(await forward.nextMany(5), [keyOf(89)]);
    await forward.close();
    await fails(() => forward.seek(keyOf(10)), { code: "CLOSED" });

    const backward = store.keys({ gte: keyOf(10), lt: keyOf(90), reverse: true });
    equal(await backward.nextMany(1), [keyOf(89)]);
    backward.seek(keyOf(50));
    equal(await backward.nextMany(2), [keyOf(50), keyOf(49)]);
    backward.seek(`${keyOf(49)}x`);
    equal((await backward.nextMany(100)).length, 40);
    for (const outside of ["", keyOf(9), keyOf(90), "z"]) {
      backward.seek(outside);
      equal(await backward.nextMany(1), [], `in reverse after a seek to ${outside}`);
    }
    await backward.close();
  });

  test("The limit counts the items that a cursor has shown, before and after a seek", async (store) => {
    await fill(store, 30);
    await using keys = store.keys({ limit: 5 });
    equal(await keys.nextMany(2), keysFrom(0, 2));
    keys.seek(keyOf(20));
    equal(await keys.nextMany(10), keysFrom(20, 23));
    keys.seek(keyOf(0));
    equal(await keys.nextMany(10), []);
  });

  test("nextMany returns as many as asked for, and refuses wrong counts", async (store) => {
    await fill(store, 5);
    await using keys = store.keys();
    for (const count of [0, -1, 1.5, NaN, Infinity]) {
      await fails(() => keys.nextMany(count), "RangeError", `a count of ${count}`);
    }
    equal(await keys.nextMany(2), keysFrom(0, 2));
    equal(await keys.nextMany(9), keysFrom(2, 5));
    equal(await keys.nextMany(1), []);
  });

  test("Calls of next that overlap are answered in their order", async (store) => {
    await fill(store, 40);
    await using keys = store.keys();
    const steps = await Promise.all(Array.from({ length: 50 }, () => keys.next()));
    equal(steps.filter(({ done }) => !done).map(({ value }) => value), keysFrom(0, 40));
  });

  test("A cursor is closed by break, return, throw, dispose, close, and the end of a loop", async (store) => {
    await fill(store, 10);
    const broken = store.keys();
    for await (const key of broken) if (key === keyOf(3)) break;
    const failed = store.keys();
    await fails(
      async () => {
        for await (const key of failed) {
          throw Object.assign(new Error(String(key)), { code: "BODY" });
        }
      },
      { code: "BODY" },
    );
    const returned = store.keys();
    await returned.next();
    equal(await returned.return(), { done: true, value: undefined });
    const thrown = store.keys();
    await fails(() => thrown.throw(new TypeError("boom")), "TypeError");
    const ended = store.keys();
    let count = 0;
    for await (const _ of ended) count++;
    equal(count, 10, "the number of turns of the loop");
    const collected = store.keys();
    equal(await collected.toArray(), keysFrom(0, 10));
    for (const cursor of [broken, failed, returned, thrown, ended, collected]) {
      await fails(() => cursor.seek("k"), { code: "CLOSED" });
    }
    const closed = store.keys();
    await closed.close();
    await closed.close();
    let disposed = store.keys();
    {
      await using keys = store.keys();
      disposed = keys;
    }
    for (const cursor of [closed, disposed]) {
      await fails(() => cursor.next(), { code: "CLOSED" });
      await fails(() => cursor.nextMany(1), { code: "CLOSED" });
      await fails(() => cursor.toArray(), { code: "CLOSED" });
      await fails(() => cursor.seek("k"), { code: "CLOSED" });
    }
  });

  test("map, filter, take and drop make cursors that close their source", async (store) => {
    await fill(store, 30);
    const source = store.entries({ gte: keyOf(5) });
    const chain = source
      .filter(([, value]) => (value as number) % 2 === 1)
      .drop(2)
      .map(([key], index) => `${index}:${String(key)}`)
      .take(3);
    const expected = [`0:${keyOf(9)}`, `1:${keyOf(11)}`, `2:${keyOf(13)}`];
    equal(await chain.nextMany(10), expected);
    await chain.close();
    await fails(() => source.seek("k"), { code: "CLOSED" });
    const overlapping = store.keys().filter((key) => key > keyOf(10)).take(3);
    const steps = await Promise.all([1, 2, 3, 4].map(() => overlapping.next()));
    equal(steps.map(({ value }) => value), [...keysFrom(11, 14), undefined]);
    await overlapping.close();
    const sought = store.keys().map((key) => `<${String(key)}>`);
    equal(await sought.nextMany(1), [`<${keyOf(0)}>`]);
    sought.seek(keyOf(29));
    equal(await sought.toArray(), [`<${keyOf(29)}>`]);
    const failing = store.keys();
    await fails(() =>
      failing.map((): never => {
        throw new TypeError("boom");
      }).toArray(), "TypeError");
    await fails(() => failing.seek("k"), { code: "CLOSED" });
    await using keys = store.keys();
    await fails(() => keys.take(-1), "RangeError");
    await fails(() => keys.drop(0.5), "RangeError");
    await fails(() => keys.map(5 as never), "TypeError");
    await fails(() => keys.filter(undefined as never), "TypeError");
  });

  test("A cursor shows the moment at which it was made", async (store) => {
    await fill(store, 10);
    await using entries = store.entries();
    equal(await entries.nextMany(1), [[keyOf(0), 0]]);
    await store.put(keyOf(1), "changed");
    await store.delete(keyOf(2));
    await store.put(`${keyOf(3)}x`, "new");
    const expected = keysFrom(1, 10).map((key, index) => [key, index + 1]);
    equal(await entries.nextMany(100), expected);
  });
}
