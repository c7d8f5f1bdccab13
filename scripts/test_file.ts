/**
 * Runs one test file on one runtime, in its own process, and reports the result.
 *
 * Each file and runtime has one process. So a crash, a hang or an early exit is traced to its file,
 * and cannot affect other results. If anything goes wrong outside of a test (the process crashed,
 * ended without a report, or reported no test at all), that counts as one failed test.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { parseJunit, type TestReport } from "./junit.ts";
import {
  binaryOf,
  failureOf,
  type ProcessResult,
  root,
  runProcess,
  type Runtime,
} from "./processes.ts";

/** The outcome of one test file on one runtime. */
export interface TestFileResult extends TestReport {
  readonly runtime: Runtime;
  /** Path of the test file, relative to the repository. */
  readonly file: string;
  readonly seconds: number;
  /** About how much CPU time it took, with its children; undefined if unknown. */
  readonly cpuSeconds: number | undefined;
  /** What was wrong besides failing tests; it counts as one of `failed`. */
  readonly problem: string | undefined;
  /** Everything that the process wrote. */
  readonly output: string;
}

/**
 * There are as many processes as cores, so helper threads of one garbage collector would compete
 * with the others.
 */
const QUIET_COLLECTOR = "--single-threaded-gc";

/**
 * Node keeps here what it has compiled. Without it, each process strips the types of about 150
 * modules and compiles them again, which takes longer than most of the test files.
 */
const environment = {
  NODE_COMPILE_CACHE: path.join(root, "node_modules", ".cache", "tinykvs", "compiled"),
};

/** Arguments that make `runtime` run `file` and write a JUnit report to `report`. */
function commandLine(runtime: Runtime, file: string, report: string): string[] {
  switch (runtime) {
    case "node":
      return [
        QUIET_COLLECTOR,
        "--test",
        // The process is already the file's own.
        "--test-isolation=none",
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
        "--test-reporter=junit",
        `--test-reporter-destination=${report}`,
        file,
      ];
    case "deno":
      return [
        "test",
        `--v8-flags=${QUIET_COLLECTOR}`,
        "-A",
        "--no-check",
        `--junit-path=${report}`,
        file,
      ];
    case "bun":
      // Only Bun has a time limit for each test (5 s); the limit of the file is ours.
      return [
        "test",
        "--timeout=86400000",
        "--reporter=junit",
        `--reporter-outfile=${report}`,
        `./${file}`,
      ];
  }
}

const emptyReport: TestReport = { passed: 0, failed: 0, skipped: 0, failedNames: [] };

/**
 * Combines the ending of the process with its report (undefined if it wrote none) into counts, and
 * into the problem in words if something other than a test failed.
 */
export function judge(
  processResult: Pick<ProcessResult, "code" | "signal" | "timedOut" | "seconds">,
  xml: string | undefined,
): TestReport & { problem: string | undefined } {
  let report = emptyReport;
  let problem: string | undefined;
  try {
    if (xml === undefined) problem = "it wrote no test report";
    else report = parseJunit(xml);
  } catch (error) {
    problem = (error as Error).message;
  }
  if (problem === undefined && report.passed + report.failed + report.skipped === 0) {
    problem = "it reported no tests";
  }
  const ending = failureOf(processResult as ProcessResult);
  // An exit code of 1 means failing tests. Without any, it means something else.
  if (ending !== undefined && (report.failed === 0 || processResult.code !== 1)) {
    problem = problem === undefined ? ending : `${ending}; ${problem}`;
  }
  return problem === undefined
    ? { ...report, problem }
    : { ...report, failed: report.failed + 1, problem };
}

/** Runs `file` on `runtime`; `timeoutMs` is when the process is killed. */
export async function runTestFile(
  runtime: Runtime,
  file: string,
  timeoutMs: number,
): Promise<TestFileResult> {
  const folder = mkdtempSync(path.join(tmpdir(), "tinykvs-report-"));
  try {
    const reportPath = path.join(folder, "report.xml");
    const commandArguments = commandLine(runtime, file, reportPath);
    const result = await runProcess(binaryOf(runtime), commandArguments, {
      timeoutMs,
      environment,
    });
    const verdict = judge(result, readIfThere(reportPath));
    const { seconds, cpuSeconds, output } = result;
    return { ...verdict, runtime, file, seconds, cpuSeconds, output };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The text of a file, or undefined if there is none. */
function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
