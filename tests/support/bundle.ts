/**
 * Makes single files of a program and the sources it imports, the ways users do, and runs them far
 * from the repository. Used by tests that show that the library survives bundling.
 *
 * The bundler sees a copy of the repository's sources and runtime dependencies, which is deleted
 * before anything runs: a bundle that goes looking for a file of the package fails. Note that
 * `deno bundle` fetches its own esbuild from npm when it runs for the first time.
 */

import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeCommand } from "./runtimes.ts";
import { temporaryDirectory } from "./temporary.ts";
import type { TemporaryDirectory } from "./temporary.ts";

/** How to bundle, named for the tool. */
export type Bundler = "esbuild" | "deno bundle" | "bun build --compile" | "node SEA";

/** Bundlers whose output runs by itself. */
const executables: ReadonlySet<Bundler> = new Set<Bundler>(["bun build --compile", "node SEA"]);

/** What postject looks for in a Node: a fact of Node's documentation. */
const SEA_FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

/** With what to run a bundle; "itself" is for executables. */
export type BundleRunner = "node" | "deno" | "bun" | "itself";

/** A bundle alone in an otherwise empty directory. */
export interface Bundle {
  /** The directory, which is also the working directory of `run`. */
  readonly directory: string;
  /**
   * Runs the bundle and returns what it printed on standard output; throws if it failed. Deno gets
   * `denoPermissions`, none by default.
   */
  run(runner: BundleRunner, args?: string[], denoPermissions?: string[]): string;
  /** Deletes the directory. */
  dispose(): void;
}

const repository = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Bundles the program `entry`, a path relative to the repository under `src/`, `examples/` or
 * `tests/`. Takes seconds.
 */
export function bundle(bundler: Bundler, entry: string): Bundle {
  const target = temporaryDirectory("bundle");
  let copy: TemporaryDirectory | undefined;
  try {
    copy = temporaryDirectory("sources");
    copySources(copy.path);
    const output = path.join(copy.path, "program");
    build(bundler, copy.path, entry, output);
    const file = path.join(
      target.path,
      executables.has(bundler) ? "program" : "program.mjs",
    );
    renameSync(output, file);
    return {
      directory: target.path,
      run: (runner, args = [], denoPermissions = []) =>
        run(target.path, file, runner, args, denoPermissions),
      dispose: () => target.dispose(),
    };
  } catch (error) {
    target.dispose();
    throw error;
  } finally {
    copy?.dispose();
  }
}

/** Copies what a bundle of the library may be made of, and nothing else. */
function copySources(copy: string): void {
  for (
    const name of [
      "mod.ts",
      "contract.ts",
      "contract_suite.ts",
      "src",
      "examples",
      "tests",
      "wasm/generated",
    ]
  ) {
    cpSync(path.join(repository, name), path.join(copy, name), {
      recursive: true,
      filter: (source) =>
        path.basename(source) !== "node_modules" &&
        !source.startsWith(path.join(repository, "tests", "fixtures")),
    });
  }
  const { name, version, type, exports, dependencies } = JSON.parse(
    readFileSync(path.join(repository, "package.json"), "utf8"),
  );
  for (const dependency of Object.keys(dependencies)) {
    const folder = path.join("node_modules", dependency);
    cpSync(path.join(repository, folder), path.join(copy, folder), { recursive: true });
  }
  writeFileSync(
    path.join(copy, "package.json"),
    JSON.stringify({ name, version, type, exports, dependencies }),
  );
  writeFileSync(
    path.join(copy, "deno.json"),
    JSON.stringify({ name, version, exports, nodeModulesDir: "manual" }),
  );
}

function build(bundler: Bundler, copy: string, entry: string, output: string): void {
  const source = path.join(copy, entry);
  const tools = path.join(repository, "node_modules", ".bin");
  switch (bundler) {
    case "esbuild": {
      const options = ["--bundle", "--platform=node", "--format=esm", "--log-level=warning"];
      execute(path.join(tools, "esbuild"), [source, ...options, `--outfile=${output}`], copy);
      return;
    }
    case "deno bundle":
      execute(path.join(tools, "deno"), ["bundle", "--quiet", "-o", output, source], copy);
      return;
    case "bun build --compile":
      execute(path.join(tools, "bun"), ["build", "--compile", source, "--outfile", output], copy);
      return;
    case "node SEA":
      return buildSea(source, copy, output, tools);
  }
}

/**
 * Node's single executable: Node itself, with the program, as CommonJS, injected by postject of
 * tests/adapters.
 */
function buildSea(source: string, copy: string, output: string, tools: string): void {
  const options = ["--bundle", "--platform=node", "--format=cjs", "--log-level=warning"];
  execute(path.join(tools, "esbuild"), [source, ...options, "--outfile=program.cjs"], copy);
  const config = {
    main: "program.cjs",
    output: "program.blob",
    disableExperimentalSEAWarning: true,
  };
  writeFileSync(path.join(copy, "sea.json"), JSON.stringify(config));
  const node = path.join(tools, "node");
  execute(node, ["--experimental-sea-config", "sea.json"], copy);
  copyFileSync(node, output);
  const postject = path.join(repository, "tests/adapters/node_modules/.bin/postject");
  const injected = [output, "NODE_SEA_BLOB", "program.blob", "--sentinel-fuse", SEA_FUSE];
  execute(node, [realpathSync(postject), ...injected], copy);
}

function run(
  directory: string,
  file: string,
  runner: BundleRunner,
  args: string[],
  denoPermissions: string[],
): string {
  if (runner === "itself") return execute(file, args, directory);
  const started = runtimeCommand(runner, file, args, denoPermissions);
  return execute(started.command, started.args, directory);
}

function execute(command: string, args: string[], directory: string): string {
  const result = spawnSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
    timeout: 120_000,
  });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    throw new Error(
      `"${[command, ...args].join(" ")}" ended with ${result.status ?? result.signal}:\n` +
        result.stdout + result.stderr,
    );
  }
  return result.stdout;
}
