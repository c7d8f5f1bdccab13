// Every program of examples/ runs on the runtime of the test and prints what its head says.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { binaryOf, failureOf, root, runProcess, type Runtime } from "../../scripts/processes.ts";
import { runtimeName } from "../../src/platform/natives.ts";
import { readDocument } from "../support/documents.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** Parts of the demo, which has its own test. */
const others = new Set(["human_numbers.ts", "load_tree.ts", "progress.ts"]);
const programs = readdirSync(path.join(root, "examples")).filter((name) => !others.has(name))
  .sort();

/** What the head of a program says that it prints. */
function expectedOutput(text: string): string {
  const [, lines] = /Prints:\n \*\n((?: \* {5}.*\n)+) \*\//.exec(text) ?? [];
  assert.ok(lines !== undefined, "its head does not say what it prints");
  return lines.replaceAll(/^ \* {5}/gm, "");
}

test("There are ten programs in examples/", () => assert.equal(programs.length, 10));

for (const program of programs) {
  test(`examples/${program} prints what its head says`, async () => {
    const folder = temporaryDirectory("example");
    try {
      const permissions = ["run", "--no-prompt", "--allow-read", "--allow-write", "--allow-net"];
      const result = await runProcess(binaryOf(runtimeName as Runtime), [
        ...(runtimeName === "deno" ? [...permissions, "--no-check"] : []),
        path.join("examples", program),
        path.join(folder.path, "store"),
      ]);
      assert.equal(failureOf(result), undefined, result.output);
      assert.equal(result.stdout, expectedOutput(readDocument(`examples/${program}`)));
    } finally {
      folder.dispose();
    }
  });
}
