/**
 * The parts of the tests: which file belongs to which, and which command runs it where.
 *
 * - "quick": what a change must pass before somebody looks at it. `npm test` runs it on Node.
 * - "slow": tests of whole programs: other test runners, permission models, many stores and
 *   processes.
 * - "faults": the fault programme: crash states, injected errors, damaged stores, histories against
 *   a model, fuzzed decoders, kills, seeded bugs.
 *
 * The line between "quick" and the others is how long a file takes, not what it tests.
 */

import { type Runtime, runtimes } from "./processes.ts";
import { testFiles } from "./source_files.ts";

/** A part of the tests. */
export type Suite = "quick" | "slow" | "faults";

/** What a command runs: the runtimes of each suite. */
export type Scope = Readonly<Partial<Record<Suite, readonly Runtime[]>>>;

/**
 * What can be asked for by `--suite`. `npm test`, `test:runtimes` and `test:faults` are "all"
 * together.
 */
export const scopes: Readonly<Record<string, Scope>> = {
  quick: { quick: ["node"] },
  runtimes: { quick: ["deno", "bun"], slow: runtimes },
  faults: { faults: runtimes },
  all: { quick: runtimes, slow: runtimes, faults: runtimes },
};

/** Folders under tests/ whose files start other programs for most of their time. */
const slowFolders: readonly string[] = ["ecosystem"];

/** Files of other folders that take as long as those do. */
const slowFiles: ReadonlySet<string> = new Set([
  "tests/adapters/level/suite_disk_test.ts",
  "tests/adapters/level/y_leveldb_test.ts",
  "tests/adapters/single_file_test.ts",
  "tests/bench/db_bench_test.ts",
  "tests/platform/directory_lock_test.ts",
  "tests/platform/node_permissions_test.ts",
  "tests/store/background_thread_test.ts",
  "tests/store/block_memory_test.ts",
  "tests/store/bundles_test.ts",
  "tests/store/many_stores_test.ts",
  "tests/store/without_web_assembly_test.ts",
]);

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

/**
 * Folders whose tests read the sources, or run them on Node. A second runtime would only do the
 * same again.
 */
const nodeFolders: readonly string[] = ["meta", "seeded_bugs"];

/** Files of other folders that start the same programs from every runtime. */
const nodeFiles: ReadonlySet<string> = new Set([
  "tests/bench/chart_test.ts",
  "tests/bench/document_test.ts",
  "tests/bench/peers_report_test.ts",
  "tests/bench/peers_verdict_test.ts",
  "tests/bench/rewrite_model_test.ts",
  "tests/bench/scale_report_test.ts",
  "tests/bench/smoke_verdict_test.ts",
  "tests/platform/deno_permissions_test.ts",
  "tests/platform/node_permissions_test.ts",
]);

/** Whether one runtime is enough for a test file: then Node runs it. */
export function isForNode(file: string): boolean {
  return nodeFolders.includes(file.split("/")[1]!) || nodeFiles.has(file);
}

/** The runtimes on which a command runs a test file. */
export function runtimesIn(scope: Scope, file: string): readonly Runtime[] {
  const usual = scope[suiteOf(file)] ?? [];
  return isForNode(file) ? usual.filter((runtime) => runtime === "node") : usual;
}

/** The suite that a test file belongs to. */
export function suiteOf(file: string): Suite {
  const folder = file.split("/")[1]!;
  if (faultFolders.includes(folder) || faultFiles.has(file)) return "faults";
  return slowFolders.includes(folder) || slowFiles.has(file) ? "slow" : "quick";
}

/** The test files of a suite. */
export function filesOf(suite: Suite): string[] {
  return testFiles().filter((file) => suiteOf(file) === suite);
}
