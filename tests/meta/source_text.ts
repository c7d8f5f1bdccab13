/**
 * Just enough lexing of TypeScript for the tests of this folder: which parts of a file are code,
 * and which modules it imports.
 *
 * Not a parser. It knows comments, strings, template literals with nested substitutions, and
 * regular expressions (told from division by the token before). source_text_test.ts shows what it
 * gets right.
 */

import { readFileSync } from "node:fs";
import * as path from "node:path";
import { root } from "../../scripts/processes.ts";

/** After these words a slash starts a regular expression. */
const wordsBeforeRegExp = new Set([
  "await",
  "case",
  "delete",
  "do",
  "else",
  "in",
  "instanceof",
  "of",
  "return",
  "throw",
  "typeof",
  "void",
  "yield",
]);

/** Whether a slash after `code` (blanked text up to it) starts a regular expression. */
function slashStartsRegExp(code: string): boolean {
  const before = /([\w$]+|[^\w$\s])\s*$/.exec(code)?.[1];
  if (before === undefined || wordsBeforeRegExp.has(before)) return true;
  // A closed parenthesis, bracket, brace or string, and a name or number, are followed by division.
  return !/[\w$)\]}"'`]$/.test(before);
}

/** Index after the string literal that starts at `start`. */
function endOfString(source: string, start: number): number {
  let at = start + 1;
  while (at < source.length && source[at] !== source[start] && source[at] !== "\n") {
    at += source[at] === "\\" ? 2 : 1;
  }
  return at + 1;
}

/** Index after the regular expression that starts at `start`, without its flags. */
function endOfRegExp(source: string, start: number): number {
  let inClass = false;
  let at = start + 1;
  while (at < source.length && source[at] !== "\n" && (inClass || source[at] !== "/")) {
    if (source[at] === "[") inClass = true;
    else if (source[at] === "]") inClass = false;
    at += source[at] === "\\" ? 2 : 1;
  }
  return at + 1;
}

/**
 * The source with comments, regular expressions and the insides of strings and templates replaced
 * by spaces. Every character of code, every quote and every line break keeps its index.
 */
export function blankNonCode(source: string): string {
  let code = "";
  const blank = (end: number): void => {
    code += source.slice(code.length, end).replace(/[^\n]/g, " ");
  };
  const quoted = (end: number): void => {
    code += source[code.length];
    blank(Math.min(end, source.length) - 1);
    if (code.length < source.length) code += source[code.length];
  };
  /** For each open template substitution, how many braces inside of it are open. */
  const substitutions: number[] = [];
  const templateText = (): void => {
    let at = code.length;
    while (at < source.length && source[at] !== "`" && !source.startsWith("${", at)) {
      at += source[at] === "\\" ? 2 : 1;
    }
    blank(at);
    if (source[at] === "`") {
      code += "`";
    } else if (at < source.length) {
      code += "${";
      substitutions.push(0);
    }
  };
  while (code.length < source.length) {
    const at = code.length;
    const character = source[at]!;
    if (source.startsWith("//", at)) {
      const end = source.indexOf("\n", at);
      blank(end === -1 ? source.length : end);
    } else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2);
      blank(end === -1 ? source.length : end + 2);
    } else if (character === '"' || character === "'") {
      quoted(endOfString(source, at));
    } else if (character === "`") {
      code += character;
      templateText();
    } else if (character === "/" && slashStartsRegExp(code.slice(-200))) {
      blank(endOfRegExp(source, at));
    } else {
      code += character;
      const depth = substitutions.length - 1;
      if (depth >= 0 && character === "{") substitutions[depth]!++;
      if (depth >= 0 && character === "}" && substitutions[depth]!-- === 0) {
        substitutions.pop();
        templateText();
      }
    }
  }
  return code;
}

/** 1-based number of the line that holds `index`. */
export function lineOf(source: string, index: number): number {
  return source.slice(0, index).split("\n").length;
}

/** One import or re-export. */
export interface Import {
  /** The module, as written; undefined for an `import(...)` of something that is not a literal. */
  readonly specifier: string | undefined;
  readonly line: number;
  /** Whether nothing is loaded: `import type`, `export type`, `typeof import()`. */
  readonly isType: boolean;
}

/**
 * Every import of a source: static, type-only, re-export, side effect, `import()` value and type.
 */
export function importsOf(source: string): Import[] {
  const code = blankNonCode(source);
  const statement =
    /(?<![\w$.])(?:import|export)\s(?:[\w$\s{},*]*?\sfrom\s*)?(?=["'])|(?<![\w$.])(?:import|export)\s*[{*][\w$\s{},*]*?from\s*(?=["'])|(?<![\w$.])import\s*\(\s*/g;
  const found: Import[] = [];
  for (const match of code.matchAll(statement)) {
    const start = match.index + match[0].length;
    const quote = code[start]!;
    const specifier = quote === '"' || quote === "'"
      ? source.slice(start + 1, source.indexOf(quote, start + 1))
      : undefined;
    const isType = /^(?:import|export)\s+type\s/.test(match[0]) ||
      /(?<![\w$.])typeof\s+$/.test(code.slice(Math.max(0, match.index - 16), match.index));
    found.push({ specifier, line: lineOf(source, match.index), isType });
  }
  return found;
}

/** Text of a file of the repository. */
export function readSource(file: string): string {
  return readFileSync(path.join(root, file), "utf8");
}
