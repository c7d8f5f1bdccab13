// Flushes and compactions beside the callers: bounded memory, a live event loop, and failures.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import {
  BackgroundError,
  type EmbeddedStore,
  memoryFileSystem,
  open,
  type Options,
} from "../../mod.ts";
import { IoError } from "../../src/errors.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { type Call, watched } from "./file_systems.ts";

const small: Options = { memtableSizeBytes: 16384, blockSizeBytes: 1024, walSync: "none" };

function keyOf(n: number): string {
  return `key ${String(n).padStart(8, "0")}`;
}

/**
 * Does some work and counts the turns of the event loop meanwhile, and how much of the work was
 * done at most between two of them. Counted in work, not in time: how fast that goes by is up to
 * the machine.
 */
async function countTurns(
  work: () => Promise<void>,
  done: () => number,
): Promise<{ turns: number; most: number }> {
  let turns = 0;
  let most = 0;
  let last = done();
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      await systemScheduler.yield();
      turns++;
      most = Math.max(most, done() - last);
      last = done();
    }
  })();
  await work();
  isOver = true;
  await watching;
  return { turns, most };
}

test("Puts that nobody awaits keep the number of waiting memtables bounded", async () => {
  await using store = await open("/db", { ...small, fileSystem: memoryFileSystem() });
  const puts: Promise<void>[] = [];
  let most = 0;
  for (let i = 0; i < 5000; i++) {
    puts.push(store.put(keyOf(i * 7919 % 5000), "x".repeat(100)));
    most = Math.max(most, store.stats().immutableMemtables);
  }
  assert.ok(most >= 2 && most <= 4, `${most} immutable memtables`);
  await Promise.all(puts);
  assert.equal(await store.count(), 5000);
});

test("Puts that are awaited wait while two memtables wait for their flush", async () => {
  const gates: (() => void)[] = [];
  let isHeld = false;
  const fileSystem = watched(
    memoryFileSystem(),
    () => {},
    ({ operation, path }) =>
      isHeld && operation === "sync" && path.endsWith(".sst")
        ? new Promise((resolve) => gates.push(resolve))
        : Promise.resolve(),
  );
  const store = await open("/db", { ...small, fileSystem });
  isHeld = true;
  let acknowledged = 0;
  const writing = (async () => {
    for (let i = 0; i < 2000; i++) {
      await store.put(keyOf(i), "x".repeat(100));
      acknowledged++;
    }
  })();
  // Many turns, in which an unheld writer would have finished.
  for (let i = 0; i < 500; i++) await systemScheduler.yield();
  const { immutableMemtables, stalls } = store.stats();
  assert.equal(immutableMemtables, 2);
  assert.equal(stalls.count, 1);
  assert.ok(acknowledged < 500, `${acknowledged} puts`);
  isHeld = false;
  for (const open of gates) open();
  await writing;
  assert.equal(await store.count(), 2000);
  assert.ok(store.stats().stalls.totalMs > 0);
  await store.close();
});

test("Level 0 stays bounded under a writer that never lets the event loop turn", async () => {
  await using store = await open("/db", { ...small, fileSystem: memoryFileSystem() });
  let most = 0;
  let mostImmutables = 0;
  for (let i = 0; i < 20_000; i++) {
    store.putSync(keyOf(i * 7919 % 20_000), "x".repeat(50));
    if (i % 50 === 0) {
      const { levels, immutableMemtables } = store.stats();
      most = Math.max(most, levels[0]!.tables);
      mostImmutables = Math.max(mostImmutables, immutableMemtables);
    }
  }
  // Writers stop at five times the trigger (decision 15); a flush may be on its way.
  assert.ok(most <= 4 * 5 + 1, `${most} tables in level 0`);
  assert.ok(mostImmutables <= 4, `${mostImmutables} immutable memtables`);
  assert.ok(store.stats().compaction.count > 0);
});

test("The event loop keeps turning during 100,000 awaited puts", async () => {
  const directory = temporaryDirectory("background");
  try {
    const store = await open(directory.path, { memtableSizeBytes: 2 ** 20, walSync: "none" });
    const value = new Uint8Array(100);
    let done = 0;
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 100_000; i++) {
        value.fill(i);
        await store.put(keyOf(i * 7919 % 100_000), value);
        done++;
      }
    };
    const { turns, most } = await countTurns(fill, () => done);
    assert.ok(turns >= 40 && most <= 25_000, `${turns} turns, ${most} puts between two of them`);
    // On a busy machine the thread may not have ended the first compaction yet.
    while (store.stats().compaction.count === 0) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    assert.ok(store.stats().flush.count >= 5);
    await store.close();
  } finally {
    directory.dispose();
  }
});

test("The event loop keeps turning during scans and gets from memory", async () => {
  await using store = await open("/db", { fileSystem: memoryFileSystem(), walSync: "none" });
  const value = "x".repeat(1000);
  const count = 20_000;
  for (let i = 0; i < count; i++) store.putSync(keyOf(i), value);
  await store.flush();
  assert.equal(await store.count(), count);
  let done = 0;
  const works: readonly [what: string, work: () => Promise<void>][] = [
    ["an iteration", async () => {
      for await (const _ of store.entries()) done++;
    }],
    ["a visit", () =>
      store.scanPrefix("key", () => {
        done++;
      })],
    ["gets", async () => {
      for (let i = 0; i < count; i++) if (await store.has(keyOf(i))) done++;
    }],
  ];
  for (const [what, work] of works) {
    done = 0;
    const rounds = async (): Promise<void> => {
      for (let round = 0; round < 10; round++) await work();
    };
    const { turns, most } = await countTurns(rounds, () => done);
    assert.equal(done, 10 * count);
    assert.ok(turns >= 8 && most <= 50_000, `${what}: ${turns} turns, ${most} between two of them`);
  }
});

test("A load in key order is never rewritten", async () => {
  await using store = await open("/db", { ...small, fileSystem: memoryFileSystem() });
  for (let i = 0; i < 50_000; i++) {
    const put = store.put(keyOf(i), i);
    if (i % 100 === 0) await put;
  }
  await store.flush();
  const { compaction, flush, levels } = store.stats();
  assert.ok(flush.count > 50);
  assert.ok(compaction.count > 0);
  assert.equal(compaction.bytesRead, 0);
  assert.equal(compaction.bytesWritten, 0);
  assert.equal(levels.reduce((sum, level) => sum + level.entries, 0), 50_000);
});

/** A store whose file system fails every call that `isHit` says, once `fail` was called. */
async function failing(
  isHit: (call: Call) => boolean,
  options: Options = small,
): Promise<{ store: EmbeddedStore; fail: () => void; mend: () => void; failures: () => number }> {
  let isFailing = false;
  let failures = 0;
  const fileSystem = watched(memoryFileSystem(), (call) => {
    if (!isFailing || !isHit(call)) return;
    failures++;
    throw new IoError(call.operation, call.path, "no space left on device (ENOSPC)", "ENOSPC");
  });
  const store = await open("/db", { ...options, fileSystem });
  return {
    store,
    fail: () => isFailing = true,
    mend: () => isFailing = false,
    failures: () => failures,
  };
}

test("A full disk during a flush makes writes a BackgroundError, and reads go on", async () => {
  const { store, fail, mend, failures } = await failing(({ operation, path }) =>
    operation === "create" && path.endsWith(".sst")
  );
  for (let i = 0; i < 50; i++) await store.put(keyOf(i), i);
  fail();
  const expected = (error: unknown): boolean =>
    error instanceof BackgroundError && error.code === "BACKGROUND" &&
    error.cause instanceof IoError && error.cause.osCode === "ENOSPC";
  await assert.rejects(store.flush(), expected);
  mend();
  await assert.rejects(store.put("a", 1), expected);
  assert.throws(() => store.putSync("a", 1), expected);
  await assert.rejects(store.delete("a"), expected);
  await assert.rejects(store.write([{ type: "put", key: "a", value: 1 }]), expected);
  await assert.rejects(store.flush(), expected);
  await assert.rejects(store.sync(), expected);
  await assert.rejects(store.compact(), expected);
  assert.equal(failures(), 1);
  assert.equal(await store.get(keyOf(7)), 7);
  assert.equal((await store.entries().toArray()).length, 50);
  assert.equal(await store.has("a"), false);
  await assert.rejects(store.close(), expected);
  assert.equal(store.status, "closed");
});

test("A full disk during a flush loses no acknowledged write and leaves no writer waiting", async () => {
  const { store, fail } = await failing(({ operation, path }) =>
    operation === "create" && path.endsWith(".sst")
  );
  fail();
  let acknowledged = 0;
  await assert.rejects(async () => {
    for (; acknowledged < 5000; acknowledged++) {
      await store.put(keyOf(acknowledged), "x".repeat(100));
    }
  }, BackgroundError);
  assert.ok(acknowledged > 50, `${acknowledged} acknowledged`);
  for (let i = 0; i < acknowledged; i++) assert.equal(store.hasSync(keyOf(i)), true);
  await assert.rejects(store.close(), BackgroundError);
});

test("A full disk during a flush fails every put of a flood that nobody awaits one by one", async () => {
  const { store, fail } = await failing(({ operation, path }) =>
    operation === "create" && path.endsWith(".sst")
  );
  fail();
  const puts: Promise<void>[] = [];
  for (let i = 0; i < 3000; i++) puts.push(store.put(keyOf(i), "x".repeat(100)));
  const settled = await Promise.allSettled(puts);
  for (const { status } of settled) assert.equal(status, "rejected");
  await assert.rejects(store.close(), BackgroundError);
});

test("A full disk during a compaction makes writes a BackgroundError, and reads go on", async () => {
  const { store, fail } = await failing(({ operation, path }) =>
    operation === "create" && path.endsWith(".sst")
  );
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 50; i++) await store.put(keyOf(i), round);
    await store.flush();
  }
  fail();
  await assert.rejects(store.compact(), BackgroundError);
  await assert.rejects(store.put("a", 1), BackgroundError);
  assert.equal(await store.count(), 50);
  assert.equal(await store.get(keyOf(9)), 1);
  await assert.rejects(store.close(), BackgroundError);
});

test("A failed write or sync of the log is reported to its writer and stops all later ones", async () => {
  for (const operation of ["write", "sync"]) {
    for (const form of ["async", "sync"]) {
      const { store, fail, mend, failures } = await failing(
        (call) => call.operation === operation && call.path.endsWith(".wal"),
        { ...small, walSync: "batch" },
      );
      await store.put("before", 1);
      fail();
      if (form === "async") {
        const puts = [store.put("a", 1), store.put("b", 1)];
        for (const put of puts) await assert.rejects(put, { osCode: "ENOSPC" });
      } else {
        assert.throws(() => store.putSync("a", 1), { osCode: "ENOSPC" });
      }
      mend();
      await assert.rejects(store.put("c", 1), BackgroundError);
      assert.throws(() => store.putSync("c", 1), BackgroundError);
      assert.equal(failures(), 1, `${operation} ${form}`);
      assert.equal(await store.get("before"), 1);
      assert.equal(await store.has("c"), false);
      await assert.rejects(store.close(), BackgroundError);
    }
  }
});

test("A log that can't be started refuses the write and all later ones", async () => {
  const { store, fail } = await failing(({ operation, path }) =>
    operation === "create" && path.endsWith(".wal")
  );
  fail();
  await assert.rejects(store.put("a", 1), BackgroundError);
  assert.throws(() => store.putSync("a", 1), BackgroundError);
  assert.equal(await store.has("a"), false);
  await assert.rejects(store.close(), BackgroundError);
});

/** The files for which there may be no descriptor, and the calls that need them. */
const shortages: readonly [what: string, isHit: (call: Call) => boolean][] = [
  ["a log", ({ operation, path }) => operation === "create" && path.endsWith(".wal")],
  ["a table", ({ operation, path }) => operation === "create" && path.endsWith(".sst")],
  ["a manifest", ({ operation, path }) => operation === "create" && path.includes("MANIFEST")],
  ["CURRENT", ({ operation, path }) => operation === "create" && path.includes("CURRENT")],
  ["the directory", ({ operation }) => operation === "syncDirectory"],
  ["anything", ({ operation }) => operation === "create" || operation === "syncDirectory"],
];

for (const [what, isHit] of shortages) {
  test(`A store without a descriptor for ${what} takes writes again when there is one`, async () => {
    for (const wasWritten of [false, true]) {
      let isFailing = false;
      const disk = memoryFileSystem();
      const fileSystem = watched(disk, (call) => {
        if (!isFailing || !isHit(call)) return;
        throw new IoError(call.operation, call.path, "too many open files (EMFILE)", "EMFILE");
      });
      const store = await open("/db", { ...small, fileSystem });
      if (wasWritten) await store.put("before", 1);
      const expected = new Map<string, number>();
      let refusals = 0;
      for (let round = 0; round < 3; round++) {
        isFailing = true;
        for (let i = 0; i < 2000; i++) {
          const key = `${keyOf(i)} ${round}`;
          try {
            if (i % 2 === 0) store.putSync(key, i);
            else await store.put(key, i);
            expected.set(key, i);
          } catch (error) {
            assert.ok(error instanceof IoError && error.osCode === "EMFILE", String(error));
            assert.equal(store.hasSync(key), false);
            refusals++;
          }
        }
        const calls = [() => store.flush(), () => store.compact()];
        for (const call of calls) {
          await call().catch((error: unknown) => {
            assert.ok(error instanceof IoError && error.osCode === "EMFILE", String(error));
          });
        }
        assert.ok(store.stats().immutableMemtables <= 4);
        isFailing = false;
        store.putSync(`after ${round}`, round);
        expected.set(`after ${round}`, round);
        if (round === 1) await store.flush();
        else await store.compact();
      }
      if (wasWritten) expected.set("before", 1);
      assert.ok(
        refusals > 0 || what === "CURRENT" || what === "a manifest",
        `${refusals} refusals`,
      );
      assert.deepEqual(new Map(await store.entries().toArray() as [string, number][]), expected);
      await store.close();
      const again = await open("/db", { ...small, fileSystem: disk });
      assert.deepEqual(new Map(await again.entries().toArray() as [string, number][]), expected);
      const live = again.stats().levels.reduce((sum, { tables }) => sum + tables, 0);
      const files = disk.listSync("/db").filter((name) => name.endsWith(".sst"));
      assert.equal(files.length, live);
      await again.close();
    }
  });
}
