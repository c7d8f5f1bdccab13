// When operations let a turn of the event loop pass, on a clock that the test moves.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Scheduler } from "../../src/platform/scheduler.ts";
import { Turns } from "../../src/store/state/turns.ts";

/** A scheduler whose clock stands still until it is moved; `passed` counts the turns. */
class HandScheduler implements Scheduler {
  now = 1;
  passed = 0;
  looks = 0;
  nowMs(): number {
    this.looks++;
    return this.now;
  }
  wallMs(): never {
    throw new Error("turns do not need the time of day");
  }
  yield(): Promise<void> {
    this.passed++;
    return Promise.resolve();
  }
  setTimer(): never {
    throw new Error("no timer is expected");
  }
  sleepSync(): never {
    throw new Error("no sleep is expected");
  }
  randomHex(): string {
    return "";
  }
}

function repeat(turns: Turns, count: number): number {
  let due = 0;
  for (let i = 0; i < count; i++) if (turns.due() !== undefined) due++;
  return due;
}

test("Turns.due lets operations run as long as they take less than 1.5 ms", () => {
  const scheduler = new HandScheduler();
  const turns = new Turns(scheduler);
  for (let i = 0; i < 14; i++) {
    assert.equal(repeat(turns, 32), 0);
    scheduler.now += 0.1;
  }
  assert.equal(scheduler.passed, 0);
  assert.equal(scheduler.looks, 14);
});

test("Turns.due asks for a turn after 1.5 ms, and callers of the same moment share it", async () => {
  const scheduler = new HandScheduler();
  const turns = new Turns(scheduler);
  repeat(turns, 32);
  scheduler.now += 1.5;
  assert.equal(repeat(turns, 31), 0);
  const first = turns.due();
  assert.ok(first !== undefined);
  assert.equal(turns.pass(), first);
  await first;
  assert.equal(scheduler.passed, 1);
  assert.equal(repeat(turns, 640), 0);
});

test("Turns.due counts a chunk as the operations that are in it", () => {
  const scheduler = new HandScheduler();
  const turns = new Turns(scheduler);
  assert.equal(turns.due(128), undefined);
  scheduler.now += 1.5;
  assert.ok(turns.due(128) !== undefined);
});
