/**
 * Stores with hostile numbers under valid checksums, in a process with a heap of 64 MB: typed
 * errors or values, no hang, and no allocation because a file claims a size. To repeat one mutant:
 * `node --max-old-space-size=64 tests/faults/hostile_child.ts <its number>`.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/natives.ts";
import { smallStore } from "../support/corruption_stores.ts";
import { reportFigure } from "../support/figures.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { DIRECTORY } from "../support/store_files.ts";
import type { HostileReport } from "./hostile_child.ts";

const HEAP_FLAG = "--max-old-space-size=64";
/**
 * One store of 3 KB needs no more than this: memtables, windows and scratch memory of fixed size.
 */
const MAX_GROWTH_BYTES = 4 * 1024 * 1024;

function runChild(): HostileReport {
  const script = fileURLToPath(new URL("./hostile_child.ts", import.meta.url));
  const { command, args } = runtimeCommand(runtimeName, script, []);
  // Bun takes no limit of its heap.
  if (runtimeName === "node") args.unshift(HEAP_FLAG);
  if (runtimeName === "deno") args.splice(1, 0, `--v8-flags=${HEAP_FLAG}`);
  const child = spawnSync(command, args, { encoding: "utf8" });
  assert.equal(child.status, 0, `the child ended with ${child.status}:\n${child.stderr}`);
  return JSON.parse(child.stdout) as HostileReport;
}

test("A store with hostile numbers under valid checksums does not allocate what they claim", () => {
  const report = runChild();
  reportFigure("corrupted stores", report.mutants);
  console.log(`hostile: ${JSON.stringify(report)}`);
  const { fileSystem } = smallStore(0);
  const sizeBytes = fileSystem.listSync(DIRECTORY)
    .reduce((sum, name) => sum + fileSystem.statSync(`${DIRECTORY}/${name}`)!.sizeBytes, 0);
  assert.ok(report.mutants > 5_000 && report.refused > 1_000 && report.failedReads > 1_000);
  assert.ok(report.largestHostile <= report.largestWhole + sizeBytes);
  assert.ok(report.mostGrowth <= MAX_GROWTH_BYTES);
});
