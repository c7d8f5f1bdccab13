/**
 * The library without Node: a bundle made for browsers, run with only the globals that a browser
 * has.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import * as vm from "node:vm";
import { build } from "esbuild";
import { root } from "../../scripts/processes.ts";
import { runtimeName, versionProblem } from "../../src/platform/runtime.ts";
import { runtimeCommand } from "../support/runtimes.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** The globals of the web that the library and the program use. */
const WEB_NAMES = [
  ...["TextEncoder", "TextDecoder", "URL", "AbortSignal", "AbortController", "MessageChannel"],
  ...["atob", "btoa", "performance", "queueMicrotask", "setTimeout", "clearTimeout", "crypto"],
] as const;
const WEB: Record<string, unknown> = Object.fromEntries(
  WEB_NAMES.map((name) => [name, globalThis[name]]),
);

/** What only these runtimes have. `SharedArrayBuffer` is missing on most pages. */
const NOT_OF_THE_WEB = [
  ...["process", "Buffer", "setImmediate", "clearImmediate", "global", "require", "module"],
  ...["Deno", "Bun", "SharedArrayBuffer"],
];

const EXPECTED = {
  found: [4_498_500, 2999, { n: 7, text: "some text that is compressed. ".repeat(4) }],
  tables: true,
  isSmall: true,
  keys: ["key 02999 \u00e9", "key 02998 \u00e9"],
  locked: "LOCKED",
  refused: "UNSUPPORTED_RUNTIME: Cannot open a store on a disk: there is no file system here, " +
    "expected Node 22.13, Deno 2.2 or Bun 1.4, or a later one; elsewhere give the option " +
    '"fileSystem", for example memoryFileSystem()',
};

/** The program as one script. esbuild refuses an import of what a browser has not. */
async function browserBundle(): Promise<string> {
  const { outputFiles, metafile } = await build({
    entryPoints: [path.join(root, "tests/platform/browser_program.ts")],
    bundle: true,
    write: false,
    metafile: true,
    platform: "browser",
    format: "iife",
    target: "es2023",
  });
  for (const { imports } of Object.values(metafile.outputs)) assert.deepEqual(imports, []);
  return outputFiles[0]!.text;
}

/** What a bundle reports that runs in a context with nothing but what is given. */
async function runBare(bundle: string, globals: Record<string, unknown>): Promise<unknown> {
  const result = await new Promise((report) => {
    vm.runInContext(bundle, vm.createContext({ ...globals, report }));
  });
  return JSON.parse(JSON.stringify(result));
}

/** What a bundle reports in a process of a runtime that has lost what is not of the web. */
function runStripped(bundle: string, runtime: "deno" | "bun"): unknown {
  const directory = temporaryDirectory("browser");
  try {
    const script = path.join(directory.path, "program.mjs");
    const head = `const print = console.log;
for (const name of ${JSON.stringify(NOT_OF_THE_WEB)}) {
  // Bun's own name can't be deleted; nothing looks at it without \`process\`.
  Reflect.deleteProperty(globalThis, name) || Reflect.set(globalThis, name, undefined);
  if (name === "process" && globalThis[name] !== undefined) throw new Error("process is there");
}
globalThis.report = (result) => print(JSON.stringify(result));
`;
    writeFileSync(script, head + bundle);
    const { command, args } = runtimeCommand(runtime, script, [], []);
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
    assert.equal(status, 0, `${runtime}: ${stdout}${stderr}`);
    return JSON.parse(stdout);
  } finally {
    directory.dispose();
  }
}

test("A bundle for browsers runs a store in memory without Node", async () => {
  const bundle = await browserBundle();
  // Node's own modules need `Buffer` later on, so it gets a context; the others have no bare one.
  if (runtimeName === "node") assert.deepEqual(await runBare(bundle, WEB), EXPECTED);
  for (const runtime of ["deno", "bun"] as const) {
    if (runtimeName !== "node" && runtimeName !== runtime) continue;
    assert.deepEqual(runStripped(bundle, runtime), EXPECTED, runtime);
  }
});

test("The error for an old runtime says in one sentence what is needed, whatever modules it has", async () => {
  const problem = "this is node 20.11.1, expected Node 22.13, Deno 2.2 or Bun 1.4, or a later one";
  assert.equal(versionProblem("node", "20.11.1"), problem);
  for (
    const [name, version] of [
      ["node", "22.12.0"],
      ["deno", "1.46.3"],
      ["deno", "2.1.99"],
      ["bun", "1.3.14"],
      ["bun", "0.9"],
    ] as const
  ) assert.ok(versionProblem(name, version)?.startsWith(`this is ${name} ${version}, `), version);
  for (
    const [name, version] of [
      ["node", "22.13.0"],
      ["node", "24.1.0"],
      ["node", "100.0.0-nightly"],
      ["deno", "2.2.0"],
      ["bun", "1.4.5-canary.3"],
      ["bun", "unknown"],
      ["other", "0.0.0"],
    ] as const
  ) assert.equal(versionProblem(name, version), undefined, version);
  if (runtimeName !== "node") return;
  const old = { versions: { node: "20.11.1" }, platform: "linux" };
  const { error } = await runBare(await browserBundle(), { ...WEB, process: old }) as {
    error: string;
  };
  assert.ok(error.includes(`StoreError: Cannot open a store: ${problem}\n`), error);
});
