/**
 * The text of SQL: where statements end, and what the parser is given.
 *
 * The parser knows PostgreSQL. What is written differently here is replaced before it sees it, and
 * `originalOffset` finds the place of an error in what was typed:
 *
 * - `v.a.b`, and v.`a.b` of the Go shell: one quoted name after `v`, with its case
 * - `STARTS WITH`: the operator `operator(prefix.~)`
 * - `0x14`, `30n`, `1e5` and integers that a double does not hold: casts of a text
 */

/** A piece of SQL. */
export interface Token {
  readonly kind: "word" | "number" | "text" | "quoted" | "space" | "sign";
  readonly text: string;
  readonly start: number;
}

// A text or a quoted name without an end runs to the end of the input: `isOpen`.
const TOKEN = new RegExp(
  [
    /(?<space>\s+|--[^\n]*|\/\*[^]*?(?:\*\/|$))/,
    /(?<text>(?:[xXeE])?'(?:[^']|'')*(?:'|$))/,
    /(?<quoted>"(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$))/,
    /(?<number>0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?n?)/,
    /(?<word>[\p{L}_][\p{L}\p{N}_$]*)/u,
    /(?<sign>\|\||<=|>=|<>|!=|::|[^])/,
  ].map(({ source }) => source).join("|"),
  "uy",
);

/** Splits SQL into pieces; together they are the whole text. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let match; (match = TOKEN.exec(sql)) !== null;) {
    const kind = Object.entries(match.groups!).find(([, text]) => text !== undefined)![0];
    tokens.push({
      kind: kind as Token["kind"],
      text: match[0],
      start: match.index,
    });
    if (TOKEN.lastIndex >= sql.length) break;
  }
  return tokens;
}

/** Whether a text, a name or a comment has begun and not ended. */
export function isOpen(sql: string): boolean {
  const last = tokensOf(sql).at(-1);
  if (last === undefined) return false;
  const { kind, text } = last;
  if (kind === "text") return !/^[xXeE]?'(?:[^']|'')*'$/.test(text);
  if (kind === "quoted") return !/^(?:"(?:[^"]|"")*"|`[^`]*`)$/.test(text);
  return text.startsWith("/*") && !(text.length > 3 && text.endsWith("*/"));
}

/** The statements of a text, each with whether a semicolon ends it. */
export function splitStatements(
  sql: string,
): { readonly text: string; readonly isEnded: boolean }[] {
  const statements: { text: string; isEnded: boolean }[] = [];
  let start = 0;
  const add = (end: number, isEnded: boolean): void => {
    const text = sql.slice(start, end).trim();
    if (tokensOf(text).some(({ kind }) => kind !== "space")) {
      statements.push({ text, isEnded });
    }
  };
  for (const token of tokensOf(sql)) {
    if (token.kind !== "sign" || token.text !== ";") continue;
    add(token.start, true);
    start = token.start + 1;
  }
  add(sql.length, false);
  return statements;
}

/** Whether a line is SQL, and no command: `delete KEY` is a command, `delete from` is SQL. */
export function isSql(line: string): boolean {
  return /^\s*(?:explain\s+)?(?:select|insert|update|with|replace|create|drop|alter|delete\s+from)(?![\w-])/i
    .test(line);
}

/** SQL for the parser. */
export interface ParserText {
  readonly text: string;
  /** The offset in what was typed. */
  originalOffset(offset: number): number;
}

/** Replaces what the parser does not know. */
export function forParser(sql: string): ParserText {
  const tokens = tokensOf(sql);
  const pieces: string[] = [];
  const offsets: [written: number, original: number][] = [];
  let written = 0;
  const add = (piece: string, original: number): void => {
    offsets.push([written, original]);
    pieces.push(piece);
    written += piece.length;
  };
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    const path = fieldPath(tokens, at);
    if (path !== undefined) {
      add(
        `${token.text}."${path.names.join(".").replaceAll('"', '""')}"`,
        token.start,
      );
      at = path.end - 1;
      continue;
    }
    const end = startsWithAt(tokens, at);
    if (end !== undefined) {
      add("operator(prefix.~)", token.start);
      at = end - 1;
    } else if (token.kind === "number") {
      add(numberText(token.text), token.start);
    } else if (token.kind === "quoted" && token.text.startsWith("`")) {
      add(`"${token.text.slice(1, -1).replaceAll('"', '""')}"`, token.start);
    } else add(token.text, token.start);
  }
  return {
    text: pieces.join(""),
    originalOffset: (offset) => {
      const [from, original] = offsets.findLast(([from]) => from <= offset) ??
        [0, 0];
      return Math.min(sql.length, original + offset - from);
    },
  };
}

/** The names after `v` at a place, if there are some. */
function fieldPath(
  tokens: readonly Token[],
  start: number,
): { names: string[]; end: number } | undefined {
  const isDot = (at: number): boolean => tokens[at]?.text === ".";
  const first = tokens[start]!;
  if (first.kind !== "word" || first.text.toLowerCase() !== "v") {
    return undefined;
  }
  // `kv.v.a` is the value, too; the table's name stays before it.
  const names: string[] = [];
  let at = start + 1;
  while (isDot(at)) {
    const name = tokens[at + 1];
    if (name?.kind === "word") names.push(name.text);
    else if (name?.kind === "quoted") {
      names.push(
        name.text.startsWith("`")
          ? name.text.slice(1, -1)
          : name.text.slice(1, -1).replaceAll('""', '"'),
      );
    } else break;
    at += 2;
  }
  return names.length === 0 ? undefined : { names, end: at };
}

/** Where the words STARTS WITH end, if they are at a place. */
function startsWithAt(
  tokens: readonly Token[],
  start: number,
): number | undefined {
  const isWord = (at: number, word: string): boolean =>
    tokens[at]?.kind === "word" && tokens[at].text.toLowerCase() === word;
  return isWord(start, "starts") && tokens[start + 1]?.kind === "space" &&
      isWord(start + 2, "with")
    ? start + 3
    : undefined;
}

/** A number as the parser reads it, without loss. */
function numberText(text: string): string {
  if (/^0[xX]/.test(text)) return `int8 '${BigInt(text)}'`;
  if (text.endsWith("n")) return `int8 '${text.slice(0, -1)}'`;
  if (/[eE]/.test(text)) return `float8 '${text}'`;
  if (/^\d{16,}$/.test(text)) return `int8 '${text}'`;
  return text;
}
