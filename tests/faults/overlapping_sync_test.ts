/**
 * Synchronous calls while an asynchronous fsync is under way and fails.
 *
 * An operating system reports a failed write-back once for each open descriptor, and forgets the
 * pages: a second fsync through the same descriptor succeeds although the bytes are lost. So a
 * `putSync` between the failure and the turn of the event loop that tells of it must not be
 * acknowledged. `FileHandle` promises for that case that `syncSync` fails too (`DescriptorHandle`
 * keeps a second descriptor); the fault file system is made to keep that promise here, and to be as
 * forgetful as a disk can be in all else.
 */

import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { StoreError } from "../../src/errors.ts";
import { defaultFileSystem } from "../../src/platform/default_file_system.ts";
import { openSync } from "../../src/store/open.ts";
import type { EmbeddedStore } from "../../src/store/store.ts";
import { type Fault, FaultFileSystem, type Operation } from "../support/fault_file_system.ts";
import { FaultScheduler, useScheduler } from "../support/fault_scheduler.ts";
import { DIRECTORY, smallOptions } from "../support/fault_workload.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const SEED = 3;
const isLinux = process.platform === "linux";

/**
 * A fault file system whose next sync of a kind of file is lost, and not yet reported, when asked.
 */
class Overlap {
  readonly scheduler = new FaultScheduler(SEED);
  readonly fileSystem = new FaultFileSystem(SEED, this.scheduler);
  /** The lost sync. */
  #lost: Operation | undefined;
  #isDone = false;
  #isReported = false;
  #pattern: RegExp | undefined;

  constructor() {
    this.fileSystem.faultFor = (operation) => this.#faultFor(operation);
    this.fileSystem.onOperation = ({ index, phase }) => {
      if (index !== this.#lost?.index) return;
      if (phase === "after") this.#isDone = true;
      if (phase === "settle") this.#isReported = true;
    };
  }

  /** Makes the next sync of a file whose path matches lose what it should have written. */
  loseNext(pattern: RegExp): void {
    this.#pattern = pattern;
  }

  /** Continues until the sync has failed and nobody was told. */
  async untilLost(): Promise<void> {
    // What reports it may not run: effects come one step ahead of what they settle.
    for (let count = 0; count < 2_000 && !this.#isDone; count++) await this.scheduler.pass(1);
    assert.ok(this.#isDone && !this.#isReported, "the sync is lost and not reported");
  }

  #faultFor({ index, operation, path }: Operation): Fault | undefined {
    if (operation !== "sync") return undefined;
    if (this.#lost === undefined && this.#pattern?.test(path)) {
      this.#lost = { index, operation, path };
      return { mode: "revert", code: "EIO" };
    }
    const isTold = this.#lost?.path === path && this.#isDone && !this.#isReported;
    return isTold ? { mode: "before", code: "EIO" } : undefined;
  }
}

/** Runs with the overlap's scheduler in the place of the system's. */
async function withOverlap(body: (overlap: Overlap) => Promise<void>): Promise<void> {
  const overlap = new Overlap();
  const restore = useScheduler(overlap.scheduler);
  try {
    await body(overlap);
  } finally {
    restore();
  }
}

function openOn(fileSystem: FaultFileSystem): EmbeddedStore {
  return openSync(DIRECTORY, { ...smallOptions, fileSystem });
}

/** Whether a call is accepted; a refusal must be one of the store's own. */
function isAccepted(call: () => void): boolean {
  try {
    call();
    return true;
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error));
    return false;
  }
}

function requireKept(overlap: Overlap, keys: readonly string[]): void {
  const store = openOn(overlap.fileSystem.crash("strict", SEED).build(SEED));
  for (const key of keys) assert.equal(store.getSync(key), key, `"${key}" was acknowledged`);
  store.closeSync();
}

test("A putSync during a failing log sync is not acknowledged and then lost", async () => {
  await withOverlap(async (overlap) => {
    const store = openOn(overlap.fileSystem);
    store.putSync("first", "first");
    overlap.loseNext(/\.wal$/);
    const pending = store.put("second", "second").then(() => true, () => false);
    await overlap.untilLost();
    const kept = ["first"];
    if (isAccepted(() => store.putSync("third", "third"))) kept.push("third");
    await overlap.scheduler.settle();
    if (await pending) kept.push("second");
    assert.throws(() => store.putSync("fourth", "fourth"), { code: "BACKGROUND" });
    await assert.rejects(store.close(), { code: "BACKGROUND" });
    requireKept(overlap, kept);
  });
});

test("A put whose log sync succeeds after a synchronous sync has failed is rejected", async () => {
  await withOverlap(async (overlap) => {
    const store = openOn(overlap.fileSystem);
    store.putSync("first", "first");
    overlap.scheduler.hold = (label) => label.startsWith("sync ");
    const pending = store.put("second", "second");
    await Promise.resolve();
    // The system tells the synchronous caller alone, and has forgotten by the time of the other
    // one.
    overlap.loseNext(/\.wal$/);
    assert.throws(() => store.putSync("third", "third"), { code: "IO" });
    await assert.rejects(overlap.scheduler.drive(pending), StoreError);
    await assert.rejects(overlap.scheduler.drive(store.close()), { code: "BACKGROUND" });
    requireKept(overlap, ["first"]);
  });
});

for (const [what, pattern] of [["table", /\.sst$/], ["manifest", /MANIFEST/]] as const) {
  test(`A closeSync that takes over a flush does not trust a failing ${what} sync`, async () => {
    await withOverlap(async (overlap) => {
      const store = openOn(overlap.fileSystem);
      store.putSync("first", "first");
      overlap.loseNext(pattern);
      const flushed = store.flush().then(() => true, () => false);
      await overlap.untilLost();
      isAccepted(() => store.closeSync());
      await overlap.scheduler.settle();
      await flushed;
      requireKept(overlap, ["first"]);
    });
  });
}

test("A handle syncs through another descriptor while an asynchronous sync is under way", async () => {
  const directory = temporaryDirectory("overlap");
  const file = path.join(directory.path, "file");
  const handle = defaultFileSystem().createSync(file);
  const descriptors = (): number =>
    fs.readdirSync("/proc/self/fd").filter((name) => {
      const link = `/proc/self/fd/${name}`;
      // The descriptor of the listing itself is gone by now.
      return fs.existsSync(link) && fs.readlinkSync(link) === file;
    }).length;
  if (isLinux) assert.equal(descriptors(), 1);
  handle.writeSync(Uint8Array.of(1, 2, 3), 0, 3, 0);
  const pending = handle.sync!();
  handle.syncSync();
  await pending;
  if (isLinux) assert.equal(descriptors(), 2);
  handle.closeSync();
  if (isLinux) assert.equal(descriptors(), 0);
  assert.throws(() => handle.syncSync(), { osCode: "EBADF" });
  directory.dispose();
});
