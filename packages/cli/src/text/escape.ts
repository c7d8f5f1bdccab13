/**
 * Makes text from a store safe for a terminal. A value must not be able to move the cursor, change
 * the title, or reorder what stands beside it, so every character that a terminal obeys becomes an
 * escape of JSON.
 */

/**
 * C0 and C1 controls, DEL, line and paragraph separators, marks that change the direction of text,
 * characters without width, and halves of surrogate pairs.
 */
const OBEYED =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

const SHORT: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\f": "\\f",
  "\r": "\\r",
};

/** The text with every character that a terminal obeys as an escape of JSON. */
export function escapeControls(text: string): string {
  return text.replace(
    OBEYED,
    (found) =>
      SHORT[found] ?? found.replace(/[^]/g, (unit) => unicodeEscape(unit)),
  );
}

/** The same, but line feeds and tabs stay: for text of several lines. */
export function escapeControlsInLines(text: string): string {
  return text.split("\n")
    .map((line) => line.split("\t").map(escapeControls).join("\t"))
    .join("\n");
}

/** Whether the text has nothing to escape. */
export function isPlain(text: string): boolean {
  OBEYED.lastIndex = 0;
  return !OBEYED.test(text);
}

/** The text as a JSON string that a terminal shows as it is. */
export function quote(text: string): string {
  return escapeControls(JSON.stringify(text));
}

function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
