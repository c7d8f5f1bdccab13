/**
 * `npm run demo`: starts examples/load_tree.ts on a runtime, with a temporary store.
 *
 *   npm run demo                                Deno, on this project's node_modules
 *   npm run demo -- bun                         another runtime
 *   npm run demo -- node ~/some/tree            another tree
 *   npm run demo -- deno ~/some/tree --keep     the store stays, to look at
 *
 * On Deno the program may read the tree, and read and write the store, and nothing else.
 */

import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { binaryOf, failureOf, parseRuntime, root, runProcess, runtimes } from "./processes.ts";

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: { keep: { type: "boolean", default: false } },
});
const named = parseRuntime(positionals[0]);
const runtime = named ?? "deno";
const rest = named === undefined ? positionals : positionals.slice(1);
if (rest.length > 1) {
  throw new RangeError(
    `Cannot run the demo with "${positionals.join(" ")}": expected one of ${
      runtimes.join(", ")
    }, ` +
      `then a directory`,
  );
}
// npm starts scripts in the package's folder; a relative path means the caller's.
const caller = process.env["INIT_CWD"] ?? process.cwd();
const givenTree = path.resolve(caller, rest[0] ?? path.join(root, "node_modules"));
if (!existsSync(givenTree)) {
  throw new RangeError(
    `Cannot load "${givenTree}": there is no such directory, and no such runtime (there are ${
      runtimes.join(", ")
    })`,
  );
}

// Deno grants access to real paths, not to the links that lead there.
const tree = realpathSync(givenTree);
const store = realpathSync(mkdtempSync(path.join(tmpdir(), "tinykvs-demo-")));
const permissions = runtime === "deno"
  ? ["run", "--no-prompt", `--allow-read=${tree},${store}`, `--allow-write=${store}`]
  : [];
try {
  const result = await runProcess(
    binaryOf(runtime),
    [...permissions, path.join(root, "examples", "load_tree.ts"), tree, store],
    { inherit: true },
  );
  const failure = failureOf(result);
  if (failure !== undefined) console.error(`The demo on ${runtime} ${failure}`);
  process.exitCode = failure === undefined ? 0 : 1;
} finally {
  if (given.keep) console.log(`the store is in ${store}`);
  else rmSync(store, { recursive: true, force: true });
}
