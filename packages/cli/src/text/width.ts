/** The columns that text takes on a terminal. */

import stringWidth from "string-width";

const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const ASCII = /^[\x20-\x7e]*$/;

/** The number of columns of a text without styles. */
export function widthOf(text: string): number {
  return ASCII.test(text) ? text.length : stringWidth(text);
}

/** The text, cut to `columns` columns. A cut text ends with "…". */
export function cut(text: string, columns: number): string {
  // Longer text does not fit; measuring all of it would be slow.
  if (text.length <= columns * 16 && widthOf(text) <= columns) return text;
  let taken = "";
  let width = 0;
  for (const { segment } of segments.segment(text.slice(0, columns * 16))) {
    const more = widthOf(segment);
    if (width + more > columns - 1) break;
    taken += segment;
    width += more;
  }
  return `${taken}…`;
}

/** The text with spaces up to `columns` columns. */
export function pad(
  text: string,
  columns: number,
  align: "left" | "right" = "left",
): string {
  const spaces = " ".repeat(Math.max(0, columns - widthOf(text)));
  return align === "left" ? text + spaces : spaces + text;
}
