import assert from "node:assert/strict";
import { test } from "node:test";
import { soon } from "../../src/platform/microtask.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";

test("soon runs its functions in this turn, in order, after the current code", async () => {
  await Promise.resolve();
  const order: string[] = [];
  const turn = systemScheduler.yield().then(() => order.push("turn"));
  soon(() => order.push("first"));
  void Promise.resolve().then(() => order.push("promise"));
  soon(() => order.push("second"));
  order.push("now");
  await turn;
  assert.deepEqual(order, ["now", "first", "promise", "second", "turn"]);
});

test("soon never runs anything while a fake clock has replaced queueMicrotask", async () => {
  const real = globalThis.queueMicrotask;
  const kept: (() => void)[] = [];
  globalThis.queueMicrotask = (callback) => void kept.push(callback);
  try {
    const ran: string[] = [];
    soon(() => ran.push("before"));
    await new Promise<void>(soon);
    // A copy of the module that is loaded now, and told later to run what the fake has kept.
    const url = new URL("../../src/platform/microtask.ts?loaded=later", import.meta.url).href;
    const { soon: other } = await import(url) as { soon: typeof soon };
    await new Promise<void>(other);
    for (const callback of kept.splice(0)) callback();
    await new Promise<void>(other);
    assert.deepEqual(ran, ["before"]);
    assert.deepEqual(kept, []);
  } finally {
    globalThis.queueMicrotask = real;
  }
});
