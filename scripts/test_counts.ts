/**
 * How many tests each file has reported on each runtime. The runtimes must agree, also when
 * different commands have run them: the counts of earlier runs are kept in node_modules, and count
 * as long as the file is the same.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { root, type Runtime, runtimes } from "./processes.ts";
import type { TestFileResult } from "./test_file.ts";

const countsPath = path.join(root, "node_modules", ".cache", "tinykvs", "counts.json");

/** Files on which the runtimes differ, each with the reason. */
const differingCounts: Readonly<Record<string, string>> = {};

interface Known {
  hash: string;
  counts: Partial<Record<Runtime, number>>;
}

function readKnown(): Record<string, Known> {
  try {
    return JSON.parse(readFileSync(countsPath, "utf8"));
  } catch {
    // None was kept, or the file is damaged: then only this run is compared.
    return {};
  }
}

function hashOf(file: string): string {
  return createHash("sha256").update(readFileSync(path.join(root, file))).digest("hex");
}

/** Keeps the counts of a run; returns the files on which runtimes disagree, in words. */
export function disagreements(
  results: readonly TestFileResult[],
  print: (line: string) => void,
): string[] {
  const known = readKnown();
  const problems: string[] = [];
  for (const file of new Set(results.map((result) => result.file))) {
    const hash = hashOf(file);
    const before = known[file]?.hash === hash ? known[file].counts : {};
    const counts = { ...before };
    for (const result of results.filter((result) => result.file === file)) {
      // A file with a problem has failed already, and its count means nothing.
      if (result.problem !== undefined) delete counts[result.runtime];
      else counts[result.runtime] = result.passed + result.failed + result.skipped;
    }
    known[file] = { hash, counts };
    if (new Set(Object.values(counts)).size <= 1) continue;
    const text = runtimes.filter((runtime) => counts[runtime] !== undefined)
      .map((runtime) => `${runtime} ${counts[runtime]}`).join(", ");
    const reason = differingCounts[file];
    if (reason !== undefined) print(`Test counts differ in ${file}: ${text}: ${reason}`);
    else problems.push(`Runtimes report different numbers of tests in ${file}: ${text}`);
  }
  mkdirSync(path.dirname(countsPath), { recursive: true });
  writeFileSync(countsPath, JSON.stringify(known));
  return problems;
}
