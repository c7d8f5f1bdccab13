/**
 * Opening a crash state gives the same files and the same content on every runtime (I10): each
 * runtime explores a small workload itself and has the next one do it, so that together all three
 * agree.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type RuntimeName, runtimeName } from "../../src/platform/natives.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { exploreSample } from "./crash_sample.ts";

const nextRuntime: Readonly<Record<RuntimeName, RuntimeName>> = {
  node: "deno",
  deno: "bun",
  bun: "node",
  other: "node",
};

test("Crash states are recovered to the same bytes by another runtime", async () => {
  const script = fileURLToPath(new URL("./crash_sample.ts", import.meta.url));
  const { command, args } = runtimeCommand(nextRuntime[runtimeName], script, []);
  const child = spawnSync(command, args, { encoding: "utf8" });
  assert.equal(child.status, 0, child.stderr);
  const own = await exploreSample();
  assert.match(own, /^\d{3,} states, \d{2,} of recoveries, outcome \d+$/);
  assert.equal(child.stdout.trim(), own);
});
