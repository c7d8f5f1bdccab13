/**
 * Guards tests/FAILURES.md: it has every failure of the list, and every test that it names exists.
 * So nobody can rename or drop a test without a look at the failure that it stands for.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { testFiles } from "../../scripts/source_files.ts";
import { blankNonCode, readSource } from "./source_text.ts";

/** How many rows each part of the list has, by the letter of the part. */
const PARTS: Readonly<Record<string, number>> = { W: 17, M: 10, C: 10, R: 3, E: 22 };

interface Row {
  readonly id: string;
  readonly failure: string;
  /** Paths below tests/, each with the titles that the list names under it. */
  readonly files: { readonly path: string; readonly titles: string[] }[];
}

/** The rows of a document: a heading of the third level each, and its lists of files and titles. */
function rowsOf(text: string): Row[] {
  const rows: Row[] = [];
  for (const section of text.split(/^(?=#{2,3} )/m)) {
    const match = /^### ([A-Z]\d+): ([^\n]+)\n/.exec(section);
    if (match === null) continue;
    const files: Row["files"] = [];
    for (const [, path, title] of section.matchAll(/`([^`]+\.ts)`|"([^"]+)"/g)) {
      if (path !== undefined) files.push({ path, titles: [] });
      else files.at(-1)?.titles.push(title!.replaceAll(/\s+/g, " "));
    }
    rows.push({ id: match[1]!, failure: match[2]!, files });
  }
  return rows;
}

/** A pattern for a text in which each `hole` matches anything. */
function patternOf(text: string, hole: RegExp): RegExp {
  const parts = text.split(hole).map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}

/** What the titles of the tests in a source must match. */
function titlesOf(source: string): RegExp[] {
  const code = blankNonCode(source);
  return [...code.matchAll(/(?<![\w$.])test\s*\(\s*(?=["`])/g)].map((match) => {
    const start = match.index + match[0].length + 1;
    const end = source.indexOf(source[start - 1]!, start);
    return patternOf(source.slice(start, end), /\$\{[^}]*\}/);
  });
}

/** What is wrong with the rows, in words. */
function problemsOf(rows: readonly Row[], files: readonly string[]): string[] {
  const problems: string[] = [];
  const expected = Object.entries(PARTS).flatMap(([part, count]) =>
    Array.from({ length: count }, (_, index) => `${part}${index + 1}`)
  );
  for (const id of expected) {
    const found = rows.filter((row) => row.id === id).length;
    if (found !== 1) problems.push(`${id} is there ${found} times`);
  }
  for (const { id, files: named } of rows) {
    if (!expected.includes(id)) problems.push(`${id} is not a failure of the list`);
    if (named.length === 0) problems.push(`${id} names no test`);
    for (const { path, titles } of named) {
      const pattern = patternOf(`tests/${path}`, /\*/);
      const matching = files.filter((file) => pattern.test(file));
      if (matching.length === 0) problems.push(`${id} names "${path}", which is not there`);
      if (titles.length === 0 && !path.includes("*")) {
        problems.push(`${id} names no test of "${path}"`);
      }
      const there = titles.length === 0
        ? []
        : matching.flatMap((file) => titlesOf(readSource(file)));
      for (const title of titles) {
        if (!there.some((known) => known.test(title))) {
          problems.push(`${id}: "${path}" has no test "${title}"`);
        }
      }
    }
  }
  return problems;
}

test("Every failure of the list names tests, and all of them are there", () => {
  assert.deepEqual(problemsOf(rowsOf(readSource("tests/FAILURES.md")), testFiles()), []);
});

test("The check of the failures finds made-up violations of every kind", () => {
  const rows = rowsOf(readSource("tests/FAILURES.md"));
  const files = testFiles();
  assert.equal(rows.length, 62);
  const changed = (change: (row: Row) => Row): string[] =>
    problemsOf(rows.map((row) => row.id === "W1" ? change(row) : row), files);
  const [first] = rows[0]!.files;
  assert.match(changed((row) => ({ ...row, id: "W2" })).join(), /W1 is there 0 times/);
  assert.match(changed((row) => ({ ...row, id: "X1" })).join(), /X1 is not a failure of the list/);
  assert.match(changed((row) => ({ ...row, files: [] })).join(), /W1 names no test/);
  const elsewhere = { path: "wal/log_test.ts", titles: ["a b c"] };
  assert.match(changed((row) => ({ ...row, files: [elsewhere] })).join(), /which is not there/);
  const untitled = { path: first!.path, titles: [] };
  assert.match(changed((row) => ({ ...row, files: [untitled] })).join(), /names no test of/);
  const wrong = { path: first!.path, titles: ["readLog does what no test says"] };
  assert.match(changed((row) => ({ ...row, files: [wrong] })).join(), /has no test "readLog does/);
});
