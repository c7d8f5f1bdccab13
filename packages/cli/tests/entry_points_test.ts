/** The package uses what everybody can use: no file of the repository outside of its folder. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import * as path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { VERSION } from "../src/version.ts";

const folder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(
  readFileSync(path.join(folder, "package.json"), "utf8"),
);
const sources = ["tinykvs.ts", ...list("src"), ...list("tests")];

function list(name: string): string[] {
  return readdirSync(path.join(folder, name), {
    recursive: true,
    encoding: "utf8",
  })
    .filter((file) => file.endsWith(".ts")).map((file) => path.join(name, file));
}

/** What a source imports: text after `from`, `import` and `import(`. */
function importsOf(text: string): string[] {
  const statement = /(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)"([^"\n]+)"/gm;
  return [...text.matchAll(statement)].map((match) => match[1]!);
}

test("Every import is a file of the package, a declared dependency, a module of Node, or of Bun", () => {
  const declared = [
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.optionalDependencies ?? {}),
    ...Object.keys(manifest.peerDependencies ?? {}),
  ];
  const wrong: string[] = [];
  let count = 0;
  for (const file of sources) {
    for (
      const name of importsOf(readFileSync(path.join(folder, file), "utf8"))
    ) {
      count++;
      const isOwn = name.startsWith(".") &&
        !path.relative(folder, path.resolve(folder, path.dirname(file), name))
          .startsWith("..");
      const isRuntimes = name === "bun:sqlite" ||
        (name.startsWith("node:") && builtinModules.includes(name.slice(5))) ||
        ["node:test", "node:sqlite"].includes(name);
      const known = file.startsWith("tests")
        ? [...declared, ...Object.keys(manifest.devDependencies)]
        : declared;
      const isDeclared = known.some((one) => name === one || name.startsWith(`${one}/`));
      if (!isOwn && !isRuntimes && !isDeclared) {
        wrong.push(`${file} imports "${name}"`);
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(count > 50, `only ${count} imports were found`);
});

test("The version that the command shows is that of the package", () => {
  assert.equal(VERSION, manifest.version);
});
