// Values that expire: what every state of the engine shows of them, how their space comes back, and
// what clocks that jump do. The contract suite has what every store must do.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type EmbeddedStore, openSync, type Options } from "../../mod.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { FaultScheduler, useScheduler } from "../support/fault_scheduler.ts";

const HOUR_MS = 3_600_000;
const COUNT = 2000;

const keyOf = (n: number): string => `key ${String(n).padStart(6, "0")}`;

/** A store in virtual time. */
class Bench {
  readonly scheduler: FaultScheduler;
  readonly fileSystem = new CloneableFileSystem();
  readonly options: Options;

  constructor(seed: number, options: Options = {}) {
    this.scheduler = new FaultScheduler(seed);
    this.options = {
      fileSystem: this.fileSystem,
      memtableSizeBytes: 65_536,
      blockSizeBytes: 512,
      compression: "none",
      walSync: "none",
      ...options,
    };
  }

  open(options: Options = {}): EmbeddedStore {
    return openSync("/db", { ...this.options, ...options });
  }

  /** Lets time pass, in steps of a second, and the background work. */
  async pass(durationMs: number): Promise<void> {
    for (let passed = 0; passed < durationMs; passed += 1000) {
      this.scheduler.elapse(Math.min(1000, durationMs - passed));
      await this.scheduler.settle();
    }
  }

  /** Lets the idle background finish: it pauses between its steps. */
  async idle(seconds = 20): Promise<void> {
    for (let i = 0; i < seconds * 20; i++) {
      this.scheduler.elapse(50);
      await this.scheduler.settle();
    }
  }

  bytesOf(ending: string): number {
    return this.fileSystem.listSync("/db").filter((name) => name.endsWith(ending))
      .reduce((sum, name) => sum + this.fileSystem.statSync(`/db/${name}`)!.sizeBytes, 0);
  }

  versionOf(start: string, ending = ""): number {
    const names = this.fileSystem.listSync("/db").filter((name) =>
      name.startsWith(start) && name.endsWith(ending)
    );
    const content = this.fileSystem.content(`/db/${names.sort().at(-1)}`);
    return new DataView(content.buffer).getUint32(8, true);
  }
}

function virtually(title: string, body: (bench: Bench) => Promise<void>, options?: Options): void {
  test(title, async () => {
    const bench = new Bench(7, options);
    const restore = useScheduler(bench.scheduler);
    try {
      await body(bench);
    } finally {
      restore();
    }
  });
}

/** What the store shows of a few keys, by every way of reading. */
function shown(store: Pick<EmbeddedStore, "getSync" | "entries" | "keys">, keys: string[]): string {
  const gets = keys.filter((key) => store.getSync(key) !== undefined).join();
  const forward = [...store.entries()].map(([key]) => key).join();
  const back = [...store.keys({ reverse: true })].reverse().join();
  assert.equal(forward, gets, "a scan and gets");
  assert.equal(back, gets, "a scan of keys in reverse and gets");
  return gets;
}

virtually(
  "Values expire at their millisecond, in a memtable and in tables of every level",
  async (bench) => {
    const store = bench.open();
    const { scheduler } = bench;
    const start = scheduler.wall;
    const keys = ["a", "b", "c", "large"];
    const check = (expected: string): void => assert.equal(shown(store, keys), expected);
    for (const place of ["memtable", "level 0", "compacted"]) {
      scheduler.wall = start;
      for (const key of keys) store.putSync(key, `older ${key}`);
      await bench.scheduler.drive(store.flush());
      store.putSync("a", 1, { ttlMs: 10 });
      store.putSync("b", { n: 2 }, { expiresAt: start + 20 });
      store.putSync("c", "for ever");
      store.putSync("large", "x".repeat(20_000), { ttlMs: 15 });
      if (place !== "memtable") await bench.scheduler.drive(store.flush());
      if (place === "compacted") await bench.scheduler.drive(store.compact());
      check("a,b,c,large");
      assert.deepEqual(store.getEntrySync("b"), {
        key: "b",
        value: { n: 2 },
        expiresAt: start + 20,
      });
      scheduler.wall = start + 9;
      check("a,b,c,large");
      scheduler.wall = start + 10;
      check("b,c,large");
      scheduler.wall = start + 15;
      check("b,c");
      assert.deepEqual(store.hasManySync(keys), [false, true, true, false]);
      assert.equal(store.countSync(), 2);
      scheduler.wall = start + 20;
      check("c");
    }
    store.closeSync();
  },
);

virtually(
  "An expired value hides older ones through flushes, merges and a reopening",
  async (bench) => {
    let store = bench.open();
    for (let i = 0; i < 200; i++) store.putSync(keyOf(i), "older");
    await bench.scheduler.drive(store.compact());
    for (let i = 0; i < 200; i++) store.putSync(keyOf(i), "newer", { ttlMs: 1000 });
    await bench.scheduler.drive(store.flush());
    bench.scheduler.wall += 1000;
    assert.equal(store.countSync(), 0);
    // A merge that does not reach the older values.
    for (let i = 0; i < 10; i++) {
      store.putSync(`${keyOf(0)} ${i}`, 1);
      store.putSync(`${keyOf(190)} ${i}`, 1);
      await bench.scheduler.drive(store.flush());
      await bench.scheduler.settle();
      assert.equal(store.countSync(), 2 * (i + 1));
    }
    store.closeSync();
    store = bench.open();
    assert.equal(store.countSync(), 20);
    await bench.scheduler.drive(store.compact());
    assert.equal(store.countSync(), 20);
    assert.deepEqual(store.verifySync().problems, []);
    assert.equal(store.stats().levels.reduce((sum, { entries }) => sum + entries, 0), 20);
    store.closeSync();
  },
);

virtually(
  "The space of expired values comes back although nobody writes or reads",
  async (bench) => {
    const store = bench.open();
    for (let i = 0; i < COUNT; i++) store.putSync(keyOf(i), "x".repeat(200), { ttlMs: HOUR_MS });
    await bench.scheduler.drive(store.flush());
    await bench.idle();
    const before = bench.bytesOf(".sst");
    assert.ok(before > COUNT * 200, `${before} bytes`);
    await bench.pass(HOUR_MS - 60_000);
    assert.equal(bench.bytesOf(".sst"), before);
    await bench.pass(120_000);
    await bench.idle();
    assert.equal(bench.bytesOf(".sst"), 0);
    await bench.scheduler.drive(store.close());
  },
);

virtually(
  "Of values with many times, each part gives its space back soon after it has expired",
  async (bench) => {
    const store = bench.open();
    // In the order of the keys, each of eight values lives a minute longer, and a few for years.
    for (let i = 0; i < COUNT; i++) {
      const ttlMs = i % 100 === 0 ? 1000 * HOUR_MS : 60_000 * (1 + i % 8);
      store.putSync(keyOf(i), "x".repeat(200), { ttlMs });
    }
    await bench.scheduler.drive(store.flush());
    await bench.scheduler.drive(store.compact());
    const before = bench.bytesOf(".sst");
    for (let minute = 1; minute <= 10; minute++) {
      await bench.pass(60_000);
      await bench.idle(5);
      const left = bench.bytesOf(".sst") / before;
      const live = store.countSync() / COUNT;
      assert.ok(
        left <= live + 0.25,
        `minute ${minute}: ${left} of the bytes for ${live} of the keys`,
      );
    }
    assert.equal(store.countSync(), COUNT / 100);
    assert.ok(bench.bytesOf(".sst") < before * 0.1, `${bench.bytesOf(".sst")} of ${before}`);
    await bench.scheduler.drive(store.close());
  },
);

virtually(
  "The space of values that expire in the memtable comes back, with that of their log",
  async (bench) => {
    const store = bench.open({ memtableSizeBytes: 4 * 1024 * 1024 });
    for (let i = 0; i < COUNT; i++) store.putSync(keyOf(i), "x".repeat(200), { ttlMs: 5000 });
    assert.ok(bench.bytesOf(".wal") > COUNT * 200);
    await bench.pass(6000);
    await bench.idle();
    assert.equal(bench.bytesOf(".sst"), 0);
    assert.ok(bench.bytesOf(".wal") < 10_000, `${bench.bytesOf(".wal")} bytes of logs`);
    await bench.scheduler.drive(store.close());
  },
);

virtually(
  "What has expired while a store was closed gives its space back after it is opened",
  async (bench) => {
    const first = bench.open();
    for (let i = 0; i < COUNT; i++) first.putSync(keyOf(i), "x".repeat(200), { ttlMs: 5000 });
    first.closeSync();
    bench.scheduler.elapse(10_000);
    const store = bench.open();
    assert.equal(store.countSync(), 0);
    await bench.idle();
    assert.equal(bench.bytesOf(".sst"), 0);
    await bench.scheduler.drive(store.close());
  },
);

virtually(
  "Snapshots, cursors and transactions keep their time while tables are merged below them",
  async (bench) => {
    const { scheduler } = bench;
    const store = bench.open();
    for (let i = 0; i < 50; i++) store.putSync(keyOf(i), i, { ttlMs: 1000 + i });
    store.putSync("z", 1);
    await bench.scheduler.drive(store.flush());
    const snapshot = store.snapshot();
    const cursor = store.entries();
    const begun = cursor.nextSync().value![0];
    assert.equal(begun, keyOf(0));
    await scheduler.drive(store.transaction(async (tx) => {
      assert.equal(tx.countSync(), 51);
      scheduler.wall += 1020;
      assert.equal(store.countSync(), 30);
      assert.equal(tx.countSync(), 51);
      assert.equal(tx.getSync(keyOf(3)), 3);
      assert.equal(await tx.get(keyOf(3)), 3);
    }));
    const later = store.snapshot();
    scheduler.wall += HOUR_MS;
    await bench.scheduler.drive(store.compact());
    assert.equal(store.countSync(), 1);
    assert.equal(snapshot.countSync(), 51);
    assert.equal([...cursor].length, 50);
    assert.equal(later.countSync(), 30);
    assert.equal(later.getSync(keyOf(20)), undefined);
    assert.equal(later.getSync(keyOf(21)), 21);
    assert.deepEqual([...snapshot.keys({ reverse: true, limit: 2 })], ["z", keyOf(49)]);
    snapshot.close();
    later.close();
    await scheduler.drive(store.close());
  },
);

virtually(
  "Scans remember expired stretches, and leave them to readers of an earlier time",
  (bench) => {
    const store = bench.open();
    for (let i = 0; i < 1000; i++) store.putSync(keyOf(i), i, { ttlMs: 1000 });
    store.putSync("z", 1);
    const snapshot = store.snapshot();
    bench.scheduler.wall += 1000;
    const walked = (): number => {
      const before = store.stats().scan.tombstones;
      assert.deepEqual([...store.keys()], ["z"]);
      assert.deepEqual([...store.keys({ reverse: true })], ["z"]);
      return store.stats().scan.tombstones - before;
    };
    assert.ok(walked() >= 1000);
    const again = walked();
    assert.ok(again <= 100, `${again} were walked over again`);
    assert.equal(snapshot.countSync(), 1001);
    store.putSync(keyOf(500), "new");
    assert.deepEqual([...store.keys()], [keyOf(500), "z"]);
    store.deleteSync(keyOf(500));
    const afterPut = walked();
    assert.ok(afterPut <= 200, `${afterPut} were walked over after a put`);
    assert.equal(snapshot.countSync(), 1001);
    snapshot.close();
    // The clock was wrong.
    bench.scheduler.wall -= 500;
    assert.equal(store.countSync(), 1000);
    store.closeSync();
    return Promise.resolve();
  },
);

virtually("A scan does not open a table that is over, unless it hides something", async (bench) => {
  const store = bench.open();
  const { scheduler } = bench;
  const opened = (): number => {
    const { hits, misses } = store.stats().cache;
    return hits + misses;
  };
  const scans = (expected: readonly string[]): number => {
    const before = opened();
    assert.deepEqual([...store.keys()], expected);
    assert.deepEqual([...store.keys({ reverse: true })], expected.toReversed());
    assert.equal(store.countSync(), expected.length);
    return opened() - before;
  };
  // Older values, in a deeper level, of every other stretch of a hundred keys.
  for (let i = 0; i < 100; i++) store.putSync(`b ${keyOf(i)}`, "older");
  await scheduler.drive(store.compact());
  const snapshots = [];
  for (const part of ["a", "b", "c"]) {
    for (let i = 0; i < 100; i++) store.putSync(`${part} ${keyOf(i)}`, i, { ttlMs: 1000 });
    store.deleteSync(`${part} gone`);
    store.deleteRangeSync({ gte: `${part} x`, lt: `${part} y` });
    await scheduler.drive(store.flush());
    snapshots.push(store.snapshot());
  }
  const all = [...store.keys()] as string[];
  assert.equal(all.length, 300);
  const read = scans(all);
  scheduler.wall += 1000;
  // That of "b" is read, because it hides older values.
  const some = scans([]);
  assert.ok(some > 0 && some < read / 2, `${some} of ${read} blocks were read`);
  assert.ok(scans([]) <= some);
  assert.deepEqual(snapshots.map((snapshot) => snapshot.countSync()), [200, 200, 300]);
  store.putSync("a new", 1);
  scans(["a new"]);
  assert.deepEqual(snapshots.map((snapshot) => snapshot.countSync()), [200, 200, 300]);
  scheduler.wall -= 1;
  assert.equal(store.countSync(), 301);
  for (const snapshot of snapshots) snapshot.close();
  store.closeSync();
});

virtually("A scan that skips expired values leaves them to readers of an earlier time", (bench) => {
  const store = bench.open();
  for (let i = 0; i < 100; i++) store.putSync(keyOf(i), i, { ttlMs: 1000 });
  for (let i = 100; i < 200; i++) store.putSync(keyOf(i), i);
  for (let i = 100; i < 200; i++) store.deleteSync(keyOf(i));
  store.putSync("z", 1);
  const snapshot = store.snapshot();
  bench.scheduler.wall += 1000;
  for (let i = 0; i < 3; i++) {
    assert.deepEqual([...store.keys()], ["z"]);
    assert.deepEqual([...store.keys({ reverse: true })], ["z"]);
    assert.equal(snapshot.countSync(), 101);
    assert.equal([...snapshot.keys({ reverse: true })].length, 101);
  }
  // The clock was wrong.
  bench.scheduler.wall -= 500;
  assert.equal(store.countSync(), 101);
  snapshot.close();
  store.closeSync();
  return Promise.resolve();
});

virtually(
  "A clock that jumps forward hides what expires on the way; set back, it shows what is still there, and nothing older",
  async (bench) => {
    const { scheduler } = bench;
    const store = bench.open();
    for (const key of ["a", "b"]) store.putSync(key, "older");
    await bench.scheduler.drive(store.compact());
    store.putSync("a", "newer", { ttlMs: HOUR_MS });
    await bench.scheduler.drive(store.flush());
    store.putSync("b", "newer", { ttlMs: HOUR_MS });
    const start = scheduler.wall;
    scheduler.wall = start + 1000 * HOUR_MS;
    assert.equal(store.countSync(), 0);
    scheduler.wall = start;
    assert.deepEqual([...store.entries()], [["a", "newer"], ["b", "newer"]]);
    scheduler.wall = start - 1000 * HOUR_MS;
    assert.equal(store.countSync(), 2);
    // What a merge has dropped meanwhile is gone, and hides what it hid.
    scheduler.wall = start + 1000 * HOUR_MS;
    await bench.scheduler.drive(store.compact());
    scheduler.wall = start;
    assert.deepEqual([...store.entries()], []);
    store.putSync("a", 1, { ttlMs: 1000 });
    assert.equal(store.getSync("a"), 1);
    await scheduler.drive(store.close());
  },
);

virtually("Space comes back after the clock has jumped in either direction", async (bench) => {
  for (const jump of [1000 * HOUR_MS, -1000 * HOUR_MS]) {
    const store = bench.open();
    const time = bench.scheduler.wall;
    for (let i = 0; i < COUNT; i++) store.putSync(keyOf(i), "x".repeat(200), { ttlMs: HOUR_MS });
    await bench.scheduler.drive(store.flush());
    await bench.idle();
    bench.scheduler.wall = time + jump;
    await bench.pass(120_000);
    await bench.idle();
    if (jump < 0) {
      assert.equal(store.countSync(), COUNT);
      // It is set right again; no timer knows that.
      bench.scheduler.wall = time + HOUR_MS;
      await bench.pass(120_000);
      await bench.idle();
    }
    assert.equal(bench.bytesOf(".sst"), 0);
    await bench.scheduler.drive(store.close());
  }
});

virtually(
  "Logs and manifests say that they need a newer reader from the first value on that expires",
  async (bench) => {
    let store = bench.open();
    store.putSync("a", 1);
    assert.equal(bench.versionOf("", ".wal"), 1);
    assert.equal(bench.versionOf("MANIFEST"), 1);
    store.batch().put("b", 2).put("c", 3, { ttlMs: HOUR_MS });
    store.writeSync([{ type: "put", key: "b", value: 2 }]);
    assert.equal(bench.versionOf("", ".wal"), 1);
    store.writeSync(store.batch().put("b", 2).put("c", 3, { ttlMs: HOUR_MS }));
    assert.equal(bench.versionOf("", ".wal"), 2);
    assert.equal(bench.versionOf("MANIFEST"), 1);
    // As after a kill: both logs are read.
    const copy = bench.fileSystem.clone();
    const recovered = openSync("/db", { ...bench.options, fileSystem: copy });
    assert.deepEqual([...recovered.entries()], [["a", 1], ["b", 2], ["c", 3]]);
    assert.equal(recovered.getEntrySync("c")!.expiresAt, bench.scheduler.wall + HOUR_MS);
    recovered.closeSync();
    await bench.scheduler.drive(store.flush());
    assert.equal(bench.versionOf("MANIFEST"), 2);
    store.closeSync();
    store = bench.open({ readOnly: true });
    assert.equal(store.getEntrySync("c")!.expiresAt, bench.scheduler.wall + HOUR_MS);
    bench.scheduler.wall += HOUR_MS;
    assert.equal(store.getSync("c"), undefined);
    store.closeSync();
    // When nothing expires any more, older readers may read the store again.
    store = bench.open();
    await bench.scheduler.drive(store.compact());
    store.closeSync();
    store = bench.open();
    store.putSync("d", 4);
    assert.equal(bench.versionOf("", ".wal"), 1);
    assert.equal(bench.versionOf("MANIFEST"), 1);
    assert.deepEqual([...store.keys()], ["a", "b", "d"]);
    store.closeSync();
  },
);

virtually(
  "A transaction's values that expire are in a log of the newer version, too",
  async (bench) => {
    const store = bench.open();
    store.transactionSync((tx) => tx.putSync("a", 1));
    assert.equal(bench.versionOf("", ".wal"), 1);
    await bench.scheduler.drive(store.transaction(async (tx) => {
      await tx.put("b", { n: 1 }, { ttlMs: HOUR_MS });
      await tx.putIfNotExists("c", 1, { ttlMs: HOUR_MS });
    }));
    assert.equal(bench.versionOf("", ".wal"), 2);
    store.transactionSync((tx) => tx.incrementSync("n", 1, { ttlMs: HOUR_MS }));
    store.updateSync("n", (n) => n);
    assert.equal(store.getEntrySync("n")!.expiresAt, bench.scheduler.wall + HOUR_MS);
    await bench.scheduler.drive(store.close());
  },
);

virtually(
  "A checkpoint for Go refuses values that expire and names the key, or drops or keeps them",
  async (bench) => {
    const { scheduler, fileSystem } = bench;
    const store = bench.open();
    store.putSync("a", "for ever");
    store.putSync("gone", "x", { ttlMs: 1 });
    store.putSync("session", "y", { ttlMs: HOUR_MS });
    scheduler.wall += 1;
    const format = "go-v0.4";
    await assert.rejects(scheduler.drive(store.checkpoint("/go", { format })), {
      code: "TYPE_MISMATCH",
      message: /the value of key "session" expires \d+ ms after 1970, .*; the option "expiring"/,
    });
    assert.deepEqual(fileSystem.listSync("/go").filter((name) => name.endsWith(".sst")), []);
    await scheduler.drive(store.checkpoint("/dropped", { format, expiring: "drop" }));
    await scheduler.drive(store.checkpoint("/kept", { format, expiring: "keep" }));
    const read = (directory: string): unknown[] => {
      const copy = openSync(directory, { fileSystem });
      scheduler.wall += 10 * HOUR_MS;
      const entries = [...copy.entries()];
      scheduler.wall -= 10 * HOUR_MS;
      copy.closeSync();
      return entries;
    };
    assert.deepEqual(read("/dropped"), [["a", "for ever"]]);
    assert.deepEqual(read("/kept"), [["a", "for ever"], ["session", "y"]]);
    // A checkpoint in our own format keeps the times.
    await scheduler.drive(store.checkpoint("/copy"));
    assert.deepEqual(read("/copy"), [["a", "for ever"]]);
    const copy = openSync("/copy", { fileSystem });
    assert.equal(copy.getEntrySync("session")!.expiresAt, scheduler.wall - 1 + HOUR_MS);
    copy.closeSync();
    await assert.rejects(scheduler.drive(store.checkpoint("/x", { expiring: "drop" })), TypeError);
    const wrong = { format, expiring: "hide" } as never;
    await assert.rejects(scheduler.drive(store.checkpoint("/x", wrong)), RangeError);
    await scheduler.drive(store.close());
  },
);

test("The job thread merges by the same time", async () => {
  // Real time and files in memory would stay on this thread: so this only checks the message.
  const { compactionFrom, plainCompaction } = await import("../../src/worker/job_messages.ts");
  const compaction = {
    inputs: [],
    outputLevel: 1,
    maxFileSizeBytes: 1,
    deeper: [],
    nowMs: 5,
    moves: undefined,
  };
  const sent = structuredClone(plainCompaction({ kind: "merge", ...compaction }));
  assert.deepEqual(compactionFrom(sent), { kind: "merge", ...compaction });
});
