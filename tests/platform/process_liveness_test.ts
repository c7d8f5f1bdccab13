/** What is concluded from a lock's record, over every kind of knowledge on either side. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Holder } from "../../src/platform/lock_record.ts";
import {
  type Liveness,
  livenessOf,
  surroundings,
  systemProcesses,
} from "../../src/platform/process_liveness.ts";
import { process } from "../../src/platform/natives.ts";

const holder: Holder = {
  runtime: "node",
  version: "24.0.0",
  pid: 100,
  token: "00",
  since: "2026-01-01T00:00:00.000Z",
  started: "5000",
  pidNamespace: "1",
  boot: "b0",
  machine: "m0",
  directory: "1:2:3",
  lockFile: "1:3",
};
const self = { pid: 200, started: "6000", pidNamespace: "1", boot: "b0", machine: "m0" };
const blind = { pid: 200, started: "", pidNamespace: "", boot: "", machine: "" };

/** Processes with these start times, by id. */
function running(processes: Record<number, string>): typeof systemProcesses {
  return { startOf: (pid) => processes[pid], exists: (pid) => pid in processes };
}

const here = running({ 100: "5000", 200: "6000" });
const onLinux = process.platform === "linux";
const cases: [string, Partial<Holder>, typeof self, typeof systemProcesses, Liveness][] = [
  ["a process that runs", {}, self, here, "alive"],
  ["a process that has ended", {}, self, running({ 200: "6000" }), "dead"],
  ["a process whose id was given out again", {}, self, running({ 100: "5001" }), "dead"],
  ["a process of before the last boot", { boot: "b1" }, self, here, "dead"],
  ["a process of another machine", { boot: "b1", machine: "m1" }, self, here, "unknown"],
  ["a process of a machine without a name", { boot: "b1", machine: "" }, self, here, "unknown"],
  ["a process of another container", { pidNamespace: "2" }, self, running({}), "unknown"],
  ["a process that knew nothing of itself", { started: "", boot: "" }, self, here, "unknown"],
  ["a process that knew no boot", { boot: "" }, self, running({}), "unknown"],
  ["a process, for one that sees none", {}, blind, running({}), "unknown"],
  ["a thread of this process", { pid: 200, started: "6000" }, self, here, "here"],
  [
    "a process of a system without /proc that has ended",
    { started: "", pidNamespace: "", boot: "", machine: "" },
    blind,
    running({}),
    onLinux ? "unknown" : "dead",
  ],
];
for (const [what, record, asking, looks, expected] of cases) {
  test(`livenessOf says "${expected}" of ${what}`, () => {
    assert.equal(livenessOf({ ...holder, ...record }, asking, looks), expected);
  });
}

test("This process counts as running, with its own start time", () => {
  // Only Linux tells the start time of a process in a file.
  if (!onLinux) return;
  const { started, boot, pidNamespace } = surroundings();
  assert.match(started, /^\d+$/);
  assert.match(boot, /^[0-9a-f-]{36}$/);
  assert.match(pidNamespace, /^\d+$/);
  assert.equal(systemProcesses.startOf(process.pid), started);
  assert.equal(systemProcesses.startOf(2 ** 30), undefined);
  assert.equal(systemProcesses.exists(process.pid), true);
  assert.equal(systemProcesses.exists(2 ** 22 + 1), false);
});
