/** Whether a run of tests has caught a bug: the rules, without running anything. */

import type { Bug, Command } from "./bug.ts";
import type { Outcome } from "./reporter.ts";

/** A run of tests that ended. */
export interface TestRun {
  /** How the tests ended that did. */
  readonly outcomes: readonly Outcome[];
  /** Exit code, or null if a signal ended the process. */
  readonly code: number | null;
  /** Whether it was stopped for taking too long. */
  readonly isTimedOut: boolean;
  /** How long it took. */
  readonly seconds: number;
  /** What it printed. */
  readonly output: string;
}

/** The verdict on a bug: how it was caught, or why it counts as not caught. */
export type Verdict =
  | { readonly isCaught: true; readonly title: string; readonly message: string }
  | { readonly isCaught: false; readonly reason: string };

/** Errors of a program that does not even run; a test that meets one has tested nothing. */
const SLIPS =
  /\b(?:SyntaxError|ReferenceError|ERR_MODULE_NOT_FOUND|ERR_UNSUPPORTED_TYPESCRIPT\w*|does not provide an export|is not a function|is not iterable|is not defined|Cannot find (?:module|package)|Cannot (?:read|set) properties of)\b/;

/** What is wrong with a run of the unbroken sources, or undefined: it has to pass. */
export function problemOfBaseline(run: TestRun, { titles }: Command): string | undefined {
  if (run.isTimedOut) return "it took too long";
  const failed = run.outcomes.find(({ result }) => result === "failed");
  if (failed !== undefined) return `"${failed.title}" fails: ${failed.message}`;
  if (run.code !== 0) return `it ended with ${run.code ?? "a signal"}`;
  const passed = run.outcomes.filter(({ result, title }) =>
    result === "passed" && titles.test(title)
  );
  return passed.length === 0 ? `no test has a title like ${titles}` : undefined;
}

/**
 * Judges a run of the broken sources. If there is a run of the same tests without the bug, the test
 * that fails must have passed there.
 */
export function judge(run: TestRun, baseline: TestRun | undefined, bug: Bug): Verdict {
  const missed = (reason: string): Verdict => ({ isCaught: false, reason });
  if (run.isTimedOut) return missed(`the run took more than ${run.seconds.toFixed(0)} s`);
  const failed = run.outcomes.find(({ result }) => result === "failed");
  if (failed === undefined) {
    return missed(
      run.code === 0 ? "every test passes" : `the run ended with ${run.code ?? "a signal"}`,
    );
  }
  const { title, failureType, errorName, message = "" } = failed;
  const failedBefore = baseline !== undefined &&
    !baseline.outcomes.some((outcome) => outcome.title === title && outcome.result === "passed");
  if (failedBefore || !bug.caughtBy.titles.test(title)) {
    return missed(`"${title}" fails, which is none of its tests: ${message}`);
  }
  if (failureType !== "testCodeFailure") {
    return missed(`"${title}" was ended by ${failureType}: ${message}`);
  }
  if (SLIPS.test(`${errorName}\n${message}`)) {
    return missed(`"${title}" fails on code that does not run: ${message}`);
  }
  if (!bug.symptom.test(message)) {
    return missed(`"${title}" fails for another reason than ${bug.symptom}: ${message}`);
  }
  return { isCaught: true, title, message };
}
