// What a store does while nobody writes to it: it slowly frees the space of deleted entries.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type EmbeddedStore, open, type Options } from "../../mod.ts";
import { CloneableFileSystem } from "../support/cloneable_file_system.ts";
import { FaultScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { Random } from "../support/random.ts";
import { runtimeCommand, thisRuntime } from "../support/runtimes.ts";
import { randomBytes } from "../support/seeded.ts";
import { hexOf } from "../support/store_tables.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const COUNT = 3000;

function keyOf(n: number): string {
  return `key ${String(n).padStart(8, "0")}`;
}

/** A store in virtual time. */
class Bench {
  readonly scheduler: FaultScheduler;
  readonly fileSystem: CloneableFileSystem;
  readonly options: Options;

  constructor(seed: number, options: Options = {}) {
    this.scheduler = new FaultScheduler(seed);
    this.fileSystem = new CloneableFileSystem();
    this.options = {
      fileSystem: this.fileSystem,
      memtableSizeBytes: 65_536,
      compression: "none",
      walSync: "none",
      ...options,
    };
  }

  open(): Promise<EmbeddedStore> {
    return this.scheduler.drive(open("/db", this.options));
  }

  async fill(store: EmbeddedStore): Promise<void> {
    for (let i = 0; i < COUNT; i++) store.putSync(keyOf(i), "x".repeat(200));
    await this.scheduler.drive(store.flush());
    await this.scheduler.settle();
  }

  /** Lets a number of idle times pass. */
  async idle(seconds: number): Promise<void> {
    for (let i = 0; i < seconds * 100; i++) {
      this.scheduler.elapse(10);
      await this.scheduler.settle();
    }
  }

  tableBytes(): number {
    return this.fileSystem.listSync("/db").filter((name) => name.endsWith(".sst"))
      .reduce((sum, name) => sum + this.fileSystem.statSync(`/db/${name}`)!.sizeBytes, 0);
  }
}

/** Runs a body in virtual time. */
async function inVirtualTime(bench: Bench, body: () => Promise<void>): Promise<void> {
  const restore = useScheduler(bench.scheduler);
  try {
    await body();
  } finally {
    restore();
  }
}

test("The space of deleted entries is freed while nobody writes", async () => {
  for (const what of ["all", "most", "a range"]) {
    const bench = new Bench(1);
    await inVirtualTime(bench, async () => {
      const store = await bench.open();
      await bench.fill(store);
      const before = bench.tableBytes();
      const isDead = (i: number): boolean =>
        what === "all" || (what === "most" ? i % 10 > 0 : i >= 500 && i < 1500);
      let left = 0;
      for (let i = 0; i < COUNT; i++) {
        if (isDead(i)) store.deleteSync(keyOf(i));
        else left++;
      }
      await bench.idle(20);
      const share = bench.tableBytes() / before;
      console.log(
        `${what}: ${left} of ${COUNT} entries, ${share.toFixed(3)} of the bytes are left`,
      );
      assert.ok(share <= left / COUNT + 0.1, `${share} of the bytes for ${left} entries`);
      if (what === "all") assert.equal(bench.tableBytes(), 0);
      assert.equal(await bench.scheduler.drive(store.count()), left);
      await bench.scheduler.drive(store.close());
    });
  }
});

test("The space of entries that were deleted before a close is freed when the store is open again and idle", async () => {
  const bench = new Bench(2);
  await inVirtualTime(bench, async () => {
    // Only a few are deleted for each remaining one, so that nothing is due while the store is in
    // use.
    const first = await bench.open();
    await bench.fill(first);
    await bench.scheduler.drive(first.compact());
    for (let i = 0; i < COUNT; i += 12) first.deleteSync(keyOf(i));
    await bench.scheduler.drive(first.close());
    const before = bench.tableBytes();
    const store = await bench.open();
    await bench.scheduler.settle();
    assert.ok(bench.tableBytes() >= before, "given back before the store was idle");
    await bench.idle(20);
    assert.ok(bench.tableBytes() < 0.95 * before, `${bench.tableBytes()} of ${before} bytes`);
    const tombstones = store.stats().levels.reduce((sum, level) => sum + level.tombstones, 0);
    // Single ones stay that lie among too many entries.
    assert.ok(tombstones < COUNT / 12 / 4, `${tombstones} tombstones`);
    await bench.scheduler.drive(store.close());
  });
});

test("A store that is written to is not idle, and one at rest has nothing to do", async () => {
  const bench = new Bench(3);
  await inVirtualTime(bench, async () => {
    const store = await bench.open();
    await bench.fill(store);
    await bench.scheduler.drive(store.compact());
    await bench.scheduler.settle();
    for (let i = 0; i < COUNT; i += 12) store.deleteSync(keyOf(i));
    const { count } = store.stats().compaction;
    for (let i = 0; i < 40; i++) {
      store.putSync("another", i);
      await bench.idle(0.5);
    }
    assert.equal(store.stats().compaction.count, count, "compacted beside a writer");
    await bench.idle(20);
    const after = store.stats().compaction.count;
    assert.ok(after > count, "nothing was done when it was idle");
    await bench.idle(20);
    assert.equal(store.stats().compaction.count, after, "worked on although all was done");
    await bench.scheduler.drive(store.close());
  });
});

test("A writer, a flush, a compaction and a close do not wait for the pauses of idle work", async () => {
  for (const what of ["put", "flush", "compact", "close", "closeSync"] as const) {
    const bench = new Bench(4);
    await inVirtualTime(bench, async () => {
      const store = await bench.open();
      await bench.fill(store);
      for (let i = 0; i < COUNT; i += 2) store.deleteSync(keyOf(i));
      // Into the middle of it.
      for (let i = 0; i < 400 && store.stats().flush.count < 12; i++) await bench.idle(0.01);
      await bench.idle(0.03);
      if (what === "closeSync") store.closeSync();
      else if (what === "put") {
        for (let i = 0; i < 4000; i++) store.putSync(keyOf(i), "y".repeat(200));
        await bench.scheduler.drive(store.close());
      } else await bench.scheduler.drive(store[what]());
      if (what === "flush" || what === "compact") await bench.scheduler.drive(store.close());
      const again = await bench.open();
      const expected = what === "put" ? 4000 : COUNT / 2;
      assert.equal(await bench.scheduler.drive(again.count()), expected, what);
      again.closeSync();
    });
  }
});

for (const name of thisRuntime) {
  test(`Under ${name} a process that wants to exit is not kept alive by idle work`, async () => {
    const { path, dispose } = temporaryDirectory("idle");
    try {
      const random = new Random(1);
      const store = await open(path, { backgroundThread: false });
      for (let round = 0; round < 20; round++) {
        const batch = store.batch();
        for (let i = 0; i < 2000; i++) {
          batch.put(keyOf(round * 2000 + i), hexOf(randomBytes(200, random)));
        }
        await batch.write();
      }
      await store.close();
      const child = fileURLToPath(new URL("idle_child.ts", import.meta.url));
      const { command, args } = runtimeCommand(name, child, [path]);
      const { stdout, stderr, status } = spawnSync(command, args, { encoding: "utf8" });
      assert.equal(status, 0, stderr);
      assert.equal(stdout, "deleted\ndone\n", stderr);
      // It has exited before all space was freed.
      await using left = await open(path, { readOnly: true });
      const bytes = left.stats().levels.reduce((sum, level) => sum + level.sizeBytes, 0);
      assert.ok(bytes > 0, "idle work was done to its end");
      assert.equal(await left.count(), 0);
    } finally {
      dispose();
    }
  });
}
