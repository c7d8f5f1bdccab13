// Large values, which are kept apart from keys: every way to read and write them, what is written,
// how space comes back, and who keeps the files.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CorruptionError,
  type EmbeddedStore,
  type Key,
  openSync,
  type Options,
  repairSync,
  type Value,
  verifyStoreSync,
} from "../../mod.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { FaultScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { Random } from "../support/random.ts";
import { randomBytes, withSeedAsync } from "../support/seeded.ts";

const LARGE = 1000;

/** Bytes of which half can be compressed. */
function halfRandom(length: number, random: Random): Uint8Array {
  const bytes = randomBytes(length, random);
  for (let i = 0; i < length; i += 2) bytes[i] = 7;
  return bytes;
}

/** A store in memory and in virtual time. */
class Bench {
  readonly fileSystem = new CloneableFileSystem();
  readonly scheduler: FaultScheduler;
  readonly options: Options;

  constructor(seed: number, options: Options = {}) {
    this.scheduler = new FaultScheduler(seed);
    this.options = {
      fileSystem: this.fileSystem,
      memtableSizeBytes: 16 * 1024,
      blockSizeBytes: 512,
      largeValueBytes: LARGE,
      walSync: "none",
      ...options,
    };
  }

  open(options: Options = {}): EmbeddedStore {
    return openSync("/db", { ...this.options, ...options });
  }

  /** Lets the idle background finish: it pauses between its steps. */
  async idle(seconds = 20): Promise<void> {
    for (let i = 0; i < seconds * 20; i++) {
      this.scheduler.elapse(50);
      await this.scheduler.settle();
    }
  }

  names(ending = ""): string[] {
    return this.fileSystem.listSync("/db").filter((name) => name.endsWith(ending)).sort();
  }

  /** Bytes of logs and value files. */
  get valueFileBytes(): number {
    return [...this.names(".wal"), ...this.names(".val")]
      .reduce((sum, name) => sum + this.fileSystem.statSync(`/db/${name}`)!.sizeBytes, 0);
  }

  formatOf(start: string, ending = ""): number {
    const name = this.names(ending).filter((found) => found.startsWith(start)).at(-1)!;
    return new DataView(this.fileSystem.content(`/db/${name}`).buffer).getUint32(8, true);
  }
}

function requireSame(store: Pick<EmbeddedStore, "entries">, model: ReadonlyMap<string, Value>) {
  const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual([...store.entries()], expected);
  assert.deepEqual([...store.entries({ reverse: true })], expected.reverse());
}

for (const compression of ["none", "zstd"] as const) {
  test(`Large values come back by every way of reading: compression ${compression}`, async () => {
    const random = new Random(1);
    const bench = new Bench(1, { compression });
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
  const bench = new Bench(2);
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
  const bench = new Bench(3, { compression: "none", largeValueBytes: 4096 });
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
  const bench = new Bench(4);
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

test("At rest at most 1.5 bytes are dead for each living one, after many overwrites", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    await withSeedAsync(seed, async (random) => {
      const bench = new Bench(seed, { compression: random.pick(["none", "zstd"] as const) });
      const restore = useScheduler(bench.scheduler);
      try {
        const store = bench.open();
        const model = new Map<string, Value>();
        for (let round = 0; round < 6; round++) {
          const keys = random.pick([1, 5, 60]);
          for (let i = 0; i < 150; i++) {
            const key = `key ${random.below(keys)}`;
            const value: Value = random.below(4) === 0
              ? random.below(1000)
              : randomBytes(LARGE + random.below(4000), random);
            store.putSync(key, value);
            model.set(key, value);
          }
          if (random.below(2) === 0) store.flushSync();
          await bench.idle();
          const living = [...model.values()]
            .reduce<number>(
              (sum, value) => sum + (value instanceof Uint8Array ? value.length : 0),
              0,
            );
          const found = bench.valueFileBytes;
          // The keys and small values of the active log are no values that are dead.
          const allowed = 2.5 * living + 32 * 1024;
          assert.ok(found <= allowed, `round ${round}: ${found} bytes for ${living} living ones`);
          requireSame(store, model);
        }
        for (const key of model.keys()) store.deleteSync(key);
        await bench.idle();
        assert.ok(bench.valueFileBytes < 64 * 1024, `${bench.valueFileBytes} bytes for nothing`);
        store.closeSync();
        assert.deepEqual([...bench.names(".wal"), ...bench.names(".val")], []);
      } finally {
        restore();
      }
    });
  }
});

test("compact() gives the space of overwritten values back at once", async () => {
  const random = new Random(5);
  const bench = new Bench(5, { compression: "none" });
  const store = bench.open();
  for (let i = 0; i < 300; i++) store.putSync(`key ${i % 30}`, randomBytes(4000, random));
  await store.compact();
  const { sizeBytes, usedBytes } = store.stats().values;
  assert.ok(usedBytes >= 30 * 4000 && sizeBytes < usedBytes * 4 / 3 + 4096, `${sizeBytes}`);
  await store.close();
  assert.ok(bench.valueFileBytes < 1.5 * 30 * 4000, `${bench.valueFileBytes}`);
});

test("A snapshot keeps the values that it shows, and their files go when it is closed", async () => {
  const random = new Random(6);
  const bench = new Bench(6, { compression: "none" });
  await using store = bench.open();
  const model = new Map<string, Value>();
  for (let i = 0; i < 40; i++) model.set(`key ${i}`, randomBytes(3000, random));
  for (const [key, value] of model) store.putSync(key, value);
  const inMemory = store.snapshot();
  await store.flush();
  const inTables = store.snapshot();
  store.deleteRangeSync({ prefix: "key" });
  await store.compact();
  requireSame(inMemory, model);
  requireSame(inTables, model);
  assert.equal(store.countSync(), 0);
  const before = bench.valueFileBytes;
  inMemory.close();
  requireSame(inTables, model);
  inTables.close();
  assert.ok(before - bench.valueFileBytes >= 40 * 3000, `${before} ${bench.valueFileBytes}`);
});

test("Large values expire, and deleted ranges hide them, like all others", async () => {
  const random = new Random(7);
  const bench = new Bench(7);
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

test("A killed store has every value of its logs, and leaves no file that nothing needs", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    await withSeedAsync(seed, async (random) => {
      const bench = new Bench(seed);
      const model = new Map<string, Value>();
      let store = bench.open({ walSync: "batch" });
      for (let life = 0; life < 4; life++) {
        for (let i = 0; i < 60; i++) {
          const key = `key ${random.below(30)}`;
          const value = halfRandom(200 + random.below(4000), random);
          await store.put(key, value);
          model.set(key, value);
          if (random.below(40) === 0) await store.flush();
        }
        // What a crash leaves: the files as they are.
        const killed = bench.fileSystem.clone();
        store.closeSync();
        const again = openSync("/db", { ...bench.options, fileSystem: killed });
        requireSame(again, model);
        again.closeSync();
        const names = killed.listSync("/db").sort();
        openSync("/db", { ...bench.options, fileSystem: killed }).closeSync();
        assert.deepEqual(killed.listSync("/db").sort(), names);
        assert.equal(verifyStoreSync("/db", { fileSystem: killed }).isSound, true);
        store = bench.open({ walSync: "batch" });
        requireSame(store, model);
      }
      store.closeSync();
    });
  }
});

test("A reader beside a writer keeps the values that it shows", async () => {
  const random = new Random(8);
  const bench = new Bench(8, { compression: "none" });
  await using store = bench.open();
  const model = new Map<string, Value>();
  for (let i = 0; i < 80; i++) {
    const value = randomBytes(2000, random);
    store.putSync(`key ${i}`, value);
    model.set(`key ${i}`, value);
  }
  const reader = bench.open({ readOnly: true });
  for (const key of model.keys()) store.putSync(key, 1);
  await store.compact();
  requireSame(reader, model);
  reader.closeSync();
});

test("Checkpoints have all values: in the own format, and in that of the Go program", async () => {
  const random = new Random(9);
  const bench = new Bench(9);
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

test("A damaged value is named by verify, does not come into a copy, and is left out by repair", async () => {
  const random = new Random(10);
  const bench = new Bench(10, { compression: "none" });
  const { fileSystem } = bench;
  let store = bench.open();
  const model = new Map<string, Value>();
  for (let i = 0; i < 20; i++) {
    model.set(`key ${String(i).padStart(2, "0")}`, randomBytes(3000, random));
  }
  for (const [key, value] of model) store.putSync(key, value);
  await store.flush();
  const [name] = [...bench.names(".val"), ...bench.names(".wal")];
  const path = `/db/${name}`;
  const content = fileSystem.content(path);
  content[5000]! ^= 1;
  fileSystem.setContent(path, content);
  const report = await store.verify();
  assert.equal(report.isSound, false);
  assert.equal(report.problems[0]!.file, path);
  await assert.rejects(store.checkpoint("/copy"), CorruptionError);
  store.closeSync();
  assert.equal(verifyStoreSync("/db", { fileSystem }).isSound, false);
  const repaired = repairSync("/db", { fileSystem });
  assert.equal(repaired.unknown.length, 1);
  assert.equal(verifyStoreSync("/db", { fileSystem }).isSound, true);
  store = bench.open();
  assert.equal(store.countSync(), 19);
  for (const [key, value] of store.entries()) assert.deepEqual(value, model.get(String(key)));
  await store.compact();
  assert.equal(store.countSync(), 19);
  store.closeSync();
});

test("Damage to any byte of a file of values gives the right values or a CorruptionError", () => {
  const random = new Random(15);
  for (const kind of [".wal", ".val"]) {
    const bench = new Bench(15, { largeValueBytes: 64 });
    const model = new Map<string, Value>();
    const store = bench.open({ flushOnClose: false });
    for (let i = 0; i < 6; i++) {
      const value = i % 2 === 0 ? randomBytes(80, random) : "words and words ".repeat(20 + i);
      store.putSync(`key ${i}`, value);
      model.set(`key ${i}`, value);
    }
    if (kind === ".wal") store.flushSync();
    store.closeSync();
    // A recovery moves the values of logs to a value file.
    bench.open().closeSync();
    const [name] = bench.names(kind);
    const path = `/db/${name}`;
    const whole = bench.fileSystem.content(path);
    let noticed = 0;
    let tried = 0;
    for (let at = 0; at < whole.length; at += 1 + random.below(4)) {
      tried++;
      const damaged = whole.slice();
      damaged[at]! ^= 1 << (at % 8);
      bench.fileSystem.setContent(path, damaged);
      const { isSound } = verifyStoreSync("/db", { fileSystem: bench.fileSystem });
      const reader = bench.open({ readOnly: true });
      let isRight = true;
      for (const [key, value] of model) {
        try {
          assert.deepEqual(reader.getSync(key), value);
        } catch (error) {
          assert.ok(error instanceof CorruptionError && error.file === path, String(error));
          isRight = false;
        }
      }
      reader.closeSync();
      assert.equal(isSound, isRight, `byte ${at} of ${name}`);
      if (!isRight) noticed++;
    }
    assert.ok(noticed > tried / 3, `${noticed} of ${tried}`);
    for (let length = whole.length - 1; length > 0; length = Math.floor(length * 0.8)) {
      bench.fileSystem.setContent(path, whole.slice(0, length));
      const reader = bench.open({ readOnly: true });
      for (const [key, value] of model) {
        try {
          assert.deepEqual(reader.getSync(key), value);
        } catch (error) {
          assert.ok(error instanceof CorruptionError && error.file === path, String(error));
        }
      }
      reader.closeSync();
    }
  }
});

test("A missing file of values is reported by open, and nothing is changed", () => {
  const random = new Random(11);
  const bench = new Bench(11);
  const store = bench.open();
  for (let i = 0; i < 20; i++) store.putSync(`key ${i}`, randomBytes(3000, random));
  store.closeSync();
  const [name] = [...bench.names(".val"), ...bench.names(".wal")];
  bench.fileSystem.removeSync(`/db/${name}`);
  const before = bench.fileSystem.dump("/db");
  assert.throws(() => bench.open(), (error) => {
    return error instanceof CorruptionError && error.message.includes(name!);
  });
  assert.deepEqual(bench.fileSystem.dump("/db"), before);
});

test("A repair without a manifest takes logs that tables refer to for files of values", async () => {
  const random = new Random(12);
  const bench = new Bench(12, { compression: "none" });
  const store = bench.open();
  const model = new Map<string, Value>();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) {
      const value = randomBytes(3000, random);
      store.putSync(`key ${i}`, value);
      model.set(`key ${i}`, value);
    }
    await store.flush();
  }
  store.putSync("key 3", 3);
  model.set("key 3", 3);
  await store.close();
  const { fileSystem } = bench;
  for (const name of bench.names()) {
    if (name === "CURRENT" || name.startsWith("MANIFEST")) fileSystem.removeSync(`/db/${name}`);
  }
  repairSync("/db", { fileSystem });
  const again = bench.open();
  requireSame(again, model);
  again.closeSync();
});

test("Files say that they need a newer reader only if there are large values", async () => {
  const random = new Random(13);
  for (const compression of ["none", "zstd"] as const) {
    const bench = new Bench(13, { compression, flushOnClose: false });
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
  const bench = new Bench(14, { largeValueBytes: false });
  const store = bench.open();
  for (let i = 0; i < 20; i++) store.putSync(`key ${i}`, randomBytes(9000, random));
  await store.flush();
  assert.equal(store.stats().values.files, 0);
  assert.equal(bench.formatOf("MANIFEST"), 1);
  await store.close();
  assert.deepEqual([...bench.names(".wal"), ...bench.names(".val")], []);
});
