import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { binaryOf, failureOf, root, runProcess } from "../../scripts/processes.ts";
import { systemScheduler } from "../../src/platform/system_scheduler.ts";

test("systemScheduler yield lets queued microtasks run first and resolves in a later turn", async () => {
  const order: string[] = [];
  const turn = systemScheduler.yield().then(() => order.push("turn"));
  queueMicrotask(() => order.push("microtask"));
  await turn;
  assert.deepEqual(order, ["microtask", "turn"]);
});

test("systemScheduler setTimer runs once, and a cancelled timer not at all", async () => {
  const ran: string[] = [];
  systemScheduler.setTimer(() => ran.push("cancelled"), 0).cancel();
  await new Promise<void>((resolve) => {
    const keepAlive = setInterval(() => {}, 1000);
    const timer = systemScheduler.setTimer(() => {
      ran.push("ran");
      timer.cancel();
      clearInterval(keepAlive);
      resolve();
    }, 0);
  });
  assert.deepEqual(ran, ["ran"]);
});

test("systemScheduler nowMs does not go back", () => {
  let last = systemScheduler.nowMs();
  for (let i = 0; i < 1000; i++) {
    const now = systemScheduler.nowMs();
    assert.ok(now >= last);
    last = now;
  }
});

test("systemScheduler randomHex gives two lower-case digits a byte and no repeats", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const hex = systemScheduler.randomHex(16);
    assert.match(hex, /^[0-9a-f]{32}$/);
    seen.add(hex);
  }
  assert.equal(seen.size, 100);
  assert.equal(systemScheduler.randomHex(0), "");
});

test("systemScheduler sleepSync blocks for at least the time asked for", () => {
  const start = systemScheduler.nowMs();
  systemScheduler.sleepSync(2);
  assert.ok(systemScheduler.nowMs() - start >= 1.9);
});

test("An import of the library does not make Node load its crypto", async () => {
  const module = JSON.stringify(pathToFileURL(path.join(root, "mod.ts")).href);
  const result = await runProcess(binaryOf("node"), [
    "--input-type=module",
    "--eval",
    `await import(${module});
    const loaded = () => process.moduleLoadList.filter((name) => name.includes("crypto/webcrypto"));
    const before = loaded().length;
    void globalThis.crypto;
    console.log(before, loaded().length);`,
  ]);
  assert.equal(failureOf(result), undefined, result.output);
  // The second number shows that the list would have told it.
  assert.equal(result.output.trim(), "0 1");
});
