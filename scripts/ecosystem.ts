/**
 * Installs what tests of other people's programs need: the test runners that tests/ecosystem tries,
 * and the libraries that tests/adapters does. They are packages of their own: hundreds of packages
 * that nobody needs who works on something else, so `npm ci` stays quick, and its lock file short.
 */

import { statSync } from "node:fs";
import * as path from "node:path";
import { failureOf, root, runProcess, type Runtime } from "./processes.ts";

/** Folders of tests with a package of their own, and the runtimes on which they need it. */
const folders: Readonly<Record<string, readonly Runtime[]>> = {
  "tests/adapters": ["node", "deno", "bun"],
  "tests/ecosystem": ["node"],
};

const TIMEOUT_MS = 1_200_000;

/** Installs what test files need on some runtimes; returns what went wrong, or undefined. */
export async function installEcosystem(
  files: readonly string[],
  runtimes: readonly Runtime[],
): Promise<string | undefined> {
  for (const [folder, needing] of Object.entries(folders)) {
    const isNeeded = files.some((file) => file.startsWith(`${folder}/`)) &&
      needing.some((runtime) => runtimes.includes(runtime));
    const problem = isNeeded ? await install(folder) : undefined;
    if (problem !== undefined) return problem;
  }
}

/**
 * Installs a folder's packages unless they are what its lock file says; returns what went wrong, or
 * undefined.
 */
export async function install(folder: string): Promise<string | undefined> {
  const directory = path.join(root, folder);
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
  return `npm ci in "${folder}" ${failure}:\n${result.output.trimEnd()}`;
}

function changedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
}
