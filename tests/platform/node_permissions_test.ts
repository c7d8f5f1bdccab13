// The life of a store under Node's permission model, which refuses fsync on descriptors, whatever
// is allowed. Node is started from every runtime.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const script = fileURLToPath(new URL("permissions_child.ts", import.meta.url));
const repository = fileURLToPath(new URL("../..", import.meta.url));

/** Runs the child with permissions for `allowed` on a store in `directory`. */
function run(
  directory: string,
  allowed: readonly string[],
  act: string[] = [],
  others: readonly string[] = [],
  writable = allowed,
): { status: number | null; output: string } {
  const { command, args } = runtimeCommand("node", script, [directory, ...act]);
  const permissions = [`--allow-fs-read=${repository}`, ...others];
  permissions.push(...allowed.map((place) => `--allow-fs-read=${place}`));
  permissions.push(...writable.map((place) => `--allow-fs-write=${place}`));
  const { status, stdout, stderr } = spawnSync(
    command,
    ["--permission", ...permissions, ...args],
    { encoding: "utf8" },
  );
  return { status, output: stdout + stderr };
}

/** Gives `act` the path of a directory that is not there, and its permission. */
function inStore(act: (store: string, allowed: readonly string[]) => void): void {
  const directory = temporaryDirectory("permissions");
  try {
    const store = path.join(directory.path, "store");
    act(store, [store, `${store}/*`]);
  } finally {
    directory.dispose();
  }
}

test("Under node --permission no store can be made, since fsync is disabled", () => {
  inStore((store, allowed) => {
    assert.deepEqual(run(store, allowed), { status: 0, output: "done\n" });
    assert.deepEqual(run(store, allowed, ["count"], [], []), { status: 0, output: "251\n" });
    const left = [...readdirSync(store), ...readdirSync(path.dirname(store))];
    assert.deepEqual(left.filter((name) => name.startsWith(".")), []);
  });
});

test("Under node --permission no store can be made in a directory that is wholly allowed", () => {
  inStore((store) => {
    const parent = path.dirname(store);
    assert.deepEqual(run(store, [parent]), { status: 0, output: "done\n" });
    assert.deepEqual(readdirSync(parent), ["store"]);
    mkdirSync(`${store} other`);
    assert.deepEqual(run(`${store} other`, [`${store} other`]), { status: 0, output: "done\n" });
  });
});

test("Under node --permission a crash is not recovered from, since fsync is disabled", () => {
  inStore((store, allowed) => {
    assert.deepEqual(run(store, allowed, ["die"]), { status: 7, output: "dying\n" });
    assert.ok(readdirSync(store).some((name) => name.endsWith(".wal")), "it left no log");
    assert.deepEqual(run(store, allowed, ["recover"]), { status: 0, output: "recovered\n" });
  });
});

test("Under node --permission large jobs fail: with the thread, or if no thread is available", () => {
  inStore((store, allowed) => {
    const withThread = run(store, allowed, ["thread"], ["--allow-worker"]);
    assert.deepEqual(withThread, { status: 0, output: "worker\n" });
  });
  inStore((store, allowed) => {
    assert.deepEqual(run(store, allowed, ["inline"]), { status: 0, output: "inline\n" });
  });
});

test("Under node --permission a store outside of the allowed paths is an IoError", () => {
  inStore((store, allowed) => {
    const { status, output } = run(`${store} other`, allowed);
    assert.equal(status, 1);
    assert.match(output, /IoError: Cannot .*ERR_ACCESS_DENIED/);
  });
});
