// Large values, which are kept apart from keys: every way to read and write them, and what is
// written.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CorruptionError, type Key, openSync, type Value, verifyStoreSync } from "../../mod.ts";
import { useScheduler } from "../support/fault_scheduler.ts";
import { Random } from "../support/random.ts";
import { randomBytes } from "../support/seeded.ts";
import { halfRandom, LARGE, requireSame, ValueBench } from "../support/value_bench.ts";

for (const compression of ["none", "zstd"] as const) {
  test(`Large values come back by every way of reading: compression ${compression}`, async () => {
    const random = new Random(1);
    const bench = new ValueBench(1, { compression });
    const model = new Map<string, Value>([
      ["bytes", randomBytes(20_000, random)],
      ["half", halfRandom(50_000, random)],
      ["list", Array.from({ length: 900 }, (_, i) => ({ i, name: `name ${i}` }))],
      ["record", { text: "x".repeat(5000), deep: { list: [1, 2, 3] } }],
      ["small", 7n],
      ["text", "é".repeat(3000)],
      ["words", "to be or not to be ".repeat(400)],
    ]);
    let store = bench.open();
    const check = async (): Promise<void> => {
      requireSame(store, model);
      const pairs: [Key, Value][] = [];
      for await (const pair of store.entries()) pairs.push(pair);
      assert.deepEqual(new Map(pairs), new Map<Key, Value>(model));
      assert.deepEqual(await store.values().toArray(), [...model.values()]);
      const keys = [...model.keys()];
      assert.deepEqual(await store.getMany(keys), [...model.values()]);
      assert.deepEqual(await store.hasMany(keys), keys.map(() => true));
      assert.deepEqual(await store.keys().toArray(), keys);
      assert.equal(await store.count(), model.size);
      for (const [key, value] of model) {
        assert.deepEqual(await store.get(key), value, key);
        assert.deepEqual(store.getSync(key), value, key);
        assert.deepEqual((await store.getEntry(key))?.value, value, key);
      }
      assert.equal(await store.getString("text"), model.get("text"));
      assert.deepEqual(await store.getBytes("half"), model.get("half"));
      using snapshot = store.snapshot();
      assert.deepEqual(await snapshot.get("words"), model.get("words"));
      const cursor = store.entries();
      cursor.seek("record");
      assert.deepEqual(cursor.nextSync().value, ["record", model.get("record")]);
      assert.deepEqual(cursor.nextSync().value, ["small", 7n]);
      cursor.seek("half");
      assert.deepEqual((await cursor.next()).value, ["half", model.get("half")]);
      await cursor[Symbol.asyncDispose]();
    };
    for (const [key, value] of model) {
      const put = store.put(key, value);
      // In the same turn, before the group of writes is handed to the system.
      assert.deepEqual(store.getSync(key), value, key);
      await put;
    }
    await check();
    await store.flush();
    await check();
    await store.compact();
    await check();
    await store.close();
    store = bench.open();
    await check();
    store.closeSync();
    store = bench.open({ readOnly: true });
    await check();
    store.closeSync();
  });
}

test("Conditional writes, transactions and watches see the values themselves", async () => {
  const random = new Random(2);
  const bench = new ValueBench(2);
  await using store = bench.open();
  const [a, b, c] = [1, 2, 3].map(() => halfRandom(5000, random)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const seen: unknown[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const { operations } of store.watch({}, { signal: stop.signal })) {
      for (const operation of operations) if ("value" in operation) seen.push(operation.value);
    }
  })().catch(() => {});
  await store.put("k", a);
  assert.equal(await store.putIfEquals("k", b, c), false);
  assert.equal(await store.putIfEquals("k", b, a), true);
  await store.update("k", (old) => {
    assert.deepEqual(old, b);
    return c;
  });
  await store.transaction(async (tx) => {
    assert.deepEqual(await tx.get("k"), c);
    await tx.put("l", a);
    assert.deepEqual(await tx.get("l"), a);
    assert.deepEqual(await tx.values().toArray(), [c, a]);
  });
  await store.batch().put("m", b).put("n", 1).put("o", c).write();
  assert.deepEqual(await store.values().toArray(), [c, a, b, 1, c]);
  while (seen.length < 7) await bench.idle(1);
  stop.abort();
  await watching;
  assert.deepEqual(seen, [a, b, c, a, b, 1, c]);
});

test("A large value is written once, and compactions move only references", async () => {
  const random = new Random(3);
  const bench = new ValueBench(3, { compression: "none", largeValueBytes: 4096 });
  let written = 0;
  const { fileSystem } = bench;
  const counting = new Proxy(fileSystem, {
    get(target, name) {
      if (name !== "createSync") {
        const member = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      }
      return (path: string) => {
        const handle = target.createSync(path);
        const write = handle.writeSync.bind(handle);
        handle.writeSync = (from, offset, length, position) => {
          const count = write(from, offset, length, position);
          written += count;
          return count;
        };
        return handle;
      };
    },
  });
  const store = bench.open({ fileSystem: counting });
  let stored = 0;
  for (let i = 0; i < 600; i++) {
    const value = randomBytes(20_000, random);
    store.putSync(`key ${random.below(400)}`, value);
    stored += value.length;
    if (i % 50 === 49) await store.flush();
  }
  await store.flush();
  await store.close();
  assert.ok(written <= 1.3 * stored, `${written} bytes written for ${stored}`);
});

test("Keys, count, has and writes that ask for presence do not read the files of values", async () => {
  const random = new Random(4);
  const bench = new ValueBench(4);
  await using store = bench.open();
  for (let i = 0; i < 50; i++) store.putSync(`key ${i}`, randomBytes(3000, random));
  await store.flush();
  for (const name of [...bench.names(".wal"), ...bench.names(".val")]) {
    const content = bench.fileSystem.content(`/db/${name}`);
    bench.fileSystem.setContent(`/db/${name}`, content.fill(0));
  }
  assert.equal((await store.keys().toArray()).length, 50);
  assert.equal(await store.count(), 50);
  assert.equal(await store.has("key 7"), true);
  assert.deepEqual(await store.hasMany(["key 7", "no"]), [true, false]);
  assert.equal(await store.putIfNotExists("key 7", 1), false);
  assert.equal(store.putIfNotExistsSync("key 7", 1), false);
  await store.transaction(async (tx) => {
    assert.equal(await tx.putIfNotExists("key 7", 1), false);
    assert.equal(tx.putIfNotExistsSync("key 7", 1), false);
    assert.equal(await tx.deleteIfExists("key 8"), true);
    assert.equal(tx.deleteIfExistsSync("key 9"), true);
  });
  assert.equal(await store.deleteIfExists("key 10"), true);
  assert.equal(store.deleteIfExistsSync("key 11"), true);
  assert.deepEqual(await store.hasMany(["key 8", "key 9", "key 10", "key 11"]), [
    false,
    false,
    false,
    false,
  ]);
  await assert.rejects(store.get("key 7"), CorruptionError);
  await assert.rejects(store.values().toArray(), CorruptionError);
  assert.throws(() => store.getSync("key 7"), CorruptionError);
});

test("Large values expire, and deleted ranges hide them, like all others", async () => {
  const random = new Random(7);
  const bench = new ValueBench(7);
  const restore = useScheduler(bench.scheduler);
  try {
    const store = bench.open();
    for (let i = 0; i < 60; i++) {
      const options = i % 3 === 0 ? { ttlMs: 60_000 } : undefined;
      store.putSync(`key ${i}`, randomBytes(3000, random), options);
    }
    assert.equal(store.countSync(), 60);
    assert.ok(store.getEntrySync("key 3")!.expiresAt !== undefined);
    store.flushSync();
    assert.ok(store.getEntrySync("key 3")!.expiresAt !== undefined);
    assert.equal((store.getSync("key 3") as Uint8Array).length, 3000);
    bench.scheduler.elapse(61_000);
    assert.equal(store.countSync(), 40);
    assert.equal(store.getSync("key 3"), undefined);
    store.deleteRangeSync({ gte: "key 2", lt: "key 5" });
    const left = [...store.keys()].length;
    await bench.idle(90);
    assert.equal([...store.values()].length, left);
    const living = left * 3000;
    assert.ok(
      bench.valueFileBytes <= 2.5 * living + 32 * 1024,
      `${bench.valueFileBytes} ${living}`,
    );
  } finally {
    restore();
  }
});

test("Checkpoints have all values: in the own format, and in that of the Go program", async () => {
  const random = new Random(9);
  const bench = new ValueBench(9);
  await using store = bench.open();
  const model = new Map<string, Value>();
  for (let i = 0; i < 60; i++) {
    const value = halfRandom(500 + random.below(4000), random);
    store.putSync(`key ${random.below(40)}`, value);
    if (i === 30) await store.flush();
  }
  for (const [key, value] of store.entries()) model.set(String(key), value);
  await store.checkpoint("/copy");
  await store.checkpoint("/go", { format: "go-v0.4" });
  for (const directory of ["/copy", "/go"]) {
    const copy = openSync(directory, bench.options);
    requireSame(copy, model);
    copy.putSync("one more", randomBytes(3000, random));
    await copy.compact();
    copy.deleteSync("one more");
    requireSame(copy, model);
    copy.closeSync();
    assert.equal(verifyStoreSync(directory, { fileSystem: bench.fileSystem }).isSound, true);
  }
  assert.deepEqual(bench.fileSystem.listSync("/go").filter((name) => name.endsWith(".val")), []);
});

test("Files say that they need a newer reader only if there are large values", async () => {
  const random = new Random(13);
  for (const compression of ["none", "zstd"] as const) {
    const bench = new ValueBench(13, { compression, flushOnClose: false });
    const store = bench.open();
    store.putSync("a", randomBytes(LARGE - 7, random));
    assert.equal(bench.formatOf("", ".wal"), 1);
    await store.flush();
    assert.equal(bench.formatOf("MANIFEST"), 1);
    store.putSync("b", halfRandom(LARGE, random));
    assert.equal(bench.formatOf("", ".wal"), compression === "none" ? 1 : 3);
    assert.equal(bench.formatOf("MANIFEST"), 1);
    await store.flush();
    assert.equal(bench.formatOf("MANIFEST"), 3);
    store.closeSync();
  }
});

test("largeValueBytes: false keeps all values in tables", async () => {
  const random = new Random(14);
  const bench = new ValueBench(14, { largeValueBytes: false });
  const store = bench.open();
  for (let i = 0; i < 20; i++) store.putSync(`key ${i}`, randomBytes(9000, random));
  await store.flush();
  assert.equal(store.stats().values.files, 0);
  assert.equal(bench.formatOf("MANIFEST"), 1);
  await store.close();
  assert.deepEqual([...bench.names(".wal"), ...bench.names(".val")], []);
});
