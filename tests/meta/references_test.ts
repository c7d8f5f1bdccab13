/** No text of the repository points to a file or decision that is not in it, or to an issue. */

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { root } from "../../scripts/processes.ts";
import { filesUnder } from "../../scripts/source_files.ts";
import { lineOf, readSource } from "./source_text.ts";

const folders = ["src", "tests", "scripts", "bench", "examples", "wasm", "packages"];
const sources = ["mod.ts", ...folders.flatMap((folder) => filesUnder(folder, ".ts"))];
const documents = [
  ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"],
  ...["docs", "bench", "tests", "wasm", "packages"].flatMap((folder) => filesUnder(folder, ".md")),
];

/** Names of documents of other projects or of users. */
const foreign = new Set(["doc/impl.md", "src/notes.md"]);

/** Whether a document is where `file` says it is: beside it, at the root, or in docs/. */
function exists(file: string, name: string): boolean {
  const places = [path.dirname(file), ".", "docs", "docs/decisions", "docs/benchmarks"];
  return places.some((place) => existsSync(path.join(root, place, name)));
}

test("Every document that a text names is in the repository", () => {
  const missing: string[] = [];
  for (const file of [...sources, ...documents]) {
    const text = readSource(file);
    for (const match of text.matchAll(/(?<![\w*])(?:[\w.-]+\/)*[\w-]+\.md\b/g)) {
      const name = match[0];
      if (foreign.has(name) || name.startsWith("github.com/") || exists(file, name)) continue;
      missing.push(`${file}:${lineOf(text, match.index)} names "${name}"`);
    }
  }
  assert.deepEqual(missing, []);
});

test("Every link of a document leads to a file of the repository", () => {
  const missing: string[] = [];
  for (const file of documents) {
    const text = readSource(file);
    for (const [, target] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (!existsSync(path.join(root, path.dirname(file), target!))) {
        missing.push(`${file} links to "${target}"`);
      }
    }
  }
  assert.deepEqual(missing, []);
});

/** The decisions of the repository, by their numbers. */
const decisions = new Set(
  readdirSync(path.join(root, "docs/decisions")).map((name) => Number(name.slice(0, 4))),
);

test("Every decision that a text names by its number is in the repository", () => {
  const missing: string[] = [];
  for (const file of [...sources, ...documents]) {
    const text = readSource(file);
    const list = /\b[Dd]ecisions? \[?(\d+(?:(?:,| and|, and)\s+(?:\* )?\d+)*)/g;
    for (const match of text.matchAll(list)) {
      for (const [number] of match[1]!.matchAll(/\d+/g)) {
        if (decisions.has(Number(number))) continue;
        missing.push(`${file}:${lineOf(text, match.index)} names decision ${number}`);
      }
    }
  }
  assert.deepEqual(missing, []);
});

test("Every source file that a document names by its path is in the repository", () => {
  const missing: string[] = [];
  for (const file of documents) {
    const text = readSource(file);
    const paths = /(?<![\w/.-])(?:src|tests|bench|scripts|examples|wasm)\/[\w/.-]+\.(?:ts|json)\b/g;
    for (const match of text.matchAll(paths)) {
      if (existsSync(path.join(root, match[0]))) continue;
      missing.push(`${file}:${lineOf(text, match.index)} names "${match[0]}"`);
    }
  }
  assert.deepEqual(missing, []);
});

test("Every program that a source starts by its path is in the repository", () => {
  const missing: string[] = [];
  for (const file of sources) {
    const text = readSource(file);
    for (const match of text.matchAll(/path\.join\(\s*root((?:,\s*"[\w.-]+")+),?\s*\)/g)) {
      const name = [...match[1]!.matchAll(/"([^"]+)"/g)].map(([, part]) => part).join("/");
      // Other names are of files that a program makes.
      if (!name.endsWith(".ts") || existsSync(path.join(root, name))) continue;
      missing.push(`${file}:${lineOf(text, match.index)} names "${name}"`);
    }
  }
  assert.deepEqual(missing, []);
});

test("No text refers to an issue, to a plan or to a folder outside of the repository", () => {
  const found: string[] = [];
  for (const file of [...sources, ...documents]) {
    if (file === "tests/meta/references_test.ts") continue;
    const text = readSource(file);
    const outside =
      /\b[Ii]ssue \d+|\bshared\/[A-Z]|\bin the design\b|(?<=[\s"`(])\/(?:work|home)\/\w/g;
    for (const match of text.matchAll(outside)) {
      found.push(`${file}:${lineOf(text, match.index)} says "${match[0]}"`);
    }
  }
  assert.deepEqual(found, []);
});
