/**
 * Crashes that are made by hand: one situation each, and what the enumeration of crashes says of a
 * failure.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { WeightedCache } from "../../src/cache/weighted_cache.ts";
import type { Options } from "../../src/options.ts";
import { BlockCache } from "../../src/sstable/block_cache.ts";
import { HandlePool } from "../../src/sstable/handle_pool.ts";
import type { TableResources } from "../../src/sstable/table_reader.ts";
import { openSync } from "../../src/store/open.ts";
import { manifestName } from "../../src/version/file_names.ts";
import { VersionSet } from "../../src/version/version_set.ts";
import { emptyVersionState } from "../../src/version/version_state.ts";
import { exploreWorkload, type Workload } from "../support/crash_tests.ts";
import { CrashFailure, parseCrashName } from "../support/crash_names.ts";
import { type CrashImage, type CrashKind, FaultFileSystem } from "../support/fault_file_system.ts";
import { frozenScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { DIRECTORY, type Run, smallOptions } from "../support/fault_workload.ts";

/**
 * A file system with a directory whose own name nobody has synced, and options for a store in it.
 */
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

/** Runs `body` without any background work or timers. */
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

test("A power loss does not take back what was read after a kill during a close", () => {
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

test("Names of logs that a power loss leaves out of order are not damage", () => {
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

test("A record of the manifest is not written before the previous one is durable", () => {
  const fileSystem = new FaultFileSystem(1);
  fileSystem.makeDirectorySync(DIRECTORY);
  const resources: TableResources = {
    handles: new HandlePool(fileSystem, 4),
    blocks: new BlockCache(0),
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

/** A workload whose file system says that a log is synced and does not do it. */
const lying: Workload = {
  name: "lying",
  title: "",
  options: { walSync: "batch" },
  script: async (run) => {
    await run.open();
    lie(run);
    for (let i = 0; i < 6; i++) await run.wait(run.put(8, 40));
  },
};

function lie({ fileSystem }: Run): void {
  const create = fileSystem.createSync.bind(fileSystem);
  fileSystem.createSync = (path) => {
    const handle = create(path);
    if (!path.endsWith(".wal")) return handle;
    // The first sync, which makes the header durable, is a real one.
    const sync = handle.syncSync.bind(handle);
    handle.syncSync = () => {
      sync();
      handle.syncSync = () => {};
    };
    handle.sync = () => Promise.resolve();
    return handle;
  };
}

async function failureOf(only?: string): Promise<CrashFailure> {
  try {
    const exploration = { seed: 1, oneIn: 1, testFile: "this_test.ts" };
    await exploreWorkload(
      lying,
      exploration,
      only === undefined ? undefined : parseCrashName(only),
    );
  } catch (error) {
    if (error instanceof CrashFailure) return error;
    throw error;
  }
  assert.fail("a log that is never synced loses nothing");
}

test("A state that lost an acknowledged write has a name, and the operations that led to it are shown", async () => {
  const { message } = await failureOf();
  assert.match(message, /crash state lying:\d+:strict#0:1: .*write 1 was acknowledged/);
  assert.match(message, /#\d+ write \/db\/\d+\.wal/);
  assert.match(message, /repeat: TINYKVS_CRASH=lying:\d+:strict#0:1 node --test this_test\.ts$/);
});

test("The name of a failed state repeats exactly that failure", async () => {
  const first = await failureOf();
  const name = /TINYKVS_CRASH=(\S+)/.exec(first.message)![1]!;
  const again = await failureOf(name);
  assert.equal(again.message.split("\n")[0], first.message.split("\n")[0]);
  assert.equal(again.event, first.event);
});
