/**
 * `npm test` and `npm run test:faults`: test files on Node, Deno and Bun, a process each.
 *
 *   npm test                                  the quick checks and the quick suite
 *   npm run test:faults                       the fault programme, with its figures
 *   npm test -- --suite all                   both suites
 *   npm test -- --runtime deno                one runtime (repeat for more), without the checks
 *   npm test -- --filter sstable/block        files of both suites whose path contains the text
 *   npm test -- --jobs 1                      processes at a time; the default is one a core, at most 4
 *   npm run test:long                         both suites; seeded tests try ten times as much, as with
 *   TINYKVS_TEST_SCALE=10 npm test            (any positive factor; the default is 1)
 *
 * Tests of the fault programme report how much they have tried; a whole run adds that up, prints it,
 * and fails if it is less than scripts/figures.ts asks for.
 *
 * The last line is always `N passed, N failed`, where a check, a test on a runtime, a crashed
 * process and a disagreement between the runtimes count as one each; the exit code is 1 if
 * anything failed. Which tests exist is not left to the runtimes: the files are listed here, each
 * must report at least one test, the three runtimes must report equally many for it, and together
 * they may not fall below a floor.
 */

import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { allChecks, runCheck } from "./checks.ts";
import { Figures } from "./figures.ts";
import { parseRuntime, runPool, type Runtime, runtimes } from "./processes.ts";
import { Progress } from "./progress.ts";
import { testFiles } from "./source_files.ts";
import { type Suite, suiteOf, suites } from "./suites.ts";
import { runTestFile, type TestFileResult } from "./test_file.ts";

/** Fewer tests than this on a runtime mean that some were lost; raise it as tests are added. */
const minimumTestsPerRuntime: Readonly<Record<Suite, number>> = { quick: 900, faults: 80 };

/** Files whose number of tests differs between runtimes, each with the reason. */
const differingCounts: Readonly<Record<string, string>> = {};

/** Folders under tests/ with the files that take longest: they start first. */
const slowFolders = ["seeded_bugs", "faults", "properties", "fuzz", "store"];

/** Files that mostly wait, for a slow disk or for other processes: they run beside the others, one by one. */
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
  const seconds = `${result.seconds.toFixed(1).padStart(6)} s`;
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

/** Files on which the runtimes reported different numbers of tests, in words. */
function disagreements(results: readonly TestFileResult[], ran: readonly Runtime[]): string[] {
  const problems: string[] = [];
  for (const file of new Set(results.map((result) => result.file))) {
    const ofFile = ran.map((runtime) =>
      results.find((result) => result.file === file && result.runtime === runtime)!
    );
    // A file with a problem has failed already, and its count means nothing.
    if (ofFile.some((result) => result.problem !== undefined)) continue;
    const counts = ofFile.map((result) => result.passed + result.failed + result.skipped);
    if (new Set(counts).size === 1) continue;
    const text = `${file}: ${
      ofFile.map((result, i) => `${result.runtime} ${counts[i]}`).join(", ")
    }`;
    const reason = differingCounts[file];
    if (reason === undefined) {
      problems.push(`Runtimes report different numbers of tests in ${text}`);
    } else console.log(`Test counts differ in ${text}: ${reason}`);
  }
  return problems;
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
const chosen = runtimes.filter((runtime) => options.runtime?.includes(runtime) ?? true);
for (const name of options.runtime ?? []) {
  if (parseRuntime(name) === undefined) {
    throw new RangeError(`Cannot test on "${name}": expected one of ${runtimes.join(", ")}`);
  }
}
const jobs = options.jobs === undefined
  ? Math.min(availableParallelism(), 4)
  : Number(options.jobs);
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
/** A filter looks in both suites; else the quick one is meant. */
const suiteName = options.suite ?? (options.filter === undefined ? "quick" : "all");
const chosenSuites = suites.filter((suite) => suiteName === "all" || suiteName === suite);
if (chosenSuites.length === 0) {
  throw new RangeError(
    `Cannot test the suite "${suiteName}": expected one of ${suites.join(", ")}, all`,
  );
}
const files = inStartingOrder(
  testFiles().filter((file) =>
    chosenSuites.includes(suiteOf(file)) &&
    (options.filter === undefined || file.includes(options.filter))
  ),
);
const isWhole = options.filter === undefined && options.runtime === undefined;

let passed = 0;
let failed = 0;
/** Counts a failure that belongs to no single test. */
function fail(message: string): void {
  failed++;
  progress.print(`FAILED ${message}`);
}

const started = performance.now();
const results: TestFileResult[] = [];
const figures = new Figures();
const checks = isWhole && chosenSuites.includes("quick") ? allChecks() : [];
const progress = new Progress([
  ...checks.map((check) => `check: ${check.name}`),
  ...files.flatMap((file) => chosen.map((runtime) => `${file} on ${runtime}`)),
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
const timeoutMs = 300_000 * Math.max(1, scale);
const tasksOf = (some: readonly string[]): (() => Promise<void>)[] =>
  some.flatMap((file) =>
    chosen.map((runtime) => async () => {
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
for (const problem of disagreements(results, chosen)) fail(problem);
for (const line of figures.lines()) console.log(line);
if (isWhole && chosenSuites.includes("faults")) {
  for (const problem of figures.problems()) fail(problem);
}
const slowest = results.toSorted((a, b) => b.seconds - a.seconds).slice(0, 12);
console.log(
  `slowest: ${
    slowest.map((r) => `${r.file} (${r.runtime}, ${r.seconds.toFixed(1)} s)`).join(", ")
  }`,
);
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
      `${sum((result) => result.seconds).toFixed(1)} s of processes`,
  );
  const total = runtimePassed + runtimeFailed;
  const minimum = chosenSuites.reduce((least, suite) => least + minimumTestsPerRuntime[suite], 0);
  if (isWhole && total < minimum) {
    fail(`${runtime} ran ${total} tests, expected at least ${minimum}`);
  }
}
console.log(`${((performance.now() - started) / 1000).toFixed(1)} s, ${jobs} processes at a time`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
