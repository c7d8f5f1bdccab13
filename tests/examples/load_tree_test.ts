/** The demo program runs on the runtime of the test, on Deno with the least permissions. */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { test } from "node:test";
import { binaryOf, failureOf, root, runProcess, type Runtime } from "../../scripts/processes.ts";
import { runtimeName } from "../../src/platform/natives.ts";

test("load_tree loads, compares, deletes and compacts a tree", async () => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "tinykvs-load-tree-")));
  try {
    const tree = path.join(folder, "tree");
    const store = path.join(folder, "store");
    for (const name of ["b", "b/deep", "a", "\u00e9"]) {
      mkdirSync(path.join(tree, name), { recursive: true });
      for (let i = 0; i < 20; i++) {
        writeFileSync(path.join(tree, name, `${i}.txt`), `${name} ${i} `.repeat(i * 300));
      }
    }
    mkdirSync(store);
    const permissions = runtimeName === "deno"
      ? ["run", "--no-prompt", `--allow-read=${tree},${store}`, `--allow-write=${store}`]
      : [];
    const result = await runProcess(binaryOf(runtimeName as Runtime), [
      ...permissions,
      path.join(root, "examples", "load_tree.ts"),
      tree,
      store,
    ]);
    assert.equal(failureOf(result), undefined, result.output);
    assert.match(result.stdout, /^ +80 files, /m);
    assert.match(result.stdout, /^compared +all 80 files with the disk/m);
    assert.match(result.stdout, /^scanned +40 keys under "b\/"/m);
    assert.match(result.stdout, /^scanned +all 40 entries in order/m);
    assert.match(result.stdout, /ratio \d/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
