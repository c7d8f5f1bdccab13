/**
 * The two halves of the tests: which file belongs to which.
 *
 * - "quick", `npm test`: what a change must pass before somebody looks at it. Minutes.
 * - "faults", `npm run test:faults`: the fault programme: crash states, injected errors, damaged
 *   stores, histories against a model, fuzzed decoders, kills, seeded bugs. Half an hour.
 *
 * The line between them is how much a file tries, not what it tests.
 */

import { testFiles } from "./source_files.ts";

/** A half of the tests. */
export type Suite = "quick" | "faults";

/** Both, in the order in which continuous integration runs them. */
export const suites: readonly Suite[] = ["quick", "faults"];

/** Folders under tests/ that belong to the fault programme. */
const faultFolders: readonly string[] = ["faults", "fuzz", "properties", "seeded_bugs"];

/** Files of other folders that try as much as those do. */
const faultFiles: ReadonlySet<string> = new Set([
  "tests/compression/minlz_random_test.ts",
  "tests/go/go_log_test.ts",
  "tests/go/go_manifest_test.ts",
  "tests/go/hostile_go_store_test.ts",
  "tests/store/checkpoint_crash_test.ts",
  "tests/store/read_only_interleaving_test.ts",
]);

/** The suite that a test file belongs to. */
export function suiteOf(file: string): Suite {
  const folder = file.split("/")[1]!;
  return faultFolders.includes(folder) || faultFiles.has(file) ? "faults" : "quick";
}

/** The test files of a suite. */
export function filesOf(suite: Suite): string[] {
  return testFiles().filter((file) => suiteOf(file) === suite);
}
