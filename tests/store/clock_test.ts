// A clock that jumps: forwards by years, backwards by hours. The engine's own is monotonic, but
// nothing that it promises may hang on that.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryFileSystem, open, openSync } from "../../mod.ts";
import type { Scheduler, Timer } from "../../src/platform/scheduler.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { RunningTask } from "../../src/platform/task.ts";
import { Turns } from "../../src/store/state/turns.ts";
import { useScheduler } from "../support/fault_scheduler.ts";
import { withSeedAsync } from "../support/seeded.ts";
import { watched } from "./file_systems.ts";

const HOUR_MS = 3_600_000;

/** A scheduler whose clock shows what a test says, and whose timers run when a test says so. */
class JumpingScheduler implements Scheduler {
  now = 1_000_000;
  /** Called at every look at the clock. */
  onLook: () => void = () => {};
  turns = 0;
  /** The callbacks that wait, each with its time in milliseconds. */
  readonly timers = new Map<() => void, number>();
  readonly #turn = systemScheduler.yield;
  readonly #hex = systemScheduler.randomHex;

  nowMs(): number {
    this.onLook();
    return this.now;
  }

  wallMs(): number {
    return this.now;
  }

  yield(): Promise<void> {
    this.turns++;
    return this.#turn();
  }

  setTimer(callback: () => void, durationMs: number): Timer {
    this.timers.set(callback, durationMs);
    return { cancel: () => this.timers.delete(callback) };
  }

  sleepSync(durationMs: number): void {
    this.now += durationMs;
  }

  randomHex(byteCount: number): string {
    return this.#hex(byteCount);
  }

  fireTimers(): void {
    for (const callback of [...this.timers.keys()]) {
      this.timers.delete(callback);
      callback();
    }
  }
}

test("A synchronous writer in interval mode goes on syncing after the clock has gone back", () => {
  const scheduler = new JumpingScheduler();
  const restore = useScheduler(scheduler);
  try {
    let syncs = 0;
    const fileSystem = watched(memoryFileSystem(), ({ operation, path }) => {
      if (operation === "sync" && path.endsWith(".wal")) syncs++;
    });
    const store = openSync("/db", { fileSystem, walSync: "interval", walSyncIntervalMs: 100 });
    /** Writes for one interval, without a turn in which a timer could run. */
    const syncsInAnInterval = (): number => {
      const before = syncs;
      for (let i = 0; i <= 10; i++) {
        scheduler.now += 10;
        store.putSync(`key ${i}`, i);
      }
      return syncs - before;
    };
    store.putSync("first", 1);
    assert.equal(syncsInAnInterval() > 0, true, "with a steady clock");
    scheduler.now -= HOUR_MS;
    assert.equal(syncsInAnInterval() > 0, true, "an hour back");
    scheduler.now += 24 * 365 * HOUR_MS;
    assert.equal(syncsInAnInterval() > 0, true, "a year on");
    scheduler.now = 0;
    assert.equal(syncsInAnInterval() > 0, true, "at zero");
    store.closeSync();
  } finally {
    restore();
  }
});

test("The timer of interval mode syncs at any reading of the clock, once for many writes", async () => {
  const scheduler = new JumpingScheduler();
  const restore = useScheduler(scheduler);
  try {
    let syncs = 0;
    const fileSystem = watched(memoryFileSystem(), ({ operation, path }) => {
      if (operation === "sync" && path.endsWith(".wal")) syncs++;
    });
    const store = await open("/db", { fileSystem, walSync: "interval" });
    await store.put("first", 1);
    for (const jump of [0, -HOUR_MS, 24 * HOUR_MS, -scheduler.now]) {
      scheduler.now += jump;
      for (let i = 0; i < 20; i++) await store.put(`key ${i}`, i);
      const intervals = [...scheduler.timers.values()].filter((durationMs) => durationMs === 100);
      assert.equal(intervals.length, 1, `a jump of ${jump} ms`);
      const before = syncs;
      scheduler.fireTimers();
      await store.put("after", 1);
      assert.equal(syncs - before, 1, `a jump of ${jump} ms`);
    }
    await store.close();
    assert.equal(scheduler.timers.size, 0, "a timer outlives the store");
  } finally {
    restore();
  }
});

test("Turns.due asks for a turn soon after the clock has gone back", () => {
  const scheduler = new JumpingScheduler();
  const turns = new Turns(scheduler);
  for (let i = 0; i < 1000; i++) turns.due();
  scheduler.now -= HOUR_MS;
  let asked = 0;
  for (let i = 0; i < 10_000 && asked === 0; i++) {
    scheduler.now += 0.001;
    if (turns.due() !== undefined) asked = i + 1;
  }
  assert.notEqual(asked, 0, "it would wait for the hour to pass");
});

test("RunningTask ends its slice if the clock goes back during it", () => {
  for (const isSync of [false, true]) {
    const scheduler = new JumpingScheduler();
    let steps = 0;
    const task = new RunningTask<void>(
      (function* () {
        for (; steps < 100_000; steps++) {
          if (steps === 10) scheduler.now -= HOUR_MS;
          scheduler.now += 0.1;
          yield undefined;
        }
      })(),
      () => {},
    );
    if (isSync) task.driveSync(scheduler, 2);
    else task.slice(scheduler, 2);
    assert.ok(steps < 100, `it took ${steps} steps`);
  }
});

test("A store under a clock that jumps at every reading keeps every promise and lets turns pass", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    await withSeedAsync(seed, async (random) => {
      const scheduler = new JumpingScheduler();
      scheduler.onLook = () => {
        const jump = random.below(10);
        if (jump === 0) scheduler.now += HOUR_MS;
        else if (jump === 1) scheduler.now = Math.max(0, scheduler.now - HOUR_MS * 2);
        else scheduler.now += 0.05;
      };
      const restore = useScheduler(scheduler);
      try {
        const fileSystem = memoryFileSystem();
        const options = { fileSystem, memtableSizeBytes: 4096, blockSizeBytes: 256 };
        const store = await open("/db", { ...options, walSync: "interval" });
        const expected = new Map<string, number>();
        for (let i = 0; i < 3000; i++) {
          const key = `key ${random.below(500)}`;
          expected.set(key, i);
          if (random.below(3) === 0) store.putSync(key, i);
          else await store.put(key, i);
          if (random.below(200) === 0) await store.flush();
        }
        await store.compact();
        assert.equal(await store.count(), expected.size);
        for (const [key, value] of expected) assert.equal(await store.get(key), value);
        await store.close();
        assert.ok(scheduler.turns > 10, `${scheduler.turns} turns`);
      } finally {
        restore();
      }
    });
  }
});
