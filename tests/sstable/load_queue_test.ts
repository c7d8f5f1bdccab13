import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { test } from "node:test";
import { CorruptionError } from "../../src/errors.ts";
import type { Scheduler } from "../../src/platform/scheduler.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";
import { LoadQueue, type SharedLoad } from "../../src/sstable/load_queue.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A scheduler whose clock stands still unless it is moved, and that counts the requested turns. */
function manual(): Scheduler & { now: number; yields: number } {
  return {
    ...systemScheduler,
    now: 0,
    yields: 0,
    nowMs() {
      return this.now;
    },
    yield() {
      this.yields++;
      return turn();
    },
  };
}

test("LoadQueue has 64 loads under way and starts the others in their order", async () => {
  const queue = new LoadQueue(systemScheduler);
  const started: number[] = [];
  const finish: (() => void)[] = [];
  const ended: number[] = [];
  const loads = Array.from({ length: 200 }, (_, number) =>
    queue.start(() => {
      started.push(number);
      return new Promise<number>((resolve) => finish.push(() => resolve(number)));
    }));
  const all = Promise.all(loads.map((load) => load.ended().then((number) => ended.push(number))));
  await turn();
  assert.equal(started.length, 64);
  for (let at = 0; at < 200; at++) {
    finish[at]!();
    await turn();
    assert.equal(started.length, Math.min(200, 65 + at));
  }
  await all;
  const order = Array.from({ length: 200 }, (_, number) => number);
  assert.deepEqual([started, ended], [order, order]);
});

test("LoadQueue frees a load's place when the last of its waiters was woken", async () => {
  const scheduler = manual();
  const queue = new LoadQueue(scheduler);
  let started = 0;
  let woken = 0;
  let early = 0;
  const loads: SharedLoad<number>[] = [];
  for (let i = 0; i < 65; i++) {
    loads.push(queue.start(() => {
      started++;
      return Promise.resolve(i);
    }));
  }
  for (const load of loads) {
    for (let waiter = 0; waiter < 100; waiter++) {
      load.join({
        loaded: () => {
          woken++;
          scheduler.now += 0.1;
          if (woken <= 100 && started > 64) early++;
        },
        failed: assert.fail,
      });
    }
  }
  while (woken < 6500) {
    const before = woken;
    await turn();
    // 1.5 ms are fifteen waiters; the clock is looked at after every fourth.
    assert.ok(woken - before <= 16, `${woken - before} were woken in one turn`);
  }
  assert.deepEqual([started, early], [65, 0]);
  assert.ok(scheduler.yields >= 6500 / 16 - 1, `${scheduler.yields} turns`);
});

test("LoadQueue takes waiters until a load ends, and says how many there are", async () => {
  const queue = new LoadQueue(systemScheduler);
  let counted = 0;
  const load = queue.start(async (own) => {
    await turn();
    counted = own.waiterCount;
    return "value";
  });
  const waiters = [load.ended(), load.ended()];
  await Promise.resolve();
  waiters.push(load.ended());
  assert.deepEqual(await Promise.all(waiters), ["value", "value", "value"]);
  assert.equal(counted, 3);
});

test("LoadQueue reports a failure to each waiter, and continues with the next load", async () => {
  const queue = new LoadQueue(systemScheduler);
  const damage = new CorruptionError("Cannot read", "/t.sst", 7);
  const failing = queue.start((): Promise<never> => {
    throw damage;
  });
  const settled = await Promise.allSettled([failing.ended(), failing.ended(), failing.ended()]);
  const errors = settled.map((result) => result.status === "rejected" ? result.reason : undefined);
  assert.equal(errors[0], damage);
  assert.equal(new Set(errors).size, 3);
  for (const error of errors) {
    assert.ok(error instanceof CorruptionError);
    assert.deepEqual([error.message, error.file, error.offset], ["Cannot read", "/t.sst", 7]);
  }
  assert.equal(errors[2].cause, damage);
  assert.equal(await queue.start(() => Promise.resolve(1)).ended(), 1);
});
