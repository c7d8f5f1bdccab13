/**
 * `npm run check`: the checks that take seconds (types, lint, format, documentation, package
 * contents), two at a time. Prints a line each, the whole output of those that fail, and exits
 * with 1 if any did. scripts/checks.ts says what they are.
 */

import process from "node:process";
import { allChecks, type CheckResult, runCheck } from "./checks.ts";
import { installationProblem } from "./installed.ts";
import { runPool } from "./processes.ts";

const problem = installationProblem();
if (problem !== undefined) {
  console.error(`Cannot check: ${problem}`);
  process.exit(1);
}
const results: CheckResult[] = [];
await runPool(
  allChecks().map((check) => async () => {
    const result = await runCheck(check);
    results.push(result);
    const verdict = result.failure === undefined ? "ok    " : "FAILED";
    console.log(`${verdict} ${result.seconds.toFixed(1).padStart(5)} s  ${result.name}`);
  }),
  2,
);
const failed = results.filter((result) => result.failure !== undefined);
for (const { name, failure } of failed) console.log(`\n--- ${name}\n${failure}`);
process.exitCode = failed.length === 0 ? 0 : 1;
