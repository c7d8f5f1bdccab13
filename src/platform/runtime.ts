/**
 * Which runtime this is, and which modules it has built in. Only this file finds that out:
 * everything else compares `runtimeName`, or takes a module from here.
 *
 * Loading it needs no `process`, and no file of the library imports a `node:` module. So a store in
 * memory runs in a browser, from the same bundle. `process.getBuiltinModule` returns the same
 * modules, synchronously, on Node, Deno and Bun.
 */

import type nodeProcess from "node:process";
import { StoreError } from "../errors.ts";

/** The current runtime; "other" is everything without the built-in modules of Node. */
export type RuntimeName = "node" | "deno" | "bun" | "other";

/**
 * The runtime's `process`; none if `runtimeName` is "other". Not by an import: importing
 * "node:process" makes Node evaluate everything in it, standard input included.
 */
export const process: typeof nodeProcess =
  (globalThis as unknown as { process: typeof nodeProcess }).process;

// Each access is careful: a bundler may have replaced `process`.
const versions: Readonly<Record<string, string | undefined>> = process?.versions ?? {};

/** The current runtime, recognised by what only it defines. */
export const runtimeName: RuntimeName = versions["deno"] !== undefined
  ? "deno"
  : versions["bun"] !== undefined
  ? "bun"
  : versions["node"] !== undefined
  ? "node"
  : "other";

/** Version of the runtime, for bench output and the lock holder's description. */
export const runtimeVersion: string = versions[runtimeName] ?? "unknown";

/** Whether the system is Windows. */
export const isWindows: boolean = process?.platform === "win32";

/** What `process.getBuiltinModule` gives, by name. */
interface Modules {
  "node:buffer": typeof import("node:buffer");
  "node:crypto": typeof import("node:crypto");
  "node:fs": typeof import("node:fs");
  "node:os": typeof import("node:os");
  "node:path": typeof import("node:path");
  "node:perf_hooks": typeof import("node:perf_hooks");
  "node:sqlite": typeof import("node:sqlite");
  "node:timers": typeof import("node:timers");
  "node:url": typeof import("node:url");
  "node:util": typeof import("node:util");
  "node:worker_threads": typeof import("node:worker_threads");
  "node:zlib": typeof import("node:zlib");
}

/** A built-in module, or undefined if there is none of that name. */
export function builtinModule<Name extends keyof Modules>(name: Name): Modules[Name] | undefined {
  return process?.getBuiltinModule?.(name) as Modules[Name] | undefined;
}

/**
 * A built-in module that every supported runtime has. Elsewhere it is undefined. So a file that
 * takes one must not use it while it is loaded, and only the disk's adapters and the worker thread
 * may take one.
 */
export function nodeModule<Name extends keyof Modules>(name: Name): Modules[Name] {
  return builtinModule(name) as Modules[Name];
}

/** The least versions that are supported: the first ones with a lock, `node:sqlite`, that works. */
const LEAST: Readonly<Record<Exclude<RuntimeName, "other">, readonly [number, number]>> = {
  node: [22, 13],
  deno: [2, 2],
  bun: [1, 4],
};

const EXPECTED = "Node 22.13, Deno 2.2 or Bun 1.4, or a later one";

/**
 * The problem with a version of a runtime, in words, or undefined.
 *
 * A version that can't be parsed is not refused.
 */
export function versionProblem(name: RuntimeName, version: string): string | undefined {
  if (name === "other") return undefined;
  const [major, minor] = LEAST[name];
  const [foundMajor = NaN, foundMinor = NaN] = version.split(".", 2).map(Number);
  const isOlder = foundMajor < major || foundMajor === major && foundMinor < minor;
  if (!isOlder) return undefined;
  return `this is ${name} ${version}, expected ${EXPECTED}`;
}

/** @throws {StoreError} code `UNSUPPORTED_RUNTIME`: this version of the runtime is too old */
export function requireSupportedRuntime(): void {
  const problem = versionProblem(runtimeName, runtimeVersion);
  if (problem !== undefined) {
    throw new StoreError("UNSUPPORTED_RUNTIME", `Cannot open a store: ${problem}`);
  }
}

/** The error for a path on a disk if there is none. */
export function noDisk(): StoreError {
  return new StoreError(
    "UNSUPPORTED_RUNTIME",
    `Cannot open a store on a disk: there is no file system here, expected ${EXPECTED}; ` +
      `elsewhere give the option "fileSystem", for example memoryFileSystem()`,
  );
}
