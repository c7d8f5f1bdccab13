/**
 * `npm run test:packages`: the packages of packages/, which have their own dependencies and lock
 * files. For each one it installs the dependencies if they are not there, checks the types, and
 * runs its tests (packages/NAME/tests/*_test.ts) on each runtime that the package declares.
 *
 *     npm run test:packages -- --package cli      # one package
 *     npm run test:packages -- --runtime bun      # one runtime (repeat for more)
 *     npm run test:packages -- --filter dump      # files whose path contains the text
 *
 * A package.json may say under "tinykvs" where its tests run; the default is all three runtimes:
 *
 *     "tinykvs": {
 *       "runtimes": ["node", "bun"],              // all files of the package
 *       "nodeOnly": ["tests/kills_test.ts"],      // files that run on Node alone
 *       "needs": ["postgres"]                     // other packages that it uses from this folder
 *     }
 *
 * `nodeOnly` is for slow files that test a service by kills, faults or much data: they show the
 * same on each runtime. What depends on the runtime belongs into the other files.
 *
 * The last line is `N passed, N failed`. The types of a package count as one, and so do a failed
 * installation and a file for which the runtimes report different numbers of tests.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { install } from "./ecosystem.ts";
import { installationProblem } from "./installed.ts";
import {
  binaryOf,
  failureOf,
  parseRuntime,
  PROCESSES,
  root,
  runPool,
  runProcess,
  type Runtime,
  runtimes,
} from "./processes.ts";
import { filesUnder } from "./source_files.ts";
import { disagreements } from "./test_counts.ts";
import { runTestFile, type TestFileResult } from "./test_file.ts";

const TIMEOUT_MS = 1_200_000;
const MAX_OUTPUT = 20_000;

/** A package with tests. */
interface TestedPackage {
  readonly name: string;
  /** Its folder, relative to the repository. */
  readonly folder: string;
  readonly runtimes: readonly Runtime[];
  readonly files: readonly string[];
  /** Those of the files that run on Node alone. */
  readonly nodeOnly: ReadonlySet<string>;
  /** The folders whose dependencies must be there: its own, and those of packages that it uses. */
  readonly installed: readonly string[];
}

/** The packages that have tests. */
function testedPackages(): TestedPackage[] {
  return readdirSync(path.join(root, "packages")).sort().flatMap((name) => {
    const folder = `packages/${name}`;
    const manifest = path.join(root, folder, "package.json");
    const files = filesUnder(`${folder}/tests`, "_test.ts");
    if (!existsSync(manifest) || files.length === 0) return [];
    const { tinykvs } = JSON.parse(readFileSync(manifest, "utf8"));
    const declared: readonly string[] = tinykvs?.runtimes ?? runtimes;
    const nodeOnly = new Set<string>(tinykvs?.nodeOnly?.map((file: string) => `${folder}/${file}`));
    for (const file of nodeOnly) {
      if (files.includes(file)) continue;
      throw new RangeError(
        `Cannot test: "nodeOnly" of ${folder} has ${file}, which is no test file`,
      );
    }
    const needs: readonly string[] = tinykvs?.needs ?? [];
    const installed = [folder, ...needs.map((needed) => `packages/${needed}`)];
    const own = declared.map((text) => required(text));
    return [{ name, folder, files, nodeOnly, installed, runtimes: own }];
  });
}

function required(text: string): Runtime {
  const runtime = parseRuntime(text);
  if (runtime !== undefined) return runtime;
  throw new RangeError(`Cannot test on "${text}": expected one of ${runtimes.join(", ")}`);
}

const { values: options } = parseArgs({
  options: {
    package: { type: "string", multiple: true },
    runtime: { type: "string", multiple: true },
    filter: { type: "string" },
    jobs: { type: "string" },
  },
});
const chosenRuntimes = options.runtime?.map(required);
const jobs = Number(options.jobs ?? PROCESSES);
const problem = installationProblem();
if (problem !== undefined) {
  console.error(`Cannot test: ${problem}`);
  process.exit(1);
}
const packages = testedPackages().filter(({ name }) => options.package?.includes(name) ?? true);

let passed = 0;
let failed = 0;
function fail(message: string): void {
  failed++;
  console.log(`FAILED ${message}`);
}

/** Checks the types of all sources of a package. They need its dependencies. */
async function checkTypes({ folder }: TestedPackage): Promise<void> {
  const result = await runProcess(binaryOf("deno"), ["check", ...filesUnder(folder, ".ts")], {
    timeoutMs: TIMEOUT_MS,
  });
  const failure = failureOf(result);
  console.log(`${result.seconds.toFixed(1).padStart(6)} s  types of ${folder}`);
  if (failure === undefined) passed++;
  else fail(`types of ${folder}: ${failure}\n${result.output.slice(-MAX_OUTPUT)}`);
}

async function testFile(runtime: Runtime, file: string): Promise<void> {
  const result = await runTestFile(runtime, file, TIMEOUT_MS);
  results.push(result);
  passed += result.passed;
  failed += result.failed;
  const counts = `${result.passed} passed${result.failed > 0 ? `, ${result.failed} FAILED` : ""}`;
  console.log(`${result.seconds.toFixed(1).padStart(6)} s  ${file} on ${runtime}: ${counts}`);
  if (result.failed === 0) return;
  console.log(`\n--- ${file} on ${runtime}\n${result.output.trimEnd().slice(-MAX_OUTPUT)}`);
  for (const name of result.failedNames) console.log(`FAILED ${runtime} "${name}"`);
  if (result.problem !== undefined) console.log(`FAILED ${runtime}: ${result.problem}`);
  console.log(`repeat: npm run test:packages -- --runtime ${runtime} --filter ${file}\n`);
}

const started = performance.now();
const results: TestFileResult[] = [];
const tasks: (() => Promise<void>)[] = [];
for (const tested of packages) {
  const problems: (string | undefined)[] = [];
  for (const folder of tested.installed) problems.push(await install(folder));
  const installProblem = problems.find((found) => found !== undefined);
  if (installProblem !== undefined) {
    fail(installProblem);
    continue;
  }
  if (options.filter === undefined) tasks.push(() => checkTypes(tested));
  for (const file of tested.files) {
    if (options.filter !== undefined && !file.includes(options.filter)) continue;
    for (const runtime of tested.runtimes) {
      if (chosenRuntimes !== undefined && !chosenRuntimes.includes(runtime)) continue;
      if (runtime !== "node" && tested.nodeOnly.has(file)) continue;
      tasks.push(() => testFile(runtime, file));
    }
  }
}
await runPool(tasks, jobs);
if (tasks.length === 0) fail("no test file of a package was chosen");
for (const problem of disagreements(results, console.log)) fail(problem);
for (const runtime of runtimes) {
  const own = results.filter((result) => result.runtime === runtime);
  if (own.length === 0) continue;
  const sum = (of: (result: TestFileResult) => number): number =>
    own.reduce((total, result) => total + of(result), 0);
  const skipped = sum((result) => result.skipped);
  console.log(
    `${runtime.padEnd(6)}${String(sum((result) => result.passed)).padStart(5)} passed, ` +
      `${sum((result) => result.failed)} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`,
  );
}
console.log(`${((performance.now() - started) / 1000).toFixed(1)} s, ${jobs} processes at a time`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
