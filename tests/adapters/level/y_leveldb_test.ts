// Runs y-leveldb's own tests with TinyLevel instead of `level`.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../../src/platform/natives.ts";
import { runtimeCommand } from "../../support/runtimes.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

test("y-leveldb's own tests hold with a TinyLevel", () => {
  const temporary = temporaryDirectory("y-leveldb");
  try {
    const child = fileURLToPath(new URL("y_leveldb_child.ts", import.meta.url));
    const { command, args } = runtimeCommand(runtimeName, child, [
      temporary.path,
    ]);
    const { status, stdout, stderr } = spawnSync(command, args, {
      encoding: "utf8",
    });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /\[6\/6\] leveldb/);
    assert.match(stdout, /All tests successful/);
  } finally {
    temporary.dispose();
  }
});
