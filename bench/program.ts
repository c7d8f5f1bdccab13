/**
 * What a bench starts. Node gets the program and the library as JavaScript, as from a published
 * package. Stripping types takes 45 MB of memory in each process, and is not part of what is
 * measured.
 */

import * as path from "node:path";
import { build } from "esbuild";
import type { Runtime } from "../scripts/processes.ts";

/** The path of the program to run for a source file. */
export async function programOf(runtime: Runtime, source: string): Promise<string> {
  if (runtime !== "node") return source;
  // Beside the source, so that it finds the same packages.
  const compiled = path.join(
    path.dirname(source),
    `${path.basename(source, ".ts")}.compiled.mjs`,
  );
  await build({
    entryPoints: [source],
    outfile: compiled,
    bundle: true,
    packages: "external",
    format: "esm",
    platform: "node",
    target: "es2024",
  });
  return compiled;
}
