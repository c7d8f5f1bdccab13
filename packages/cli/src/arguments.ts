/**
 * Splits a command line: `tinykvs [STORE] COMMAND [ARGUMENTS] [OPTIONS]`. Options may stand
 * anywhere after the store. A negative number, a lone "-" and all after "--" are arguments.
 */

import type { Command, OptionSpec, OptionSpecs } from "./command.ts";
import { UsageError } from "./errors.ts";

/** The options that every command understands. */
export const globalOptions: OptionSpecs = {
  json: { help: "one JSON array or object" },
  jsonl: { help: "one JSON object a line (default in a pipe)" },
  csv: { help: "CSV with a header" },
  raw: { help: "keys and values as their bytes" },
  hex: { help: "keys and values as hexadecimal digits" },
  box: { help: "tables in boxes (default on a terminal)" },
  color: { help: "colours, also in a pipe" },
  "no-color": { help: "no colours; so does the variable NO_COLOR" },
  yes: { short: "y", help: "do not ask before something is destroyed" },
  "dry-run": { help: "only show what would be done" },
  quiet: { short: "q", help: "no progress and no remarks" },
  store: { value: "DIR", help: "the store, in place of the first argument" },
  help: { short: "h", help: "show help" },
};

/** A parsed command line. */
export interface ParsedLine {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, string | true>>;
}

/**
 * Reads arguments and options.
 *
 * @throws {UsageError} an option is unknown, or its value is missing or not one of its choices
 */
export function parseLine(
  words: readonly string[],
  specs: OptionSpecs,
): ParsedLine {
  const args: string[] = [];
  const options: Record<string, string | true> = {};
  const shorts = new Map<string, string>();
  for (const [name, { short }] of Object.entries(specs)) {
    if (short !== undefined) shorts.set(short, name);
  }
  let at = 0;
  const take = (
    name: string,
    spec: OptionSpec,
    given: string | undefined,
  ): void => {
    if (spec.value === undefined) {
      if (given !== undefined) throw new UsageError(`--${name} takes no value`);
      options[name] = true;
      return;
    }
    const value = given ?? words[at++];
    if (value === undefined) {
      throw new UsageError(`--${name} needs a value: ${spec.value}`);
    }
    if (spec.choices !== undefined && !spec.choices.includes(value)) {
      throw new UsageError(
        `--${name} is "${value}", expected ${spec.choices.join(", ")}`,
      );
    }
    options[name] = value;
  };
  while (at < words.length) {
    const word = words[at++]!;
    if (word === "--") {
      args.push(...words.slice(at));
      break;
    }
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const name = word.slice(2, equals === -1 ? undefined : equals);
      const spec = specs[name];
      if (spec === undefined) {
        throw unknownOption(`--${name}`, Object.keys(specs));
      }
      take(name, spec, equals === -1 ? undefined : word.slice(equals + 1));
    } else if (isShort(word)) {
      const name = shorts.get(word[1]!);
      if (name === undefined) throw unknownOption(word, []);
      take(name, specs[name]!, word.length === 2 ? undefined : word.slice(2));
    } else args.push(word);
  }
  return { args, options };
}

/** Whether a word is an option of one letter, and not a number or a lone "-". */
function isShort(word: string): boolean {
  return /^-[A-Za-z]/.test(word) && !/^-Infinity$/.test(word);
}

function unknownOption(option: string, names: readonly string[]): UsageError {
  const near = nearest(option.slice(2), names);
  return new UsageError(
    `There is no option ${option}`,
    near === undefined ? undefined : `Did you mean --${near}?`,
  );
}

/** Checks the number of arguments of a command. */
export function requireArity(command: Command, args: readonly string[]): void {
  const [least, most] = command.arity;
  if (args.length >= least && args.length <= most) return;
  const found = args.length === 0 ? "no argument" : `${args.length} arguments`;
  throw new UsageError(
    `${command.name} was given ${args.length === 1 ? "1 argument" : found}`,
    `Usage: tinykvs STORE ${command.name} ${command.usage}`.trimEnd(),
  );
}

/** The name that a mistyped one was probably meant to be. */
export function nearest(
  typed: string,
  names: readonly string[],
): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.ceil(typed.length / 2)) + 0.5;
  for (const name of names) {
    const distance = name.startsWith(typed) && typed.length > 1 ? 1 : distanceOf(typed, name);
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** The number of letters to insert, remove or replace between two words (Levenshtein). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
