/**
 * `npm test`, `npm run test:runtimes` and `npm run test:faults`: test files on Node, Deno and Bun,
 * one process each.
 *
 *   npm test                                  the quick checks, and the quick suite on Node
 *   npm run test:runtimes                     the quick suite on Deno and Bun, the slow one on all three
 *   npm run test:faults                       the fault programme on all three, with its figures
 *   npm test -- --suite all                   all of it
 *   npm test -- --runtime deno                one runtime (repeat for more), without the checks
 *   npm test -- --filter sstable/block        files of all suites whose path contains the text
 *   npm test -- --jobs 1                      processes at a time; see PROCESSES in scripts/processes.ts
 *   npm run test:long                         both suites; seeded tests try ten times as much, as with
 *   TINYKVS_TEST_SCALE=10 npm test            (any positive factor; the default is 1)
 *
 * Tests of the fault programme report how much they have tried. A whole run adds that up, prints
 * it, and fails if it is less than scripts/figures.ts asks for.
 *
 * The last line is always `N passed, N failed`. A check, a test on a runtime, a crashed process and
 * a disagreement between the runtimes count as one each. The exit code is 1 if anything failed. The
 * runtimes do not decide which tests exist: this script lists the files, each must report at least
 * one test, the three runtimes must report equally many for it, and the total may not fall below a
 * floor.
 */

import { execFileSync } from "node:child_process";
import * as path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { allChecks, runCheck } from "./checks.ts";
import { cpuSecondsOf } from "./cpu_time.ts";
import { installEcosystem } from "./ecosystem.ts";
import { Figures } from "./figures.ts";
import { installationProblem } from "./installed.ts";
import { parseRuntime, PROCESSES, root, runPool, type Runtime, runtimes } from "./processes.ts";
import { Progress } from "./progress.ts";
import { testFiles } from "./source_files.ts";
import { runtimesIn, scopes, type Suite, suiteOf } from "./suites.ts";
import { disagreements } from "./test_counts.ts";
import { runTestFile, type TestFileResult } from "./test_file.ts";

/** Fewer tests than this on a runtime mean that some were lost; raise it as tests are added. */
const minimumTestsPerRuntime: Readonly<Record<Suite, number>> = {
  quick: 1400,
  slow: 60,
  faults: 120,
};
const suites: readonly Suite[] = ["quick", "slow", "faults"];

/** Folders under tests/ with the files that take longest: they start first. */
const slowFolders = ["seeded_bugs", "faults", "properties", "fuzz", "store"];

/**
 * Files that mostly wait, for a slow disk or for other processes. They run beside the others, one
 * by one.
 */
const waitingFiles: ReadonlySet<string> = new Set([
  "tests/faults/soak_test.ts",
  "tests/faults/kill_test.ts",
]);

const maximumOutputLength = 20_000;

/** The last part of a text that is too long to show. */
function tail(text: string): string {
  if (text.length <= maximumOutputLength) return text;
  return `... (${text.length - maximumOutputLength} characters left out)\n${
    text.slice(-maximumOutputLength)
  }`;
}

/** Sorts slow folders to the front, else by path. */
function inStartingOrder(files: readonly string[]): string[] {
  const rank = (file: string): number => {
    const index = slowFolders.indexOf(file.split("/")[1]!);
    return index === -1 ? slowFolders.length : index;
  };
  return files.toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** The line of a file on a runtime that has ended. */
function lineOf(result: TestFileResult): string {
  const counts = `${result.passed} passed${result.failed > 0 ? `, ${result.failed} FAILED` : ""}`;
  const cpu = result.cpuSeconds === undefined ? "" : ` (CPU ${result.cpuSeconds.toFixed(1)} s)`;
  const seconds = `${result.seconds.toFixed(1).padStart(6)} s${cpu}`;
  return `${seconds}  ${result.file} on ${result.runtime}: ${counts}`;
}

/** Prints what failed in a file, if anything did. */
function printFailure(result: TestFileResult): void {
  if (result.failed === 0) return;
  const { runtime, file } = result;
  progress.print(`\n--- ${file} on ${runtime}`);
  progress.print(tail(result.output.trimEnd()));
  for (const name of result.failedNames) progress.print(`FAILED ${runtime} "${name}"`);
  if (result.problem !== undefined) progress.print(`FAILED ${runtime}: ${result.problem}`);
  progress.print(`repeat: npm test -- --runtime ${runtime} --filter ${file}\n`);
}

const notInstalled = installationProblem();
if (notInstalled !== undefined) {
  console.error(`Cannot test: ${notInstalled}`);
  process.exit(1);
}
const { values: options } = parseArgs({
  options: {
    runtime: { type: "string", multiple: true },
    filter: { type: "string" },
    jobs: { type: "string" },
    scale: { type: "string" },
    suite: { type: "string" },
  },
});
for (const name of options.runtime ?? []) {
  if (parseRuntime(name) === undefined) {
    throw new RangeError(`Cannot test on "${name}": expected one of ${runtimes.join(", ")}`);
  }
}
const jobs = options.jobs === undefined ? PROCESSES : Number(options.jobs);
if (!Number.isSafeInteger(jobs) || jobs < 1) {
  throw new RangeError(`Cannot run "${options.jobs}" jobs: expected an integer of at least 1`);
}
// Test processes read it from the environment.
if (options.scale !== undefined) process.env["TINYKVS_TEST_SCALE"] = options.scale;
const scale = Number(process.env["TINYKVS_TEST_SCALE"] ?? "1");
if (!(scale > 0)) {
  throw new RangeError(
    `Cannot scale the tests by "${process.env["TINYKVS_TEST_SCALE"]}": expected a number above 0`,
  );
}
/** A filter looks in all suites; without one, the quick suite runs. */
const scopeName = options.suite ?? (options.filter === undefined ? "quick" : "all");
const scope = scopes[scopeName];
if (scope === undefined) {
  throw new RangeError(
    `Cannot test the suite "${scopeName}": expected one of ${Object.keys(scopes).join(", ")}`,
  );
}
/** Runtimes that were asked for by name take the place of those of the suite. */
const runtimesOf = (file: string): readonly Runtime[] => {
  if (scope[suiteOf(file)] === undefined) return [];
  return options.runtime?.map((name) => parseRuntime(name)!) ?? runtimesIn(scope, file);
};
const files = inStartingOrder(
  testFiles().filter((file) =>
    runtimesOf(file).length > 0 && (options.filter === undefined || file.includes(options.filter))
  ),
);
const chosen = runtimes.filter((name) => files.some((file) => runtimesOf(file).includes(name)));
const isWhole = options.filter === undefined && options.runtime === undefined;

let passed = 0;
let failed = 0;
/** Counts a failure that belongs to no single test. */
function fail(message: string): void {
  failed++;
  progress.print(`FAILED ${message}`);
}

// Also if it was not npm that started us: nothing may be tested with the worker program of other
// sources.
execFileSync(process.execPath, [path.join(root, "wasm/build.ts"), "--if-stale"], {
  stdio: "inherit",
});
const started = performance.now();
const results: TestFileResult[] = [];
const figures = new Figures();
const checks = isWhole && scope.quick?.includes("node") ? allChecks() : [];
const progress = new Progress([
  ...checks.map((check) => `check: ${check.name}`),
  ...files.flatMap((file) => runtimesOf(file).map((runtime) => `${file} on ${runtime}`)),
]);
const checkTasks = checks.map((check) => async () => {
  const name = `check: ${check.name}`;
  progress.begin(name);
  const result = await runCheck(check);
  const line = `${result.seconds.toFixed(1).padStart(6)} s  ${name}`;
  progress.end(
    name,
    result.seconds,
    result.failure === undefined ? `${line}: passed` : `${line}: FAILED`,
  );
  if (result.failure === undefined) passed++;
  else fail(`${check.name}\n${tail(result.failure)}`);
});
const installProblem = await installEcosystem(files, chosen);
if (installProblem !== undefined) fail(installProblem);
const timeoutMs = 1_200_000 * Math.max(1, scale);
const tasksOf = (some: readonly string[]): (() => Promise<void>)[] =>
  some.flatMap((file) =>
    runtimesOf(file).map((runtime) => async () => {
      const name = `${file} on ${runtime}`;
      progress.begin(name);
      const result = await runTestFile(runtime, file, timeoutMs);
      results.push(result);
      figures.collect(runtime, result.output);
      progress.end(name, result.seconds, lineOf(result));
      printFailure(result);
    })
  );
const waiting = tasksOf(files.filter((file) => waitingFiles.has(file)));
const working = [...checkTasks, ...tasksOf(files.filter((file) => !waitingFiles.has(file)))];
if (jobs === 1) await runPool([...working, ...waiting], 1);
else await Promise.all([runPool(working, jobs), runPool(waiting, 1)]);
progress.save();

if (files.length === 0) fail(`no test file's path contains "${options.filter ?? ""}"`);
for (const problem of disagreements(results, (line) => console.log(line))) fail(problem);
for (const line of figures.lines()) console.log(line);
if (isWhole && scope.faults !== undefined) {
  for (const problem of figures.problems()) fail(problem);
}
/** The files that took most of something. */
function longest(of: (result: TestFileResult) => number): string {
  return results.toSorted((a, b) => of(b) - of(a)).slice(0, 12)
    .map((result) => `${result.file} (${result.runtime}, ${of(result).toFixed(1)} s)`).join(", ");
}
console.log(`slowest: ${longest((result) => result.seconds)}`);
const cpuSeconds = cpuSecondsOf("self");
if (cpuSeconds !== undefined) {
  console.log(`most CPU time: ${longest((result) => result.cpuSeconds ?? 0)}`);
}
for (const runtime of chosen) {
  const own = results.filter((result) => result.runtime === runtime);
  const sum = (of: (result: TestFileResult) => number): number =>
    own.reduce((total, result) => total + of(result), 0);
  const runtimePassed = sum((result) => result.passed);
  const runtimeFailed = sum((result) => result.failed);
  const skipped = sum((result) => result.skipped);
  passed += runtimePassed;
  failed += runtimeFailed;
  console.log(
    `${runtime.padEnd(6)}${String(runtimePassed).padStart(5)} passed, ${runtimeFailed} failed` +
      `${skipped > 0 ? `, ${skipped} skipped` : ""}, ${own.length} files, ` +
      `${sum((result) => result.seconds).toFixed(1)} s of processes, ` +
      `${sum((result) => result.cpuSeconds ?? 0).toFixed(1)} s of their CPU time`,
  );
  const total = runtimePassed + runtimeFailed;
  const minimum = suites.filter((suite) => scope[suite]?.includes(runtime))
    .reduce((least, suite) => least + minimumTestsPerRuntime[suite], 0);
  if (isWhole && total < minimum) {
    fail(`${runtime} ran ${total} tests, expected at least ${minimum}`);
  }
}
const cpuOfAll = cpuSeconds === undefined ? "" : `, ${cpuSeconds.toFixed(1)} s of CPU time`;
console.log(
  `${((performance.now() - started) / 1000).toFixed(1)} s, ${jobs} processes at a time${cpuOfAll}`,
);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
