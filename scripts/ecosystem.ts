/**
 * Installs the other test runners that tests/ecosystem tries. They are a separate package of 350
 * packages, which only these tests need. So `npm ci` stays quick, and its lock file short.
 */

import { statSync } from "node:fs";
import * as path from "node:path";
import { failureOf, root, runProcess } from "./processes.ts";

/** Folder of the tests that need them. */
export const ecosystemFolder = "tests/ecosystem";

const TIMEOUT_MS = 300_000;

/** Installs them unless they are what the lock file says; returns what went wrong, or undefined. */
export async function installEcosystem(): Promise<string | undefined> {
  const directory = path.join(root, ecosystemFolder);
  // npm writes the second one at the end of an installation.
  const lockedMs = changedMs(path.join(directory, "package-lock.json"));
  if (changedMs(path.join(directory, "node_modules", ".package-lock.json")) >= lockedMs) return;
  const result = await runProcess(
    "npm",
    ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    { directory, timeoutMs: TIMEOUT_MS },
  );
  const failure = failureOf(result);
  if (failure === undefined) return;
  return `npm ci in "${ecosystemFolder}" ${failure}:\n${result.output.trimEnd()}`;
}

function changedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
}
