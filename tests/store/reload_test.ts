// Shared stores when modules are loaded again: by hand, as a second copy of the library, and by
// `bun --hot`.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runtimeName } from "../../src/platform/natives.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const child = fileURLToPath(new URL("reload_child.ts", import.meta.url));

/** Makes one file of the library, as a bundler of applications does. */
function makeLibrary(directory: string): string {
  const file = path.join(directory, "library.mjs");
  const esbuild = fileURLToPath(new URL("../../node_modules/.bin/esbuild", import.meta.url));
  const source = fileURLToPath(new URL("../../mod.ts", import.meta.url));
  const options = ["--bundle", "--platform=node", "--format=esm", "--log-level=warning"];
  const made = spawnSync(esbuild, [source, ...options, `--outfile=${file}`], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  return file;
}

for (
  const [act, what] of [
    ["module", "A module that is loaded again and again goes on with its shared store"],
    ["copies", "Two copies of the library share a store, and know of each other's locks"],
    [
      "versions",
      "A registry of another version is a clear error to who shares, and nothing to others",
    ],
  ]
) {
  test(what!, () => {
    const directory = temporaryDirectory("reload");
    try {
      const library = makeLibrary(directory.path);
      const { command, args } = runtimeCommand(runtimeName, child, [
        act!,
        library,
        directory.path,
      ]);
      const result = spawnSync(command, args, { encoding: "utf8", timeout: 600_000 });
      assert.equal(result.stdout, "done\n", result.stderr);
    } finally {
      directory.dispose();
    }
  });
}

/**
 * An application that is edited while it runs; it tells which edition it is and what the store
 * holds.
 */
function edition(number: number): string {
  return `import { open, EmbeddedStore } from "./library.mjs";
    const isNewCopy = globalThis.lastStore !== EmbeddedStore;
    globalThis.lastStore = EmbeddedStore;
    const store = await open("./db", { shared: true });
    await store.put("loads", (await store.get("loads") ?? 0) + 1);
    console.log(JSON.stringify({ edition: ${number}, loads: await store.get("loads"), isNewCopy }));
    globalThis.timer ??= setInterval(() => {}, 1000);`;
}

test("bun --hot keeps a shared store through edits, each with a new copy of the library", async () => {
  const directory = temporaryDirectory("hot");
  const at = (name: string): string => path.join(directory.path, name);
  makeLibrary(directory.path);
  writeFileSync(at("app.mjs"), edition(1));
  const { command } = runtimeCommand("bun", "", []);
  const bun = spawn(command, ["--hot", "--no-clear-screen", "app.mjs"], {
    cwd: directory.path,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(bun, "close");
  let errors = "";
  bun.stderr.on("data", (chunk) => errors += String(chunk));
  try {
    const lines = createInterface({ input: bun.stdout })[Symbol.asyncIterator]();
    for (let number = 1; number <= 4; number++) {
      if (number > 1) {
        // As editors do it: the new file is whole when it gets the name.
        writeFileSync(at("app.mjs.new"), edition(number));
        renameSync(at("app.mjs.new"), at("app.mjs"));
      }
      let line = await lines.next();
      // One edit may be seen as two; then an edition comes again.
      while (!line.done && JSON.parse(line.value).edition < number) line = await lines.next();
      assert.ok(!line.done, errors);
      const { loads, isNewCopy } = JSON.parse(line.value);
      assert.ok(loads >= number, `${loads} loads at edition ${number}`);
      assert.equal(isNewCopy, true);
    }
  } finally {
    bun.kill("SIGKILL");
    await closed;
    directory.dispose();
  }
});
