/**
 * Tests of transactions: each takes effect completely or not at all, and as if they ran one after
 * the other.
 */

import type { Store } from "../store.ts";
import type { Transaction } from "../transaction.ts";
import type { Value } from "../value.ts";
import { equal, fails } from "./assert.ts";
import { fill, keyOf, keysFrom, type StoreTest } from "./suite.ts";

/** Retries without limit: a simple store may report a conflict with every other commit. */
const PATIENT = { retries: Infinity } as const;

async function contentOf(store: Store): Promise<unknown> {
  return await store.entries().toArray();
}

/** A promise that the test resolves itself. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => open = resolve);
  return { opened, open };
}

function numberOf(value: Value | undefined): number {
  return Number(value ?? 0);
}

/** The tests of transactions. */
export function transactionTests(test: StoreTest): void {
  test("A transaction commits all its writes, and gives the result of its body", async (store) => {
    await store.put("old", 1);
    const result = await store.transaction(async (tx) => {
      equal(tx.attempt, 1, "the attempt");
      await tx.put("a", 1);
      await tx.delete("old");
      await tx.write([{ type: "put", key: "b", value: "two" }, { type: "delete", key: "none" }]);
      await tx.batch().put("c", 3n).delete("none").write();
      await tx.putString("d", "text");
      equal(await contentOf(store), [["old", 1]], "what others see meanwhile");
      return "result";
    }, { sync: true });
    equal(result, "result");
    equal(await contentOf(store), [["a", 1], ["b", "two"], ["c", 3n], ["d", "text"]]);
    equal(await store.transaction(() => 7), 7, "the result of a body that is not asynchronous");
  });

  test("A body that throws leaves nothing, and its error is passed on", async (store) => {
    await fill(store, 3);
    const before = await contentOf(store);
    const failing = async (tx: Transaction): Promise<void> => {
      await tx.put("a", 1);
      await tx.delete(keyOf(1));
      throw new RangeError("boom");
    };
    await fails(() => store.transaction(failing), "RangeError");
    await fails(
      () =>
        store.transaction((tx) => {
          void tx.put("a", 1);
          throw new RangeError("boom");
        }),
      "RangeError",
    );
    equal(await contentOf(store), before);
  });

  test("A transaction reads its own writes, by every kind of read", async (store) => {
    await fill(store, 6);
    await store.transaction(async (tx) => {
      await tx.put(keyOf(2), "new");
      await tx.delete(keyOf(3));
      await tx.put(keyOf(9), "last");
      await tx.put(keyOf(2), "newer");
      equal(await tx.get(keyOf(2)), "newer");
      equal(await tx.get(keyOf(3)), undefined);
      equal(await tx.getEntry(keyOf(9)), { key: keyOf(9), value: "last" });
      equal(await tx.getMany([keyOf(1), keyOf(2), keyOf(3)]), [1, "newer", undefined]);
      equal(await tx.has(keyOf(3)), false);
      equal(await tx.hasMany([keyOf(9), keyOf(3), keyOf(4)]), [true, false, true]);
      equal(await tx.getString(keyOf(2)), "newer");
      equal(await tx.count(), 6);
      equal(await tx.count({ gt: keyOf(1), lte: keyOf(4) }), 2);
      const keys = [...[0, 1, 2, 4, 5, 9].map(keyOf)];
      equal(await tx.keys().toArray(), keys);
      equal(await tx.keys({ reverse: true }).toArray(), keys.toReversed());
      equal(await tx.values({ gte: keyOf(1), limit: 3 }).toArray(), [1, "newer", 4]);
      await using cursor = tx.entries({ reverse: true });
      cursor.seek(keyOf(3));
      equal(await cursor.nextMany(2), [[keyOf(2), "newer"], [keyOf(1), 1]]);
    });
    equal(await store.count(), 6);
  });

  test("A cursor of a transaction does not show what is written after it was made", async (store) => {
    await fill(store, 4);
    await store.transaction(async (tx) => {
      await tx.put(keyOf(7), 7);
      await using cursor = tx.keys();
      equal(await cursor.nextMany(2), keysFrom(0, 2));
      await tx.put(keyOf(5), 5);
      await tx.delete(keyOf(3));
      equal(await cursor.nextMany(9), [keyOf(2), keyOf(3), keyOf(7)]);
      equal(await tx.keys().toArray(), [0, 1, 2, 5, 7].map(keyOf));
    });
  });

  test("Conditional writes of a transaction see its writes, also if nobody waits for them", async (store) => {
    await store.put("n", 5n);
    await store.transaction(async (tx) => {
      equal(await tx.increment("n"), 6n);
      equal(await tx.increment("n", 2), 8n);
      equal(await tx.putIfNotExists("n", 1), false);
      equal(await tx.putIfNotExists("new", 1), true);
      equal(await tx.putIfEquals("new", 2, 1), true);
      equal(await tx.putIfEquals("new", 3, 1), false);
      equal(await tx.deleteIfExists("new"), true);
      equal(await tx.deleteIfExists("new"), false);
      equal(await tx.update("text", (old) => `${old ?? ""}x`), "x");
      equal(await tx.update("text", (old) => `${old ?? ""}x`), "xx");
      await fails(() => tx.increment("text"), { code: "TYPE_MISMATCH" });
    });
    await store.transaction((tx) => {
      for (let i = 0; i < 10; i++) void tx.increment("n");
    });
    equal(await contentOf(store), [["n", 18n], ["text", "xx"]]);
  });

  test("A transaction reads one moment of the store", async (store) => {
    await fill(store, 5);
    await store.transaction(async (tx) => {
      equal(await tx.get(keyOf(0)), 0);
      await store.write([{ type: "put", key: keyOf(0), value: "x" }, {
        type: "delete",
        key: keyOf(1),
      }]);
      equal(await tx.get(keyOf(0)), 0);
      equal(await tx.get(keyOf(1)), 1);
      equal(await tx.count(), 5);
    });
    equal(await store.count(), 4);
  });

  test("No update is lost between transactions that read and write the same key", async (store) => {
    const add = (tx: Transaction): Promise<void> =>
      (async () => await tx.put("n", numberOf(await tx.get("n")) + 1))();
    await Promise.all(Array.from({ length: 30 }, () => store.transaction(add, PATIENT)));
    equal(await store.get("n"), 30);
  });

  test("No update is lost between a transaction and writes beside it", async (store) => {
    let attempts = 0;
    await store.transaction(async (tx) => {
      attempts = tx.attempt;
      const old = numberOf(await tx.get("n"));
      if (tx.attempt <= 3) await store.update("n", (old) => numberOf(old) + 10);
      await tx.put("n", old + 1);
    });
    equal(attempts, 4, "the number of attempts");
    equal(await store.get("n"), 31);
  });

  test("Two transactions can't each give away what the other has left (write skew)", async (store) => {
    await store.batch().put("doctor:a", true).put("doctor:b", true).write();
    const leave = async (name: string, other: string): Promise<void> => {
      await store.transaction(async (tx) => {
        if (await tx.get(other) === true) await tx.put(name, false);
      }, PATIENT);
    };
    await Promise.all([leave("doctor:a", "doctor:b"), leave("doctor:b", "doctor:a")]);
    equal((await store.values().toArray()).filter((isThere) => isThere).length, 1);
  });

  test("A key that was found missing conflicts with a commit that puts it", async (store) => {
    const winners = await Promise.all([1, 2, 3].map((n) =>
      store.transaction(async (tx) => {
        if (await tx.has("place")) return 0;
        await tx.put("place", n);
        return n;
      }, PATIENT)
    ));
    equal(winners.filter((n) => n > 0).length, 1, "the number of winners");
  });

  for (const reverse of [false, true]) {
    test(`A key that appears in a scanned range is no phantom, ${reverse ? "in reverse" : "forward"}`, async (store) => {
      await store.put("room:1", 1);
      const book = (key: string): Promise<number> =>
        store.transaction(async (tx) => {
          const taken = (await tx.keys({ prefix: "room:", reverse }).toArray()).length;
          if (taken < 2) await tx.put(key, 1);
          return taken;
        }, PATIENT);
      await Promise.all([book("room:0"), book("room:2"), book("room:3")]);
      equal(await store.count({ prefix: "room:" }), 2);
    });
  }

  test("A count conflicts with what changes it", async (store) => {
    const add = (key: string): Promise<void> =>
      store.transaction(async (tx) => {
        if (await tx.count({ prefix: "n:" }) < 1) await tx.put(key, 1);
      }, PATIENT);
    await Promise.all([add("n:a"), add("n:b"), add("n:c")]);
    equal(await store.count({ prefix: "n:" }), 1);
  });

  test("A transaction that only reads never conflicts", async (store) => {
    await fill(store, 3);
    const seen = await store.transaction(async (tx) => {
      const before = await tx.get(keyOf(0));
      await store.put(keyOf(0), "changed");
      return [before, await tx.get(keyOf(0)), tx.attempt];
    }, { retries: 0 });
    equal(seen, [0, 0, 1]);
  });

  test("After the last attempt a conflict is a ConflictError, and nothing is written", async (store) => {
    let runs = 0;
    const body = async (tx: Transaction): Promise<void> => {
      runs++;
      await tx.get("n");
      await store.put("n", runs);
      await tx.put("mine", runs);
    };
    const error = await store.transaction(body, { retries: 3 }).catch((error) => error);
    equal([error.name, error.code, error.attempts], ["ConflictError", "CONFLICT", 4]);
    equal(await contentOf(store), [["n", 4]]);
    await fails(() => store.transaction(body, { retries: 0 }), { code: "CONFLICT" });
    equal(runs, 5, "the number of runs");
  });

  test("Others get on beside a transaction that conflicts for ever", async (store) => {
    const isOver = new AbortController();
    const unlucky = store.transaction(async (tx) => {
      const old = numberOf(await tx.get("shared"));
      await store.put("shared", old + 1);
      await tx.put("shared", -1);
    }, { retries: Infinity, signal: isOver.signal }).catch((error) => error);
    for (let i = 0; i < 20; i++) {
      await store.transaction(async (tx) => {
        await tx.put("other", numberOf(await tx.get("other")) + 1);
      }, PATIENT);
    }
    isOver.abort(new RangeError("over"));
    equal((await unlucky).name, "RangeError");
    equal(await store.get("other"), 20);
    equal(numberOf(await store.get("shared")) > 0, true, "whether it was tried");
  });

  test("A transaction in the body of another one is independent of it", async (store) => {
    await fails(() =>
      store.transaction(async (outer) => {
        await outer.put("outer", 1);
        await store.transaction(async (inner) => {
          equal(await inner.get("outer"), undefined);
          await inner.put("inner", 1);
        });
        throw new RangeError("boom");
      }), "RangeError");
    equal(await contentOf(store), [["inner", 1]]);
  });

  test("A transaction can't be used when its body has ended", async (store) => {
    await fill(store, 2);
    let escaped!: Transaction;
    await store.transaction((tx) => {
      escaped = tx;
    });
    const cursors: (() => unknown)[] = [];
    await store.transaction(async (tx) => {
      const cursor = tx.keys();
      await cursor.next();
      cursors.push(() => cursor.next());
    });
    const uses = [
      () => escaped.get("k"),
      () => escaped.getMany(["k"]),
      () => escaped.has("k"),
      () => escaped.count(),
      () => escaped.keys(),
      () => escaped.getString("k"),
      () => escaped.put("k", 1),
      () => escaped.delete("k"),
      () => escaped.write([]),
      () => escaped.batch().put("k", 1).write(),
      () => escaped.increment("k"),
      () => escaped.update("k", () => 1),
      ...cursors,
    ];
    for (const use of uses) await fails(use, { code: "CLOSED" }, String(use));
    equal(await store.count(), 2);
  });

  test("A transaction on a store that is closed meanwhile is a ClosedError", async (store) => {
    const { opened, open } = gate();
    const running = store.transaction(async (tx) => {
      await tx.put("k", 1);
      await opened;
    });
    await store.close();
    open();
    await fails(() => running, { code: "CLOSED" });
    await fails(() => store.transaction(() => 1), { code: "CLOSED" });
  });

  test("A signal gives a transaction up, and nothing is written", async (store) => {
    const controller = new AbortController();
    const reason = new RangeError("given up");
    const body = async (tx: Transaction): Promise<void> => {
      await tx.put("k", 1);
      controller.abort(reason);
    };
    await fails(() => store.transaction(body, { signal: controller.signal }), "RangeError");
    let runs = 0;
    await fails(
      () => store.transaction(() => runs++, { signal: controller.signal }),
      "RangeError",
    );
    equal([runs, await store.has("k")], [0, false]);
  });

  test("What is no transaction is refused, and nothing is run", async (store) => {
    let runs = 0;
    const body = (): number => runs++;
    await fails(() => store.transaction(5 as never), "TypeError");
    await fails(() => store.transaction(body, { retry: 1 } as never), "TypeError");
    await fails(() => store.transaction(body, [] as never), "TypeError");
    await fails(() => store.transaction(body, { retries: -1 }), "RangeError");
    await fails(() => store.transaction(body, { retries: "3" as never }), "RangeError");
    await fails(() => store.transaction(body, { sync: 1 as never }), "TypeError");
    await fails(() => store.transaction(body, { signal: {} as never }), "TypeError");
    equal(runs, 0, "the number of runs");
    await fails(() => store.transaction((tx) => tx.put("k", undefined as never)), "TypeError");
    await fails(() => store.transaction((tx) => tx.put(5 as never, 1)), "TypeError");
    equal(await contentOf(store), []);
  });
}
