/**
 * Tests transactions of the embedded store that the contract suite cannot test: synchronous ones,
 * the precision of the conflict check, its knowledge after flushes, its bounds, and what a
 * transaction holds.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  ConflictError,
  type EmbeddedStore,
  type EmbeddedTransaction,
  memoryFileSystem,
  open,
  type Options,
  type Range,
} from "../../mod.ts";
import { Memtable } from "../../src/memtable/memtable.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { RecentMemtables } from "../../src/store/state/recent_memtables.ts";
import { runtimeCommand } from "../support/runtimes.ts";

const small: Options = {
  memtableSizeBytes: 4096,
  blockSizeBytes: 256,
  compression: "none",
  walSync: "none",
};

function opened(options: Options = {}): Promise<EmbeddedStore> {
  return open("/db", { fileSystem: memoryFileSystem(), ...options });
}

async function fill(store: EmbeddedStore, count: number): Promise<void> {
  const batch = store.batch();
  for (let i = 0; i < count; i++) batch.put(`k${i}`, i);
  await batch.write();
}

/**
 * Returns the number of runs of a transaction if `beside` happens in its first run, between its
 * reads and its commit.
 */
async function attemptsBeside(
  store: EmbeddedStore,
  read: (tx: EmbeddedTransaction) => unknown,
  beside: () => unknown,
): Promise<number> {
  return await store.transaction(async (tx) => {
    await read(tx);
    if (tx.attempt === 1) await beside();
    await tx.put("~written", tx.attempt);
    return tx.attempt;
  });
}

async function keysOf(tx: EmbeddedTransaction, range: Range, count: number): Promise<void> {
  await using keys = tx.keys(range);
  await keys.nextMany(count);
}

test("Only what a transaction has read makes it conflict: keys, and ranges as far as they were scanned", async () => {
  await using store = await opened();
  await fill(store, 10);
  const put = (key: string) => () => store.put(key, "new");
  const cases: [string, (tx: EmbeddedTransaction) => unknown, () => unknown, number][] = [
    ["a key that was read", (tx) => tx.get("k3"), put("k3"), 2],
    ["another key", (tx) => tx.get("k3"), put("k4"), 1],
    ["a longer key", (tx) => tx.get("k3"), put("k33"), 1],
    ["a missing key", (tx) => tx.has("none"), put("none"), 2],
    ["a delete", (tx) => tx.getMany(["k1", "k2"]), () => store.delete("k2"), 2],
    ["nothing but writes", () => {}, put("k3"), 1],
    ["in a range", (tx) => tx.count({ gte: "k2", lt: "k5" }), put("k44"), 2],
    ["at its upper bound", (tx) => tx.count({ gte: "k2", lt: "k5" }), put("k5"), 1],
    ["before its lower bound", (tx) => tx.count({ gte: "k2", lt: "k5" }), put("k1~"), 1],
    ["the last one shown", (tx) => keysOf(tx, {}, 3), put("k2"), 2],
    ["after the last one shown", (tx) => keysOf(tx, {}, 3), put("k2+"), 1],
    ["before the first one shown", (tx) => keysOf(tx, {}, 3), put("a"), 2],
    ["after a limit", (tx) => tx.keys({ limit: 3 }).toArray(), put("k3"), 1],
    ["within a limit", (tx) => tx.keys({ limit: 3 }).toArray(), put("k1+"), 2],
    ["nothing of a range", (tx) => tx.keys({ limit: 0 }).toArray(), put("k1"), 1],
    ["the last one shown in reverse", (tx) => keysOf(tx, { reverse: true }, 3), put("k7"), 2],
    ["before it", (tx) => keysOf(tx, { reverse: true }, 3), put("k6+"), 1],
    ["after it", (tx) => keysOf(tx, { reverse: true }, 3), put("z"), 2],
    ["the end of a range that was found", (tx) => keysOf(tx, { gte: "k8" }, 5), put("z"), 2],
    ["a cursor that was not moved", (tx) => keysOf(tx, {}, 1).then(() => tx.keys()), put("k5"), 1],
  ];
  for (const [what, read, beside, attempts] of cases) {
    assert.equal(await attemptsBeside(store, read, beside), attempts, what);
    await store.write((await store.keys().toArray()).map((key) => ({ type: "delete", key })));
    await fill(store, 10);
  }
});

test("Between two places that a cursor was sent to, nothing is read", async () => {
  await using store = await opened();
  await fill(store, 10);
  for (const reverse of [false, true]) {
    const read = async (tx: EmbeddedTransaction): Promise<void> => {
      await using keys = tx.keys({ gte: "k0", lt: "k~", reverse });
      keys.seek(reverse ? "k8" : "k1");
      await keys.nextMany(2);
      keys.seek("nowhere");
      assert.deepEqual(await keys.nextMany(1), []);
      keys.seek(reverse ? "k2" : "k7");
      await keys.nextMany(2);
    };
    for (
      const [key, attempts] of [["k1", 2], ["k4", 1], ["k7", 2], ["k2", 2], ["k8", 2]] as const
    ) {
      assert.equal(await attemptsBeside(store, read, () => store.put(key, 1)), attempts, key);
    }
  }
});

test("A transaction's own write of a key it did not read does not make it conflict", async () => {
  await using store = await opened();
  await store.transaction(async (tx) => {
    await tx.put("k", 1);
    assert.equal(await tx.get("k"), 1);
    await store.put("k", 2);
  }, { retries: 0 });
  assert.equal(await store.get("k"), 1);
});

test("A conflict is found after the memtable that shows it was flushed and compacted", async () => {
  for (const fillers of [0, 100, 1000]) {
    await using store = await opened(small);
    await fill(store, 10);
    const beside = async (key: string): Promise<void> => {
      await store.put(key, "new");
      for (let i = 0; i < fillers; i++) await store.put(`~filler${i}`, "x".repeat(100));
      await store.flush();
      await store.compact();
      // The store reuses the memory of a memtable.
      await store.put("~other", 1);
    };
    const reads = [
      (tx: EmbeddedTransaction) => tx.get("k3"),
      (tx: EmbeddedTransaction) => tx.count({ prefix: "k" }),
    ];
    for (const read of reads) {
      assert.equal(await attemptsBeside(store, read, () => beside("k3")), 2, `${fillers} fillers`);
      assert.equal(await attemptsBeside(store, read, () => beside("j3")), 1, `${fillers} fillers`);
    }
  }
});

test("A ConflictError names the key and the range that were read, and the attempts", async () => {
  await using store = await opened();
  await fill(store, 3);
  const failure = async (read: (tx: EmbeddedTransaction) => unknown): Promise<ConflictError> => {
    try {
      await store.transaction(async (tx) => {
        await read(tx);
        await store.put("k1", tx.attempt);
        await tx.put("mine", 1);
      }, { retries: 1 });
    } catch (error) {
      assert.ok(error instanceof ConflictError);
      return error;
    }
    assert.fail("it has committed");
  };
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const byKey = await failure((tx) => tx.get("k1"));
  assert.deepEqual([byKey.code, byKey.attempts, byKey.range], ["CONFLICT", 2, undefined]);
  assert.deepEqual(byKey.key, bytes("k1"));
  assert.match(byKey.message, /has written the key "k1", which it has read \(2 attempts\)$/);
  const byRange = await failure((tx) => tx.count({ gte: "k", lt: "l" }));
  assert.deepEqual(byRange.key, bytes("k1"));
  assert.deepEqual(byRange.range, { gte: bytes("k"), lt: bytes("l") });
  assert.match(byRange.message, /the key "k1", and it has scanned from "k" to "l" \(2 attempts\)$/);
  const byAll = await failure((tx) => tx.count());
  assert.deepEqual(byAll.range, {});
  assert.match(byAll.message, /from the start to the end/);
});

test("transactionSync commits once, in the call", async () => {
  await using store = await opened();
  await fill(store, 3);
  const result = store.transactionSync((tx) => {
    assert.equal(tx.attempt, 1);
    tx.putSync("a", 1);
    tx.deleteSync("k0");
    tx.writeSync([{ type: "put", key: "b", value: { n: 2 } }]);
    assert.equal(tx.incrementSync("n", 5), 5n);
    assert.equal(tx.putIfNotExistsSync("n", 5), false);
    assert.equal(tx.putIfEqualsSync("n", 6n, 5n), true);
    assert.equal(tx.deleteIfExistsSync("k1"), true);
    assert.equal(tx.updateSync("u", () => "new"), "new");
    assert.deepEqual(tx.getSync("b"), { n: 2 });
    assert.deepEqual(tx.getEntrySync("a"), { key: "a", value: 1 });
    assert.deepEqual(tx.getManySync(["k0", "k2", "n"]), [undefined, 2, 6n]);
    assert.deepEqual(tx.hasManySync(["k0", "k2"]), [false, true]);
    assert.equal(tx.hasSync("k1"), false);
    assert.equal(tx.countSync(), 5);
    assert.deepEqual([...tx.keys({ reverse: true })], ["u", "n", "k2", "b", "a"]);
    assert.equal(store.countSync(), 3, "others see it only when it has committed");
    return "done";
  }, { sync: true });
  assert.equal(result, "done");
  assert.deepEqual([...store.keys()], ["a", "b", "k2", "n", "u"]);
  assert.throws(
    () =>
      store.transactionSync((tx) => {
        tx.putSync("a", 2);
        throw new RangeError("boom");
      }),
    /boom/,
  );
  assert.equal(store.getSync("a"), 1);
});

test("transactionSync refuses a promise and another one in its body, and goes on afterwards", async () => {
  await using store = await opened();
  assert.throws(
    () => store.transactionSync((tx) => tx.put("a", 1)),
    /^TypeError: .*returned a promise; use transaction$/,
  );
  assert.throws(
    () =>
      store.transactionSync((tx) => {
        tx.putSync("a", 1);
        store.transactionSync((inner) => inner.putSync("b", 1));
      }),
    /^TypeError: .*in the body of another one/,
  );
  assert.equal(store.countSync(), 0);
  let later: Promise<void> | undefined;
  store.transactionSync((tx) => {
    tx.putSync("a", 1);
    later = store.transaction((inner) => inner.put("b", 1));
  });
  await later;
  assert.equal(store.countSync(), 2);
  assert.throws(() => store.transactionSync(5 as never), TypeError);
  assert.throws(() => store.transactionSync(() => 1, { signal: AbortSignal.abort() }), /abort/i);
});

test("A transactionSync whose body writes to the store what it has read loses no update", async () => {
  await using store = await opened();
  store.putSync("n", 1);
  const add = (meddle: string) => () =>
    store.transactionSync((tx) => {
      const old = tx.getSync("n") as number;
      store.putSync(meddle, 10);
      tx.putSync("n", old + 1);
    });
  assert.throws(add("n"), (error) => error instanceof ConflictError && error.attempts === 1);
  assert.equal(store.getSync("n"), 10);
  add("other")();
  assert.equal(store.getSync("n"), 11);
});

test("A synchronous transaction in the body of an asynchronous one makes that run again", async () => {
  await using store = await opened();
  await store.transaction(async (tx) => {
    const old = Number(await tx.get("n") ?? 0);
    if (tx.attempt === 1) store.transactionSync((inner) => inner.putSync("n", 10));
    await tx.put("n", old + 1);
  });
  assert.equal(store.getSync("n"), 11);
});

test("What a transaction writes over dead keys is seen by it, and by nobody else before", async () => {
  await using store = await opened();
  await fill(store, 100);
  for (let i = 0; i < 100; i++) await store.delete(`k${i}`);
  assert.equal(await store.count(), 0);
  await store.transaction(async (tx) => {
    assert.equal(await tx.count(), 0);
    await tx.put("k50", "new");
    assert.deepEqual(await tx.keys().toArray(), ["k50"]);
    assert.deepEqual(await tx.keys({ reverse: true }).toArray(), ["k50"]);
    assert.equal(await store.count(), 0);
    assert.deepEqual(await tx.keys().toArray(), ["k50"]);
  });
  // A key that the transaction has deleted is still there for others.
  await fill(store, 100);
  await assert.rejects(
    store.transaction(async (tx) => {
      for (let i = 0; i < 100; i++) await tx.delete(`k${i}`);
      assert.equal(await tx.count(), 0);
      assert.equal(await store.count(), 100);
      throw new RangeError("boom");
    }),
    /boom/,
  );
  assert.equal(await store.count(), 100);
});

test("A transaction with many writes finds every one of them", async () => {
  await using store = await opened(small);
  await fill(store, 300);
  await store.transaction(async (tx) => {
    for (let i = 0; i < 300; i += 2) await tx.put(`k${i}`, `new ${i}`);
    for (let i = 0; i < 300; i += 3) await tx.delete(`k${i}`);
    await tx.put("large", "x".repeat(100_000));
    for (let i = 0; i < 300; i++) {
      const expected = i % 3 === 0 ? undefined : i % 2 === 0 ? `new ${i}` : i;
      assert.equal(await tx.get(`k${i}`), expected);
    }
    assert.equal((await tx.get("large") as string).length, 100_000);
    assert.equal(await tx.count({ prefix: "k" }), 200);
    const forward = await tx.entries().toArray();
    assert.deepEqual(await tx.entries({ reverse: true }).toArray(), forward.toReversed());
  });
  assert.equal(await store.count(), 201);
});

test("A record whose getters use the transaction is written as it is", async () => {
  await using store = await opened();
  await store.transaction(async (tx) => {
    await tx.put("a", {
      get late(): number {
        tx.putSync("b", 1);
        return Number(tx.getSync("b"));
      },
    });
  });
  assert.deepEqual(await store.entries().toArray(), [["a", { late: 1 }], ["b", 1]]);
});

test("An update whose function writes its own key in the transaction is a TypeError", async () => {
  await using store = await opened();
  await store.transaction(async (tx) => {
    const meddle = (): number => {
      tx.putSync("a", 7);
      return 2;
    };
    await assert.rejects(tx.update("a", meddle), TypeError);
    assert.throws(() => tx.updateSync("a", meddle), TypeError);
    assert.equal(tx.updateSync("b", () => Number(tx.incrementSync("c"))), 1);
  });
  assert.deepEqual(await store.entries().toArray(), [["a", 7], ["b", 1], ["c", 1n]]);
});

test("A key that runs code while it is read can't confuse what a transaction has read and written", async () => {
  await using store = await opened();
  await store.put("abc", 1);
  const bytes = new TextEncoder().encode("abc");
  const hostile = (act: () => void): Uint8Array => {
    const tried: unknown[] = [];
    return new Proxy(bytes, {
      get(target, name) {
        if (tried.length === 0) {
          tried.push(name);
          act();
        }
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  await store.transaction((tx) => {
    tx.putSync("first", 1);
    const reading = hostile(() => tx.getSync("another key"));
    assert.throws(() => tx.getSync(reading), TypeError);
    const writing = hostile(() => tx.putSync("another key", 2));
    assert.throws(() => tx.putSync(writing, 3), TypeError);
    assert.deepEqual([...tx.entries()], [["abc", 1], ["first", 1]]);
    tx.putSync("last", 1);
  });
  assert.deepEqual([...store.keys()], ["abc", "first", "last"]);
});

test("Keys and values are the caller's again when a call of a transaction returns", async () => {
  await using store = await opened();
  await store.transaction(async (tx) => {
    const key = new TextEncoder().encode("key");
    const value = Uint8Array.of(1, 2, 3);
    const calls = [tx.put(key, value), tx.increment(key.slice().fill(0x61))];
    key.fill(0);
    value.fill(0);
    await Promise.all(calls);
    const batch = tx.batch().put("b", value);
    value.fill(9);
    await batch.write();
  });
  assert.deepEqual(await store.get("key"), Uint8Array.of(1, 2, 3));
  assert.deepEqual(await store.get("b"), Uint8Array.of(0, 0, 0));
  assert.equal(await store.get("aaa"), 1n);
});

test("A transaction that has read more than is remembered may read on, and not write", async () => {
  await using store = await opened();
  const read = (tx: EmbeddedTransaction): void => {
    const key = new Uint8Array(60_000);
    for (let i = 0; i < 600; i++) {
      key[0] = i;
      tx.hasSync(key);
    }
  };
  const body = (tx: EmbeddedTransaction): void => {
    read(tx);
    store.putSync("other", 1);
    tx.putSync("k", 1);
  };
  await store.transaction((tx) => {
    read(tx);
    store.putSync("other", 1);
  }, { retries: 0 });
  let runs = 0;
  const failing = store.transaction((tx) => {
    runs++;
    body(tx);
  });
  await assert.rejects(failing, /ConflictError: .*read so much that 32 MiB/);
  assert.equal(runs, 1, "it would be the same the next time");
  assert.equal(store.hasSync("k"), false);
});

test("A transaction that writes more than is allowed is refused, also if its body goes on", async () => {
  await using store = await opened({ walSync: "none" });
  const value = new Uint8Array(9 * 1024 * 1024);
  const failing = store.transaction(async (tx) => {
    for (let i = 0; i < 8; i++) await tx.put(`k${i}`, value).catch(() => {});
    await assert.rejects(tx.put("one more", 1), { code: "CONFLICT" });
  });
  await assert.rejects(failing, /ConflictError: .*written more than 64 MiB \(1 attempt\)/);
  assert.equal(await store.count(), 0);
});

test("A transaction that is open while too much is written to compare is told so, and runs again", async () => {
  // Large values would lie apart, and their memtables be small.
  await using store = await opened({ ...small, walSync: "none", largeValueBytes: false });
  const value = new Uint8Array(1024 * 1024);
  const beside = async (): Promise<void> => {
    for (let i = 0; i < 70; i++) await store.put(`~${i % 5}`, value);
    await store.flush();
  };
  assert.equal(await attemptsBeside(store, (tx) => tx.get("k"), beside), 2);
  const failing = store.transaction(async (tx) => {
    await tx.get("k");
    await beside();
    await tx.put("k", 1);
  }, { retries: 0 });
  await assert.rejects(failing, /ConflictError: .*more was committed since it began than is kept/);
});

test("Memtables are kept while a transaction may ask for them, and up to a bound", () => {
  const unused: Memtable[] = [];
  const recent = new RecentMemtables(1024, (memtable) => unused.push(memtable));
  const tables = [1, 11, 21, 31].map((firstSequence) => new Memtable(firstSequence, 0));
  const [first, second, third, fourth] = tables as [Memtable, Memtable, Memtable, Memtable];
  const flushed = (memtable: Memtable): void => {
    memtable.references++;
    recent.keep(memtable, memtable.firstSequence + 9);
    if (--memtable.references === 0) unused.push(memtable);
  };
  flushed(first);
  assert.deepEqual(unused.splice(0), [first], "nobody asks");
  const early = { sequence: 15, owner: undefined };
  const late = { sequence: 25, owner: undefined };
  recent.begin(early);
  flushed(second);
  recent.begin(late);
  flushed(third);
  assert.deepEqual(unused, []);
  assert.deepEqual(recent.since([fourth], 15), [fourth, third, second]);
  assert.deepEqual(recent.since([fourth], 25), [fourth, third]);
  assert.deepEqual(recent.since([fourth], 30), [fourth]);
  assert.equal(recent.since([fourth], 9), undefined, "the first one is gone");
  assert.equal(recent.end(early), true);
  assert.equal(recent.end(early), false);
  assert.deepEqual(unused.splice(0), [second]);
  recent.end(late);
  assert.deepEqual(unused, [third]);
  assert.equal(recent.sizeBytes, 0);
});

test("Transactions give back what they hold: leases, memtables and files", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { ...small, fileSystem });
  for (let round = 0; round < 20; round++) {
    await store.transaction(async (tx) => {
      await tx.count();
      for (let i = 0; i < 50; i++) await store.put(`k${i}`, "x".repeat(100));
      await tx.put("mine", round);
    }, { retries: 0 }).catch(() => {});
  }
  await store.compact();
  const tables = fileSystem.listSync("/db").filter((name) => name.endsWith(".sst"));
  assert.ok(tables.length <= 3, `${tables.length} tables`);
});

test("A read-only store runs transactions that only read", async () => {
  const fileSystem = memoryFileSystem();
  await using first = await open("/db", { fileSystem });
  await first.put("k", 1);
  await first.close();
  await using store = await open("/db", { fileSystem, readOnly: true });
  assert.equal(await store.transaction((tx) => tx.get("k")), 1);
  assert.equal(store.transactionSync((tx) => tx.countSync()), 1);
  await assert.rejects(store.transaction((tx) => tx.put("k", 2)), { code: "READ_ONLY" });
  assert.throws(() => store.transactionSync((tx) => tx.deleteSync("k")), { code: "READ_ONLY" });
});

test("A transaction of a shared handle ends with the handle, not with the store", async () => {
  const fileSystem = memoryFileSystem();
  await using one = await open("/db", { fileSystem, shared: true });
  const other = await open("/db", { fileSystem, shared: true });
  let go!: () => void;
  const gate = new Promise<void>((resolve) => go = resolve);
  const running = other.transaction(async (tx) => {
    await tx.put("k", 1);
    await gate;
  });
  await other.close();
  go();
  await assert.rejects(running, { code: "CLOSED" });
  await assert.rejects(other.transaction(() => 1), { code: "CLOSED" });
  assert.throws(() => other.transactionSync(() => 1), { code: "CLOSED" });
  assert.equal(await one.transaction((tx) => tx.count()), 0);
});

test("A signal that is aborted while the body waits for something else ends the transaction at once", async () => {
  await using store = await opened();
  const controller = new AbortController();
  const running = store.transaction(async (tx) => {
    await tx.put("k", 1);
    controller.abort(new RangeError("enough"));
    await new Promise(() => {});
  }, { signal: controller.signal });
  await assert.rejects(running, /enough/);
  assert.equal(await store.count(), 0);
});

test("A program that waits for another attempt does not end before it", () => {
  const script = fileURLToPath(new URL("transaction_child.ts", import.meta.url));
  const { command, args } = runtimeCommand(runtimeName, script, []);
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: "utf8" });
  assert.deepEqual([stdout.trim(), status], ["8 attempts", 0], stderr);
});
