/**
 * The part of the language rules (CONTRIBUTING.md) that a program can check: comments end at 100
 * columns, microseconds are µs, and a few idioms that readers without English as their first
 * language have to read twice do not come back.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { filesUnder } from "../../scripts/source_files.ts";
import { readSource } from "./source_text.ts";

const WIDTH = 100;

/** Each idiom, with what to write in its place. */
const IDIOMS: readonly (readonly [pattern: RegExp, better: string])[] = [
  [/\d us\b/, "µs"],
  [/\bbehind (?:it|its|them|the|a|an)\b/, '"after" or "past"'],
  [/\banew\b/, '"again"'],
  [/\bfor good\b/, "what happens, and until when"],
  [/\bin vain\b/, "what fails"],
  [/\b(?:it is|they are) none\b/, '"is not a ..."'],
  [/\btold apart\b/, '"distinguished"'],
  [/\bin the making\b/, '"unfinished", "that is being written"'],
  [/\bso (?:many|often)\b/, '"a number of", "this number of"'],
];

/** A line of a comment, with its number. */
type Line = readonly [number: number, text: string];

/** The lines of a source that are comments and nothing else. */
function commentLines(source: string): Line[] {
  return source.split("\n").flatMap((text, index): Line[] =>
    /^\s*(?:\/\/|\/\*|\*(?!\S))/.test(text) ? [[index + 1, text]] : []
  );
}

/**
 * Whether a line may be longer: a layout that is indented by hand, a directive, or one long word.
 */
function mayBeWide(text: string): boolean {
  return /^\s*\*\s{3}|^\s*\/\/\s{3}|^\s*(?:\*|\/\/)\s+\S+$|deno-\w+-ignore/.test(text);
}

/** What is wrong with lines of one file, in words. */
function problemsOf(file: string, lines: readonly Line[], isSource: boolean): string[] {
  const problems: string[] = [];
  for (const [number, text] of lines) {
    if (isSource && text.length > WIDTH && !mayBeWide(text)) {
      problems.push(`${file}:${number} has ${text.length} columns, expected at most ${WIDTH}`);
    }
    for (const [pattern, better] of IDIOMS) {
      const found = pattern.exec(text);
      if (found !== null) problems.push(`${file}:${number} says "${found[0]}": write ${better}`);
    }
  }
  return problems;
}

test("Comments are at most 100 columns wide and free of the idioms that confuse readers", () => {
  const folders = ["src", "bench", "scripts", "examples", "tests", "packages"];
  const sources = ["mod.ts", ...folders.flatMap((folder) => filesUnder(folder, ".ts"))]
    .filter((file) => file !== "tests/meta/language_test.ts");
  assert.deepEqual(
    sources.flatMap((file) => problemsOf(file, commentLines(readSource(file)), true)),
    [],
  );
});

test("Documents are free of the idioms that confuse readers", () => {
  const documents = [
    ...["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"],
    ...["docs", "bench", "wasm", "tests", "packages"].flatMap((folder) =>
      filesUnder(folder, ".md")
    ),
  ];
  assert.deepEqual(
    documents.flatMap((file) => {
      const lines = readSource(file).split("\n").map((text, index): Line => [index + 1, text]);
      return problemsOf(file, lines, false);
    }),
    [],
  );
});

test("The check of the language finds made-up violations of every kind", () => {
  const source = [
    "const a = 1; // code is left alone: so many",
    "  // It takes 5 us, and the entry behind it is read anew.",
    `// ${"word ".repeat(25)}`,
    `//     ${"layout ".repeat(20)}`,
    " * A key that it is none, and is kept for good.",
  ].join("\n");
  const problems = problemsOf("made_up.ts", commentLines(source), true).join("\n");
  const found = [/:2 says "5 us"/, /:2 says "behind it"/, /:2 says "anew"/, /:3 has 128 columns/];
  for (const pattern of [...found, /:5 says "it is none"/, /:5 says "for good"/]) {
    assert.match(problems, pattern);
  }
  assert.doesNotMatch(problems, /:1 |:4 /);
});
