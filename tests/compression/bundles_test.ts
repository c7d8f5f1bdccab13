// Slow: each bundle takes seconds. The bundles are made under Node only, which runs them on all
// three runtimes; under Deno and Bun the same program runs from source, as it must there too.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/natives.ts";
import { bundle } from "../support/bundle.ts";
import type { Bundler, BundleRunner } from "../support/bundle.ts";
import { runtimeCommand } from "../support/runtimes.ts";

const PROGRAM = "tests/compression/codec_program.ts";
const EXPECTED = "wasm 0 ok\nzstd 0 ok\nsnappy 1 ok\nnone 2 ok\n";

function checkBundle(bundler: Bundler, runners: readonly BundleRunner[]): void {
  if (runtimeName !== "node") {
    const program = fileURLToPath(new URL(`../../${PROGRAM}`, import.meta.url));
    const { command, args } = runtimeCommand(runtimeName, program, [], []);
    const result = spawnSync(command, args, { encoding: "utf8" });
    assert.equal(result.stdout, EXPECTED, result.stderr);
    return;
  }
  const bundled = bundle(bundler, PROGRAM);
  try {
    for (const runner of runners) assert.equal(bundled.run(runner), EXPECTED, runner);
  } finally {
    bundled.dispose();
  }
}

test("The codecs work in an executable of bun build --compile without any other file", () => {
  checkBundle("bun build --compile", ["itself"]);
});

test("The codecs work in one file of esbuild on Node, Deno and Bun", () => {
  checkBundle("esbuild", ["node", "deno", "bun"]);
});

test("The codecs work in one file of deno bundle on Deno without permissions, Node and Bun", () => {
  checkBundle("deno bundle", ["deno", "node", "bun"]);
});
