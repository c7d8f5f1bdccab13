/**
 * `npm run build`: makes `dist`, the package for npm. Node does not run TypeScript from
 * node_modules, so the sources become one module of JavaScript; the dependencies stay imports.
 */

import * as path from "node:path";
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const at = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const { scripts: _scripts, devDependencies: _development, tinykvs: _tests, ...manifest } = JSON
  .parse(
    readFileSync(at("package.json"), "utf8"),
  );
const core = JSON.parse(readFileSync(at("../../package.json"), "utf8"));

rmSync(at("dist"), { recursive: true, force: true });
mkdirSync(at("dist"));
await build({
  entryPoints: [at("tinykvs.ts")],
  outfile: at("dist/tinykvs.js"),
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "es2023",
});
copyFileSync(at("README.md"), path.join(at("dist"), "README.md"));
cpSync(at("docs"), at("dist/docs"), { recursive: true });
copyFileSync(at("../../LICENSE"), at("dist/LICENSE"));
const published = {
  ...manifest,
  bin: { tinykvs: "./tinykvs.js" },
  dependencies: { ...manifest.dependencies, "@tinykvs/core": core.version },
};
writeFileSync(
  at("dist/package.json"),
  `${JSON.stringify(published, undefined, 2)}\n`,
);
console.log("wrote packages/cli/dist");
