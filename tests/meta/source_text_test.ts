/** The lexer that the other tests of this folder rely on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { blankNonCode, importsOf } from "./source_text.ts";

/** What is left of a source, with runs of spaces shortened to one. */
function codeOf(source: string): string {
  const code = blankNonCode(source);
  assert.equal(code.length, source.length);
  return code.replace(/ +/g, " ").trim();
}

test("blankNonCode removes line and block comments and keeps line breaks", () => {
  assert.equal(codeOf("a; // Date\nb; /* Date\nDate */ c;"), "a; \nb; \n c;");
});

test("blankNonCode removes the insides of strings with escaped quotes", () => {
  assert.equal(codeOf(`f("Date \\" Date", 'Date\\'');`), `f(" ", ' ');`);
});

test("blankNonCode does not treat comment marks in strings as comments", () => {
  assert.equal(codeOf(`a("//"); b("/*"); Date;`), `a(" "); b(" "); Date;`);
});

test("blankNonCode keeps the code in nested template substitutions", () => {
  assert.equal(
    codeOf("x = `Date ${a + `Date ${ { b: Date } } Date`} Date`; c;"),
    "x = ` ${a + ` ${ { b: Date } } `} `; c;",
  );
});

test("blankNonCode distinguishes regular expressions from division", () => {
  assert.equal(
    codeOf(`x = /["'/]Date/g.test(s); y = a / b / Date;`),
    `x = g.test(s); y = a / b / Date;`,
  );
  assert.equal(
    codeOf(`return /[/"]/.exec(s); z = f(1) / 2; "Date"`),
    `return .exec(s); z = f(1) / 2; " "`,
  );
});

test("importsOf finds every form of import and nothing in comments or strings", () => {
  const source = `
import { a } from "./a.ts";
import type { B } from './b.ts';
import c, { type D } from "./c.ts";
import * as e from "./e.ts";
import {
  f,
} from "./f.ts";
import "./g.ts";
export * from "./h.ts";
export { i } from "./i.ts";
export type { J } from "./j.ts";
const k = await import("./k.ts");
type L = import("./l.ts").L;
const m = import(name);
// import "./comment.ts";
const text = 'import "./string.ts"';
export const from = "./not_an_import.ts";
`;
  assert.deepEqual(importsOf(source).map((found) => found.specifier), [
    "./a.ts",
    "./b.ts",
    "./c.ts",
    "./e.ts",
    "./f.ts",
    "./g.ts",
    "./h.ts",
    "./i.ts",
    "./j.ts",
    "./k.ts",
    "./l.ts",
    undefined,
  ]);
  assert.equal(importsOf(source)[1]!.line, 3);
});
