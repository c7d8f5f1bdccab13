/** Numbers and tables as text. */

/** A number with three digits that count: 8.05k, 412k, 1.24M. */
export function shortNumber(value: number): string {
  const [scaled, suffix] = value >= 999_500
    ? [value / 1e6, "M"]
    : value >= 999.5
    ? [value / 1e3, "k"]
    : [value, ""];
  const digits = scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return scaled.toFixed(digits) + suffix;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** Renders a table whose first columns are text and whose others are numbers. */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns = 1,
): string {
  const rule = header.map((_, i) => i < textColumns ? "---" : "---:");
  return [line(header), line(rule), ...rows.map(line)].join("\n");
}
