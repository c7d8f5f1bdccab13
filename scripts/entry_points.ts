/**
 * The entry points of the package: what `exports` in deno.json names. The npm package, the checks
 * and the tests all read this list, so an entry point is added in one place.
 */

import { readFileSync } from "node:fs";
import * as path from "node:path";
import { root } from "./processes.ts";

/** One entry point. */
export interface EntryPoint {
  /** As users write it after the package's name: "." or "./contract". */
  readonly subpath: string;
  /** Name of the built file, without an extension: "index" or "contract". */
  readonly name: string;
  /** The source, relative to the repository: "mod.ts". */
  readonly source: string;
}

/** All entry points, in the order of deno.json. */
export function entryPoints(): EntryPoint[] {
  const { exports } = JSON.parse(readFileSync(path.join(root, "deno.json"), "utf8")) as {
    exports: string | Record<string, string>;
  };
  const sources = typeof exports === "string" ? { ".": exports } : exports;
  return Object.entries(sources).map(([subpath, source]) => ({
    subpath,
    name: subpath === "." ? "index" : subpath.replace(/^\.\//, "").replaceAll("/", "_"),
    source: source.replace(/^\.\//, ""),
  }));
}
