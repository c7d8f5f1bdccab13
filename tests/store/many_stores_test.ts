// Many stores in one process: what one costs at rest and after it was closed, and the thread that
// they share.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/natives.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const child = fileURLToPath(new URL("many_stores_child.ts", import.meta.url));

/** Runs an act of the child, with the collector exposed; returns what it prints. */
function run<T>(act: string): T {
  const { path, dispose } = temporaryDirectory("many");
  try {
    const { command, args } = runtimeCommand(runtimeName, child, [act, path], [
      "--allow-all",
      "--v8-flags=--expose-gc",
    ]);
    const flags = runtimeName === "node" ? ["--expose-gc", ...args] : args;
    const result = spawnSync(command, flags, { encoding: "utf8" });
    assert.equal(result.status, 0, `${act}: ${result.signal} ${result.stderr}${result.stdout}`);
    return JSON.parse(result.stdout) as T;
  } finally {
    dispose();
  }
}

test("A store at rest keeps four descriptors and a megabyte at most", () => {
  const { descriptors, bytes, afterClose } = run<Record<string, number>>("rest");
  assert.ok(descriptors! <= 4, `${descriptors} descriptors a store`);
  assert.ok(bytes! < 1_000_000, `${bytes} bytes a store`);
  assert.equal(afterClose, 0);
});

test("A closed store holds no memory, even if the event loop has not turned since it was opened", () => {
  const { found, count, one, peak, descriptors } = run<Record<string, number>>("loop");
  assert.equal(found, count! * 4000);
  assert.ok(one! > 7_000_000, `a cache of ${one} bytes`);
  // One at a time, and those that the garbage collector has not reached yet: on Bun that is several
  // of them.
  assert.ok(peak! < count! / 2 * one!, `${peak} bytes after ${count} stores of ${one}`);
  assert.equal(descriptors, 0);
});

test("The stores of a process share one thread, which ends with the last one", () => {
  assert.deepEqual(run("thread"), [true, true, true, false]);
});
