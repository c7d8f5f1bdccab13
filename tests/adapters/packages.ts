/**
 * The libraries that adapters are for, as tests/adapters/package.json pins them: installed there,
 * not at the root. Only what src/ itself imports is the root's, of which there must not be two
 * copies.
 */

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const requireHere = createRequire(import.meta.url);
const requireAtRoot = createRequire(
  new URL("../../package.json", import.meta.url),
);

/**
 * A package of tests/adapters/node_modules, as `require` gives it; what it holds is the caller's
 * claim.
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
