/**
 * Copies the modules that Deno finds from a program by static imports. `deno compile` embeds these,
 * and a program that loads any other file fails in its executable. The executable itself cannot be
 * made here: its base is a download.
 */

import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** What `deno info --json` prints, as far as it is used here. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly { readonly specifier: string; readonly isDynamic?: boolean }[];
  }[];
}

/**
 * Copies the modules of a program, a path relative to the repository, to a directory. Returns their
 * paths.
 *
 * @throws {Error} a module is missing, or is imported dynamically
 */
export function copyStaticModules(entry: string, directory: string): string[] {
  const command = path.join(repository, "node_modules", ".bin", "deno");
  const { stdout, stderr, status } = spawnSync(command, ["info", "--json", entry], {
    cwd: repository,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`deno info ended with ${status}:\n${stderr}`);
  const copied: string[] = [];
  for (const { specifier, error, dependencies = [] } of (JSON.parse(stdout) as Info).modules) {
    if (error !== undefined) throw new Error(`"${specifier}": ${error}`);
    const dynamic = dependencies.find(({ isDynamic }) => isDynamic === true);
    if (dynamic !== undefined) {
      throw new Error(`"${specifier}" imports "${dynamic.specifier}" dynamically`);
    }
    if (specifier.startsWith("node:")) continue;
    if (!specifier.startsWith(pathToFileURL(repository).href)) {
      throw new Error(`"${specifier}" is outside of the repository`);
    }
    const file = path.relative(repository, fileURLToPath(specifier));
    copy(file, directory);
    copied.push(file);
    const owner = /^node_modules\/[^/]+/.exec(file)?.[0];
    if (owner !== undefined) copy(path.join(owner, "package.json"), directory);
  }
  const { name, version, type, exports, dependencies } = JSON.parse(
    readFileSync(path.join(repository, "package.json"), "utf8"),
  );
  writeFileSync(
    path.join(directory, "package.json"),
    JSON.stringify({ name, version, type, exports, dependencies }),
  );
  writeFileSync(path.join(directory, "deno.json"), JSON.stringify({ nodeModulesDir: "manual" }));
  return copied;
}

function copy(file: string, directory: string): void {
  const target = path.join(directory, file);
  if (existsSync(target)) return;
  mkdirSync(path.dirname(target), { recursive: true });
  copyFileSync(path.join(repository, file), target);
}
