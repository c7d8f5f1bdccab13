// Tests Node's single executable. postject, which makes it, is a package of this folder. Only Node
// makes one. Under Deno and Bun the same program runs from source. tests/store/bundles_test.ts has
// the other single files.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/natives.ts";
import { bundle } from "../support/bundle.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const PROGRAM = "tests/store/store_program.ts";
const EXPECTED = ["zstd", "snappy", "none"]
  .map((name) => `${name} 1000 key 998,key 999 1,2,3 undefined LOCKED\n`).join(
    "",
  ) + "worker\n";

test("A store with its background thread works in a single executable of Node, alone in a folder", () => {
  if (runtimeName === "node") {
    const executable = bundle("node SEA", PROGRAM);
    try {
      assert.deepEqual(readdirSync(executable.directory), ["program"]);
      assert.equal(executable.run("itself"), EXPECTED);
    } finally {
      executable.dispose();
    }
    return;
  }
  const directory = temporaryDirectory("program");
  try {
    const program = fileURLToPath(new URL(`../../${PROGRAM}`, import.meta.url));
    const { command, args } = runtimeCommand(runtimeName, program, []);
    const { stdout, stderr } = spawnSync(command, args, {
      cwd: directory.path,
      encoding: "utf8",
    });
    assert.equal(stdout, EXPECTED, stderr);
  } finally {
    directory.dispose();
  }
});
