/**
 * A project of a user in a temporary directory: the suites of suites/, the runners of this folder's
 * package, and the library as a package in node_modules, twice, with the lives of life.ts beside
 * it.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../support/temporary.ts";

const here = path.dirname(fileURLToPath(import.meta.url));
const repository = path.join(here, "..", "..");
const tools = path.join(repository, "node_modules", ".bin");
/** No runner takes so long, on however busy a machine. */
const TIMEOUT_MS = 600_000;

/** What a run of a command came to. */
export interface Outcome {
  /** The exit code, or the signal that ended it. */
  readonly status: number | string | null;
  /** What it wrote to stdout and stderr. */
  readonly output: string;
}

/** The project; `dispose` removes it. */
export interface Project {
  /** Its directory. */
  readonly path: string;
  /** Runs a command of the project, or the pinned Node, Deno or Bun, in a folder of suites/. */
  run(folder: string, command: string, args: readonly string[], options?: string): Outcome;
  /** Removes it with all stores that were made in it. */
  dispose(): void;
}

/** Makes the project. `withRunners` says whether those of npm are needed. */
export function makeProject(withRunners: boolean): Project {
  const directory = temporaryDirectory("ecosystem");
  const stores = path.join(directory.path, "stores");
  const suites = path.join(directory.path, "suites");
  mkdirSync(stores);
  cpSync(path.join(here, "suites"), suites, { recursive: true });
  if (withRunners) {
    const installed = path.join(here, "node_modules");
    if (!existsSync(installed)) {
      throw new Error(`Cannot try the test runners: run "npm ci" in "${here}" (npm test does)`);
    }
    symlinkSync(installed, path.join(directory.path, "node_modules"));
  }
  for (const name of ["core", "copy"]) {
    const target = path.join(suites, "node_modules", "@tinykvs", name);
    mkdirSync(target, { recursive: true });
    for (const [format, file] of [["esm", "index.mjs"], ["cjs", "index.cjs"]]) {
      const { status, stderr } = spawnSync(path.join(tools, "esbuild"), [
        path.join(here, "library.ts"),
        "--bundle",
        "--platform=node",
        `--format=${format}`,
        "--log-level=warning",
        `--outfile=${path.join(target, file!)}`,
      ], { encoding: "utf8" });
      if (status !== 0) throw new Error(`esbuild failed:\n${stderr}`);
    }
    writeFileSync(
      path.join(target, "package.json"),
      JSON.stringify({
        name: `@tinykvs/${name}`,
        version: "1.0.0",
        exports: { import: "./index.mjs", require: "./index.cjs" },
      }),
    );
  }
  return {
    path: directory.path,
    run(folder, command, args, options = "") {
      const ofProject = path.join(directory.path, "node_modules", ".bin", command);
      const { status, signal, stdout, stderr } = spawnSync(
        existsSync(ofProject) ? ofProject : path.join(tools, command),
        args,
        {
          cwd: path.join(suites, folder),
          encoding: "utf8",
          timeout: TIMEOUT_MS,
          env: {
            ...process.env,
            // The pinned Node comes first.
            PATH: `${tools}${path.delimiter}${process.env["PATH"]}`,
            NODE_OPTIONS: options,
            NO_COLOR: "1",
            CI: "1",
            TINYKVS_STORES: stores,
          },
        },
      );
      return { status: status ?? signal, output: stdout + stderr };
    },
    dispose: () => directory.dispose(),
  };
}

/** Runs `act` in a project, which is removed then. */
export function inProject(withRunners: boolean, act: (project: Project) => void): void {
  const project = makeProject(withRunners);
  try {
    act(project);
  } finally {
    project.dispose();
  }
}

/** Fails unless the runner passed, and says that it ran as many tests as there are. */
export function expectPassed({ status, output }: Outcome, summary: RegExp): void {
  assert.equal(status, 0, output);
  assert.match(output, summary);
}
