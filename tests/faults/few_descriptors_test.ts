/**
 * Stores of several hundred tables under `ulimit -n 64`, of which the runtime itself takes 12 (Bun)
 * to 26 (Node). Everything works, however much is read at the same time. With fewer descriptors,
 * down to none, a call fails with a typed EMFILE, and nothing that was acknowledged is lost
 * (few_descriptors_child.ts).
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import * as path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/natives.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const child = fileURLToPath(new URL("few_descriptors_child.ts", import.meta.url));

/** Runs an act of the child; `limit` is what `ulimit -n` gets. */
function run(act: string, directory: string, limit?: number): string {
  const { command, args } = runtimeCommand(runtimeName, child, [act, directory]);
  const script = limit === undefined ? `exec "$@"` : `ulimit -n ${limit}; exec "$@"`;
  const result = spawnSync("bash", ["-c", script, "bash", command, ...args], {
    encoding: "utf8",
    timeout: 600_000,
  });
  assert.equal(result.status, 0, `${act}: ${result.signal} ${result.stderr}${result.stdout}`);
  return result.stdout.trimEnd();
}

const built = temporaryDirectory("descriptors");
after(() => built.dispose());
const original = path.join(built.path, "original");
let count = 0;

/** A new copy of a store of hundreds of tables, which is built once. */
function newStore(): string {
  if (count === 0) assert.ok(Number(run("build", original)) >= 300);
  const copy = path.join(built.path, String(count++));
  cpSync(original, copy, { recursive: true });
  return copy;
}

test("A store of hundreds of tables works with 64 descriptors for the whole process", () => {
  const { tables, openFiles } = JSON.parse(run("use", newStore(), 64)) as {
    tables: number;
    openFiles: number;
  };
  assert.ok(tables >= 300, `${tables} tables`);
  assert.ok(openFiles < 50, `${openFiles} files are open`);
});

test("A read-only store can have more tables than there are descriptors", () => {
  assert.equal(run("read", newStore(), 64), "read");
});

test("A store with too few descriptors says so, loses nothing, and works from 16 on", () => {
  const { works, failures } = JSON.parse(run("squeeze", newStore(), 64)) as {
    works: number;
    failures: string[];
  };
  assert.ok(works > 0 && works <= 16, `it works with ${works} descriptors`);
  assert.equal(failures.length, works, failures.join(", "));
});

test("A store that had no descriptor for its next file takes writes again when there are some", () => {
  const refused = JSON.parse(run("recover", newStore(), 64)) as number[];
  for (const count of refused) assert.ok(count > 0, `${refused} writes were refused`);
});
