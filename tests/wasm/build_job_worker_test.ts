/** The program of the job thread is made of the sources as they are. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isJobWorkerUpToDate } from "../../wasm/build_job_worker.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const text = readFileSync(new URL("../../wasm/generated/job_worker.ts", import.meta.url), "utf8");

test("The embedded program of the job thread is that of the sources as they are now", () => {
  assert.equal(isJobWorkerUpToDate(root, text), true, "run: npm run prepare");
});

test("A program of other sources, or of none, counts as stale", () => {
  assert.equal(isJobWorkerUpToDate(root, ""), false);
  assert.equal(isJobWorkerUpToDate(root, text.replace(/sha256 ./, "sha256 x")), false);
  assert.equal(isJobWorkerUpToDate(root, text.replace("merge_job.ts", "no_job.ts")), false);
});

test("The program contains neither the zstd module nor itself", () => {
  assert.ok(text.length < 120_000, `it has ${text.length} characters`);
});
