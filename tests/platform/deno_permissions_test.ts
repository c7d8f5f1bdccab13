// What the whole store asks of Deno: to read and write its directory, and nothing else.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, renameSync, symlinkSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const script = fileURLToPath(new URL("permissions_child.ts", import.meta.url));

/** Runs the child with permissions for `allowed` on a store in `directory`. */
function run(
  directory: string,
  allowed: string,
  act: string[] = [],
): { status: number | null; output: string } {
  const permissions = [`--allow-read=${allowed}`];
  if (act[0] !== "read") permissions.push(`--allow-write=${allowed}`);
  const { command, args } = runtimeCommand("deno", script, [directory, ...act], permissions);
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

test("Under Deno a store needs to read and write its own directory only", () => {
  const directory = temporaryDirectory("permissions");
  try {
    assert.deepEqual(run(directory.path, directory.path), { status: 0, output: "done\n" });
  } finally {
    directory.dispose();
  }
});

test("Under Deno a store can be created if only its future directory is allowed", () => {
  const directory = temporaryDirectory("permissions");
  try {
    const store = path.join(directory.path, "store");
    assert.deepEqual(run(store, store), { status: 0, output: "done\n" });
  } finally {
    directory.dispose();
  }
});

test("Under Deno recovery needs permissions for the directory only", () => {
  const directory = temporaryDirectory("permissions");
  try {
    const store = path.join(directory.path, "store");
    assert.deepEqual(run(store, store, ["die"]), { status: 7, output: "dying\n" });
    assert.ok(readdirSync(store).some((name) => name.endsWith(".wal")), "it left no log");
    assert.deepEqual(run(store, store, ["recover"]), { status: 0, output: "recovered\n" });
  } finally {
    directory.dispose();
  }
});

test("Under Deno a read-only open needs no permission to write", () => {
  const directory = temporaryDirectory("permissions");
  try {
    const store = path.join(directory.path, "store");
    assert.deepEqual(run(store, store, ["die"]), { status: 7, output: "dying\n" });
    const names = readdirSync(store);
    assert.deepEqual(run(store, store, ["read"]), { status: 0, output: "read\n" });
    assert.deepEqual(readdirSync(store), names);
  } finally {
    directory.dispose();
  }
});

test("Under Deno a link out of the directory is refused, even if its target is allowed", () => {
  const directory = temporaryDirectory("permissions");
  try {
    const store = path.join(directory.path, "store");
    assert.equal(run(store, store, ["die"]).status, 7);
    const current = path.join(store, "CURRENT");
    const outside = path.join(directory.path, "CURRENT");
    renameSync(current, outside);
    symlinkSync(outside, current);
    for (const allowed of [store, directory.path]) {
      const { status, output } = run(store, allowed, ["recover"]);
      assert.equal(status, 1);
      assert.match(output, /IoError: Cannot open ".*CURRENT": it is a symbolic link/);
    }
    assert.deepEqual(readdirSync(directory.path).sort(), ["CURRENT", "store"]);
  } finally {
    directory.dispose();
  }
});

test("Under Deno a store outside of the allowed paths is refused without a prompt", () => {
  const directory = temporaryDirectory("permissions");
  try {
    const allowed = path.join(directory.path, "allowed");
    const { status, output } = run(path.join(directory.path, "other"), allowed);
    assert.equal(status, 1);
    assert.match(output, /IoError|NotCapable/);
  } finally {
    directory.dispose();
  }
});
