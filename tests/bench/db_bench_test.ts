/** The bench programs run on the runtime of the test and find no wrong answer. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { test } from "node:test";
import { binaryOf, failureOf, root, runProcess } from "../../scripts/processes.ts";
import { runtimeName } from "../../src/platform/natives.ts";

interface Results {
  readonly about: { readonly entries: number };
  readonly measurements: readonly { readonly workload: string; readonly operations: number }[];
}

test("The bench runs one workload of each kind and checks their answers", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "tinykvs-bench-test-"));
  const workloads = [
    "fillrandom-64",
    "fillbatch-seq",
    "overwrite-sync",
    "durable-batch64",
    "readrandom-cold-64",
    "readmissing-await",
    "scan-for-await",
    "scan-reverse",
    "prefix100-sync",
    "mixed-await",
    "open-sync",
  ];
  try {
    const json = path.join(folder, "results.json");
    const result = await runProcess(binaryOf("node"), [
      path.join(root, "bench", "run.ts"),
      runtimeName,
      "--entries=2000",
      `--only=${workloads.join(",")}`,
      `--json=${json}`,
    ]);
    assert.equal(failureOf(result), undefined, result.output);
    const { about, measurements } = JSON.parse(readFileSync(json, "utf8")) as Results;
    assert.equal(about.entries, 2000);
    assert.deepEqual(measurements.map(({ workload }) => workload), workloads);
    for (const { workload, operations } of measurements) assert.ok(operations > 0, workload);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
