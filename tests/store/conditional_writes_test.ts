/**
 * Writes that depend on the stored value, when reads are awaited and others write meanwhile. The
 * contract suite says what each of them does.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type EmbeddedStore, memoryFileSystem, open } from "../../mod.ts";
import { steppingScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { watched } from "./file_systems.ts";

/** Keys that are in tables only, of a store without a cache whose reads are awaited. */
async function withSlowStore(
  content: Readonly<Record<string, bigint>>,
  use: (store: EmbeddedStore, slow: { reads: number; meanwhile?: () => void }) => Promise<void>,
  memtableSizeBytes = 4 << 20,
): Promise<void> {
  const slow: { reads: number; meanwhile?: () => void } = { reads: 0 };
  // A clock that moves by 10 ms at each reading makes every read seem slow.
  const restore = useScheduler(steppingScheduler(() => 10));
  try {
    const fileSystem = watched(memoryFileSystem(), () => {}, async ({ operation, path }) => {
      if (operation !== "read" || !path.endsWith(".sst")) return;
      slow.reads++;
      await Promise.resolve();
      slow.meanwhile?.();
    });
    await using store = await open("/db", {
      fileSystem,
      memtableSizeBytes,
      blockCacheSizeBytes: 0,
      walSync: "none",
    });
    for (const [key, value] of Object.entries(content)) store.putSync(key, value);
    await store.compact();
    // The first read that is made at once is found to be slow; those that follow are awaited.
    await store.get(Object.keys(content)[0]!);
    await store.get(Object.keys(content)[0]!);
    slow.reads = 0;
    await use(store, slow);
  } finally {
    restore();
  }
}

test("A thousand increments at once of a key on disk make a thousand", async () => {
  await withSlowStore({ a: 5n }, async (store, slow) => {
    const sums = await Promise.all(Array.from({ length: 1000 }, () => store.increment("a")));
    assert.ok(slow.reads > 0, "no read was awaited");
    assert.equal(store.getSync("a"), 1005n);
    assert.equal(new Set(sums).size, 1000);
  });
});

test("A write to the key while its old value is being read is not lost", async () => {
  for (const write of ["putSync", "deleteSync", "writeSync"] as const) {
    await withSlowStore({ a: 5n, b: 1n }, async (store, slow) => {
      let isDone = false;
      slow.meanwhile = () => {
        if (isDone) return;
        isDone = true;
        if (write === "putSync") store.putSync("a", 100n);
        else if (write === "deleteSync") store.deleteSync("a");
        else {store.writeSync([{ type: "put", key: "b", value: 2n }, {
            type: "put",
            key: "a",
            value: 100n,
          }]);}
      };
      assert.equal(await store.increment("a"), write === "deleteSync" ? 1n : 101n);
      assert.ok(isDone, "no read was awaited");
    });
  }
});

test("Each kind of conditional write looks again when its key was written meanwhile", async () => {
  const kinds: Record<string, (store: EmbeddedStore) => Promise<unknown>> = {
    deleteIfExists: (store) => store.deleteIfExists("a"),
    putIfNotExists: (store) => store.putIfNotExists("a", "mine"),
    putIfEquals: (store) => store.putIfEquals("a", "mine", 5n),
    update: (store) => store.update("a", (old) => `after ${old as bigint}`),
  };
  const expected = {
    deleteIfExists: [false, undefined],
    putIfNotExists: [true, "mine"],
    putIfEquals: [false, undefined],
    update: ["after undefined", "after undefined"],
  };
  for (const [name, run] of Object.entries(kinds)) {
    await withSlowStore({ a: 5n }, async (store, slow) => {
      slow.meanwhile = () => store.deleteSync("a");
      const result = await run(store);
      assert.ok(slow.reads > 0, "no read was awaited");
      assert.deepEqual([result, store.getSync("a")], expected[name as keyof typeof expected], name);
    });
  }
});

test("A key that others write with every read is still incremented, and other keys disturb nobody", async () => {
  await withSlowStore({ a: 1n, b: 1n }, async (store, slow) => {
    let writes = 0;
    slow.meanwhile = () => {
      store.putSync("b", BigInt(++writes));
    };
    assert.equal(await store.increment("a"), 2n);
    assert.equal(slow.reads, 1);
  });
});

test("No update is lost if a memtable is frozen and flushed while the old value is read", async () => {
  await withSlowStore({ a: 1n }, async (store, slow) => {
    slow.meanwhile = () => {
      if (slow.reads > 2) return;
      store.putSync("a", 50n);
      for (let i = 0; i < 200; i++) store.putSync(`filler${i}`, "x".repeat(100));
    };
    assert.equal(await store.increment("a"), 51n);
    assert.ok(slow.reads > 0, "no read was awaited");
  }, 4096);
});

test("The caller may reuse the key's bytes while the old value is being read", async () => {
  await withSlowStore({ a: 5n, b: 1n }, async (store) => {
    const key = new TextEncoder().encode("a");
    const sum = store.increment(key);
    key.fill(0x62);
    assert.equal(await sum, 6n);
    assert.deepEqual(store.getManySync(["a", "b"]), [6n, 1n]);
  });
});

test("A store that is closed while the old value is being read answers with a ClosedError", async () => {
  await withSlowStore({ a: 5n }, async (store) => {
    const sum = store.increment("a");
    const closing = store.close();
    await assert.rejects(sum, { code: "CLOSED" });
    await closing;
  });
});

test("A function that writes its own key is a TypeError, and one that writes other keys is not", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  await store.put("a", 1);
  const meddle = (): number => {
    store.putSync("a", 7);
    return 2;
  };
  await assert.rejects(store.update("a", meddle), TypeError);
  assert.throws(() => store.updateSync("a", meddle), TypeError);
  const getter = {
    get late(): number {
      store.deleteSync("a");
      return 1;
    },
  };
  assert.throws(() => store.updateSync("a", () => getter), TypeError);
  assert.equal(store.getSync("a"), undefined);
  const count = (): bigint => store.incrementSync("calls");
  assert.equal(store.updateSync("a", count), 1n);
  assert.equal(await store.update("a", count), 2n);
  assert.equal(store.getSync("a"), 2n);
  store.closeSync();
});

test("Each conditional write has a synchronous form", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem() });
  assert.equal(store.putIfNotExistsSync("k", 1), true);
  assert.equal(store.putIfNotExistsSync("k", 2), false);
  assert.equal(store.putIfEqualsSync("k", "two", 2), false);
  assert.equal(store.putIfEqualsSync("k", "two", 1), true);
  assert.deepEqual(store.getEntrySync("k"), { key: "k", value: "two" });
  assert.equal(store.deleteIfExistsSync("k"), true);
  assert.equal(store.deleteIfExistsSync("k"), false);
  assert.equal(store.incrementSync("n"), 1n);
  assert.equal(store.incrementSync("n", 2 ** 40), 2n ** 40n + 1n);
  assert.throws(() => store.incrementSync("n", 2n ** 63n - 1n), RangeError);
  assert.equal(store.updateSync("n", (old) => -(old as bigint)), -(2n ** 40n) - 1n);
  assert.deepEqual(store.hasManySync(["n", "k"]), [true, false]);
  assert.deepEqual(store.getManySync(["k", "n"]), [undefined, -(2n ** 40n) - 1n]);
  assert.equal(store.countSync(), 1);
  assert.equal(store.countSync({ gt: "n" }), 0);
});

test("int64 as numbers changes nothing for increment, typed reads and putIfEquals", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem(), int64: "number" });
  assert.equal(await store.increment("n", 3), 3n);
  assert.equal(await store.get("n"), 3);
  assert.equal(await store.getInt64("n"), 3n);
  await assert.rejects(store.getFloat64("n"), { code: "TYPE_MISMATCH" });
  assert.equal(await store.putIfEquals("n", "x", 3), false);
  assert.equal(await store.putIfEquals("n", "x", 3n), true);
});

test("A read-only store refuses conditional writes, also those that would change nothing", async () => {
  const fileSystem = memoryFileSystem();
  await (await open("/db", { fileSystem })).close();
  await using store = await open("/db", { fileSystem, readOnly: true });
  await assert.rejects(store.deleteIfExists("k"), { code: "READ_ONLY" });
  await assert.rejects(store.update("k", () => undefined), { code: "READ_ONLY" });
  assert.throws(() => store.putIfEqualsSync("k", 1, 1), { code: "READ_ONLY" });
});

test("getEntry shows the key in the store's form", async () => {
  const fileSystem = memoryFileSystem();
  await using store = await open("/db", { fileSystem });
  await store.put(Uint8Array.of(0xff), 1);
  await store.put("k\u00e9y", 2);
  assert.deepEqual(await store.getEntry("k\u00e9y"), { key: "k\u00e9y", value: 2 });
  await assert.rejects(store.getEntry(Uint8Array.of(0xff)), { code: "KEY_ENCODING" });
  await store.close();
  await using bytes = await open("/db", { fileSystem, keyEncoding: "bytes" });
  const entry = await bytes.getEntry(Uint8Array.of(0xff));
  assert.deepEqual(entry, { key: Uint8Array.of(0xff), value: 1 });
});
