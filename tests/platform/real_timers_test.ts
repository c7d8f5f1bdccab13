// What happens where timers are replaced is tried by the runners that replace them:
// tests/ecosystem/.

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { startTimer, turn } from "../../src/platform/real_timers.ts";

test("turn makes a channel for each turn, even if nobody has replaced the runtime's immediate", async () => {
  const { getBuiltinModule } = process;
  let asked = 0;
  process.getBuiltinModule = ((name: string) => {
    asked++;
    return getBuiltinModule.call(process, name as "node:fs");
  }) as typeof getBuiltinModule;
  try {
    for (let i = 0; i < 10; i++) await turn();
    assert.equal(asked, 0);
  } finally {
    process.getBuiltinModule = getBuiltinModule;
  }
});

test("startTimer waits on memory, even if nobody has replaced the runtime's timers", async () => {
  const { waitAsync } = Atomics;
  let asked = 0;
  Atomics.waitAsync = ((...args: Parameters<typeof waitAsync>) => {
    asked++;
    return waitAsync(...args);
  }) as typeof waitAsync;
  try {
    startTimer(() => assert.fail("it was cancelled"), 0).cancel();
    const isAlive = setInterval(() => {}, 1000);
    await new Promise<void>((resolve) => startTimer(resolve, 0));
    clearInterval(isAlive);
    assert.equal(asked, 0);
  } finally {
    Atomics.waitAsync = waitAsync;
  }
});
