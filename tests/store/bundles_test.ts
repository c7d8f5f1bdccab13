// Slow: each bundle takes seconds. The bundles are made under Node only, which runs them on all
// three runtimes; under Deno and Bun the same program runs from source, as it must there too.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/natives.ts";
import { bundle, type Bundler, type BundleRunner } from "../support/bundle.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { copyStaticModules } from "../support/static_modules.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const PROGRAM = "tests/store/store_program.ts";
const EXPECTED = ["zstd", "snappy", "none"]
  .map((name) => `${name} 1000 key 998,key 999 1,2,3 undefined LOCKED\n`).join("") +
  "worker\n";
const OWN_DIRECTORY = ["--allow-read=.", "--allow-write=."];

function checkBundle(bundler: Bundler, runners: readonly BundleRunner[]): void {
  if (runtimeName !== "node") return checkSource();
  const bundled = bundle(bundler, PROGRAM);
  try {
    for (const runner of runners) {
      assert.equal(bundled.run(runner, [], OWN_DIRECTORY), EXPECTED, runner);
      rmSync(path.join(bundled.directory, "store"), { recursive: true });
    }
  } finally {
    bundled.dispose();
  }
}

function checkSource(): void {
  const directory = temporaryDirectory("program");
  try {
    const program = fileURLToPath(new URL(`../../${PROGRAM}`, import.meta.url));
    const { command, args } = runtimeCommand(runtimeName, program, [], OWN_DIRECTORY);
    const result = spawnSync(command, args, { cwd: directory.path, encoding: "utf8" });
    assert.equal(result.stdout, EXPECTED, result.stderr);
  } finally {
    directory.dispose();
  }
}

test("A store works in an executable of bun build --compile without any other file", () => {
  checkBundle("bun build --compile", ["itself"]);
});

test("A store works in one file of esbuild on Node, Deno and Bun", () => {
  checkBundle("esbuild", ["node", "deno", "bun"]);
});

test("A store works in one file of deno bundle on Deno, Node and Bun", () => {
  checkBundle("deno bundle", ["deno", "node", "bun"]);
});

test("A store works with what deno compile embeds: the modules of its static imports", () => {
  if (runtimeName !== "node") return checkSource();
  const directory = temporaryDirectory("modules");
  try {
    const modules = copyStaticModules(PROGRAM, directory.path);
    assert.ok(modules.includes("wasm/generated/job_worker.ts"), "the program of the thread");
    const { command, args } = runtimeCommand(
      "deno",
      path.join(directory.path, PROGRAM),
      [],
      OWN_DIRECTORY,
    );
    const result = spawnSync(command, args, { cwd: directory.path, encoding: "utf8" });
    assert.equal(result.stdout, EXPECTED, result.stderr);
  } finally {
    directory.dispose();
  }
});
