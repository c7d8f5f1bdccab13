/**
 * Whether node_modules is what package-lock.json asks for. If it is not, tools fail one by one,
 * each with another error, and none of them says what to do.
 */

import { readFileSync } from "node:fs";
import * as path from "node:path";
import { root } from "./processes.ts";

interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** One sentence about what is missing or old, and what to do; undefined if nothing is. */
export function installationProblem(directory: string = root): string | undefined {
  const { packages } = readJson(path.join(directory, "package-lock.json")) as LockFile;
  const own = packages[""]!;
  for (const name of Object.keys({ ...own.dependencies, ...own.devDependencies })) {
    const expected = packages[`node_modules/${name}`]?.version;
    const found = installedVersion(directory, name);
    if (found === expected) continue;
    return `node_modules has ${found === undefined ? "no" : found} "${name}", and ` +
      `package-lock.json asks for ${expected}: run "npm ci"`;
  }
  return undefined;
}

function installedVersion(directory: string, name: string): string | undefined {
  try {
    const file = path.join(directory, "node_modules", name, "package.json");
    return (readJson(file) as LockedPackage).version;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"));
}
