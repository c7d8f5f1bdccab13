/**
 * The quick checks: what `npm run check` runs, and `npm test` before the suite.
 *
 * Each check is one child process of the pinned Deno and needs no network. A check passes if its
 * process exits with 0, and if `verify`, if there is one, finds nothing wrong.
 */

import { existsSync } from "node:fs";
import * as path from "node:path";
import { entryPoints } from "./entry_points.ts";
import { binaryOf, failureOf, root, runProcess } from "./processes.ts";
import { filesUnder } from "./source_files.ts";

/** One check. */
export interface Check {
  /** Its name in the output. */
  readonly name: string;
  /** Arguments of deno. */
  readonly arguments: readonly string[];
  /** Looks at the output of a process that exited with 0; returns what is wrong with it. */
  readonly verify?: (output: string) => string[];
  /** Findings that are no failure, by a text that their line has. */
  readonly tolerated?: RegExp;
}

/** The outcome of a check. */
export interface CheckResult {
  readonly name: string;
  readonly seconds: number;
  /** Everything to show, or undefined if it passed. */
  readonly failure: string | undefined;
}

/** The entry points. */
const ENTRIES = entryPoints().map(({ source }) => source);

/** Files that a published package may contain besides src/ and wasm/generated/. */
const publishedFiles = new Set([
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "deno.json",
  ...ENTRIES,
]);

/**
 * The problems with the file list of `deno publish --dry-run`: `expected` files that are missing,
 * and files that have no place in a package. Paths are relative to the repository.
 */
export function checkPublishedFiles(output: string, expected: readonly string[]): string[] {
  const published = new Set<string>();
  for (const match of output.matchAll(/^\s+(file:\/\/\S+) \([\d.]+\s?\w+\)$/gm)) {
    published.add(path.relative(root, decodeURIComponent(new URL(match[1]!).pathname)));
  }
  const problems: string[] = [];
  for (const file of expected) {
    if (!published.has(file)) problems.push(`The package lacks "${file}"`);
  }
  for (const file of published) {
    const allowed = publishedFiles.has(file) || /^(src|wasm\/generated)\/.+\.ts$/.test(file) ||
      /^docs\/.+\.md$/.test(file);
    if (!allowed) problems.push(`The package holds "${file}", which is not meant to be published`);
  }
  return problems;
}

/** The files that a package must hold. */
function expectedPublishedFiles(): string[] {
  const always = [...ENTRIES, "deno.json", "LICENSE", ...filesUnder("src", ".ts")];
  return [...always, ...filesUnder("wasm/generated", ".ts")];
}

/** All checks, those that take longest first. */
export function allChecks(): Check[] {
  const folders = ["src", "tests", "scripts", "bench", "examples", "wasm"];
  const sources = [...ENTRIES, ...folders.flatMap((folder) => filesUnder(folder, ".ts"))];
  const documents = [
    ...["README.md", "ARCHITECTURE.md"].filter((file) => existsSync(path.join(root, file))),
    ...filesUnder("docs", ".md"),
  ];
  return [
    {
      name: "types, examples in comments and docs",
      arguments: ["check", "--doc", ...sources, ...documents],
    },
    {
      name: "package contents",
      arguments: ["publish", "--dry-run", "--allow-dirty"],
      verify: (output) => checkPublishedFiles(output, expectedPublishedFiles()),
    },
    { name: "lint", arguments: ["lint"] },
    {
      name: "documentation of the public API",
      arguments: ["doc", "--lint", ...ENTRIES],
      // Types of a package that the adapter is for: they are documented there.
      tolerated: /references private type 'Abstract\w+'$/,
    },
    { name: "format", arguments: ["fmt", "--check"] },
  ];
}

/** Runs one check. */
export async function runCheck(check: Check): Promise<CheckResult> {
  const result = await runProcess(binaryOf("deno"), check.arguments, { timeoutMs: 1_200_000 });
  const failure = isTolerated(check, result.output) ? undefined : failureOf(result);
  const problems = failure === undefined ? check.verify?.(result.output) ?? [] : [];
  const reason = failure ?? (problems.length > 0 ? problems.join("\n") : undefined);
  return {
    name: check.name,
    seconds: result.seconds,
    failure: reason === undefined
      ? undefined
      : `${result.output.trimEnd()}\ndeno ${check.arguments[0]}: ${reason}`,
  };
}

/** Whether a process that failed has found nothing but what the check tolerates. */
export function isTolerated({ tolerated }: Pick<Check, "tolerated">, output: string): boolean {
  if (tolerated === undefined) return false;
  const findings = output.split("\n").filter((line) => line.startsWith("error["));
  return findings.length > 0 && findings.every((line) => tolerated.test(line));
}
