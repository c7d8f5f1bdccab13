/** Colours of the terminal. A style is a name, so that only one place knows the codes. */

/** The name of a style. */
export type Style =
  | "plain"
  | "bold"
  | "dim"
  | "key"
  | "string"
  | "number"
  | "boolean"
  | "bytes"
  | "record"
  | "good"
  | "warning"
  | "bad";

const CODES: Readonly<Record<Style, readonly [number, number] | undefined>> = {
  plain: undefined,
  bold: [1, 22],
  dim: [2, 22],
  key: [36, 39],
  string: [32, 39],
  number: [33, 39],
  boolean: [35, 39],
  bytes: [34, 39],
  record: undefined,
  good: [32, 39],
  warning: [33, 39],
  bad: [31, 39],
};

/** Adds a style to a text. */
export type Paint = (style: Style, text: string) => string;

/** Adds styles as escape sequences. */
export const colourful: Paint = (style, text) => {
  const codes = CODES[style];
  return codes === undefined || text === "" ? text : `\x1b[${codes[0]}m${text}\x1b[${codes[1]}m`;
};

/** Adds no styles. */
export const colourless: Paint = (_style, text) => text;
