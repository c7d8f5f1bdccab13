/** Tests of watches: they show every commit, in order and complete. */

import type { Store } from "../store.ts";
import type { Commit, Watch } from "../watch.ts";
import type { Operation } from "../writer.ts";
import { equal, fails } from "./assert.ts";
import { keyOf, type StoreTest } from "./suite.ts";

/** The next commits. */
async function take(watch: Watch, count: number): Promise<(readonly Operation[])[]> {
  const taken: (readonly Operation[])[] = [];
  while (taken.length < count) {
    const step = await watch.next();
    if (step.done) throw new Error(`the watch ends after ${taken.length} of ${count} commits`);
    taken.push(step.value.operations);
  }
  return taken;
}

/** Commits until the end. */
async function rest(watch: Watch): Promise<Commit[]> {
  const commits: Commit[] = [];
  for await (const commit of watch) commits.push(commit);
  return commits;
}

function put(key: string, value: number | bigint): Operation {
  return { type: "put", key, value };
}

function remove(key: string): Operation {
  return { type: "delete", key };
}

/** The tests of watches. */
export function watchTests(test: StoreTest): void {
  test("A watch shows every commit from its call on, in order and whole", async (store) => {
    await store.put("before", 1);
    await using watch = store.watch();
    const writing = [
      store.put("a", 1),
      store.batch().put("b", 2).delete("a").put("b", 3).write(),
      store.delete("none"),
    ];
    await Promise.all(writing);
    await store.increment("n", 5);
    await store.transaction(async (tx) => {
      await tx.put("x", 1);
      await tx.get("a");
      await tx.increment("n");
    });
    equal(await take(watch, 5), [
      [put("a", 1)],
      [put("b", 2), remove("a"), put("b", 3)],
      [remove("none")],
      [put("n", 5n)],
      [put("x", 1), put("n", 6n)],
    ]);
  });

  test("A watch shows what a range is touched by, and only that", async (store) => {
    await using watch = store.watch({ prefix: "user:", lt: "user:5" });
    await store.put("use", 1);
    await store.batch().put("user:1", 1).put("zoo", 1).put("user:7", 1).delete("user:2").write();
    await store.put("user:5", 1);
    await store.put("user:4", 4);
    equal(await take(watch, 2), [[put("user:1", 1), remove("user:2")], [put("user:4", 4)]]);
  });

  test("A watch shows nothing of a transaction that fails, and one commit of one that is retried", async (store) => {
    await using watch = store.watch();
    await fails(() =>
      store.transaction(async (tx) => {
        await tx.put("a", 1);
        throw new RangeError("boom");
      }), "RangeError");
    await store.transaction(async (tx) => {
      const old = await tx.get("n");
      if (tx.attempt === 1) await store.put("n", 1);
      await tx.put("m", Number(old ?? 0) + 1);
    });
    equal(await take(watch, 2), [[put("n", 1)], [put("m", 2)]]);
  });

  test("What a watch shows makes the same of another range as of the one that is watched", async (store) => {
    await using watch = store.watch({ keyEncoding: "bytes" });
    for (let i = 0; i < 30; i++) {
      await store.batch().put(keyOf(i % 7), { n: i }).delete(keyOf((i + 3) % 7)).write();
    }
    const before = await store.entries().toArray();
    const seen = await take(watch, 30);
    await store.write(before.map(([key]) => ({ type: "delete", key })));
    equal(await store.count(), 0);
    for (const operations of seen) {
      const hasBytes = (operation: Operation): boolean =>
        operation.type !== "deleteRange" && typeof operation.key === "object";
      equal(operations.every(hasBytes), true, "keys are bytes");
      await store.write(operations);
    }
    equal(await store.entries().toArray(), before);
  });

  test("Several watches each show all, whenever they are read", async (store) => {
    const watches = Array.from({ length: 5 }, () => store.watch());
    const readers = watches.slice(1).map((watch) => take(watch, 100));
    for (let i = 0; i < 100; i++) await store.put(keyOf(i), i);
    const expected = Array.from({ length: 100 }, (_, i) => [put(keyOf(i), i)]);
    for (const read of [...readers, take(watches[0]!, 100)]) equal(await read, expected);
    for (const watch of watches) await watch.return();
  });

  test("Overlapping steps of a watch are answered in their order", async (store) => {
    await using watch = store.watch();
    const steps = Array.from({ length: 4 }, () => watch.next());
    for (let i = 0; i < 3; i++) await store.put("k", i);
    await watch.return();
    const values = (await Promise.all(steps)).map((step) => step.value?.operations);
    equal(values, [[put("k", 0)], [put("k", 1)], [put("k", 2)], undefined]);
  });

  test("A watch whose reader is more than the limit behind is told so, and ends", async (store) => {
    const watch = store.watch({}, { limit: 10 });
    const other = store.watch({ prefix: "b" }, { limit: 10 });
    for (let i = 0; i < 10; i++) await store.put("a", i);
    equal(await take(watch, 5), Array.from({ length: 5 }, (_, i) => [put("a", i)]));
    for (let i = 10; i < 15; i++) await store.put("a", i);
    equal(await take(watch, 1), [[put("a", 5)]]);
    for (let i = 15; i < 17; i++) await store.put("a", i);
    await fails(() => watch.next(), { code: "LAGGED" });
    equal((await watch.next()).done, true);
    await store.put("b", 1);
    equal(await take(other, 1), [[put("b", 1)]]);
    await other.return();
  });

  test("A watch ends when the store is closed, after what it has still to show", async (store) => {
    const early = store.watch();
    const ended = rest(early);
    const late = store.watch();
    const writing = [store.put("a", 1), store.put("b", 2)];
    await store.close();
    await Promise.all(writing);
    const expected = [{ operations: [put("a", 1)] }, { operations: [put("b", 2)] }];
    equal(await ended, expected);
    equal(await rest(late), expected);
    equal((await late.next()).done, true);
    await fails(() => store.watch(), { code: "CLOSED" });
  });

  test("A watch that is closed shows what was committed before, and then ends", async (store) => {
    const watch = store.watch();
    await store.put("a", 1);
    const writing = store.put("a", 2);
    watch.close();
    await store.put("a", 3);
    await writing;
    equal(await rest(watch), [{ operations: [put("a", 1)] }, { operations: [put("a", 2)] }]);
    equal((await watch.next()).done, true);
  });

  test("A signal ends a watch with its reason", async (store) => {
    const controller = new AbortController();
    const watch = store.watch({}, { signal: controller.signal });
    const step = watch.next();
    controller.abort(new RangeError("enough"));
    await fails(() => step, "RangeError");
    equal((await watch.next()).done, true);
    await store.put("a", 1);
    await fails(() => store.watch({}, { signal: controller.signal }), "RangeError");
  });

  test("A loop over a watch that is left ends it", async (store) => {
    const watch = store.watch();
    await store.put("a", 1);
    await store.put("a", 2);
    for await (const _ of watch) break;
    equal((await watch.next()).done, true);
    await fails(() => watch.throw(new RangeError("mine")), "RangeError");
    await using disposed = store.watch();
    await disposed[Symbol.asyncDispose]();
    equal((await disposed.next()).done, true);
  });

  test("What is no range or option of a watch is refused", async (store) => {
    for (const range of [{ reverse: true }, { limit: 1 }, { prefixes: "a" }, 5]) {
      await fails(() => store.watch(range as never), "TypeError", JSON.stringify(range));
    }
    await fails(() => store.watch({ gte: 5 as never }), "TypeError");
    for (const limit of [0, 1.5, "1", Infinity]) {
      await fails(() => store.watch({}, { limit: limit as never }), "RangeError", String(limit));
    }
    await fails(() => store.watch({}, { limits: 1 } as never), "TypeError");
    await fails(() => store.watch({}, { signal: {} as never }), "TypeError");
  });

  test("What a watch shows is its reader's, and no other one's", async (store: Store) => {
    await using one = store.watch();
    await using other = store.watch();
    const value = Uint8Array.of(1, 2);
    await store.put("a", value);
    value.fill(9);
    for (const watch of [one, other]) {
      const [[operation]] = await take(watch, 1) as [[Operation]];
      if (operation.type !== "put") throw new Error("it is no put");
      equal(operation.value, Uint8Array.of(1, 2));
      (operation.value as Uint8Array).fill(7);
    }
    equal(await store.get("a"), Uint8Array.of(1, 2));
  });
}
