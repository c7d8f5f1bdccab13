/**
 * Makes text from a store safe for a terminal. A value must not be able to move the cursor, change
 * the title, or reorder what stands beside it, so every character that a terminal obeys becomes an
 * escape of JSON.
 */

/**
 * Control characters, separators of lines and paragraphs, marks that change the direction of text,
 * characters without width, tags, and halves of surrogate pairs. An emoji may be joined to another.
 */
const OBEYED =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]|(?<!\p{Extended_Pictographic}[\ufe0f\u{1f3fb}-\u{1f3ff}]?)\u200d|\u200d(?!\p{Extended_Pictographic})/gu;

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
    (found) => SHORT[found] ?? found.replace(/[^]/g, (unit) => unicodeEscape(unit)),
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
