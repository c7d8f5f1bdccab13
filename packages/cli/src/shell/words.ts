/**
 * Splits a line of the shell into words. Literals stay whole, so `put user:1 {"name": "Alice B"}`,
 * `get "a\u0000b"` and `get x'00 ff'` need no further quotes. Text in single quotes is one word,
 * without the quotes: `put name 'Alice B'`.
 */

import { UsageError } from "../errors.ts";

/** A quote or a bracket has no end. */
export class OpenWord extends UsageError {
  override readonly name: string = "OpenWord";
}

/** The words of a line. @throws {OpenWord} a word has no end */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let at = 0;
  while (true) {
    while (/\s/.test(line[at] ?? "")) at++;
    if (at >= line.length) return words;
    const { word, end } = wordAt(line, at);
    words.push(word);
    at = end;
  }
}

function wordAt(line: string, start: number): { word: string; end: number } {
  const first = line[start]!;
  if (first === "'") {
    const found = /^'((?:[^']|'')*)'/.exec(line.slice(start));
    if (found === null) throw open(line, start);
    const word = found[1]!.replaceAll("''", "'");
    return { word, end: start + found[0].length };
  }
  if (first === '"') return whole(line, start, stringEnd(line, start));
  if (first === "{" || first === "[") {
    return whole(line, start, bracketEnd(line, start));
  }
  if (/^x'/i.test(line.slice(start))) {
    const end = line.indexOf("'", start + 2);
    if (end === -1) throw open(line, start);
    return whole(line, start, end + 1);
  }
  let end = start;
  // An option with a value may have a literal after "=".
  while (end < line.length && !/\s/.test(line[end]!)) {
    if (end > start && line[end - 1] === "=" && /['"{[]/.test(line[end]!)) {
      const rest = wordAt(line, end);
      return { word: line.slice(start, end) + rest.word, end: rest.end };
    }
    end++;
  }
  return whole(line, start, end);
}

function whole(
  line: string,
  start: number,
  end: number,
): { word: string; end: number } {
  return { word: line.slice(start, end), end };
}

function stringEnd(line: string, start: number): number {
  const found = /^"(?:[^"\\]|\\[^])*"/.exec(line.slice(start));
  if (found === null) throw open(line, start);
  return start + found[0].length;
}

function bracketEnd(line: string, start: number): number {
  let depth = 0;
  for (let at = start; at < line.length; at++) {
    const character = line[at]!;
    if (character === '"') at = stringEnd(line, at) - 1;
    else if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  throw open(line, start);
}

function open(line: string, start: number): OpenWord {
  return new OpenWord(
    `What begins with ${line.slice(start, start + 20)} has no end`,
    "Close the quote or the bracket.",
  );
}
