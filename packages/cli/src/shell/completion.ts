/** What TAB offers in the shell: commands, options, words of SQL, and keys of the store. */

import { globalOptions } from "../arguments.ts";
import { commandOf, commands } from "../commands.ts";
import { DEFAULT_SEPARATORS, keyGroups } from "../looking/key_groups.ts";
import { isSql } from "../sql/sql_text.ts";
import type { StoreAccess } from "../store_access.ts";
import { quote } from "../text/escape.ts";
import { toText, toUtf8 } from "../values/bytes.ts";
import { keyText } from "../values/literal_text.ts";

/** What can follow, and the end of the line that they replace. */
export type Completion = readonly [
  candidates: readonly string[],
  replaced: string,
];

const MAX_KEYS = 40;

const SQL_WORDS = [
  ...["SELECT", "FROM", "kv", "WHERE", "LIKE", "BETWEEN", "AND", "OR", "NOT"],
  ...["IN", "IS", "NULL", "STARTS", "WITH", "ORDER", "BY", "DESC", "LIMIT"],
  ...["OFFSET", "count()", "sum(", "avg(", "min(", "max(", "INSERT", "INTO"],
  ...["VALUES", "UPDATE", "SET", "DELETE", "EXPLAIN", "uint64_be(", "byte("],
];

/** The commands of the shell itself, with what they take. */
export const dotCommands: Readonly<
  Record<string, { usage: string; help: string; choices?: readonly string[] }>
> = {
  ".help": { usage: "[COMMAND]", help: "this list, or the help of a command" },
  ".mode": {
    usage: "[MODE]",
    help: "how results look: box, json, jsonl, csv, raw, hex",
    choices: ["box", "json", "jsonl", "csv", "raw", "hex"],
  },
  ".timer": {
    usage: "on|off",
    help: "show how long each entry takes",
    choices: ["on", "off"],
  },
  ".tables": { usage: "", help: "the table of SQL and its columns" },
  ".quit": { usage: "", help: "leave the shell; so does Ctrl-D" },
};

/** Completes the end of a line. */
export async function complete(
  line: string,
  store: StoreAccess,
  signal?: AbortSignal,
): Promise<Completion> {
  if (isSql(line)) return await completeSql(line, store, signal);
  const start = lastWordStart(line);
  const word = line.slice(start);
  const words = line.slice(0, start).trim().split(/\s+/).filter((one) => one !== "");
  const [name] = words;
  if (name === undefined) {
    const names = [
      ...commands.map((command) => command.name),
      ...Object.keys(dotCommands),
      ...[
        "SELECT",
        "INSERT INTO kv VALUES (",
        "UPDATE kv SET v = ",
        "EXPLAIN SELECT",
      ],
    ];
    return [matchingWords(names, word).map((one) => `${one} `), word];
  }
  if (name.startsWith(".")) {
    const choices = name === ".help"
      ? commands.map((command) => command.name)
      : dotCommands[name]?.choices ?? [];
    return [matchingWords(choices, word), word];
  }
  const command = commandOf(name);
  if (command === undefined) return [[], word];
  const options = { ...globalOptions, ...command.options };
  const before = /^--([\w-]+)$/.exec(words.at(-1) ?? "")?.[1];
  const choices = before === undefined ? undefined : options[before]?.choices;
  if (choices !== undefined) return [matchingWords(choices, word), word];
  if (word.startsWith("-")) {
    const names = Object.entries(options).filter(([one]) => one !== "store")
      .map(([one]) => `--${one} `);
    return [matchingWords(names, word), word];
  }
  return [await keyCandidates(store, word, wordForm(word), signal), word];
}

async function completeSql(
  line: string,
  store: StoreAccess,
  signal?: AbortSignal,
): Promise<Completion> {
  // An odd number of quotes: the end of the line is in a text.
  const quotes = line.split("'");
  if (quotes.length % 2 === 0) {
    const text = quotes.at(-1)!;
    const inQuotes = (key: string): string => key.replaceAll("'", "''");
    return [
      await keyCandidates(
        store,
        text,
        inQuotes,
        signal,
        text.replaceAll("''", "'"),
      ),
      text,
    ];
  }
  const word = /[\w(]*$/.exec(line)![0];
  if (word === "") return [[], word];
  const isUpper = word === word.toUpperCase();
  const words = SQL_WORDS.map((one) => isUpper || /[a-z]/.test(one) ? one : one.toLowerCase());
  return [
    matchingWords(words, word).map((one) => one.endsWith("(") ? one : `${one} `),
    word,
  ];
}

function matchingWords(words: readonly string[], begin: string): string[] {
  return words.filter((word) => word.startsWith(begin));
}

function lastWordStart(line: string): number {
  const quoted = /(?:^|\s)("(?:[^"\\]|\\.)*)$/.exec(line);
  if (quoted !== null) return line.length - quoted[1]!.length;
  return line.length - /\S*$/.exec(line)![0].length;
}

/** How a key is written as a word: as text, or as a literal if the word began as one. */
function wordForm(word: string): (key: string) => string | undefined {
  if (word.startsWith('"')) return (key) => quote(key).slice(0, -1);
  return (key) => /[\s'{[]/.test(key) || keyText(toUtf8(key)) !== key ? undefined : key;
}

/** Keys that begin with what was typed, up to the next separator: as folders and files. */
async function keyCandidates(
  access: StoreAccess,
  typed: string,
  form: (key: string) => string | undefined,
  signal: AbortSignal | undefined,
  text: string = typed.startsWith('"') ? unquoted(typed) : typed,
): Promise<string[]> {
  const candidates: string[] = [];
  await using lease = await access.read();
  const division = { separators: DEFAULT_SEPARATORS };
  const groups = keyGroups(lease.store, toUtf8(text), division, signal);
  let count = 0;
  for await (const { key } of groups) {
    const name = toText(key);
    const candidate = name === undefined ? undefined : form(name);
    if (candidate?.startsWith(typed) === true) candidates.push(candidate);
    if (++count >= MAX_KEYS) break;
  }
  return candidates;
}

function unquoted(typed: string): string {
  try {
    return JSON.parse(`${typed}"`) as string;
  } catch {
    return typed.slice(1);
  }
}
