/**
 * Which files of the repository are TypeScript of this project. They are found by walking the
 * folders, so that nobody has to keep a list. The checks, the test runner and tests/meta/ use this.
 *
 * It leaves out generated and installed files, AssemblyScript (wasm/assembly), which looks like
 * TypeScript and is not, and bench/peers, which is a separate package.
 */

import { existsSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { root } from "./processes.ts";

const skippedFolders = new Set([
  "node_modules",
  "coverage",
  "dist",
  ".git",
  "fixtures",
  "generated",
  "assembly",
  "peers",
]);

/**
 * Paths of the files in the folder `top` of the repository and below that end in `suffix`,
 * relative to the repository, with "/", sorted. A folder that is not there has no files.
 */
export function filesUnder(top: string, suffix: string): string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const relative = folder === "." ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!skippedFolders.has(entry.name)) visit(relative);
      } else if (entry.isFile() && entry.name.endsWith(suffix)) {
        found.push(relative);
      }
    }
  };
  if (existsSync(path.join(root, top))) visit(top);
  return found.sort();
}

/** Every test file. */
export function testFiles(): string[] {
  return filesUnder("tests", "_test.ts");
}
