/**
 * Crash enumeration: scripted workloads, crashed at every operation of their file system in every way
 * that support/fault_file_system.ts knows, each state opened and held against the history.
 *
 *   TINYKVS_CRASH=workload:event:kind#variant:seed   checks just that state (failures print theirs)
 *   TINYKVS_CRASH_WORKLOAD=flush,zstd                runs just these workloads
 *   TINYKVS_TEST_SCALE=10                            opens every state, of more seeds
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import type { Options } from "../../src/options.ts";
import { WeightedCache } from "../../src/cache/weighted_cache.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { HandlePool } from "../../src/sstable/handle_pool.ts";
import type { TableResources } from "../../src/sstable/table_reader.ts";
import { openSync } from "../../src/store/open.ts";
import { manifestName } from "../../src/version/file_names.ts";
import { emptyVersionState, VersionSet } from "../../src/version/version_set.ts";
import { type CrashCounts, CrashExplorer, parseCrashName } from "../support/fault_crashes.ts";
import { type CrashImage, type CrashKind, FaultFileSystem } from "../support/fault_file_system.ts";
import { History } from "../support/fault_history.ts";
import { FaultScheduler, frozenScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { DIRECTORY, Run, smallOptions } from "../support/fault_workload.ts";

/** A scripted workload. */
interface Workload {
  readonly name: string;
  /** What the test says that survives. */
  readonly title: string;
  readonly options: Options;
  /** Options with which the states are opened, where they are others. */
  readonly checkOptions?: Options;
  /** Whether every state is opened at any scale: there are few. */
  readonly isSmall?: boolean;
  readonly script: (run: Run) => Promise<void>;
}

const only = process.env["TINYKVS_CRASH"] === undefined
  ? undefined
  : parseCrashName(process.env["TINYKVS_CRASH"]);
const wanted = process.env["TINYKVS_CRASH_WORKLOAD"];
const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? "1");
const isNode = runtimeName === "node";
/** One different state in this many is opened: at scale 4 (8 on Deno and Bun) every one is. */
const oneIn = Math.max(1, Math.round((isNode ? 4 : 8) / scale));
/** One opened state in this many has its recovery crashed at every operation. */
const nestedOneIn = Math.max(8, oneIn * 8);
/** Seeds of every workload; the first is fixed, so that a failure in CI is one at home. */
const seedCount = Math.max(1, Math.round(scale / 4));
/** Fewer mean that operations were lost from the workloads, or that sampling went wrong. */
const minimum = isNode
  ? { states: 60_000, opened: 5_000, nested: 3_000 }
  : { states: 60_000, opened: 2_500, nested: 600 };
const total: CrashCounts = { states: 0, opened: 0, nested: 0 };

const workloads: readonly Workload[] = [
  {
    name: "creation",
    title: "A store that is being created",
    isSmall: true,
    options: {},
    script: async (run) => {
      await run.open();
      await run.close();
      await run.open();
      await run.wait(run.put(8, 20));
      await run.wait(run.put(8, 20));
      await run.close();
      await run.open();
      run.checkAll();
      await run.close();
    },
  },
  ...(["write", "batch", "interval", "none"] as const).map((walSync): Workload => ({
    name: `puts-${walSync}`,
    title: `Single puts with walSync "${walSync}"`,
    options: { walSync, walSyncIntervalMs: 5 },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 60; i++) {
        const calls = Array.from(
          { length: 1 + run.random.below(4) },
          () => run.put(24, 120, run.random.below(8) === 0),
        );
        if (i % 16 === 15) calls.push(run.sync());
        await run.wait(Promise.all(calls));
      }
      run.checkAll();
      await run.close();
    },
  })),
  {
    name: "large-batches",
    title: "Batches larger than the log's buffer and than a memtable",
    options: { walSync: "none" },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 5; i++) {
        await run.wait(run.batch(3, 32, 100));
        await run.wait(run.batch(4, 32, 3000, { sync: i % 2 === 0 }));
        await run.wait(run.batch(6, 32, 24_000, { sync: i % 3 === 0 }));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "flush",
    title: "Flushes that are asked for while writes go on",
    options: { walSync: "none", l0CompactionTrigger: 4 },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 12; i++) {
        const calls = [run.batch(6, 40, 150), run.flush(), run.put(40, 60), run.batch(2, 40, 60)];
        if (i % 4 === 3) calls.push(run.sync());
        await run.wait(Promise.all(calls));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "compaction",
    title: "Compactions over three levels with deletes and open iterators",
    options: { walSync: "none" },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 30; i++) {
        await run.wait(run.batch(12, 120, 300, { sync: i % 5 === 0, deleteOneIn: 3 }));
        if (i % 10 !== 5) continue;
        const cursor = run.store.entries();
        await run.wait(cursor.nextMany(5));
        const calls = [run.batch(12, 120, 300), run.batch(12, 120, 300), run.flush()];
        if (i === 25) calls.push(run.compact());
        await run.wait(Promise.all(calls));
        await run.wait(cursor.nextMany(20));
        await run.wait(cursor.close());
      }
      run.checkAll();
      assert.ok(run.store.stats().levels.filter(({ tables }) => tables > 0).length >= 1);
      await run.close();
    },
  },
  {
    name: "two-immutables",
    title: "Two memtables that wait for their flush",
    options: { walSync: "none" },
    script: async (run) => {
      await run.open();
      run.scheduler.hold = (label) => label === "turn" || label.endsWith(".sst");
      for (let round = 0; round < 6; round++) {
        const calls: Promise<void>[] = [];
        for (let i = 0; i < 16; i++) {
          calls.push(run.batch(3, 40, 400, { sync: i % 6 === round % 6 }));
          await run.scheduler.pass(run.random.below(3));
        }
        await run.wait(Promise.all(calls));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "slow-manifest",
    title: "Flushes and compactions whose edits wait for the manifest at the same time",
    options: { walSync: "none" },
    script: async (run) => {
      // A record of the manifest that is longer than a sector can be lost while a later one is not.
      run.keySuffix = "x".repeat(300);
      await run.open();
      run.scheduler.hold = (label) => label.includes("MANIFEST");
      for (let i = 0; i < 10; i++) {
        const calls = Array.from({ length: 6 }, () => run.batch(4, 60, 200));
        await run.wait(Promise.all(calls));
        await run.scheduler.pass(run.random.below(30));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "reopening",
    title: "A store that is closed and opened again and again",
    options: { walSync: "none" },
    script: async (run) => {
      for (let i = 0; i < 8; i++) {
        await run.open();
        run.checkAll();
        for (let j = 0; j < i; j++) await run.wait(run.batch(4, 40, 200));
        await run.close();
      }
    },
  },
  {
    name: "close-in-compaction",
    title: "A store that is closed in the middle of a compaction",
    options: { walSync: "none", l0CompactionTrigger: 3 },
    script: async (run) => {
      for (let i = 0; i < 6; i++) {
        await run.open();
        for (let j = 0; j < 8; j++) await run.wait(run.batch(10, 80, 200));
        run.store.flush().catch(() => {});
        await run.scheduler.pass(1 + run.random.below(40));
        await run.close();
      }
      await run.open();
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "smaller-limits",
    title: "A store that is recovered with smaller limits than it was written with",
    options: { walSync: "none", memtableSizeBytes: 64 * 1024, blockSizeBytes: 4096 },
    checkOptions: { ...smallOptions, maxLevels: 3 },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 40; i++) {
        await run.wait(run.batch(8, 60, 400, { sync: i % 7 === 3 }));
      }
      await run.wait(run.flush());
      await run.wait(run.batch(8, 60, 400));
      await run.close();
      await run.open({ ...smallOptions, maxLevels: 3 });
      run.checkAll();
      for (let i = 0; i < 10; i++) await run.wait(run.batch(8, 60, 400));
      await run.close();
    },
  },
  {
    name: "synchronous",
    title: "A store that is used synchronously",
    options: { walSync: "batch" },
    script: (run) => {
      run.openSync();
      for (let i = 0; i < 60; i++) {
        run.putSync(30, 200);
        if (i % 3 === 0) run.batchSync(5, 30, 200);
      }
      run.checkAll();
      run.closeSync();
      run.openSync({ walSync: "none" });
      for (let i = 0; i < 30; i++) run.batchSync(5, 30, 200);
      run.checkAll();
      run.closeSync();
      return Promise.resolve();
    },
  },
  {
    name: "zstd",
    title: "Compressed tables",
    options: { compression: "zstd", walSync: "none" },
    script: async (run) => {
      await run.open();
      for (let i = 0; i < 24; i++) {
        await run.wait(run.batch(8, 60, 300, { sync: i % 8 === 0 }));
      }
      run.checkAll();
      await run.close();
    },
  },
  {
    name: "crashes",
    title: "A store that crashes, recovers and goes on, several times",
    options: { walSync: "none" },
    script: async (run) => {
      await run.open();
      for (const kind of ["process", "prefix", "strict", "sector-512", "reorder", "all"] as const) {
        for (let i = 0; i < 8; i++) {
          const calls = [run.batch(4, 40, 200, { sync: i % 3 === 0 }), run.put(40, 100)];
          if (i === 7) await run.scheduler.pass(run.random.below(30));
          else await run.wait(Promise.all(calls));
        }
        await run.crash(kind);
      }
      run.checkAll();
      await run.close();
    },
  },
];

async function explore(workload: Workload, seed: number): Promise<CrashCounts> {
  const counts: CrashCounts = { states: 0, opened: 0, nested: 0 };
  const scheduler = new FaultScheduler(seed);
  const history = new History();
  const fileSystem = new FaultFileSystem(seed, scheduler);
  const run = new Run(seed, fileSystem, scheduler, history, workload.options);
  const { name, checkOptions = run.options } = workload;
  const explorer = new CrashExplorer({
    workload: name,
    seed,
    run,
    checkOptions,
    oneIn: workload.isSmall ? 1 : oneIn,
    nestedOneIn,
    counts,
    only,
  });
  const restore = useScheduler(scheduler);
  try {
    await workload.script(run);
    explorer.checkWaiting();
    assert.deepEqual(run.fileSystem.violations, []);
    assert.equal(run.fileSystem.openHandles, 0, "handles that are open after close");
  } finally {
    restore();
  }
  if (only !== undefined) assert.ok(counts.opened > 0, "TINYKVS_CRASH names no state of this run");
  return counts;
}

for (const workload of workloads) {
  test(`${workload.title} shows a prefix of its history after a crash at any operation`, async () => {
    if (!(only?.workload ?? wanted ?? workload.name).split(",").includes(workload.name)) return;
    const seeds = only === undefined
      ? Array.from({ length: seedCount }, (_, index) => index + 1)
      : [only.seed];
    for (const seed of seeds) {
      const counts = await explore(workload, seed);
      total.states += counts.states;
      total.opened += counts.opened;
      total.nested += counts.nested;
    }
  });
}

/** A file system with a directory whose own name nobody has synced, and options for a store in it. */
function unsynced(): { fileSystem: FaultFileSystem; options: Options } {
  const fileSystem = new FaultFileSystem(1);
  fileSystem.makeDirectorySync(DIRECTORY);
  return { fileSystem, options: { ...smallOptions, fileSystem } };
}

/** The states that crashes of these kinds leave at every operation of `body`. */
function imagesDuring(
  fileSystem: FaultFileSystem,
  kinds: readonly CrashKind[],
  body: () => void,
): CrashImage[] {
  const images: CrashImage[] = [];
  fileSystem.onOperation = ({ index, phase }) => {
    if (phase !== "after") return;
    for (const kind of kinds) {
      for (let seed = 0; seed < 8; seed++) images.push(fileSystem.crash(kind, index * 8 + seed));
    }
  };
  body();
  fileSystem.onOperation = undefined;
  return images;
}

/** Runs `body` without anything that happens by itself. */
function frozen(body: () => void): void {
  const restore = useScheduler(frozenScheduler());
  try {
    body();
  } finally {
    restore();
  }
}

test("A store in a directory whose maker was killed before the sync survives a power loss", () => {
  frozen(() => {
    const { fileSystem, options } = unsynced();
    openSync(DIRECTORY, options).putSync("a", "1");
    const lost = fileSystem.crash("strict", 1).build(1);
    assert.equal(openSync(DIRECTORY, { ...options, fileSystem: lost }).getSync("a"), "1");
  });
});

test("What is read after a kill in a close is not taken back by a power loss", () => {
  frozen(() => {
    const { fileSystem, options } = unsynced();
    const store = openSync(DIRECTORY, { ...options, walSync: "none" });
    store.putSync("a", "1");
    const killed = imagesDuring(fileSystem, ["process"], () => store.closeSync());
    assert.ok(killed.length > 10);
    for (const image of killed) {
      const left = image.build(1);
      const reopened = openSync(DIRECTORY, { ...options, fileSystem: left });
      assert.equal(reopened.getSync("a"), "1");
      for (const kind of ["strict", "reorder", "names-early"] as const) {
        const lost = left.crash(kind, 1).build(1);
        assert.equal(openSync(DIRECTORY, { ...options, fileSystem: lost }).getSync("a"), "1", kind);
      }
    }
  });
});

test("Names of logs that a power loss leaves out of order are no damage", () => {
  frozen(() => {
    const { fileSystem, options } = unsynced();
    const store = openSync(DIRECTORY, { ...options, walSync: "none", memtableSizeBytes: 8192 });
    const images = imagesDuring(fileSystem, ["reorder"], () => {
      for (let i = 0; i < 12; i++) store.putSync(`k${i}`, "x".repeat(3000));
    });
    for (const image of images) {
      const left = openSync(DIRECTORY, { ...options, fileSystem: image.build(1) });
      const count = [...left.keys()].length;
      for (let i = 0; i < 12; i++) assert.equal(left.hasSync(`k${i}`), i < count);
    }
  });
});

test("A record of the manifest is not written before the one in front of it is durable", () => {
  const fileSystem = new FaultFileSystem(1);
  fileSystem.makeDirectorySync(DIRECTORY);
  const resources: TableResources = {
    handles: new HandlePool(fileSystem, 4),
    blocks: new WeightedCache(0),
    metadata: new WeightedCache(0),
    verifyChecksums: true,
  };
  const versions = new VersionSet(
    fileSystem,
    DIRECTORY,
    resources,
    1,
    emptyVersionState(),
    undefined,
  );
  versions.applySync({ removed: [], added: [] });
  const path = fileSystem.joinPath(DIRECTORY, manifestName(versions.manifestNumber!));
  const size = (): number => fileSystem.statSync(path)!.sizeBytes;
  const first = versions.apply({ lastSequence: 1, removed: [], added: [] });
  const second = versions.apply({ lastSequence: 2, removed: [], added: [] });
  const firstSync = first.next();
  const withFirst = size();
  const secondWait = second.next();
  assert.equal(size(), withFirst);
  assert.ok(!firstSync.done && !secondWait.done);
  secondWait.value!.runSync();
  const secondSync = second.next();
  assert.ok(!secondSync.done);
  assert.ok(size() > withFirst);
  secondSync.value!.runSync();
  assert.ok(second.next().done);
  firstSync.value!.runSync();
  assert.ok(first.next().done);
  assert.equal(versions.lastSequence, 2);
});

test("The enumeration of crashes opens as many states as it is meant to", () => {
  console.log(
    `crash: ${total.states} states, ${total.opened} opened (distinct), ${total.nested} nested`,
  );
  if (only !== undefined || wanted !== undefined || scale < 1) return;
  assert.ok(total.states >= minimum.states, `${total.states} states`);
  assert.ok(total.opened >= minimum.opened, `${total.opened} opened`);
  assert.ok(total.nested >= minimum.nested, `${total.nested} nested`);
});
