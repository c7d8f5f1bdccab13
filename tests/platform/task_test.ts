/**
 * Tasks: driven in slices, synchronously, and by both alternately; failures, late failures, the
 * end.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileHandle, FileSystem } from "../../src/platform/file_system.ts";
import type { Scheduler } from "../../src/platform/scheduler.ts";
import {
  type IoStep,
  RunningTask,
  runTask,
  runTaskSync,
  syncDirectoryStep,
  syncStep,
  type Task,
} from "../../src/platform/task.ts";

/** Time that moves only by 1 ms at every reading of the clock. */
class TickingScheduler implements Scheduler {
  now = 0;
  yields = 0;
  nowMs(): number {
    return this.now++;
  }
  wallMs(): number {
    throw new Error("not used by tasks");
  }
  yield(): Promise<void> {
    this.yields++;
    return Promise.resolve();
  }
  setTimer(): { cancel(): void } {
    throw new Error("not used by tasks");
  }
  sleepSync(): void {
    throw new Error("not used by tasks");
  }
  randomHex(): string {
    throw new Error("not used by tasks");
  }
}

/** A step that a test ends by hand, and that counts how it was done. */
class ManualStep implements IoStep {
  isLong = false;
  started = 0;
  doneSync = 0;
  failSync: Error | undefined;
  succeed: () => void = () => {};
  fail: (error: Error) => void = () => {};

  runSync(): void {
    this.doneSync++;
    if (this.failSync !== undefined) throw this.failSync;
  }

  run(): Promise<void> {
    this.started++;
    return new Promise((resolve, reject) => {
      this.succeed = resolve;
      this.fail = reject;
    });
  }
}

/** Lets settled promises reach the code that awaits them. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

function never(error: unknown): void {
  throw new Error("no late failure was expected", { cause: error });
}

function* counting(until: number, log: string[]): Task<string> {
  for (let i = 0; i < until; i++) {
    log.push(`part ${i}`);
    yield undefined;
  }
  return "result";
}

function* around(step: IoStep, log: string[]): Task<string> {
  log.push("before");
  try {
    yield step;
    log.push("after");
  } catch (error) {
    log.push(`caught ${(error as Error).message}`);
    throw error;
  } finally {
    log.push("finally");
  }
  return "result";
}

test("runTaskSync runs a task to its end and does its steps synchronously", () => {
  const step = new ManualStep();
  const log: string[] = [];
  assert.equal(runTaskSync(around(step, log)), "result");
  assert.deepEqual(log, ["before", "after", "finally"]);
  assert.equal(step.doneSync, 1);
  assert.equal(step.started, 0);
});

test("runTaskSync throws a step's failure through the task", () => {
  const step = new ManualStep();
  step.failSync = new Error("EIO");
  const log: string[] = [];
  assert.throws(() => runTaskSync(around(step, log)), /EIO/);
  assert.deepEqual(log, ["before", "caught EIO", "finally"]);
});

test("runTaskSync continues if a task handles the failure of a step", () => {
  const step = new ManualStep();
  step.failSync = new Error("EIO");
  function* tolerant(): Task<number> {
    try {
      yield step;
    } catch {
      yield undefined;
      return 1;
    }
    return 2;
  }
  assert.equal(runTaskSync(tolerant()), 1);
});

test("runTask yields to the scheduler between slices and returns the result", async () => {
  const scheduler = new TickingScheduler();
  const log: string[] = [];
  assert.equal(await runTask(counting(20, log), scheduler, 4), "result");
  assert.equal(log.length, 20);
  assert.ok(scheduler.yields >= 3 && scheduler.yields <= 10, `${scheduler.yields} yields`);
});

test("runTask rejects with what the task throws", async () => {
  function* failing(): Task<void> {
    yield undefined;
    throw new Error("broken");
  }
  await assert.rejects(runTask(failing(), new TickingScheduler(), 4), /broken/);
});

test("RunningTask runs until its budget is used, and continues in the next slice", () => {
  const log: string[] = [];
  const task = new RunningTask(counting(10, log), never);
  const scheduler = new TickingScheduler();
  task.slice(scheduler, 3);
  assert.equal(log.length, 3);
  assert.equal(task.isSettled, false);
  task.slice(scheduler, Infinity);
  assert.equal(task.isSettled, true);
  assert.equal(task.result, "result");
});

test("RunningTask makes progress in a slice without a budget", () => {
  const log: string[] = [];
  const task = new RunningTask(counting(3, log), never);
  const scheduler = new TickingScheduler();
  for (let i = 0; i < 4; i++) task.slice(scheduler, 0);
  assert.equal(task.result, "result");
});

test("RunningTask waits for a step that a slice started", async () => {
  const step = new ManualStep();
  const log: string[] = [];
  const task = new RunningTask(around(step, log), never);
  const scheduler = new TickingScheduler();
  task.slice(scheduler, 100);
  assert.equal(task.isWaiting, true);
  task.slice(scheduler, 100);
  assert.deepEqual(log, ["before"]);
  let isAwake = false;
  const awake = task.wake.then(() => isAwake = true);
  await turns();
  assert.equal(isAwake, false);
  step.succeed();
  await awake;
  assert.equal(task.isWaiting, false);
  task.slice(scheduler, 100);
  assert.equal(task.result, "result");
  assert.equal(step.doneSync, 0);
});

test("RunningTask throws an asynchronous failure through the task, and wake does not reject", async () => {
  const step = new ManualStep();
  const log: string[] = [];
  const task = new RunningTask(around(step, log), never);
  task.slice(new TickingScheduler(), 100);
  step.fail(new Error("EIO"));
  await task.wake;
  assert.equal(task.isSettled, true);
  assert.deepEqual(log, ["before", "caught EIO", "finally"]);
  assert.throws(() => task.result, /EIO/);
  assert.match(String(task.error), /EIO/);
});

test("RunningTask waits for the step that a task asks for after a step failed", async () => {
  const first = new ManualStep();
  const second = new ManualStep();
  function* cleaning(): Task<string> {
    try {
      yield first;
    } catch {
      yield second;
    }
    return "cleaned";
  }
  const task = new RunningTask(cleaning(), never);
  const scheduler = new TickingScheduler();
  task.slice(scheduler, 100);
  first.fail(new Error("EIO"));
  await task.wake;
  assert.equal(task.isWaiting, true);
  assert.equal(second.started, 1);
  second.succeed();
  await task.wake;
  task.slice(scheduler, 100);
  assert.equal(task.result, "cleaned");
});

test("RunningTask stays waiting when a step throws at once and the task asks for another one", async () => {
  const second = new ManualStep();
  const throwing: IoStep = {
    runSync: () => {},
    run: () => {
      throw new Error("thrown, not rejected");
    },
  };
  function* cleaning(): Task<string> {
    try {
      yield throwing;
    } catch {
      yield second;
    }
    return "cleaned";
  }
  const task = new RunningTask(cleaning(), never);
  const scheduler = new TickingScheduler();
  task.slice(scheduler, 100);
  await task.wake;
  let isAwake = false;
  task.wake.then(() => isAwake = true);
  await turns();
  assert.equal(task.isWaiting, true);
  assert.equal(isAwake, false, "wake has resolved although the second step is under way");
  second.succeed();
  await task.wake;
  task.slice(scheduler, 100);
  assert.equal(task.result, "cleaned");
});

test("RunningTask does every step at once when it is driven synchronously", () => {
  const step = new ManualStep();
  const log: string[] = [];
  const task = new RunningTask(around(step, log), never);
  task.driveSync(new TickingScheduler(), 100);
  assert.equal(task.result, "result");
  assert.equal(step.doneSync, 1);
  assert.equal(step.started, 0);
});

test("RunningTask starts the next step before the time of a synchronous caller is over", async () => {
  const step = new ManualStep();
  const log: string[] = [];
  const task = new RunningTask(around(step, log), never);
  const scheduler = new TickingScheduler();
  task.driveSync(scheduler, 0);
  // A step that is neither under way nor done would be waited for by the background without end.
  assert.equal(task.isWaiting, step.started > step.doneSync);
  await task.wake;
  task.slice(scheduler, 100);
  assert.equal(task.result, "result");
});

test("RunningTask stops driving synchronously when the time is over", () => {
  const log: string[] = [];
  const task = new RunningTask(counting(100, log), never);
  task.driveSync(new TickingScheduler(), 5);
  assert.ok(log.length < 10, `${log.length} parts`);
  assert.equal(task.isSettled, false);
});

test("RunningTask lets a synchronous caller take over a step that is under way", async () => {
  const step = new ManualStep();
  const log: string[] = [];
  const task = new RunningTask(around(step, log), never);
  const scheduler = new TickingScheduler();
  task.slice(scheduler, 100);
  task.driveSync(scheduler, Infinity);
  assert.equal(step.doneSync, 1);
  assert.equal(task.result, "result");
  step.succeed();
  await turns();
  assert.deepEqual(log, ["before", "after", "finally"]);
});

test("RunningTask starts a long step for a synchronous caller who may not wait, and leaves it", async () => {
  const step = new ManualStep();
  step.isLong = true;
  const log: string[] = [];
  const task = new RunningTask(around(step, log), never);
  const scheduler = new TickingScheduler();
  task.driveSync(scheduler, 100, false);
  assert.deepEqual([step.started, step.doneSync], [1, 0]);
  assert.equal(task.isElsewhere, true);
  task.driveSync(scheduler, 100, false);
  assert.deepEqual([step.started, step.doneSync], [1, 0]);
  step.succeed();
  await task.wake;
  assert.equal(task.isElsewhere, false);
  task.driveSync(scheduler, 100, false);
  assert.equal(task.result, "result");
});

test("RunningTask does a long step at once for a synchronous caller who waits", () => {
  const step = new ManualStep();
  step.isLong = true;
  const task = new RunningTask(around(step, []), never);
  const scheduler = new TickingScheduler();
  task.driveSync(scheduler, 100, false);
  task.driveSync(scheduler, Infinity);
  assert.equal(step.doneSync, 1);
  assert.equal(task.result, "result");
});

test("RunningTask does not confuse the end of a step that was taken over with the end of the next one", async () => {
  const first = new ManualStep();
  const second = new ManualStep();
  const log: string[] = [];
  function* two(): Task<string> {
    yield first;
    log.push("first");
    yield undefined;
    yield second;
    log.push("second");
    return "result";
  }
  const task = new RunningTask(two(), never);
  const scheduler = new TickingScheduler();
  task.slice(scheduler, 100);
  task.driveSync(scheduler, 0);
  assert.deepEqual(log, ["first"]);
  task.slice(scheduler, 100);
  assert.equal(second.started, 1);
  first.succeed();
  await turns();
  assert.equal(task.isWaiting, true);
  task.slice(scheduler, 100);
  assert.deepEqual(log, ["first"]);
  second.succeed();
  await task.wake;
  task.slice(scheduler, 100);
  assert.equal(task.result, "result");
});

test("RunningTask reports the late failure of a step that was taken over", async () => {
  const step = new ManualStep();
  const late: unknown[] = [];
  const task = new RunningTask(around(step, []), (error) => late.push(error));
  const scheduler = new TickingScheduler();
  task.slice(scheduler, 100);
  task.driveSync(scheduler, Infinity);
  assert.equal(task.result, "result");
  step.fail(new Error("EIO"));
  await turns();
  assert.match(String(late), /EIO/);
  assert.equal(task.result, "result");
});

test("RunningTask runs finally blocks when it is cancelled, and then rests", async () => {
  const step = new ManualStep();
  const log: string[] = [];
  const late: unknown[] = [];
  const task = new RunningTask(around(step, log), (error) => late.push(error));
  const scheduler = new TickingScheduler();
  task.slice(scheduler, 100);
  task.cancel(new Error("closed"));
  assert.deepEqual(log, ["before", "finally"]);
  assert.equal(task.isSettled, true);
  assert.equal(task.isWaiting, false);
  assert.throws(() => task.result, /closed/);
  task.cancel(new Error("again"));
  task.slice(scheduler, 100);
  task.driveSync(scheduler, 100);
  assert.throws(() => task.result, /closed/);
  step.fail(new Error("EIO"));
  await turns();
  assert.match(String(late), /EIO/);
});

test("RunningTask keeps its result when it is cancelled after its end", () => {
  const task = new RunningTask(counting(2, []), never);
  task.driveSync(new TickingScheduler(), Infinity);
  task.cancel(new Error("closed"));
  assert.equal(task.result, "result");
});

test("syncStep and syncDirectoryStep use the asynchronous call if there is one", async () => {
  const calls: string[] = [];
  const bare = { syncSync: () => calls.push("syncSync") } as unknown as FileHandle;
  const full = {
    syncSync: () => calls.push("syncSync"),
    sync: () => Promise.resolve(void calls.push("sync")),
  } as unknown as FileHandle;
  const directories = {
    syncDirectorySync: (path: string) => calls.push(`syncDirectorySync ${path}`),
    syncDirectory: (path: string) => Promise.resolve(void calls.push(`syncDirectory ${path}`)),
  } as unknown as FileSystem;
  await syncStep(bare).run();
  await syncStep(full).run();
  syncStep(full).runSync();
  await syncDirectoryStep(directories, "/a").run();
  syncDirectoryStep(directories, "/a").runSync();
  assert.deepEqual(
    calls,
    ["syncSync", "sync", "syncSync", "syncDirectory /a", "syncDirectorySync /a"],
  );
});
