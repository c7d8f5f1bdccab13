/**
 * `npm run build:npm`: makes `dist/npm`, the package for npm.
 *
 * Every entry point becomes one ES module with its declarations and source maps. Code that entry
 * points share is in files beside them. The declarations come from the annotations in the sources
 * (isolatedDeclarations), so no type checker is needed here; `npm run check` has checked them.
 */

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { build } from "tsdown";
import { entryPoints } from "./entry_points.ts";
import { root } from "./processes.ts";

const output = path.join(root, "dist", "npm");
/** Oldest JavaScript that every supported runtime runs. */
const TARGET = "es2023";
const DOCUMENTS = ["README.md", "CHANGELOG.md", "LICENSE"];
/** `await using` needs these declarations, which older `lib` settings leave out. */
const REFERENCES = '/// <reference lib="esnext.disposable" />';

/** The manifest of the published package. */
function manifest(): Record<string, unknown> {
  const own = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  const exports: Record<string, unknown> = {};
  for (const { subpath, name } of entryPoints()) {
    exports[subpath] = { types: `./${name}.d.ts`, default: `./${name}.js` };
  }
  exports["./package.json"] = "./package.json";
  return {
    name: own.name,
    version: own.version,
    description: own.description,
    keywords: own.keywords,
    license: own.license,
    type: "module",
    main: "./index.js",
    types: "./index.d.ts",
    exports,
    // Importing a module of this package changes nothing that another one sees.
    sideEffects: false,
    engines: own.engines,
    dependencies: own.dependencies,
    peerDependencies: own.peerDependencies,
    peerDependenciesMeta: own.peerDependenciesMeta,
  };
}

rmSync(output, { recursive: true, force: true });
mkdirSync(output, { recursive: true });
await build({
  config: false,
  cwd: root,
  entry: Object.fromEntries(entryPoints().map(({ name, source }) => [name, source])),
  outDir: output,
  format: "esm",
  platform: "node",
  target: TARGET,
  // The annotations of the sources are enough for declarations: Oxc makes them, without TypeScript.
  dts: { oxc: true, sourcemap: true },
  sourcemap: true,
  // Runtime dependencies and peers stay imports; nothing else may be left as one.
  deps: { neverBundle: [/^(?:snappyjs|abstract-level)(\/|$)/] },
  outExtensions: () => ({ js: ".js", dts: ".d.ts" }),
  banner: { dts: REFERENCES },
  // The declarations have the doc comments. In the code they are a quarter of what a process reads.
  outputOptions: { comments: { jsdoc: false } },
  logLevel: "warn",
});
requireLatin1();
for (const file of DOCUMENTS) copyFileSync(path.join(root, file), path.join(output, file));
copyFileSync(path.join(root, "wasm", "NOTICE.txt"), path.join(output, "NOTICE.txt"));
writeFileSync(
  path.join(output, "package.json"),
  `${JSON.stringify(manifest(), undefined, 2)}\n`,
);
console.log(`wrote ${path.relative(root, output)}`);

/**
 * One character above U+00FF makes V8 keep a whole file in two bytes a character. Only the texts of
 * the contract suite need one.
 */
function requireLatin1(): void {
  for (const name of readdirSync(output)) {
    if (!name.endsWith(".js") || name === "contract-suite.js") continue;
    const found = /.{0,40}[^\0-\xff].{0,40}/.exec(readFileSync(path.join(output, name), "utf8"));
    if (found === null) continue;
    throw new Error(`${name} has a character above U+00FF, expected an escape: ${found[0]}`);
  }
}
