import assert from "node:assert/strict";
import { test } from "node:test";
import { isOver, type Scheduler } from "../../src/platform/scheduler.ts";
import { SteadyClock } from "../../src/platform/steady_clock.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";

/** A clock that is set by hand, and that shows the part of a sleep that it is told to show. */
class Hands {
  nowMs = 1000;
  sleptMs = 0;
  shownOfSleep = 1;
  readonly clock: SteadyClock = new SteadyClock(
    () => this.nowMs,
    (durationMs) => {
      this.sleptMs += durationMs;
      this.nowMs += durationMs * this.shownOfSleep;
    },
  );
}

/** How often a budget is asked until it is over; fails if it never is. */
function readingsUntilOver(clock: SteadyClock, budgetMs: number): number {
  const scheduler = { ...systemScheduler, nowMs: () => clock.nowMs() } as Scheduler;
  const startMs = clock.nowMs();
  for (let readings = 1; readings <= 100_000; readings++) {
    if (isOver(scheduler, startMs, budgetMs)) return readings;
  }
  throw new Error("The budget is endless");
}

test("SteadyClock shows the time of a running clock, also of a coarse one", () => {
  const hands = new Hands();
  for (let i = 0; i < 1000; i++) {
    if (i % 50 === 0) hands.nowMs += 0.1;
    assert.equal(hands.clock.nowMs(), hands.nowMs);
  }
  hands.clock.sleepSync(5);
  assert.equal(hands.clock.nowMs(), hands.nowMs);
});

test("A budget never ends if the clock stands still", () => {
  const readings = readingsUntilOver(new Hands().clock, 1.5);
  assert.ok(readings > 50 && readings < 1000, `${readings} readings`);
});

test("Sleeping takes no time if the clock stands still", () => {
  const hands = new Hands();
  hands.shownOfSleep = 0;
  const startMs = hands.clock.nowMs();
  for (let naps = 0; hands.clock.nowMs() < startMs + 200; naps++) {
    assert.ok(naps < 10, "the wait is endless");
    hands.clock.sleepSync(20);
  }
  assert.equal(hands.sleptMs, 200);
  // And it is not paid back when the clock runs again.
  hands.nowMs += 3;
  assert.equal(hands.clock.nowMs(), startMs + 203);
});

test("SteadyClock continues after its clock stood still or jumped back", () => {
  const hands = new Hands();
  const startMs = hands.clock.nowMs();
  hands.nowMs += 500;
  assert.equal(hands.clock.nowMs(), startMs + 500);
  hands.nowMs = 7;
  assert.equal(hands.clock.nowMs(), startMs + 500);
  hands.nowMs += 2;
  assert.equal(hands.clock.nowMs(), startMs + 502);
  readingsUntilOver(hands.clock, 1);
  let last = hands.clock.nowMs();
  for (let i = 0; i < 100; i++) {
    hands.nowMs += 0.05;
    const now = hands.clock.nowMs();
    assert.ok(now >= last);
    last = now;
  }
  // What was added while it stood still is not there without end.
  assert.ok(Math.abs(last - (startMs + 507)) < 1e-6, `${last - startMs}`);
});
