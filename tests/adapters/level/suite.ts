/** Runs abstract-level's own test suite on databases that a test makes, and reports the result. */

import assert from "node:assert/strict";
import type { TinyLevel } from "../../../level.ts";
import { load, loadShared } from "../packages.ts";

/** What the suite needs from a test. */
export interface SuiteOptions {
  /** Makes a database with the options of a test, at a new location. */
  readonly factory: (
    options?: Record<string, unknown>,
  ) => TinyLevel<unknown, unknown>;
}

/** The result of a run. */
export interface SuiteResult {
  /** The number of tests that were run. */
  readonly tests: number;
  /** The number of assertions that held. */
  readonly passed: number;
  /** The assertions that failed: the test, the assertion, what was found, and what was expected. */
  readonly failures: readonly string[];
}

/** A line of tape's report. */
interface Row {
  readonly type: "test" | "assert" | "end";
  readonly id?: number;
  readonly test?: number;
  readonly name?: string;
  readonly ok?: boolean;
  readonly actual?: unknown;
  readonly expected?: unknown;
}

interface Harness {
  createStream(options: { objectMode: true }): {
    on(event: "data", listener: (row: Row) => void): void;
    on(event: "end", listener: () => void): void;
  };
}

type Suite = (options: SuiteOptions & { test: Harness }) => void;

/** Runs the whole suite. */
export async function runSuite(options: SuiteOptions): Promise<SuiteResult> {
  const harness = load<{ createHarness(): Harness }>("tape").createHarness();
  const rows = harness.createStream({ objectMode: true });
  loadShared<Suite>("abstract-level/test")({ ...options, test: harness });
  const names = new Map<number | undefined, string | undefined>();
  const failures: string[] = [];
  let passed = 0;
  rows.on("data", (row) => {
    if (row.type === "test") names.set(row.id, row.name);
    if (row.type !== "assert") return;
    if (row.ok === true) passed++;
    else {
      const [found, expected] = [String(row.actual), String(row.expected)];
      failures.push(
        `${names.get(row.test)}: ${row.name}: found ${found}, expected ${expected}`,
      );
    }
  });
  await new Promise<void>((resolve) => rows.on("end", resolve));
  return { tests: names.size, passed, failures };
}

/** Runs the whole suite. Fails if an assertion failed, or if the run ended early. */
export async function requireSuite(options: SuiteOptions): Promise<void> {
  const { tests, passed, failures } = await runSuite(options);
  assert.deepEqual(failures, []);
  // The number of tests in the pinned suite.
  assert.ok(tests >= 1_500, `${tests} tests`);
  assert.ok(passed >= 5_000, `${passed} assertions`);
}
