/**
 * The libraries for which there are adapters. tests/adapters/package.json pins them, and they are
 * installed there. Packages that src/ itself imports come from the root, because there must be only
 * one copy of each.
 */

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const requireHere = createRequire(import.meta.url);
const requireAtRoot = createRequire(
  new URL("../../package.json", import.meta.url),
);

/**
 * A package of tests/adapters/node_modules, loaded by `require`. The caller states its type, and
 * nobody checks it.
 */
export function load<T>(name: string): T {
  return requireHere(name) as T;
}

/** The address of such a package, for an `import`. */
export function addressOf(name: string): string {
  return pathToFileURL(requireHere.resolve(name)).href;
}

/** As `load`, for a package that src/ imports. */
export function loadShared<T>(name: string): T {
  return requireAtRoot(name) as T;
}
