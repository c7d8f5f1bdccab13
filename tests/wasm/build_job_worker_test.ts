/** The program of the job thread is made of the sources as they are. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isJobWorkerUpToDate, jobWorkerHead, requireFreshJobWorker } from "../../wasm/freshness.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const text = readFileSync(new URL("../../wasm/generated/job_worker.ts", import.meta.url), "utf8");

test("The embedded program of the job thread is that of the sources as they are now", () => {
  assert.equal(isJobWorkerUpToDate(root, text), true, "run: npm run prepare");
});

test("A program of other sources, or of none, counts as stale", () => {
  assert.equal(isJobWorkerUpToDate(root, ""), false);
  assert.equal(isJobWorkerUpToDate(root, text.replace(/sha256 ./, "sha256 x")), false);
});

test("A stale program is refused in one sentence that says what to run, and so is a missing one", () => {
  const folder = mkdtempSync(join(tmpdir(), "tinykvs-stale-"));
  try {
    for (const name of ["src/worker", "wasm/generated", "node_modules/esbuild"]) {
      mkdirSync(join(folder, name), { recursive: true });
    }
    const write = (name: string, content: string): void => {
      writeFileSync(join(folder, name), content);
    };
    write("node_modules/esbuild/package.json", `{ "version": "1" }`);
    write("src/worker/job_worker.ts", "export const job = 1;\n");
    assert.throws(() => requireFreshJobWorker(folder), /is missing; run "npm run prepare"/);
    write("wasm/generated/job_worker.ts", `${jobWorkerHead(folder)}export const program = "";\n`);
    requireFreshJobWorker(folder);
    write("src/worker/job_worker.ts", "export const job = 2;\n");
    assert.throws(() => requireFreshJobWorker(folder), /other sources .*; run "npm run prepare"/);
    write("src/worker/job_worker.ts", "export const job = 1;\r\n");
    requireFreshJobWorker(folder);
    write("src/worker/new.ts", "");
    assert.throws(() => requireFreshJobWorker(folder), /other sources/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("The program contains neither the zstd module nor itself", () => {
  const module = readFileSync(
    new URL("../../wasm/generated/zstd_wasm.ts", import.meta.url),
    "utf8",
  );
  const code = /[\w+/]{200}/.exec(module)![0];
  assert.ok(!text.includes(code), "the zstd module is in it");
  // Either of them would double its length.
  assert.ok(text.length < 150_000, `it has ${text.length} characters`);
});
